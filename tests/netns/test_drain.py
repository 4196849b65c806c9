"""A node that leaves: in which order, under what it holds, and how it comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from labs.netns.frr import Router
from labs.netns.manifests import gateway
from labs.netns.topology import SERVED, SERVER
from labs.netns.traffic import Capture, Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import RED, YELLOW, World

STEERED = ((102, "500"), (103, "unreachable"))
CLOSED = ((103, "unreachable"),)
PREFIX = "192.0.2.0/24"


def is_told_nothing(router: Router) -> bool:
    """Whether no neighbor announces anything to a router."""
    return not router.received()


@contextmanager
def draining(world: World, *words: str) -> Iterator[list[int]]:
    """`drain` runs beside the block; its exit status is in the list behind it."""
    ended: list[int] = []
    thread = threading.Thread(target=lambda: ended.append(world.daemon.ask("drain", *words).returncode))
    thread.start()
    yield ended
    thread.join()


def test_peers_turn_away_before_anything_is_closed(working: World) -> None:
    world = working
    with draining(world, "--wait", "3") as ended:
        for router in (world.red.router, world.yellow.router):
            wait_for(partial(is_told_nothing, router), describe="the gateway is withdrawn")
        assert world.steering(RED) == list(STEERED), "packets still leave while the peers turn away"
        assert world.daemon.status()["drain"]["state"] == "withdrawing"
    assert ended == [0]
    for found, prefix in ((world.steering(RED), RED), (world.steering(YELLOW), YELLOW)):
        assert found == list(CLOSED), prefix
    status = world.daemon.status()
    assert status["drain"]["state"] == "drained"
    assert {one["state"] for one in status["gateways"]} == {"drained"}
    assert world.daemon.stop() == 0
    wait_for(lambda: not world.red.router.established(), describe="the session ends")
    assert is_told_nothing(world.red.router), "the peer has nothing to keep as stale"
    assert world.steering(RED) == list(CLOSED)


def test_sessions_and_routes_stay_and_nothing_undoes_it_but_the_word(working: World) -> None:
    world = working
    assert world.daemon.ask("drain", "--wait", "0").returncode == 0
    # Routes are still learned.
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    # An edit is followed, and changes nothing about it.
    world.config.save("gateways.yaml", gateway("red", ["yellow"], RED), gateway("yellow", ["yellow"], YELLOW))
    wait_for(
        lambda: world.daemon.status()["gateways"][0]["networks"] == ["yellow"], describe="the edit is taken"
    )
    assert world.daemon.ask("reload").returncode == 0
    # Nor does a rule of somebody else's making with our mark on it.
    world.node.ip(f"rule add from {YELLOW} lookup 501 priority 102 proto 179")
    world.wait_steering(YELLOW, *CLOSED)
    # Said again, it is done at once.
    assert world.daemon.ask_json("drain", "--wait", "600")["done"]
    stays_true(lambda: not world.yellow.router.received(), 1.0)
    assert world.steering(RED) == list(CLOSED)
    assert world.red.router.sessions_begun("172.16.1.10") == 1
    assert world.red.router.established()


def test_it_outlives_the_daemon_and_is_undone_without_a_gap(working: World) -> None:
    world = working
    with Capture(world.node, "eth0") as fabric, Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        assert world.daemon.ask("drain", "--wait", "0").returncode == 0
        world.daemon.kill()
        with world.monitor("rule") as rules:
            world.daemon.start()
            wait_for(lambda: world.network_status("red")["in_sync"], 90, describe="in sync again")
            assert world.daemon.status()["drain"]["state"] == "drained"
            assert not world.red.router.received()
        assert [event.text for event in rules if " lookup 50" in event.text and "to" not in event.text] == []
        assert world.gateways_of(world.red, SERVED) == {world.red.router_address}
        undone = world.daemon.ask_json("drain", "--undo")
        assert (undone["done"], undone["state"]) == (True, "serving")
        probe.wait_answers("red")
        assert fabric.packets(dst=SERVER) == []
    # And that outlives it, too.
    assert world.daemon.stop() == 0
    world.daemon.start()
    world.wait_working("red", "yellow")


def test_a_time_that_makes_no_sense_is_refused(working: World) -> None:
    world = working
    done = world.daemon.ask("drain", "--wait", "99999")
    assert done.returncode == 2
    assert "3600" in done.stderr
    assert world.daemon.status()["drain"]["state"] == "serving"
    world.wait_working("red")
