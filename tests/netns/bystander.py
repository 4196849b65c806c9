"""A network that nothing is to reach: its session, its routes and its packets, watched while another's peer
does its worst.

The watch listens to the kernel itself: every change of a route in the network's table, and of any rule. A
socket filter drops what is of other tables, so that a million routes of a neighbour don't overrun it.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from labs.netns.namespace import Namespace
from labs.netns.topology import SERVER
from labs.netns.traffic import Capture, Probe
from tests.netns.world import World

SO_ATTACH_FILTER = 26
IPV4_ROUTE, IPV4_RULE = 0x40, 0x80
"""Multicast groups (RTMGRP_*, linux/rtnetlink.h)."""
TABLE_AT = 16 + 12 + 4
"""Where a route's table is told: nlmsghdr, rtmsg, the header of RTA_TABLE, which comes first."""
WORDS = {24: "new route", 25: "route gone", 32: "new rule", 33: "rule gone"}


class Watch:
    """What the kernel tells from now on of one table's IPv4 routes, or, without a table, of its rules; as a
    `with` block."""

    def __init__(self, namespace: Namespace, table: int | None = None) -> None:
        self._socket = namespace.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self._socket.setblocking(False)
        if table is not None:
            self._only(table)
        self._socket.bind((0, IPV4_RULE if table is None else IPV4_ROUTE))
        self._seen: list[str] = []

    def _only(self, table: int) -> None:
        # BPF loads in network byte order, netlink writes in the host's.
        seen = int.from_bytes(table.to_bytes(4, sys.byteorder), "big")
        steps = [(0x20, 0, 0, TABLE_AT), (0x15, 0, 1, seen), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0)]
        code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
        program = struct.pack("HP", len(steps), ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)

    def events(self) -> list[str]:
        """What changed until now. Raises OSError (ENOBUFS) when something was missed."""
        while True:
            try:
                octets = self._socket.recv(1 << 16)
            except BlockingIOError:
                return self._seen
            (kind,) = struct.unpack_from("=H", octets, 4)
            self._seen.append(f"{WORDS.get(kind, kind)} {octets[16:].hex()}")

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Standing:
    """What is not to change."""

    routes: list[dict[str, Any]]
    nexthops: list[dict[str, Any]]
    sessions_begun: int


class Bystander:
    """The network yellow, under traffic from its gateway, as a `with` block.

    `check` holds, at any time and at the end of the block, that nothing of it has changed and that no packet
    of another gateway came its way; the end, that no packet of its own was lost.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.site = world.yellow
        self.probe = Probe(world.workload("yellow"), SERVER)
        self._routes = Watch(world.node, self.site.table)
        self._rules = Watch(world.node)
        self._capture = Capture(world.node, self.site.uplink)
        self._before = self._standing()
        self._since = time.monotonic()

    def __enter__(self) -> Bystander:
        self.probe.__enter__()
        self.probe.wait_answers("yellow")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.probe.wait_answers("yellow")
                self.check()
        finally:
            self.probe.__exit__(kind, error, trace)
            self._capture.__exit__(kind, error, trace)
            self._routes.__exit__(kind, error, trace)
            self._rules.__exit__(kind, error, trace)
        if error is None:
            tally = self.probe.tally
            assert tally.lost == tally.unreachable == 0, tally
            assert set(tally.answered) == {"yellow"}

    def check(self) -> None:
        """Raises AssertionError with what was disturbed."""
        self.world.alive()
        assert self._routes.events() == [], "routes of yellow's table changed"
        assert self._rules.events() == [], "rules changed"
        assert self._standing() == self._before
        elapsed = time.monotonic() - self._since
        peer = self.world.peer_status("yellow", self.site.router_address)
        assert peer["uptime"] >= int(elapsed) - 1, "its session began anew"
        assert self._capture.packets(src=("10.50.0.2", "10.50.0.3")) == [], "packets of red's gateway"

    def _standing(self) -> Standing:
        node, device = self.world.node, self.site.uplink
        return Standing(
            node.routes(self.site.table),
            node.show(f"nexthop show dev {device}"),
            self.site.router.sessions_begun(self.site.node_address),
        )


def memory(world: World) -> int:
    """Octets that the daemon and all of its processes have (their PSS, proc(5))."""
    total = 0
    for pid in world.daemon_processes():
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total
