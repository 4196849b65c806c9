"""Routes and next hops of the kernel, from dumps and notifications alike, as values of the model.

Each function takes a message's octets behind its `struct nlmsghdr`: `message[start:end]`. None means that
the model has no such thing: another family, a cached route, a route that is told apart by its TOS or
source. Whatever is in the octets, nothing here raises.
"""

from __future__ import annotations

from struct import Struct

from vrfbgp.kernel.attributes import address, attributes, u16, u32, via, walk
from vrfbgp.kernel.uapi import (
    IP6_RT_PRIO_USER,
    KINDS_WITH_NEXTHOP,
    NHA_BLACKHOLE,
    NHA_ENCAP,
    NHA_FDB,
    NHA_GATEWAY,
    NHA_GROUP,
    NHA_GROUP_TYPE,
    NHA_ID,
    NHA_OIF,
    ROUTE_KINDS,
    RTA_DST,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_TABLE,
    RTA_VIA,
    RTM_F_CLONED,
)
from vrfbgp.model import (
    PROTOCOL,
    Family,
    IPAddress,
    KernelNexthop,
    KernelRoute,
    NexthopGroup,
    NexthopObject,
    NexthopValue,
    Nlri,
    RouteKey,
)

_ROUTE = Struct("=BBBBBBBBI")
_NEXTHOP = Struct("=BBBBI")
_HOP = Struct("=HBBi")
_MEMBER = Struct("=IBBH")
_FAMILIES = {int(family): family for family in Family}

Hops = tuple[tuple[IPAddress | None, int], ...]


def route(message: bytes, start: int, end: int) -> KernelRoute | None:
    """A route (`struct rtmsg`), with or without the next hops behind its next hop object."""
    if end - start < _ROUTE.size:
        return None
    src_len, tos = message[start + 2], message[start + 3]
    if src_len or tos or _ROUTE.unpack_from(message, start)[8] & RTM_F_CLONED:
        return None
    return lookup(message, start, end)


def lookup(message: bytes, start: int, end: int) -> KernelRoute | None:
    """The answer to an RTM_GETROUTE: a route too, but the source and TOS are those that were asked for."""
    if end - start < _ROUTE.size:
        return None
    family_number, length, _, _, table, protocol, scope, kind_number, _ = _ROUTE.unpack_from(message, start)
    family = _FAMILIES.get(family_number)
    if family is None or length > family.bits:
        return None
    found = attributes(message, start + _ROUTE.size, end)
    nlri = nlri_from(length, found.get(RTA_DST, b""))
    if nlri is None:
        return None
    metric = u32(found.get(RTA_PRIORITY))
    if metric is None:
        metric = IP6_RT_PRIO_USER if family is Family.IPV6 else 0
    wide_table = u32(found.get(RTA_TABLE))
    kind = ROUTE_KINDS.get(kind_number, str(kind_number))
    return KernelRoute(
        RouteKey(table if wide_table is None else wide_table, family, nlri, metric),
        protocol,
        kind,
        scope,
        _hops(found) if kind in KINDS_WITH_NEXTHOP else (),
        u32(found.get(RTA_NH_ID)) or None,
        address(found.get(RTA_PREFSRC)),
    )


def own_table(message: bytes, start: int, end: int) -> tuple[int, Family] | None:
    """The table and family of a route of our protocol; None if it is foreign."""
    if end - start < _ROUTE.size or message[start + 5] != PROTOCOL:
        return None
    family, table = _FAMILIES.get(message[start]), message[start + 4]
    if family is None:
        return None
    for kind, first, stop in walk(message, start + _ROUTE.size, end):
        if kind == RTA_TABLE:
            table = u32(message[first:stop]) or table
            break
    return table, family


def nlri_from(length: int, destination: bytes) -> Nlri | None:
    """The wire form of a prefix; None if there are too few octets for its length."""
    octets = (length + 7) // 8
    if len(destination) < octets:
        return None
    prefix = destination[:octets]
    beyond = 0xFF >> length % 8
    if length % 8 and prefix[-1] & beyond:
        prefix = prefix[:-1] + bytes((prefix[-1] & ~beyond,))
    return bytes((length,)) + prefix


def _hops(found: dict[int, bytes]) -> Hops:
    multipath = found.get(RTA_MULTIPATH)
    if multipath is None:
        ifindex = u32(found.get(RTA_OIF))
        gateway = _gateway(found)
        return () if ifindex is None and gateway is None else ((gateway, ifindex or 0),)
    hops: list[tuple[IPAddress | None, int]] = []
    at = 0
    while at + _HOP.size <= len(multipath):
        size, _, _, ifindex = _HOP.unpack_from(multipath, at)
        if size < _HOP.size or at + size > len(multipath):
            break
        hops.append((_gateway(attributes(multipath, at + _HOP.size, at + size)), ifindex))
        at += (size + 3) & ~3
    return tuple(hops)


def _gateway(found: dict[int, bytes]) -> IPAddress | None:
    return address(found.get(RTA_GATEWAY)) or via(found.get(RTA_VIA))


def nexthop(message: bytes, start: int, end: int) -> KernelNexthop | None:
    """A next hop object or group (`struct nhmsg`). The flag `onlink` is not looked at."""
    if end - start < _NEXTHOP.size:
        return None
    _, _, protocol, _, _ = _NEXTHOP.unpack_from(message, start)
    found = attributes(message, start + _NEXTHOP.size, end)
    number = u32(found.get(NHA_ID))
    return None if number is None else KernelNexthop(number, protocol, _nexthop_value(found))


def _nexthop_value(found: dict[int, bytes]) -> NexthopValue | None:
    if found.keys() & {NHA_BLACKHOLE, NHA_ENCAP, NHA_FDB}:
        return None
    group = found.get(NHA_GROUP)
    if group is None:
        gateway, ifindex = address(found.get(NHA_GATEWAY)), u32(found.get(NHA_OIF))
        return None if gateway is None or ifindex is None else NexthopObject(gateway, ifindex)
    members = [
        _MEMBER.unpack_from(group, at)
        for at in range(0, len(group) - len(group) % _MEMBER.size, _MEMBER.size)
    ]
    weights = {(low, high) for _, low, high, _ in members}
    if u16(found.get(NHA_GROUP_TYPE)) or len(weights) > 1:
        return None
    return NexthopGroup(tuple(sorted(member[0] for member in members)))
