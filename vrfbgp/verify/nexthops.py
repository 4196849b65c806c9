"""Next hops in the range of ids that is ours: each in use, by a network, and ours."""

from __future__ import annotations

from collections.abc import Iterator

from vrfbgp.model import KernelNexthop, NexthopGroup, NexthopObject
from vrfbgp.verify.findings import Finding, Flaw
from vrfbgp.verify.ground import Ground
from vrfbgp.verify.sight import Sight, in_our_range

_UNASKED = "a running vrfbgp removes it; without one: ip nexthop del id {}"


def check_nexthops(ground: Ground, sight: Sight) -> Iterator[Finding]:
    """What is wrong with next hops that have an id of ours."""
    uplinks = frozenset().union(*(network.uplinks for network in ground.networks.values()))
    used = _used(sight)
    for nexthop in sight.nexthops.values():
        if not in_our_range(nexthop.id):
            yield from _borrows(nexthop)
            continue
        subject = f"next hop {nexthop.id}"
        if not nexthop.ours:
            text = f"it is somebody else's (protocol {nexthop.protocol}), with an id of our range"
            remedy = "have whoever made it take another id; ours begin at 0xB3000000"
            yield Finding(Flaw.NEXTHOP_FOREIGN, subject, text, remedy)
            continue
        if ground.intent.partial:
            continue
        if isinstance(nexthop.value, NexthopObject) and nexthop.value.ifindex not in uplinks:
            device = sight.device(nexthop.value.ifindex)
            text = f"it leads to {nexthop.value.gateway} by {device}, which is no network's uplink"
            yield Finding(Flaw.NEXTHOP_ASTRAY, subject, text, _UNASKED.format(nexthop.id))
        elif nexthop.id not in used:
            text = "it is ours, and no route and no group uses it"
            yield Finding(Flaw.NEXTHOP_UNUSED, subject, text, _UNASKED.format(nexthop.id))
    for survey in sight.tables.values():
        for route in survey.routes:
            if route.nhid is not None and in_our_range(route.nhid) and not route.ours:
                text = f"it is somebody else's (protocol {route.protocol}), on next hop {route.nhid} of ours"
                yield _borrowed(f"route {route.key}", text)


def _used(sight: Sight) -> set[int]:
    """Ids that a route or a group is on."""
    used = {id_ for survey in sight.tables.values() for _, id_ in survey.bunches}
    used |= {route.nhid for survey in sight.tables.values() for route in survey.routes if route.nhid}
    for nexthop in sight.nexthops.values():
        if isinstance(nexthop.value, NexthopGroup):
            used.update(nexthop.value.members)
    return used


def _borrows(nexthop: KernelNexthop) -> Iterator[Finding]:
    """A group of somebody else's that one of our objects is in."""
    if isinstance(nexthop.value, NexthopGroup) and any(map(in_our_range, nexthop.value.members)):
        text = f"it is somebody else's group (protocol {nexthop.protocol}), and has a next hop of ours in it"
        yield _borrowed(f"next hop {nexthop.id}", text)


def _borrowed(subject: str, text: str) -> Finding:
    remedy = "have whoever made it use a next hop of its own: ours go without notice"
    return Finding(Flaw.NEXTHOP_BORROWED, subject, text, remedy)
