"""When a table holds what it should, seen from outside at almost no cost to what is under test.

Two questions, the cheap one first. Lookups of a few prefixes (RTM_GETROUTE with RTM_F_FIB_MATCH: which
route would a packet of the gateway take?) tell when the last ones have come. Only then
/proc/net/fib_triestat is read, whose count of prefixes by table is exact, but for which the kernel walks
the whole trie (IPv4 only: there is none for IPv6). Nobody listens to the kernel's notifications here, since
that alone would slow down every write.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.aside import Aside
from bench.feed import Prefix
from bench.script import Silent
from labs.netns.namespace import Namespace

GETROUTE, NEWROUTE, DELROUTE, ERROR = 26, 24, 25, 2
RTM_F_FIB_MATCH = 0x2000
RTA_DST, RTA_SRC, RTA_OIF = 1, 2, 4
RTNLGRP_IPV4_ROUTE = 7
SOL_NETLINK, ADD_MEMBERSHIP = 270, 1
SO_RCVBUFFORCE = 33
MAIN = 254
MULTIPATH = 0
"""What stands for the device of a route that has several next hops."""
COUNT = re.compile(r"^(Main|Local|Id (\d+)):$|^\tPrefixes:\s+(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Sentinel:
    """A prefix to look up: none in the feeds is more specific than a /24, so its match is exact."""

    gateway: str
    """The source of the lookup, by which it gets into the network's table."""
    prefix: Prefix

    @property
    def address(self) -> str:
        """A host in it."""
        return socket.inet_ntoa((self.prefix[0] + 5).to_bytes(4, "big"))


def sentinels(gateway: str, prefixes: Iterable[Prefix], count: int) -> list[Sentinel]:
    """So many /24 spread over some prefixes, and the last of them: what comes late in every order."""
    whole = [prefix for prefix in prefixes if prefix[1] == 24]
    step = max(1, len(whole) // count)
    return [Sentinel(gateway, prefix) for prefix in (*whole[::step], *whole[-5:])]


class Tables:
    """The node's routing tables."""

    def __init__(self, node: Namespace) -> None:
        self.node = node
        self._socket = node.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._socket.bind((0, 0))
        self._counts = node.inside(lambda: os.open("/proc/thread-self/net/fib_triestat", os.O_RDONLY))

    def close(self) -> None:
        self._socket.close()
        os.close(self._counts)

    def __enter__(self) -> Tables:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def counts(self) -> dict[int, int]:
        """The number of IPv4 routes in each table."""
        text, at = b"", 0
        while piece := os.pread(self._counts, 1 << 20, at):
            text += piece
            at += len(piece)
        found: dict[int, int] = {}
        table = 0
        for name, number, count in COUNT.findall(text.decode()):
            if name:
                table = int(number) if number else {"Main": MAIN, "Local": 255}[name]
            else:
                found[table] = int(count)
        return found

    def device(self, sentinel: Sentinel) -> int | None:
        """The index of the device by which exactly this prefix leaves; None if there is no such route.

        MULTIPATH if there are several.
        """
        octets = (sentinel.prefix[0] + 5).to_bytes(4, "big")
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 32, 0, 0, 0, 0, 0, RTM_F_FIB_MATCH)
        body += struct.pack("=HH", 8, RTA_DST) + octets + struct.pack("=HH", 8, RTA_SRC)
        body += socket.inet_aton(sentinel.gateway)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), GETROUTE, 1, 0, 0) + body)
        answer = self._socket.recv(65536)
        if struct.unpack_from("=H", answer, 4)[0] == ERROR or answer[17] != sentinel.prefix[1]:
            return None
        at = 28
        while at + 8 <= len(answer):
            length, kind = struct.unpack_from("=HH", answer, at)
            if kind == RTA_OIF:
                return int(struct.unpack_from("=I", answer, at + 4)[0])
            at += (length + 3) & ~3
        return MULTIPATH

    def wait_full(
        self,
        present: Iterable[Sentinel],
        wanted: dict[int, int],
        *,
        seconds: float,
        alive: Callable[[], str],
        absent: Iterable[Sentinel] = (),
        exact: bool = False,
    ) -> float:
        """Wait until the tables hold at least (`exact`: just) the wanted counts; the time at which they did.

        `present` and `absent` are looked up first, one every 2 ms. Raises Silent, with what is missing.
        """
        deadline = time.monotonic() + seconds
        for sentinel, should in [*((s, True) for s in present), *((s, False) for s in absent)]:
            while (self.device(sentinel) is not None) is not should:
                self._check(deadline, alive, wanted)
                time.sleep(0.002)
        while True:
            at = time.monotonic()
            counts = self.counts()
            if all(
                counts.get(table, 0) == count if exact else counts.get(table, 0) >= count
                for table, count in wanted.items()
            ):
                return at
            self._check(deadline, alive, wanted)
            time.sleep(max(0.005, time.monotonic() - at))

    def _check(self, deadline: float, alive: Callable[[], str], wanted: dict[int, int]) -> None:
        reason = alive()
        if not reason and time.monotonic() < deadline:
            return
        counts = self.counts()
        lacking = [f"{table}: {counts.get(table, 0)} of {wanted[table]}" for table in wanted]
        raise Silent(f"{reason or 'too slow'}; routes by table: {', '.join(lacking[:5])}")


class Writes(Aside):
    """Counts the writes to IPv4 routes, as a `with` block, where few are expected."""

    def __init__(self, node: Namespace) -> None:
        super().__init__(node.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
        self.count = 0
        self.complete = True
        """False if the kernel had to drop notifications: `count` is a lower bound then."""
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.bind((0, 0))
        self._socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, RTNLGRP_IPV4_ROUTE)
        self._socket.settimeout(0.1)

    def _step(self) -> None:
        try:
            octets = self._socket.recv(1 << 16)
        except TimeoutError:
            return
        except OSError:
            self.complete = False
            return
        at = 0
        while at + 16 <= len(octets):
            length, kind = struct.unpack_from("=IH", octets, at)
            self.count += kind in (NEWROUTE, DELROUTE)
            at += (length + 3) & ~3
