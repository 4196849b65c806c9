"""What an on-call engineer broke: each test is one way in which it once went wrong."""

from __future__ import annotations

import shutil
from functools import partial

from labs.netns.daemon import ConfigDirectory
from labs.netns.manifests import felix, peer
from labs.netns.topology import LOCAL_AS, SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import RED, World

MOVED = ((200, "500"), (201, "unreachable"))


def edit_is_followed(world: World) -> None:
    """An edit moves the rules, so the directory is watched."""
    world.config.save("felix.yaml", felix(externalNetworkRoutingRulePriority=200))
    world.wait_steering(RED, *MOVED)


def test_a_directory_that_appears_after_the_start_is_followed(world: World) -> None:
    world.save_basics()
    path = world.config.path
    away = path.rename(path.with_name("away"))
    world.daemon.start()
    world.wait_logged("config.refused")
    away.rename(path)
    world.wait_steering(RED, (102, "500"), (103, "unreachable"))
    edit_is_followed(world)


def test_a_directory_that_another_replaces_is_followed(working: World) -> None:
    path = working.config.path
    fresh = path.with_name("fresh")
    shutil.copytree(path, fresh)
    ConfigDirectory(fresh).save("felix.yaml", felix(externalNetworkRoutingRulePriority=150))
    path.rename(path.with_name("old"))
    fresh.rename(path)
    working.wait_steering(RED, (150, "500"), (151, "unreachable"))
    edit_is_followed(working)


def test_a_restart_beside_a_foreign_rule_loses_nothing(working: World) -> None:
    """The table is ours already: what somebody else does with it is told, and costs no route."""
    working.node.ip("rule add from 10.99.0.1 lookup 500 priority 90")
    with Probe(working.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        working.daemon.stop()
        working.daemon.start()
        working.wait_told("table 500", "10.99.0.1")
        probe.wait_answers("red", 200)
    assert probe.tally.lost == probe.tally.unreachable == 0


def test_a_next_hop_that_the_kernel_refuses_costs_only_its_own_path(working: World) -> None:
    """RED's second router announces the subnet's broadcast address as next hop of what both announce."""
    other = working.topology.add_router(working.red, 141, LOCAL_AS, serve=False)
    other.announce("192.0.2.0/24", SERVED, next_hop=working.red.address(255))
    working.config.save("more.yaml", peer("red-2", "red", working.red.address(141), LOCAL_AS))
    address = working.red.address(141)
    wait_for(lambda: working.peer_status("red", address)["received"] == 2)
    working.red.router.announce("192.0.2.0/24")
    for prefix in (SERVED, "192.0.2.0/24"):
        working.wait_route(working.red, prefix, working.red.router_address)


def test_a_peer_that_offers_to_preserve_nothing_leaves_no_route(working: World) -> None:
    """RFC 4724 4.2: only families that its capability listed are retained; FRR's default lists none."""
    working.red.router.kill()
    wait_for(partial(gone, working), 5, "the dead peer's route is gone")


def gone(world: World) -> bool:
    """Whether red's table has no route of ours for what red serves."""
    return world.route(world.red, SERVED) is None
