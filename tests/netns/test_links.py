"""Links and addresses that come and go, faster than anyone can follow: afterwards the tables are right."""

from __future__ import annotations

import time

import pytest

from labs.netns.topology import SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import World

AFTER = 2.0
"""Seconds after a link or an address is back within which its network's table is right (P24)."""
GAPS = (0.0, 0.0, 0.02, 0.05, 0.05, 0.3, 0.6)
"""Seconds for which it is away: from too short for anyone to see to longer than a reload settles."""


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
