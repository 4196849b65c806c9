"""`views.status`: the states of networks, peers and gateways, and what is counted."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from tests.unit.nodes import RED, Node, gateway, intent, peer, route
from tests.unit.rib import wire
from vrfbgp.core import Core
from vrfbgp.events import (
    ConfigLoaded,
    ConfigRefused,
    DownCause,
    DownKind,
    DrainAsked,
    Overrun,
    RouteSeen,
    RulesRead,
)
from vrfbgp.intent import NetworkIntent, Place, Problem, Reason, Severity
from vrfbgp.model import METRIC, Action, Family, RouteKey, Rule, nlri_of
from vrfbgp.views import status

REFUSED_CONNECTION = DownCause(DownKind.CONNECT_FAILED, text="Connection refused")
BAD_AS = DownCause(DownKind.NOTIFICATION_RECEIVED, 2, 2)


def told(node: Node) -> dict[str, Any]:
    """The status, through JSON."""
    found: dict[str, Any] = json.loads(json.dumps(status(node.core, node.now)))
    return found


def of(found: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    """The one object of this name."""
    (one,) = [entry for entry in found[kind] if entry["name"] == name]
    return dict(one)


def peer_of(found: dict[str, Any], network: str) -> dict[str, Any]:
    """The network's only peer."""
    (one,) = of(found, "networks", network)["peers"]
    return dict(one)


def degraded(subject: str, reason: Reason, text: str) -> Problem:
    return Problem(Severity.DEGRADED, reason, subject, text, Place("a.yaml", 3, "spec"))


@pytest.fixture
def node() -> Node:
    return Node()


def test_before_any_config_there_is_an_answer() -> None:
    found = status(Core(), 0.0)
    assert found["node"] is None
    assert found["networks"] == []


def test_a_network_is_down_until_a_session_is_up_then_syncing_then_ok(node: Node) -> None:
    assert of(told(node), "networks", "red")["state"] == "down"
    node.up(RED)
    assert of(told(node), "networks", "red")["state"] == "syncing"
    node.hears(RED, wire.end_of_rib())
    red = of(told(node), "networks", "red")
    assert (red["state"], red["in_sync"]) == ("ok", True)
    assert of(told(node), "networks", "yellow")["state"] == "down"


def test_routes_are_the_learned_ones_that_the_kernel_has(node: Node) -> None:
    node.up(RED)
    node.learns(RED, "105.8.10.0/24", "192.0.2.0/24")
    red = of(told(node), "networks", "red")
    assert (red["routes"], red["bootstrap_routes"], red["pending"]) == (2, 1, 0)
    assert of(told(node), "networks", "yellow")["routes"] == 0
    assert red["uplinks"] == [{"device": "red0", "running": True}]


def test_a_route_that_the_kernel_refuses_is_pending_and_told_with_its_error(node: Node) -> None:
    key = RouteKey(500, Family.IPV4, nlri_of(ip_network("192.0.2.0/24")))
    node.refuses[key] = errno.EINVAL
    node.up(RED)
    node.learns(RED, "105.8.10.0/24", "192.0.2.0/24")
    found = told(node)
    red = of(found, "networks", "red")
    assert (red["routes"], red["pending"]) == (1, 1)
    (failure,) = found["kernel"]["failures"]
    assert failure["object"] == str(key)
    assert (failure["errno"], failure["text"]) == (errno.EINVAL, "Invalid argument")
    assert found["kernel"]["failed"] == 1


def test_a_foreign_route_in_the_way_is_told() -> None:
    foreign = route("192.0.2.0/24", 500, 2, protocol=4)
    foreign = replace(foreign, key=replace(foreign.key, metric=METRIC))
    node = Node(foreign=[foreign])
    node.up(RED)
    node.learns(RED, "192.0.2.0/24")
    blocked = told(node)["kernel"]["blocked"]
    assert blocked == {"count": 1, "first": [str(foreign.key)]}
    assert of(told(node), "networks", "red")["routes"] == 0


def test_a_gateway_whose_packets_go_elsewhere_is_degraded_though_all_of_ours_stands(node: Node) -> None:
    node.up(RED)
    assert of(told(node), "gateways", "default/red")["state"] == "ok"
    foreign = Rule(Family.IPV4, 50, src=ip_network("10.50.0.0/24"), table=254, protocol=4)
    node.rules = (*node.rules, foreign)
    node.core.handle(RulesRead(Family.IPV4, node.rules), node.now)
    node.settle()
    red = of(told(node), "gateways", "default/red")
    assert (red["state"], red["problems"][0]["reason"]) == ("degraded", "foreign-rule")


def test_what_somebody_changed_is_counted_as_a_repair(node: Node) -> None:
    node.up(RED)
    node.learns(RED, "192.0.2.0/24")
    (key,) = [key for key in node.ours if str(key).startswith("192.0.2.0/24")]
    node.core.handle(RouteSeen(replace(node.ours[key], kind="blackhole", nhid=None)), node.now)
    node.settle()
    assert told(node)["kernel"]["repairs"] == 1


def test_a_peer_counts_what_it_announced_and_why_some_of_it_is_not_used(node: Node) -> None:
    node.up(RED)
    node.learns(RED, "105.8.10.0/24", "172.16.1.0/24", "127.0.0.0/8")
    node.learns(RED, "198.51.100.0/24", "203.0.113.0/24", next_hop="172.16.99.1")
    node.learns(RED, "192.0.2.0/24", as_path=(65001, 64512))
    found = peer_of(told(node), "red")
    assert (found["received"], found["accepted"]) == (6, 4)
    assert found["refused"] == {"martian": 1, "own-as": 1}
    assert found["unusable"] == {"bootstrap-route": 1, "next-hop-unresolved": 2}


def test_a_peer_that_is_up_tells_for_how_long_and_what_was_negotiated(node: Node) -> None:
    before = peer_of(told(node), "red")
    assert (before["families"], before["carried"]) == (["ipv4"], None)
    node.up(RED)
    node.now += 65
    found = peer_of(told(node), "red")
    assert (found["state"], found["uptime"], found["down_for"]) == ("established", 65, None)
    assert (found["hold_time"], found["local_address"], found["reason"]) == (90, "172.16.1.1", None)
    assert (found["families"], found["carried"]) == (["ipv4"], ["ipv4"])
    assert found["announced"] == 1


def test_the_routes_that_lead_to_a_peer_are_counted_for_each_that_shares_them() -> None:
    second = peer("red-2", "red", "172.16.1.141")
    third = peer("red-3", "red", "172.16.1.142")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, second, third)),)))
    for one in (RED, second, third):
        node.up(one, str(one.id.address))
        node.learns(one, "105.8.10.0/24", as_path=(65001,) if one is not third else (65001, 65002))
    node.learns(third, "192.0.2.0/24")
    used = {found["name"]: found["in_use"] for found in of(told(node), "networks", "red")["peers"]}
    assert used == {"red-1": 1, "red-2": 1, "red-3": 1}, "its backup route is not counted"


def test_nothing_is_announced_to_a_peer_whose_session_is_down(node: Node) -> None:
    node.up(RED)
    node.down(RED, DownCause(DownKind.HOLD_TIMER))
    found = told(node)
    assert peer_of(found, "red")["announced"] == 0
    assert of(found, "gateways", "default/red")["announced"] == []
    node.up(RED)
    assert peer_of(told(node), "red")["announced"] == 1


def test_a_peer_that_is_not_up_tells_why_and_what_to_do(node: Node) -> None:
    node.down(RED, BAD_AS, failed=True)
    found = peer_of(told(node), "red")
    assert found["reason"] == "notification received 2/2 (OPEN Message Error, Bad Peer AS)"
    assert "64512" in found["advice"]
    node.down(RED, REFUSED_CONNECTION, failed=True)
    found = peer_of(told(node), "red")
    assert "Connection refused" in found["reason"]
    assert "172.16.1.140" in found["advice"]
    assert "172.16.1.1" in found["advice"]


def test_paths_of_a_peer_that_restarts_are_counted_as_stale(node: Node) -> None:
    node.up(RED)
    node.learns(RED, "192.0.2.0/24")
    node.down(RED, DownCause(DownKind.SPEAKER_ENDED))
    found = told(node)
    assert peer_of(found, "red")["stale"] == 1
    assert of(found, "networks", "red")["routes"] == 1


def test_a_network_with_one_of_two_peers_is_partial() -> None:
    second = peer("red-2", "red", "172.16.1.141")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, second)),)))
    node.up(RED)
    node.hears(RED, wire.end_of_rib())
    assert of(told(node), "networks", "red")["state"] == "partial"


def test_a_peer_that_the_config_degrades_is_there_with_its_problem() -> None:
    problem = degraded("BGPPeer red-2", Reason.MISSING_SECRET, "There is no Secret s: create it.")
    second = peer("red-2", "red", "172.16.1.141", degraded=(problem,))
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, second)),), problems=(problem,)))
    node.up(RED)
    red = of(told(node), "networks", "red")
    assert red["state"] == "partial"
    assert [one["state"] for one in red["peers"]] == ["established", "degraded"]
    assert red["peers"][1]["reason"] == problem.text
    assert red["peers"][1]["problems"][0]["reason"] == "missing-secret"
    assert red["peers"][1]["problems"][0]["line"] == 3


def test_a_network_that_the_config_degrades_is_there_with_its_problem() -> None:
    problem = degraded("ExternalNetwork red", Reason.TABLE_SHARED, "Table 500 is yellow's too.")
    node = Node(
        intent(networks=(NetworkIntent("red", 500, (RED,), degraded=(problem,)),), problems=(problem,))
    )
    red = of(told(node), "networks", "red")
    assert red["state"] == "degraded"
    assert red["peers"][0]["state"] == "degraded"
    assert red["problems"][0]["text"] == problem.text


def test_a_network_whose_table_others_use_is_degraded() -> None:
    node = Node(foreign=[route("192.0.2.0/24", 500, 2, protocol=186)])
    found = told(node)
    assert of(found, "networks", "red")["state"] == "degraded"
    assert of(found, "networks", "red")["problems"][0]["reason"] == "table-in-use"
    assert of(found, "networks", "yellow")["state"] == "down"
    assert of(found, "gateways", "default/red")["state"] == "degraded"


def test_a_network_without_a_way_to_its_peers_is_degraded() -> None:
    node = Node()
    node.routes = tuple(held for held in node.routes if held.nexthops[0][1] != 2)
    node.core.handle(ConfigLoaded(intent(rule_priority=110)), node.now)
    node.core.handle(Overrun(), node.now)
    node.settle()
    found = told(node)
    assert of(found, "networks", "red")["state"] == "degraded"
    assert peer_of(found, "red")["state"] == "degraded"
    assert peer_of(found, "red")["problems"][0]["reason"] == "no-uplink"


def test_where_external_networks_are_disabled_all_is_told_to_be() -> None:
    found = told(Node(intent(enabled=False)))
    assert found["enabled"] is False
    assert of(found, "networks", "red")["state"] == "disabled"
    assert peer_of(found, "red")["state"] == "disabled"
    assert of(found, "gateways", "default/red")["state"] == "disabled"


def test_a_gateway_tells_its_rules_and_which_of_them_stand() -> None:
    closing = Rule(Family.IPV4, 103, ip_network("10.50.0.2/32"), action=Action.UNREACHABLE)
    found = of(told(Node(refuses={closing: errno.ENOMEM})), "gateways", "default/red")
    assert found["rules"] == [
        {"rule": "102: from 10.50.0.2/32 lookup 500", "stands": True},
        {"rule": "103: from 10.50.0.2/32 unreachable", "stands": False},
    ]
    assert found["state"] == "waiting"


def test_a_gateway_tells_where_it_is_announced(node: Node) -> None:
    node.up(RED)
    found = of(told(node), "gateways", "default/red")
    assert found["state"] == "ok"
    assert found["addresses"] == ["10.50.0.2"]
    assert found["announced"] == [{"address": "10.50.0.2", "network": "red", "peer": "172.16.1.140"}]
    assert found["closed"] is True
    yellow = of(told(node), "gateways", "default/yellow")
    assert (yellow["addresses"], yellow["announced"]) == ([], [])
    assert yellow["state"] == "degraded", "its only network is down"


def test_a_gateway_with_a_missing_network_names_it() -> None:
    problem = degraded(
        "EgressGateway default/red", Reason.MISSING_NETWORK, "There is no ExternalNetwork blue."
    )
    both = gateway("default/red", "10.50.0.2/32", "red", "blue", degraded=(problem,))
    node = Node(intent(gateways=(both,), problems=(problem,)))
    node.up(RED)
    found = of(told(node), "gateways", "default/red")
    assert (found["state"], found["missing"]) == ("degraded", ["blue"])
    assert found["problems"][0]["reason"] == "missing-network"


def test_an_isolated_gateway_and_an_open_one_are_told_apart() -> None:
    gateways = (
        gateway("default/red", "10.50.0.2/32", "red", isolated=True),
        gateway("default/open", "10.50.0.6/32", "open"),
    )
    networks = (NetworkIntent("red", 500, (RED,)), NetworkIntent("open", 502, (), fail_open=True))
    found = told(Node(intent(networks=networks, gateways=gateways)))
    assert of(found, "gateways", "default/red")["state"] == "isolated"
    assert of(found, "gateways", "default/red")["closed"] is True
    assert of(found, "gateways", "default/open")["closed"] is False


def test_a_gateway_whose_rule_the_kernel_refuses_is_waiting(node: Node) -> None:
    closing = next(r for r in node.core.reconciler.rules.desired if r.action == "unreachable")
    found = told(Node(refuses={closing: errno.EPERM}))
    states = {entry["name"]: entry["state"] for entry in found["gateways"] if entry["state"] == "waiting"}
    assert len(states) == 1


def test_a_refused_config_stands_beside_the_running_one(node: Node) -> None:
    refused = Problem(
        Severity.REFUSED, Reason.UNKNOWN_FIELD, "BGPPeer x", "No such field.", Place("b.yaml", 7)
    )
    node.core.handle(ConfigRefused((refused,)), node.now)
    node.settle()
    found = told(node)
    assert [one["file"] for one in found["config"]["refused"]] == ["b.yaml"]
    assert len(found["networks"]) == 2
    node.core.handle(ConfigLoaded(intent()), node.now)
    assert told(node)["config"]["refused"] == []


def test_problems_stand_the_worst_first() -> None:
    notice = Problem(Severity.NOTICE, Reason.NOT_ACTED_ON, "BGPPeer a", "weight is not acted on.")
    worse = degraded("BGPPeer z", Reason.MISSING_FILTER, "There is no BGPFilter f.")
    found = told(Node(intent(problems=(notice, worse))))
    assert [one["severity"] for one in found["problems"]] == ["degraded", "notice"]


def test_both_peers_of_two_networks_may_have_the_same_address() -> None:
    twin = peer("yellow-1", "yellow", "172.16.1.140", source_interface="yellow0")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED,)), NetworkIntent("yellow", 501, (twin,)))))
    node.up(RED)
    found = told(node)
    assert peer_of(found, "red")["state"] == "established"
    assert peer_of(found, "yellow")["state"] != "established"


def test_x3_the_second_of_two_sessions_with_the_same_two_addresses_is_degraded_with_the_reason() -> None:
    twin = peer("zinc-1", "zinc", "172.16.1.140")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED,)), NetworkIntent("zinc", 501, (twin,)))))
    node.up(RED)
    found = told(node)
    assert peer_of(found, "red")["state"] == "established"
    zinc = peer_of(found, "zinc")
    assert zinc["state"] == "degraded"
    assert "already the session of network red" in zinc["reason"]


def test_a_drained_node_says_how_far_it_is() -> None:
    node = Node(intent(gateways=(gateway("default/red", "10.50.0.2/32", "red"),)))
    node.up(RED)
    assert told(node)["drain"]["state"] == "serving"
    assert told(node)["drain"]["announced"] == 1
    node.core.handle(DrainAsked(5.0), node.now)
    node.settle()
    found = told(node)
    expected = {"state": "withdrawing", "left": 5.0, "announced": 0, "steering": 1, "waiting": 0, "open": []}
    assert found["drain"] == expected
    assert of(found, "gateways", "default/red")["state"] == "ok"
    node.now += 5.0
    node.settle()
    node.settle()
    found = told(node)
    assert found["drain"] == expected | {"state": "drained", "left": None, "steering": 0}
    assert of(found, "gateways", "default/red")["state"] == "drained"
