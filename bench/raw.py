"""The kernel's own limit, as a script: netlink messages are made first, then the clock starts and they are
sent.

    raw.py '{"mode": "inline", "batch": 20000, "withdraw": false, "tables": [{"table": 500, "prefixes": PATH,
             "hops": [["10.0.0.1", "n0"]], "equal": false}, …]}'

`mode` is `inline` (gateway and device in each route) or `nexthop` (an object, and a group of it, as vrfbgp
does; if `equal`, one group of all objects). Further hops are backup routes unless they are equal. Routes go
in the order of arrival, sorted within a batch, which is the order that suits the kernel best. It prints
{"event": "ready"}, waits for a line on stdin, sends, and prints {"event": "done", "begin": …, "end": …,
"cpu": …}, seconds of CLOCK_MONOTONIC. Further lines are each answered by an event of their name with the same
three figures: `withdraw` (where that was true) deletes all the routes, by messages that were made at the
beginning, too; `dead` deletes the first hop's object: the peer's death at its fastest.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import time
from pathlib import Path

NEWROUTE, DELROUTE, NEWNEXTHOP, DELNEXTHOP = 24, 25, 104, 105
REQUEST = 0x1
REQUEST_CREATE_EXCL = REQUEST | 0x400 | 0x200
REQUEST_ACK = REQUEST | 0x4
PROTOCOL = 250
"""Of no routing software that /etc/iproute2/rt_protos knows."""
METRIC = 20000
FIRST_ID = 0x1000
FIRST_GROUP = 0x2000
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33


def request(kind: int, flags: int, body: bytes) -> bytes:
    """A message of netlink(7)."""
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


class Kernel:
    """A socket of NETLINK_ROUTE."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 16 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.bind((0, 0))
        self.socket.setsockopt(270, 11, 1)  # SOL_NETLINK, NETLINK_EXT_ACK
        self.socket.setsockopt(270, 10, 1)  # NETLINK_CAP_ACK

    def ask(self, kind: int, flags: int, body: bytes) -> None:
        """One request; OSError if it is refused."""
        self.socket.send(request(kind, flags, body))
        number = struct.unpack_from("=i", self.socket.recv(65536), 16)[0]
        if number:
            raise OSError(-number, f"netlink message {kind}")

    def check(self) -> None:
        """OSError if anything was refused so far."""
        self.socket.setblocking(False)
        try:
            number = struct.unpack_from("=i", self.socket.recv(65536), 16)[0]
            raise OSError(-number, "a route was refused")
        except BlockingIOError:
            return
        finally:
            self.socket.setblocking(True)


def attribute(kind: int, octets: bytes) -> bytes:
    """A `struct rtattr`."""
    return struct.pack("=HH", 4 + len(octets), kind) + octets + bytes(-len(octets) % 4)


def number(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return attribute(kind, struct.pack("=I", value))


def make_object(kernel: Kernel, at: int, gateway: str, device: str) -> int:
    """A next hop object (linux/nexthop.h); its id."""
    head = struct.pack("=BBBBI", socket.AF_INET, 0, PROTOCOL, 0, 0)
    body = number(1, FIRST_ID + at) + number(5, socket.if_nametoindex(device))
    body += attribute(6, socket.inet_aton(gateway))
    kernel.ask(NEWNEXTHOP, REQUEST_ACK | 0x600, head + body)
    return FIRST_ID + at


def make_group(kernel: Kernel, at: int, members: list[int]) -> int:
    """A group of next hop objects; its id."""
    head = struct.pack("=BBBBI", socket.AF_UNSPEC, 0, PROTOCOL, 0, 0)
    group = attribute(2, b"".join(struct.pack("=IBBH", member, 0, 0, 0) for member in members))
    kernel.ask(NEWNEXTHOP, REQUEST_ACK | 0x600, head + number(1, FIRST_GROUP + at) + group)
    return FIRST_GROUP + at


def additions(prefixes: list[tuple[int, int]], table: int, way: bytes, metric: int, size: int) -> list[bytes]:
    """The messages that add routes, so many in an element."""
    return batches(prefixes, table, metric, size, (NEWROUTE, REQUEST_CREATE_EXCL, way))


def deletions(prefixes: list[tuple[int, int]], table: int, metric: int, size: int) -> list[bytes]:
    """The messages that delete routes, so many in an element."""
    return batches(prefixes, table, metric, size, (DELROUTE, REQUEST, b""))


def batches(
    prefixes: list[tuple[int, int]], table: int, metric: int, size: int, what: tuple[int, int, bytes]
) -> list[bytes]:
    """Messages for all prefixes: their type, flags, and attributes beyond the route's key."""
    kind, flags, way = what
    heads = []
    for length in range(33):
        message = struct.pack("=BBBBBBBBI", socket.AF_INET, length, 0, 0, 0, PROTOCOL, 0, 1, 0)
        message += number(15, table) + number(6, metric) + way + struct.pack("=HH", 8, 1)
        heads.append(struct.pack("=IHHII", 16 + len(message) + 4, kind, flags, 0, 0) + message)
    found = []
    for at in range(0, len(prefixes), size):
        some = sorted(prefixes[at : at + size])
        found.append(b"".join([heads[length] + address.to_bytes(4, "big") for address, length in some]))
    return found


def timed(kernel: Kernel, event: str, work: list[bytes]) -> None:
    """Send batches, and tell when that began and ended, and its CPU seconds."""
    cpu = time.process_time()
    begin = time.monotonic()
    for batch in work:
        kernel.socket.send(batch)
    end = time.monotonic()
    cpu = time.process_time() - cpu
    kernel.check()
    print(json.dumps({"event": event, "begin": begin, "end": end, "cpu": cpu}), flush=True)


def main() -> None:
    """Make, wait, send, tell."""
    setting = json.loads(sys.argv[1])
    kernel = Kernel()
    work: list[bytes] = []
    undoing: list[bytes] = []
    hops = 0
    for table in setting["tables"]:
        prefixes = list(struct.iter_unpack("=IB", Path(table["prefixes"]).read_bytes()))
        ways = []
        if setting["mode"] == "nexthop":
            members = [make_object(kernel, hops + at, *hop) for at, hop in enumerate(table["hops"])]
            groups = [members] if table["equal"] else [[member] for member in members]
            ways = [number(30, make_group(kernel, hops + at, group)) for at, group in enumerate(groups)]
        else:
            for gateway, device in table["hops"]:
                way = number(4, socket.if_nametoindex(device)) + attribute(5, socket.inet_aton(gateway))
                ways.append(way)
        hops += len(table["hops"])
        for rank, way in enumerate(ways):
            work += additions(prefixes, table["table"], way, METRIC + rank, setting["batch"])
            if setting["withdraw"]:
                undoing += deletions(prefixes, table["table"], METRIC + rank, setting["batch"])
    print(json.dumps({"event": "ready"}), flush=True)
    sys.stdin.readline()
    timed(kernel, "done", work)
    dead = struct.pack("=BBBBI", 0, 0, 0, 0, 0) + number(1, FIRST_ID)
    for line in sys.stdin:
        if line.strip() == "withdraw":
            timed(kernel, "withdraw", undoing)
        elif line.strip() == "dead":
            timed(kernel, "dead", [request(DELNEXTHOP, REQUEST, dead)])


if __name__ == "__main__":
    main()
