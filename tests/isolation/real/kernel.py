"""What the node's kernel says: where it would send packets, and who has what links, addresses and routes.

Packets are asked about as by `ip route get DST from SRC iif DEVICE`, hundreds at once over one socket; the
answer is the route that matched with all of its next hops (RTM_F_FIB_MATCH, linux/rtnetlink.h), and no code
of the product's reads it.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from labs.netns.namespace import Namespace
from tests.isolation.truth import MAIN, Device, Fate, Hop, Host, Route

RTM_NEWROUTE, RTM_GETROUTE, NLMSG_ERROR, NLM_F_REQUEST = 24, 26, 2, 1
RTM_F_LOOKUP_TABLE, RTM_F_FIB_MATCH = 0x1000, 0x2000
RTA_DST, RTA_SRC, RTA_IIF, RTA_OIF, RTA_GATEWAY, RTA_MULTIPATH, RTA_TABLE = 1, 2, 3, 4, 5, 9, 15
RTN_UNICAST, RTN_LOCAL = 1, 2
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
AT_ONCE = 64
NOWHERE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL}
OURS = "179"
"""The product's protocol number, as ip(8) prints it."""
TABLE_NAMES = {"main": MAIN, "local": 255, "default": 253}

Packet = tuple[Host, Host, str]
"""Source, destination, and the device that it comes in by; empty: the node's own."""


class Kernel:
    """The kernel of one namespace."""

    def __init__(self, node: Namespace) -> None:
        self._node = node
        self._socket = node.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self._socket.settimeout(10)
        self._socket.bind((0, 0))
        self._indexes: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def close(self) -> None:
        self._socket.close()

    # -- where packets go --------------------------------------------------------------------------

    def fates(self, packets: Sequence[Packet], tables: dict[int, str]) -> list[Fate]:
        """What becomes of each packet; `tables` says which network has which."""
        found: list[Fate] = []
        for start in range(0, len(packets), AT_ONCE):
            some = packets[start : start + AT_ONCE]
            self._socket.send(b"".join(self._question(n, *packet) for n, packet in enumerate(some)))
            answers: dict[int, Fate] = {}
            while len(answers) < len(some):
                for kind, number, body in _messages(self._socket.recv(1 << 20)):
                    answers[number] = self._answer(kind, body, tables)
            found += [answers[number] for number in range(len(some))]
        return found

    def _question(self, number: int, src: Host, dst: Host, device: str) -> bytes:
        bits, flags = dst.max_prefixlen, RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH
        body = struct.pack("=BBBBBBBBI", FAMILIES[dst.version], bits, bits, 0, 0, 0, 0, 0, flags)
        body += _attribute(RTA_DST, dst.packed) + _attribute(RTA_SRC, src.packed)
        if device:
            body += _attribute(RTA_IIF, struct.pack("=I", self._indexes[device]))
        return struct.pack("=IHHII", 16 + len(body), RTM_GETROUTE, NLM_F_REQUEST, number, 0) + body

    def _answer(self, kind: int, body: bytes, tables: dict[int, str]) -> Fate:
        if kind == NLMSG_ERROR:
            (number,) = struct.unpack_from("=i", body)
            assert -number in NOWHERE, errno.errorcode.get(-number, number)
            return Fate("unreachable")
        assert kind == RTM_NEWROUTE, kind
        (family, route_type), attributes = (body[0], body[7]), dict(_attributes(body[12:]))
        if route_type == RTN_LOCAL:
            return Fate("local")
        if route_type != RTN_UNICAST:
            return Fate("unreachable")
        (table,) = struct.unpack("=I", attributes[RTA_TABLE])
        if table == MAIN:
            return Fate("main")
        return Fate("network", tables.get(table, f"table {table}"), frozenset(self._hops(family, attributes)))

    def _hops(self, family: int, attributes: dict[int, bytes]) -> Iterator[Hop]:
        if RTA_MULTIPATH not in attributes:
            (index,) = struct.unpack("=I", attributes[RTA_OIF])
            yield _gateway(family, attributes), self._names.get(index, f"device {index}")
            return
        octets = attributes[RTA_MULTIPATH]
        while octets:
            length, _flags, _weight, index = struct.unpack_from("=HBBi", octets)
            yield (
                _gateway(family, dict(_attributes(octets[8:length]))),
                self._names.get(index, f"device {index}"),
            )
            octets = octets[(length + 3) & ~3 :]

    # -- what there is -----------------------------------------------------------------------------

    def devices(self) -> dict[str, Device]:
        """All links with their addresses."""
        found = {}
        for link in self._node.show("addr show"):
            name, flags = link["ifname"], link["flags"]
            self._indexes[name], self._names[link["ifindex"]] = link["ifindex"], name
            addresses = tuple(
                (ip_address(entry["local"]), entry["prefixlen"])
                for entry in link["addr_info"]
                if "local" in entry
            )
            found[name] = Device(name, "UP" in flags, "LOWER_UP" in flags and "UP" in flags, addresses)
        return found

    def routes(self) -> tuple[Route, ...]:
        """Those of everybody else, in all tables but local."""
        shown = [
            entry
            for family in (4, 6)
            for entry in self._node.routes("all", family=family)
            if entry.get("protocol") != OURS
        ]
        routes = [
            _route(entry) for entry in shown if entry.get("type", "unicast") in ("unicast", "blackhole")
        ]
        return tuple(route for route in routes if route.table != TABLE_NAMES["local"])


def _route(entry: dict[str, Any]) -> Route:
    table = entry.get("table", "main")
    family = 6 if ":" in entry["dst"] or ":" in str(entry.get("gateway", "")) else 4
    prefix = ip_network({4: "0.0.0.0/0", 6: "::/0"}[family] if entry["dst"] == "default" else entry["dst"])
    hops = frozenset(
        (ip_address(hop["gateway"]) if "gateway" in hop else None, hop["dev"])
        for hop in entry.get("nexthops", [entry])
        if "dev" in hop and entry.get("type", "unicast") == "unicast"
    )
    return Route(TABLE_NAMES.get(table) or int(table), prefix, int(entry.get("metric", 0)), hops)


def _gateway(family: int, attributes: dict[int, bytes]) -> Host | None:
    octets = attributes.get(RTA_GATEWAY)
    if octets is None:
        return None
    return IPv4Address(octets) if family == socket.AF_INET else IPv6Address(octets)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value


def _attributes(octets: bytes) -> Iterable[tuple[int, bytes]]:
    while len(octets) >= 4:
        length, kind = struct.unpack_from("=HH", octets)
        yield kind & 0x3FFF, octets[4:length]
        octets = octets[(length + 3) & ~3 :]


def _messages(octets: bytes) -> Iterable[tuple[int, int, bytes]]:
    """Type, sequence number and body of each."""
    while len(octets) >= 16:
        length, kind, _flags, number, _port = struct.unpack_from("=IHHII", octets)
        yield kind, number, octets[16:length]
        octets = octets[(length + 3) & ~3 :]
