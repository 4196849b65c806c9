"""A device or an address that is gone takes the sessions on it down, long before their hold timers would."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from labs.netns.topology import SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import World

AT_ONCE = 5.0
"""Seconds, beside a hold time of 90."""
AFTER = 2.0
"""Seconds after its return within which the table is right (P24, X15)."""

Deed = Callable[[World], None]


def cut(world: World) -> None:
    """The carrier."""
    world.red.cut()


def mend(world: World) -> None:
    world.red.mend()


def link_down(world: World) -> None:
    world.node.ip("link set red0 down")


def link_up(world: World) -> None:
    world.node.ip("link set red0 up")


def take_address(world: World) -> None:
    world.node.ip("addr del 172.16.1.10/24 dev red0")


def give_address(world: World) -> None:
    world.node.ip("addr add 172.16.1.10/24 dev red0")


@pytest.mark.parametrize(
    ("gone", "back"),
    [(cut, mend), (link_down, link_up), (take_address, give_address)],
    ids=["carrier", "link", "address"],
)
def test_p24_x15_what_a_session_stands_on_goes_and_returns(working: World, gone: Deed, back: Deed) -> None:
    world = working
    peer = world.red.router_address
    wait_for(lambda: world.network_status("red")["in_sync"], 90, "in sync")
    with Probe(world.workload("yellow"), SERVER) as probe:
        probe.wait_answers("yellow")
        gone(world)
        wait_for(
            lambda: world.peer_status("red", peer)["state"] != "established",
            AT_ONCE,
            lambda: str(world.peer_status("red", peer)),
        )
        world.wait_logged("peer.down", peer, "uplink lost")
        world.wait_told("BGPPeer red-1")
        assert world.route(world.red, SERVED) is None
        world.wait_outcome("red", "unreachable")
        returned = time.monotonic()
        back(world)
        world.wait_route(world.red, SERVED, peer)
        took = time.monotonic() - returned
        world.wait_logged("peer.up", peer, "reached again")
        wait_for(lambda: world.network_status("red")["state"] == "ok", describe=world.describe)
        world.wait_working("red")
        probe.wait_answers("yellow")
    assert took < AFTER, f"it took {took:.2f} s"
    assert world.red.router.sessions_begun(world.red.node_address) == 1, "its connection went on"
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    assert world.yellow.router.sessions_begun(world.yellow.node_address) == 1


def test_p24_a_device_that_is_made_anew_under_its_name_is_spoken_over_at_once(working: World) -> None:
    """The connection is bound to the old one, and would be silent until its hold timer."""
    world = working
    wait_for(lambda: world.network_status("red")["in_sync"], 90, "in sync")
    world.node.ip("link del red0")
    world.topology.wire(world.red)
    world.wait_route(world.red, SERVED, world.red.router_address, timeout=AFTER)
    world.wait_working("red")
    wait_for(
        lambda: world.red.router.sessions_begun(world.red.node_address) == 2,
        15,
        lambda: str(world.peer_status("red", world.red.router_address)),
    )
    world.red.router.announce("192.0.2.0/24")
    world.wait_route(world.red, "192.0.2.0/24", world.red.router_address, timeout=5)
