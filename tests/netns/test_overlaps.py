"""Where objects get in each other's way: overlapping ranges, covering prefixes, open and closed networks."""

from __future__ import annotations

import pytest

from labs.netns.manifests import OURS, gateway, network
from labs.netns.topology import NODE, POD, SERVED
from labs.netns.traffic import Capture, outcome
from labs.netns.waiting import wait_for
from tests.netns.test_steering import CLUSTER, save_cluster, serve_pod
from tests.netns.world import RED, YELLOW, World

WIDE = "10.50.0.0/29"
"""Holds the ranges of both gateways."""


def test_x23_overlapping_ranges_with_different_networks_close_both_gateways(world: World) -> None:
    world.save_basics()
    world.config.save("wide.yaml", gateway("wide", ["yellow"], WIDE))
    world.topology.add_workload("wide", "10.50.0.6")
    with Capture(world.node, "yellow0") as yellow:
        world.daemon.start()
        wait_for(lambda: world.route(world.red, SERVED), describe="red's session works")
        world.wait_outcome("red", "unreachable")
        # Yellow's own gateway has the same networks as the wide one: nothing speaks against it.
        world.wait_working("yellow")
        # What is of the wide one alone is closed as well, also for what yellow has a route for.
        world.wait_outcome("wide", "unreachable")
        assert yellow.packets(src=("10.50.0.2", "10.50.0.6")) == []
    assert world.red.router.received() == {}, "a closed gateway draws no traffic"
    world.wait_told("default/wide", "overlap")
    world.wait_told("default/red", "overlap")
    assert world.check().returncode == 1
    world.config.remove("wide.yaml")
    world.wait_working("red", "yellow")


def test_x23_overlapping_ranges_are_refused_while_running(working: World) -> None:
    world = working
    before = world.our_rules()
    world.config.save("wide.yaml", gateway("wide", ["yellow"], WIDE))
    world.wait_told("default/wide", "overlap")
    assert world.our_rules() == before
    world.wait_working("red", "yellow")


@pytest.mark.parametrize("cover", ["0.0.0.0/0", "105.8.0.0/15"], ids=["default", "covering"])
def test_x27_a_prefix_that_covers_the_other_networks_takes_the_traffic_and_is_told(
    world: World, cover: str
) -> None:
    world.save_both("red", "yellow")
    world.red.router.announce(cover)
    world.yellow.router.announce("105.9.0.0/24")
    world.start()
    world.wait_route(world.yellow, "105.9.0.0/24", world.yellow.router_address)
    world.wait_route(world.red, cover, world.red.router_address)
    world.wait_told(cover, "105.9.0.0/24")
    with Capture(world.node, "yellow0") as yellow, Capture(world.node, "red0") as red:
        assert outcome(world.workload("red"), "105.9.0.1", timeout=1.0) != "yellow-only"
        assert red.packets(src="10.50.0.2", dst="105.9.0.1")
        assert yellow.packets(src="10.50.0.2") == []
    # It is withdrawn, and the next of the list takes what it has a route for.
    world.red.router.withdraw(cover)
    world.wait_outcome("red", "yellow-only", address="105.9.0.1")


def test_x29_a_learned_prefix_that_covers_the_cluster_is_installed_and_the_cluster_reached(
    world: World,
) -> None:
    """Also where each of its addresses is learned by itself, because the network is to take them."""
    world.save_basics(red=network("red", 500, api_version=OURS, clusterPrefixes="Accept"))
    save_cluster(world)
    serve_pod(world)
    world.topology.serve(world.node, "node", NODE)
    world.start()
    hosts = [f"{address}/32" for address in (*CLUSTER, NODE)]
    world.red.router.announce("10.0.0.0/8", *hosts)
    for prefix in ("10.0.0.0/8", *hosts):
        world.wait_route(world.red, prefix, world.red.router_address)
    with Capture(world.node, "red0") as red:
        banners = {address: outcome(world.workload("red"), address) for address in (*CLUSTER, NODE)}
        assert red.packets(dst=banners) == []
    assert banners == dict.fromkeys(CLUSTER, "fabric") | {POD: "pod", NODE: "node"}
    # What is beyond the cluster, but within the prefix, is the network's.
    with Capture(world.node, "red0") as red:
        assert outcome(world.workload("red"), "10.77.0.1", timeout=1.0) != "fabric"
        assert red.packets(src="10.50.0.2", dst="10.77.0.1")


def test_x30_a_gateway_of_an_open_and_a_closed_network_is_closed(world: World) -> None:
    world.save_both("red", "yellow")
    world.config.save(
        "networks.yaml", network("red", 500, api_version=OURS, failureMode="Open"), network("yellow", 501)
    )
    world.start()
    assert world.steering(RED) == [(102, "500"), (103, "501"), (104, "unreachable")]
    world.wait_outcome("red", "unreachable", address="198.51.100.1")
    assert world.steering(YELLOW) == [(102, "501"), (103, "unreachable")]
