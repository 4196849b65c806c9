"""Which traffic goes to which table: rules, their order, fail closed, unusable tables, announcements."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from labs.netns.manifests import OURS, bgp, felix, gateway, network, node, pool
from labs.netns.topology import (
    NODE,
    OTHER_NODE,
    POD,
    REMOTE_POD,
    SERVED,
    SERVER,
    SERVICE,
)
from labs.netns.traffic import Capture, Probe, fetch, outcome
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import NODE_NAME, RED, YELLOW, World, tells

RED_ADDRESS = "10.50.0.2"
CLUSTER = (POD, REMOTE_POD, SERVICE, OTHER_NODE)
"""Destinations in the cluster that have a server."""


# -- P3: the switch --------------------------------------------------------------------------------


def test_p3_disabled_means_nothing_at_all_and_enabled_all_without_a_restart(world: World) -> None:
    world.save_basics()
    world.config.save("felix.yaml", felix("Disabled"))
    with Capture(world.node, "red0") as red, Capture(world.node, "yellow0") as yellow:
        world.daemon.start()
        wait_for(lambda: world.daemon.status() is not None, describe="the daemon answers")
        stays_true(lambda: not any(world.traces().values()), 2.0, "no rule, route or next hop of ours")
        assert red.packets(port=179) == yellow.packets(port=179) == []
    assert world.daemon.running
    world.wait_told("externalNetworkSupport")
    world.config.save("felix.yaml", felix("Enabled"))
    world.wait_working("red", "yellow")
    assert world.daemon.running


def test_p3_without_a_felix_configuration_one_line_says_why_nothing_happens(world: World) -> None:
    world.save_basics()
    world.config.remove("felix.yaml")
    done = world.check()
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "externalNetworkSupport" in line]
    assert len(lines) == 1, done.stdout + done.stderr
    world.daemon.start()
    world.wait_told("externalNetworkSupport")
    assert not any(world.traces().values())


# -- P4: the rules ---------------------------------------------------------------------------------


def test_p4_one_rule_for_each_range_and_network_at_102_and_unreachable_behind(working: World) -> None:
    world = working
    assert world.steering(RED) == [(102, "500"), (103, "unreachable")]
    assert world.steering(YELLOW) == [(102, "501"), (103, "unreachable")]
    cluster = [rule for rule in world.our_rules() if rule.get("table") == "main"]
    assert cluster, "destinations in the cluster are exempt"
    assert {rule["priority"] for rule in cluster} == {101}
    others = [rule for rule in world.our_rules() if rule["priority"] not in (101, 102, 103)]
    assert others == []


def rules_stand_at(world: World, priorities: set[int]) -> bool:
    """Whether our rules are at these priorities, and at no other."""
    return {rule["priority"] for rule in world.our_rules()} == priorities


def test_p4_the_rules_move_without_a_gap(working: World) -> None:
    world = working
    with Capture(world.node, "eth0") as fabric, Probe(world.workload("red"), SERVER) as probe:
        for priority in (103, 50, 20000, 102):
            probe.wait_answers("red")
            world.config.save("felix.yaml", felix(externalNetworkRoutingRulePriority=priority))
            world.wait_steering(RED, (priority, "500"), (priority + 1, "unreachable"))
            world.wait_steering(YELLOW, (priority, "501"), (priority + 1, "unreachable"))
            layout = {priority - 1, priority, priority + 1}
            wait_for(partial(rules_stand_at, world, layout), describe=f"no rule but at {layout}")
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0
    assert set(probe.tally.answered) == {"red"}
    assert fabric.packets(dst=SERVER) == []


def test_p4_priorities_for_which_the_layout_does_not_fit_are_refused(working: World) -> None:
    world = working
    before = world.our_rules()
    for priority in (0, 1, 32766):
        world.config.save("felix.yaml", felix(externalNetworkRoutingRulePriority=priority))
        world.wait_told("externalNetworkRoutingRulePriority")
        assert world.our_rules() == before
        done = world.check()
        assert done.returncode == 1
        assert "externalNetworkRoutingRulePriority" in done.stdout + done.stderr
        assert "refused" in (done.stdout + done.stderr).lower()
        world.config.save("felix.yaml", felix(externalNetworkRoutingRulePriority=102))
        wait_for(
            lambda: not tells(world.daemon.status(), "externalNetworkRoutingRulePriority"),
            describe="the refusal is over",
        )
        assert world.our_rules() == before
    world.wait_working("red", "yellow")


def test_p4_the_gateways_node_selector_decides_on_which_nodes(world: World) -> None:
    world.save_basics()
    selector = {"egress": "red", "kubernetes.io/os": "linux"}
    world.config.save(
        "gateways.yaml",
        gateway("red", ["red"], RED, node_selector=selector),
        gateway("yellow", ["yellow"], YELLOW, node_selector={"kubernetes.io/hostname": NODE_NAME}),
    )
    world.daemon.start()
    world.wait_working("yellow")
    assert world.steering(RED) == []
    world.config.save("node.yaml", node(NODE_NAME, NODE, egress="red"))
    world.wait_steering(RED, (102, "500"), (103, "unreachable"))
    world.wait_working("red")
    world.config.save("node.yaml", node(NODE_NAME, NODE, egress="blue"))
    world.wait_steering(RED)
    world.wait_working("yellow")


# -- P6: a network that does not exist -------------------------------------------------------------


@pytest.mark.parametrize("order", [["red", "yellow"], ["yellow", "red"]])
def test_p6_a_missing_network_degrades_the_gateway_and_heals(world: World, order: list[str]) -> None:
    world.save_both(*order)
    world.yellow.router.withdraw(SERVED)
    world.yellow.router.announce("105.9.0.0/24")
    world.config.save("networks.yaml", network("red", 500))
    world.daemon.start()
    world.wait_working("red")
    world.wait_told("default/red", "yellow", "missing-network")
    place = 102 + order.index("red")
    assert world.steering(RED) == [(place, "500"), (104, "unreachable")], "the missing one keeps its place"
    world.wait_outcome("red", "unreachable", address="105.9.0.1")

    world.config.save("networks.yaml", network("red", 500), network("yellow", 501))
    world.wait_outcome("red", "yellow-only", address="105.9.0.1")
    world.wait_working("red")
    assert [table for _priority, table in world.steering(RED)] == [
        {"red": "500", "yellow": "501"}[name] for name in order
    ] + ["unreachable"]
    wait_for(
        lambda: not tells(world.daemon.status(), "default/red", "missing-network"),
        describe="no word of a missing network any more",
    )


# -- P7, X2: a gateway with two networks -----------------------------------------------------------


def test_p7_a_gateway_with_two_networks_reaches_both(world: World) -> None:
    world.save_both("red", "yellow")
    world.yellow.router.announce("105.9.0.0/24")
    world.start()
    assert world.steering(RED) == [(102, "500"), (103, "501"), (104, "unreachable")]
    world.wait_route(world.yellow, "105.9.0.0/24", world.yellow.router_address)
    world.wait_outcome("red", "yellow-only", address="105.9.0.1")
    assert fetch(world.workload("red"), "105.9.0.1").client == RED_ADDRESS


def test_x2_the_first_in_the_list_wins_always_and_the_overlap_is_shown(world: World) -> None:
    world.save_both("red", "yellow")
    world.start()
    world.wait_route(world.yellow, SERVED, world.yellow.router_address)
    # More specific in the second network: still the first wins.
    world.yellow.router.announce("105.8.10.0/25")
    world.wait_route(world.yellow, "105.8.10.0/25", world.yellow.router_address)
    stays_true(lambda: outcome(world.workload("red"), SERVER) == "red", 1.0)
    world.wait_told(SERVED)
    world.config.save("gateways.yaml", gateway("red", ["yellow", "red"], RED))
    world.wait_outcome("red", "yellow")
    stays_true(lambda: outcome(world.workload("red"), SERVER) == "yellow", 1.0)
    # What the first no longer has, the second takes.
    world.yellow.router.withdraw(SERVED, "105.8.10.0/25")
    world.wait_outcome("red", "red")


# -- X4: fail closed, and open ---------------------------------------------------------------------


def save_cluster(world: World) -> None:
    """What tells the daemon which destinations are the cluster's."""
    world.config.save(
        "cluster.yaml",
        pool("pods", "10.48.0.0/16"),
        bgp(serviceClusterIPs=[{"cidr": "10.96.0.0/12"}]),
        node("node-2", OTHER_NODE),
    )


def serve_pod(world: World) -> None:
    """The plain pod serves, too."""
    world.topology.serve(world.workload("pod"), "pod", POD)


def test_x4_a_withdrawn_route_means_unreachable_and_never_main(world: World) -> None:
    world.save_basics()
    save_cluster(world)
    serve_pod(world)
    world.start()
    with Capture(world.node, "eth0") as fabric, Capture(world.node, "yellow0") as yellow:
        with Probe(world.workload("red"), SERVER) as probe:
            probe.wait_answers("red")
            world.red.router.withdraw(SERVED)
            wait_for(
                lambda: probe.tally.unreachable >= 2, describe=lambda: f"ICMP unreachable: {probe.tally}"
            )
            probe.wait_sent(100)
        assert set(probe.tally.answered) == {"red"}
        assert fabric.packets(dst=SERVER) == []
        assert yellow.packets(dst=SERVER) == []
    world.wait_outcome("red", "unreachable")
    world.red.router.announce(SERVED)
    world.wait_working("red")


def test_x4_the_cluster_stays_reachable_whatever_the_networks_say(world: World) -> None:
    world.save_basics()
    save_cluster(world)
    serve_pod(world)
    world.start()
    world.red.router.announce("10.96.0.0/12", "0.0.0.0/0")
    world.red.router.withdraw(SERVED)
    world.wait_no_route(world.red, SERVED)
    banners = {address: outcome(world.workload("red"), address) for address in CLUSTER}
    assert banners == {address: "pod" if address == POD else "fabric" for address in CLUSTER}
    ping = world.workload("red").try_run("ping", "-c", "1", "-W", "2", NODE)
    assert ping.returncode == 0, ping.stdout


def test_x4_a_network_that_is_open_falls_through(world: World) -> None:
    world.save_basics(red=network("red", 500, api_version=OURS, failureMode="Open"))
    world.start()
    assert world.steering(RED) == [(102, "500")]
    world.red.router.withdraw(SERVED)
    world.wait_outcome("red", "fabric")
    world.red.router.announce(SERVED)
    world.wait_working("red")
    world.config.save("networks.yaml", network("red", 500), network("yellow", 501))
    world.wait_steering(RED, (102, "500"), (103, "unreachable"))


def test_x4_without_a_session_the_gateway_is_unreachable(world: World) -> None:
    world.red.router.stop()
    world.save_basics()
    world.daemon.start()
    world.wait_working("yellow")
    world.wait_outcome("red", "unreachable")
    assert world.steering(RED) == [(102, "500"), (103, "unreachable")]


# -- X9: reverse path filters ----------------------------------------------------------------------


def test_x9_replies_pass_a_strict_reverse_path_filter(world: World) -> None:
    devices = world.node.links()
    world.node.set_sysctls({f"ipv4/conf/{name}/rp_filter": 1 for name in ("all", "default", *devices)})
    world.node.set_sysctls({f"ipv4/conf/{name}/src_valid_mark": 0 for name in ("all", "default", *devices)})
    world.save_basics()
    world.start()
    world.red.router.announce("0.0.0.0/0")
    world.wait_route(world.red, "0.0.0.0/0", world.red.router_address)
    with Probe(world.workload("red"), SERVER) as red, Probe(world.workload("yellow"), SERVER) as yellow:
        red.wait_answers("red", 100)
        yellow.wait_answers("yellow", 100)
    assert red.tally.lost == yellow.tally.lost == 0
    assert world.node.read_sysctl("ipv4/conf/all/rp_filter") == "1"


# -- X1: tables that can't be used -----------------------------------------------------------------


def test_x1_reserved_tables_at_start_stop_those_networks_alone(world: World) -> None:
    reserved = {"red": 254, "zero": 0, "default": 253, "local": 255}
    world.save_basics(red=network("red", reserved["red"]))
    for name in ("zero", "default", "local"):
        world.config.save(f"{name}.yaml", network(name, reserved[name]))
    held = {table: world.node.routes(table) for table in ("main", "default")}
    world.daemon.start()
    world.wait_working("yellow")
    for name in reserved:
        world.wait_told(f"ExternalNetwork {name}", "table")
    world.wait_outcome("red", "unreachable")
    assert {table: world.node.routes(table) for table in held} == held
    done = world.check()
    assert done.returncode == 1
    for name in reserved:
        assert f"ExternalNetwork {name}" in done.stdout + done.stderr


def test_x1_a_table_of_two_networks_at_start_stops_both_and_no_other(world: World) -> None:
    world.save_basics()
    world.config.save("blue.yaml", network("blue", 500))
    world.daemon.start()
    world.wait_working("yellow")
    world.wait_told("red", "500")
    world.wait_told("blue", "500")
    world.wait_outcome("red", "unreachable")
    assert world.node.routes(500) == []
    assert world.check().returncode == 1
    world.config.remove("blue.yaml")
    world.wait_working("red")


def test_x1_a_table_of_two_networks_is_refused_while_running(working: World) -> None:
    world = working
    world.config.save("blue.yaml", network("blue", 500))
    world.wait_told("blue", "500")
    world.wait_working("red", "yellow")
    assert world.steering(RED) == [(102, "500"), (103, "unreachable")]


@pytest.mark.parametrize(
    "ranges",
    [{"routeTableRanges": [{"min": 400, "max": 500}]}, {"routeTableRange": {"min": 500, "max": 510}}],
    ids=["routeTableRanges", "routeTableRange"],
)
def test_x1_a_table_inside_felixs_own_ranges(world: World, ranges: dict[str, Any]) -> None:
    world.save_basics(yellow=network("yellow", 700))
    world.config.save("felix.yaml", felix(**ranges))
    world.daemon.start()
    world.wait_working("yellow")
    world.wait_told("red", "routeTableRange")
    world.wait_outcome("red", "unreachable")
    assert world.node.routes(500) == []
    world.config.save("felix.yaml", felix(routeTableRanges=[{"min": 1, "max": 250}]))
    world.wait_working("red")


@pytest.mark.parametrize(
    ("make", "undo"),
    [
        (
            "rule add from 10.99.0.0/16 lookup 500 priority 5000",
            "rule del from 10.99.0.0/16 lookup 500 priority 5000",
        ),
        (
            "route add 198.51.100.0/24 via 172.16.1.140 table 500 proto bird",
            "route del 198.51.100.0/24 via 172.16.1.140 table 500 proto bird",
        ),
    ],
    ids=["foreign rule", "foreign learned route"],
)
def test_x1_a_table_that_others_use_is_left_alone(world: World, make: str, undo: str) -> None:
    world.node.ip(make)
    foreign = world.node.routes(500), [rule for rule in world.node.rules() if rule["priority"] == 5000]
    world.save_basics()
    world.daemon.start()
    world.wait_working("yellow")
    world.wait_told("red", "table-in-use")
    world.wait_outcome("red", "unreachable")
    now = world.node.routes(500), [rule for rule in world.node.rules() if rule["priority"] == 5000]
    assert now == foreign
    world.node.ip(undo)
    world.wait_working("red")
