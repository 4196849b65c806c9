"""Links and addresses that come and go, faster than anyone can follow: afterwards the tables are right."""

from __future__ import annotations

import time

import pytest

from labs.netns.manifests import peer
from labs.netns.topology import LOCAL_AS, SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import World
from vrfbgp.fib.contests import BURST

AFTER = 2.0
"""Seconds after a link or an address is back within which its network's table is right (P24)."""
GAPS = (0.0, 0.0, 0.02, 0.05, 0.05, 0.3, 0.6)
"""Seconds for which it is away: from too short for anyone to see to longer than a reload settles."""
SERVED6 = tuple(f"2001:db8:{number:x}::/48" for number in range(1, 31))


def whole(world: World) -> bool:
    """Whether red's table has its bootstrap route and what was learned."""
    there = world.route(world.red, world.red.subnet) is not None
    return there and world.gateways_of(world.red, SERVED) == {world.red.router_address}


@pytest.mark.parametrize("how", ["carrier", "link", "address", "connected route"])
def test_p24_the_table_is_right_soon_after_what_it_stands_on_is_back(working: World, how: str) -> None:
    world = working
    with Probe(world.workload("yellow"), SERVER) as probe:
        probe.wait_answers("yellow")
        _flap(world, how)
        probe.wait_answers("yellow")
    assert probe.tally.lost == probe.tally.unreachable == 0, "the other network loses nothing"
    world.wait_working("red", "yellow")
    assert world.red.router.sessions_begun("172.16.1.10") == 1, "the session outlives it"
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1


def _flap(world: World, how: str) -> None:
    for gap in GAPS:
        match how:
            case "carrier":
                world.red.cut()
                time.sleep(gap)
                world.red.mend()
            case "link":
                world.node.ip("link set red0 down")
                time.sleep(gap)
                world.node.ip("link set red0 up")
            case "address":
                world.node.ip("addr del 172.16.1.10/24 dev red0")
                time.sleep(gap)
                world.node.ip("addr add 172.16.1.10/24 dev red0")
            case "connected route":
                world.node.ip("route del 172.16.1.0/24 dev red0")
                time.sleep(gap)
                world.node.ip("route add 172.16.1.0/24 dev red0 proto kernel scope link src 172.16.1.10")
        wait_for(lambda: whole(world), AFTER, lambda: f"red's table is whole; {world.node.routes(500)}")


def test_p24_many_flaps_of_both_uplinks_at_once(working: World) -> None:
    world = working
    for turn in range(12):
        world.node.ip("link set red0 down", "link set yellow0 down", "link set red0 up")
        (world.red.cut if turn % 2 else world.red.mend)()
        world.node.ip("link set yellow0 up")
    world.red.mend()
    for site in world.topology.sites:
        world.wait_route(site, SERVED, site.router_address)
    world.wait_working("red", "yellow")


def test_p24_ipv6_routes_that_went_with_a_carrier_were_deleted_by_nobody(working: World) -> None:
    """The kernel tells of each, before it tells of the device; more flaps than a fight needs."""
    world, router = working, working.red.router
    world.node.ip("addr add fd00:31::10/64 dev red0 nodad")
    router.namespace.ip("addr add fd00:31::140/64 dev eth0 nodad")
    router.configure(
        f"router bgp {LOCAL_AS}",
        "neighbor NODES6 peer-group",
        f"neighbor NODES6 remote-as {LOCAL_AS}",
        "bgp listen range fd00:31::/64 peer-group NODES6",
        "address-family ipv6 unicast",
        "neighbor NODES6 activate",
        *(f"network {prefix}" for prefix in SERVED6),
    )
    world.config.save("peers6.yaml", peer("red-6", "red", "fd00:31::140", LOCAL_AS))
    wait_for(lambda: learned6(world) == set(SERVED6), describe="all is learned")
    before = world.daemon.status()["kernel"]["repairs"]
    for turn in range(BURST + 2):
        world.red.cut()
        wait_for(lambda: not learned6(world), describe=f"the kernel drops them, turn {turn}")
        world.red.mend()
        wait_for(lambda: learned6(world) == set(SERVED6), AFTER, f"they are back, turn {turn}")
    kernel = world.daemon.status()["kernel"]
    assert kernel["contested"] == []
    assert kernel["repairs"] == before


def learned6(world: World) -> set[str]:
    """The learned IPv6 routes in red's table."""
    return {str(r["dst"]) for r in world.node.routes(500, family=6) if "gateway" in r or "nexthops" in r}
