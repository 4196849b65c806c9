"""The daemon, a speaker or a network goes and comes back: what stood is adopted, what is over is swept."""

from __future__ import annotations

import random
import time
from functools import partial

import pytest

from labs.netns.manifests import felix, network
from labs.netns.supervisor import kill
from labs.netns.topology import SERVED, SERVER, Site
from labs.netns.traffic import Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import PROTOCOL, RED, World


def ours_in(world: World, table: int) -> list[str]:
    """The prefixes of our routes in a table."""
    return [route["dst"] for route in world.node.routes(table) if route["protocol"] == str(PROTOCOL)]


def begun_again(site: Site) -> bool:
    """Whether a network's session has come up a second time."""
    return site.router.sessions_begun(site.node_address) == 2


def wait_in_sync(world: World) -> None:
    """Wait until the daemon that has just been started knows all that its peers have."""
    names = ("red", "yellow")
    wait_for(lambda: all(world.network_status(name)["in_sync"] for name in names), 90, "in sync")


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
def test_p22_a_restart_writes_nothing_when_nothing_changed(working: World, way: str) -> None:
    world = working
    wait_in_sync(world)
    before = world.traces()
    with world.monitor("route", "nexthop", "rule") as events:
        (world.daemon.stop if way == "SIGTERM" else world.daemon.kill)()
        world.daemon.start()
        wait_in_sync(world)
        stays_true(lambda: world.traces() == before, 1.0)
    assert events == [], "nothing is written"


def test_p22_what_went_meanwhile_is_swept_and_what_came_is_added(working: World) -> None:
    world = working
    world.red.router.announce("192.0.2.0/24")
    world.wait_route(world.red, "192.0.2.0/24", world.red.router_address)
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.daemon.kill()
        wait_for(lambda: not world.daemon_processes(), 15, "no process of the daemon is left")
        world.red.router.withdraw("192.0.2.0/24")
        world.red.router.announce("198.51.100.0/24")
        assert "192.0.2.0/24" in ours_in(world, 500)
        world.daemon.start()
        world.wait_route(world.red, "198.51.100.0/24", world.red.router_address)
        world.wait_no_route(world.red, "192.0.2.0/24")
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0


def test_x5_a_deleted_or_moved_network_leaves_nothing_of_ours_behind(working: World) -> None:
    world = working
    world.node.ip("route add 198.51.100.0/24 dev red0 table 500 proto static")
    world.config.save("networks.yaml", network("yellow", 501))
    wait_for(lambda: ours_in(world, 500) == [], 3, lambda: str(ours_in(world, 500)))
    assert [route["dst"] for route in world.node.routes(500)] == ["198.51.100.0/24"], "the user's own stays"
    world.config.save("networks.yaml", network("red", 505), network("yellow", 501))
    world.wait_working("red")
    world.config.save("networks.yaml", network("red", 506), network("yellow", 501))
    world.wait_route(506, SERVED, world.red.router_address)
    wait_for(lambda: ours_in(world, 505) == [], describe=lambda: str(ours_in(world, 505)))
    world.wait_working("red", "yellow")


def test_x5_a_network_that_moves_while_the_daemon_is_down(working: World) -> None:
    world = working
    world.daemon.kill()
    world.config.save("networks.yaml", network("red", 506), network("yellow", 501))
    world.daemon.start()
    wait_for(lambda: ours_in(world, 500) == [], describe=lambda: str(ours_in(world, 500)))
    world.wait_working("red", "yellow")


def test_x6_a_dead_router_of_another_network_holds_nothing_up(world: World) -> None:
    world.yellow.router.stop()
    world.save_basics()
    started = time.monotonic()
    world.daemon.start()
    world.wait_route(world.red, SERVED, world.red.router_address)
    assert time.monotonic() - started < 5


def test_x14_a_speaker_that_dies_is_started_again_and_the_routes_stay(working: World) -> None:
    world = working
    assert world.daemon.process is not None
    children = set(world.daemon_processes()) - {world.daemon.process.pid, world.writer_process()}
    assert children
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        kill(children)
        for site in world.topology.sites:
            wait_for(partial(begun_again, site), 60, site.router.describe)
        probe.wait_answers("red", 50)
    assert probe.tally.lost == probe.tally.unreachable == 0
    world.alive()
    world.wait_working("red", "yellow")


def test_x13_killed_in_the_middle_of_changes_it_converges(working: World) -> None:
    world = working
    moments = random.Random(13)
    prefixes = [f"198.51.{number}.0/24" for number in range(5)]
    for number, prefix in enumerate(prefixes):
        world.red.router.announce(prefix)
        world.config.save("felix.yaml", felix(externalNetworkRoutingRulePriority=110 + number))
        time.sleep(moments.uniform(0.3, 1.0))
        world.daemon.kill()
        world.daemon.start()
        time.sleep(moments.uniform(0.0, 0.8))
    world.wait_steering(RED, (114, "500"), (115, "unreachable"))
    for prefix in prefixes:
        world.wait_route(world.red, prefix, world.red.router_address)
    world.wait_working("red", "yellow")
    wait_for(lambda: {r["priority"] for r in world.our_rules()} == {113, 114, 115}, describe="no orphan rule")

    def no_orphan() -> bool:
        traces = world.traces()
        held = {entry["id"]: entry for entry in traces["nexthops"]}
        used = {route["nhid"] for route in traces["routes"] if "nhid" in route}
        members = {member["id"] for number in used for member in held[number]["group"]}
        assert set(held) == used | members, f"held {set(held)}, used {used}, members {members}"
        return True

    wait_for(no_orphan, describe="no orphan next hop")
