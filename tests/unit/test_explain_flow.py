"""`explain --from SRC DST`: the rule, the table, the route and the peer, or the first thing that is missing;
and the kernel's own answer beside it."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any

import pytest

from tests.unit.nodes import MAIN_RULES, RED, YELLOW, Node, gateway, intent, peer, route
from tests.unit.rib import wire
from vrfbgp.events import DownCause, DownKind, DrainAsked, RulesRead
from vrfbgp.intent import NetworkIntent, Problem, Reason, Severity
from vrfbgp.model import Action, Family, KernelRoute, RouteKey, Rule, nlri_of
from vrfbgp.views.flow import explain_flow
from vrfbgp.views.walk import KernelAnswer, rules

GATEWAY, SERVER = "10.50.0.2", "105.8.10.1"


@pytest.fixture
def node() -> Node:
    node = Node()
    node.up(RED)
    return node


def explained(
    node: Node, src: str = GATEWAY, dst: str = SERVER, kernel: KernelAnswer = None
) -> dict[str, Any]:
    return explain_flow(node.core, ip_address(src), ip_address(dst), kernel, node.now)


def answer(table: int, gateway: str | None, ifindex: int, **changes: object) -> KernelRoute:
    """What the kernel says of a packet that it sends on."""
    key = RouteKey(table, Family.IPV4, nlri_of(ip_network("105.8.10.0/24")))
    hop = None if gateway is None else ip_address(gateway)
    return replace(KernelRoute(key, 179, nexthops=((hop, ifindex),)), **changes)  # type: ignore[arg-type]


def decided(found: dict[str, Any]) -> str:
    """The rule that decides."""
    (rule,) = [rule["rule"] for rule in found["rules"] if rule["result"] == "decided"]
    return str(rule)


# -- what becomes of a packet ----------------------------------------------------------------------


def test_a_gateways_packet_goes_by_its_networks_table(node: Node) -> None:
    node.learns(RED, "105.8.10.0/24", as_path=(65010,))
    found = explained(node)
    assert (found["verdict"], found["table"], found["network"]) == ("forwarded", 500, "red")
    assert (found["gateway"], found["device"]) == ("default/red", "gw-red")
    assert decided(found) == "102: from 10.50.0.2/32 lookup 500"
    assert found["route"]["prefix"] == "105.8.10.0/24"
    assert found["route"]["next_hops"] == [{"gateway": "172.16.1.140", "device": "red0", "peer": "red-1"}]
    assert [path["as_path"] for path in found["paths"]] == ["65010"]
    assert found["missing"] == []


def test_the_longest_prefix_decides_and_a_users_own_route_counts() -> None:
    node = Node(foreign=[route("105.8.10.0/25", 500, 2, protocol=4)])
    node.up(RED)
    node.learns(RED, "105.8.10.0/24")
    found = explained(node)
    assert (found["route"]["prefix"], found["route"]["owner"]) == ("105.8.10.0/25", "foreign")
    assert explained(node, dst="105.8.10.200")["route"]["owner"] == "learned"


@pytest.mark.parametrize(("metric", "owner"), [(0, "foreign"), (30_000, "learned")])
def test_of_two_routes_to_one_prefix_the_lower_metric_decides(metric: int, owner: str) -> None:
    users = route("105.8.10.0/24", 500, 2, protocol=4)
    node = Node(foreign=[replace(users, key=replace(users.key, metric=metric))])
    node.up(RED)
    node.learns(RED, "105.8.10.0/24")
    assert explained(node)["route"]["owner"] == owner


def test_where_the_kernel_has_the_backup_alone_it_decides() -> None:
    second = peer("red-2", "red", "172.16.1.141")
    refused = RouteKey(500, Family.IPV4, nlri_of(ip_network("105.8.10.0/24")))
    red = NetworkIntent("red", 500, (RED, second))
    node = Node(
        intent(networks=(red,), gateways=(gateway("default/red", "10.50.0.2/32", "red"),)),
        refuses={refused: errno.ENOSPC},
    )
    for one, path in ((RED, ()), (second, (65010,))):
        node.up(one, str(one.id.address))
        node.learns(one, "105.8.10.0/24", as_path=path)
    found = explained(node)["route"]
    assert (found["metric"], found["next_hops"][0]["peer"], found["backup"]) == (20001, "red-2", [])


def test_a_learned_default_route_decides_where_nothing_else_does(node: Node) -> None:
    node.learns(RED, "0.0.0.0/0")
    assert explained(node)["route"]["prefix"] == "0.0.0.0/0"


def test_the_first_network_with_any_route_wins() -> None:
    both = gateway("default/both", "10.50.0.2/32", "red", "yellow")
    node = Node(intent(gateways=(both,)))
    node.up(RED)
    node.up(YELLOW)
    node.learns(YELLOW, "105.8.10.0/25")
    assert explained(node)["network"] == "yellow"
    node.learns(RED, "105.0.0.0/8")
    assert explained(node)["network"] == "red"


def test_a_users_unreachable_route_is_the_end() -> None:
    dead = route("105.8.10.0/24", 500, 2, protocol=4, kind="unreachable", nexthops=())
    found = explained(Node(foreign=[dead]))
    assert (found["verdict"], found["table"]) == ("unreachable", 500)
    assert "unreachable" in found["text"]


def test_the_nodes_own_address_is_local(node: Node) -> None:
    assert explained(node, dst="172.16.1.1")["verdict"] == "local"


def test_cluster_destinations_go_by_main(node: Node) -> None:
    node = Node(intent(cluster=(ip_network("105.8.10.0/24"),)))
    found = explained(node, kernel=answer(254, None, 4))
    assert (found["verdict"], found["table"], found["agrees"]) == ("elsewhere", 254, True)
    assert decided(found) == "101: from 10.50.0.2/32 to 105.8.10.0/24 lookup main"
    assert "cluster" in found["text"]
    assert found["missing"] == []


def test_a_source_that_is_no_gateway_is_told_so(node: Node) -> None:
    found = explained(node, "10.50.0.9", kernel=answer(254, "10.0.0.254", 9))
    assert (found["verdict"], found["gateway"]) == ("elsewhere", None)
    assert "10.50.0.9" in found["missing"][0]["text"]
    assert explained(node, "10.50.0.9")["verdict"] == "unknown", "main's other routes are not known here"


def test_open_networks_fall_through_to_main() -> None:
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED,), fail_open=True),)))
    found = explained(node, kernel=answer(254, "10.0.0.254", 9))
    assert (found["verdict"], found["agrees"]) == ("elsewhere", True)
    assert "Open" in found["text"]


def test_two_families_are_a_mistake(node: Node) -> None:
    with pytest.raises(ValueError, match="families"):
        explained(node, dst="2001:db8::1")


# -- rules of others -------------------------------------------------------------------------------


def test_a_rule_of_others_before_ours_decides(node: Node) -> None:
    foreign = Rule(Family.IPV4, 50, src=ip_network("10.50.0.0/24"), action=Action.UNREACHABLE, protocol=4)
    node.rules = (*node.rules, foreign)
    node.core.handle(RulesRead(Family.IPV4, node.rules), node.now)
    node.settle()
    found = explained(node)
    assert found["verdict"] == "unreachable"
    assert found["rules"][-1] == {"rule": str(foreign), "ours": False, "result": "decided"}
    assert str(foreign) in missing(found, None)
    assert found["missing"][0]["remedy"] == "remove it, or give it a priority above 103"
    assert "none of its peers announces" in missing(found, "red")
    node.learns(RED, "105.8.10.0/24")
    assert [one["network"] for one in explained(node)["missing"]] == [None], "red lacks nothing"


def test_a_rule_that_asks_for_a_mark_is_not_followed_and_told(node: Node) -> None:
    marked = Rule(Family.IPV4, 50, table=999, protocol=4, others=("fwmark 0x1",))
    other_device = Rule(Family.IPV4, 51, action=Action.UNREACHABLE, protocol=4, others=("iif eth7",))
    node.rules = (*node.rules, marked, other_device)
    node.core.handle(RulesRead(Family.IPV4, node.rules), node.now)
    node.settle()
    node.learns(RED, "105.8.10.0/24")
    found = explained(node)
    assert found["verdict"] == "forwarded"
    assert [rule["result"] for rule in found["rules"] if rule["rule"] == str(marked)] == ["not-followed"]
    assert str(other_device) not in str(found["rules"])


def test_a_rule_for_the_device_that_the_packet_comes_in_by_is_followed(node: Node) -> None:
    mine = Rule(Family.IPV4, 51, action=Action.UNREACHABLE, protocol=4, others=("iif gw-red",))
    node.rules = (*node.rules, mine)
    node.core.handle(RulesRead(Family.IPV4, node.rules), node.now)
    node.settle()
    assert decided(explained(node)) == str(mine)


def test_a_table_of_others_is_as_the_kernel_says(node: Node) -> None:
    other = Rule(Family.IPV4, 50, table=999, protocol=4)
    node.rules = (*node.rules, other)
    node.core.handle(RulesRead(Family.IPV4, node.rules), node.now)
    node.settle()
    node.learns(RED, "105.8.10.0/24")
    assert explained(node, kernel=answer(999, None, 9))["table"] == 999
    assert explained(node, kernel=answer(500, "172.16.1.140", 2))["table"] == 500


def test_rules_stand_in_the_kernels_order(node: Node) -> None:
    priorities = [rule.priority for rule in rules(node.core, Family.IPV4)]
    assert priorities == sorted(priorities)
    assert {rule.priority for rule in MAIN_RULES} < set(priorities)
    assert 103 in priorities


# -- what is missing -------------------------------------------------------------------------------


def missing(found: dict[str, Any], network: str | None = "red") -> str:
    """The text about a network."""
    assert found["verdict"] == "unreachable"
    return next(one["text"] for one in found["missing"] if one["network"] == network)


def test_no_peer_announces_it(node: Node) -> None:
    assert SERVER in missing(explained(node))


def test_no_session_is_up(node: Node) -> None:
    node.down(RED, DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2))
    found = explained(node)
    assert "Administrative Shutdown" in missing(found)
    assert found["missing"][0]["remedy"]


def test_the_next_hop_is_not_resolved(node: Node) -> None:
    node.learns(RED, "105.8.10.0/24", next_hop="172.16.99.1")
    found = explained(node)
    assert "172.16.99.1" in missing(found)
    assert "next-hop-unresolved" in missing(found)
    assert "reachableBy" in found["missing"][0]["remedy"]


def test_the_policy_refuses_it(node: Node) -> None:
    node.learns(RED, "105.8.10.0/24", as_path=(65010, 64512))
    assert "own-as" in missing(explained(node))


def test_the_kernel_refuses_the_route() -> None:
    key = RouteKey(500, Family.IPV4, nlri_of(ip_network("105.8.10.0/24")))
    node = Node(refuses={key: errno.ENOSPC})
    node.up(RED)
    node.learns(RED, "105.8.10.0/24")
    assert "No space left on device" in missing(explained(node))


def test_the_kernel_refuses_the_rule(node: Node) -> None:
    steering = next(r for r in node.core.reconciler.rules.desired if r.src and r.table == 500 and not r.dst)
    refusing = Node(refuses={steering: errno.EPERM})
    refusing.up(RED)
    refusing.learns(RED, "105.8.10.0/24")
    found = explained(refusing)
    assert str(steering) in missing(found, None)
    assert "not permitted" in missing(found, None)


def test_the_network_is_missing() -> None:
    node = Node(intent(gateways=(gateway("default/red", "10.50.0.2/32", "blue", "red"),)))
    node.up(RED)
    found = explained(node)
    assert "no such ExternalNetwork" in missing(found, "blue")
    assert "externalNetworks" in found["missing"][0]["remedy"]


def test_the_network_is_degraded() -> None:
    problem = Problem(Severity.DEGRADED, Reason.TABLE_SHARED, "ExternalNetwork red", "Table 500 is shared.")
    networks = (NetworkIntent("red", 500, (RED,), degraded=(problem,)),)
    assert missing(explained(Node(intent(networks=networks, problems=(problem,))))) == "Table 500 is shared."


def test_the_networks_table_is_used_by_others() -> None:
    node = Node(foreign=[route("198.51.100.0/24", 500, 2, protocol=186)])
    assert "another routing program" in missing(explained(node))


def test_the_peer_is_degraded() -> None:
    problem = Problem(Severity.DEGRADED, Reason.MISSING_SECRET, "BGPPeer red-1", "There is no Secret s.")
    networks = (NetworkIntent("red", 500, (replace(RED, degraded=(problem,)),)),)
    assert "no Secret s" in missing(explained(Node(intent(networks=networks, problems=(problem,)))))


def test_the_network_has_no_peer() -> None:
    assert "no peer" in missing(explained(Node(intent(networks=(NetworkIntent("red", 500),)))))


def test_the_gateway_is_isolated() -> None:
    problem = Problem(Severity.DEGRADED, Reason.RANGES_OVERLAP, "EgressGateway a", "It overlaps with b.")
    alone = gateway("default/red", "10.50.0.2/32", "red", isolated=True, degraded=(problem,))
    assert missing(explained(Node(intent(gateways=(alone,)))), None) == "It overlaps with b."


def test_the_node_is_drained(node: Node) -> None:
    drained(node)
    found = explained(node)
    assert found["verdict"] == "unreachable"
    assert missing(found, None) == "the node is drained"


def test_the_node_is_drained_and_open() -> None:
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED,), fail_open=True),)))
    drained(node)
    assert "the node is drained" in explained(node, kernel=answer(254, "10.0.0.254", 9))["text"]


def drained(node: Node) -> None:
    node.core.handle(DrainAsked(0.0), node.now)
    node.settle()
    node.settle()


def test_external_networks_are_disabled() -> None:
    found = explained(Node(intent(enabled=False)), kernel=answer(254, "10.0.0.254", 9))
    assert found["verdict"] == "elsewhere"
    assert "externalNetworkSupport" in found["missing"][0]["remedy"]


# -- the kernel's answer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "agrees"),
    [
        (answer(500, "172.16.1.140", 2), True),
        (answer(501, "172.16.1.140", 2), False),
        (answer(254, "10.0.0.254", 9), False),
        (answer(500, "172.16.1.141", 2), False),
        (answer(500, "172.16.1.140", 3), False),
        (answer(500, None, 2, kind="blackhole"), False),
        (OSError(errno.EHOSTUNREACH, "unreachable"), False),
        (None, None),
    ],
)
def test_a_forwarded_packet_and_the_kernels_answer(
    node: Node, kernel: KernelAnswer, agrees: bool | None
) -> None:
    node.learns(RED, "105.8.10.0/24")
    found = explained(node, kernel=kernel)
    assert found["agrees"] is agrees
    assert bool(found["difference"]) is (agrees is False)
    assert (found["kernel"] is None) is (kernel is None)


@pytest.mark.parametrize(
    ("kernel", "agrees"),
    [
        (OSError(errno.EHOSTUNREACH, "unreachable"), True),
        (OSError(errno.ENETUNREACH, "unreachable"), True),
        (OSError(errno.EINVAL, "invalid"), False),
        (answer(500, "172.16.1.140", 2), False),
    ],
)
def test_an_unreachable_packet_and_the_kernels_answer(node: Node, kernel: KernelAnswer, agrees: bool) -> None:
    assert explained(node, kernel=kernel)["agrees"] is agrees


def test_any_member_of_a_group_is_a_right_answer() -> None:
    second = peer("red-2", "red", "172.16.1.141")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, second)),)))
    for one in (RED, second):
        node.up(one, str(one.id.address))
        node.learns(one, "105.8.10.0/24")
    assert len(explained(node)["route"]["next_hops"]) == 2
    for gateway_ in ("172.16.1.140", "172.16.1.141"):
        assert explained(node, kernel=answer(500, gateway_, 2))["agrees"] is True
    assert explained(node, kernel=answer(500, "172.16.1.142", 2))["agrees"] is False


def test_a_destination_on_the_link_has_no_gateway(node: Node) -> None:
    found = explained(node, dst="172.16.1.77", kernel=answer(500, None, 2))
    assert (found["route"]["owner"], found["agrees"]) == ("bootstrap", True)


def test_the_sessions_own_packets_take_their_networks_table(node: Node) -> None:
    found = explained(node, "172.16.1.1", str(RED.id.address), kernel=answer(500, None, 2))
    assert (found["table"], found["agrees"], found["device"]) == (500, True, None)
    assert IPv4Address("172.16.1.1") in node.core.host.local


def test_who_withdrew_what_is_missing_is_told(node: Node) -> None:
    node.hears(RED, wire.end_of_rib())
    node.learns(RED, "105.8.0.0/16", "105.8.10.0/24")
    node.hears(RED, wire.update(withdraw=["105.8.10.0/24"]))
    assert explained(node)["missing"] == [], "a shorter one is still there"
    node.now += 5
    node.hears(RED, wire.update(withdraw=["105.8.0.0/16"]))
    node.now += 60
    (missing,) = explained(node)["missing"]
    gone = {"peer": "red-1", "address": "172.16.1.140", "prefix": "105.8.0.0/16", "ago": 60.0}
    assert missing["withdrawn"] == [gone]


# -- the way back ----------------------------------------------------------------------------------


def way_back(node: Node, src: str = GATEWAY) -> tuple[list[str], str | None]:
    found = explained(node, src)["way_back"]
    return found["announced"], found["text"]


def test_the_peers_that_are_told_the_source_are_named(node: Node) -> None:
    node.learns(RED, "105.8.10.0/24")
    assert way_back(node) == (["red-1 (172.16.1.140)"], None)


def test_packets_that_leave_by_a_stale_route_have_no_way_back(node: Node) -> None:
    node.learns(RED, "105.8.10.0/24")
    node.down(RED, DownCause(DownKind.SPEAKER_ENDED))
    assert explained(node)["verdict"] == "forwarded"
    assert way_back(node) == ([], "no session is up")


def test_a_source_that_is_not_here_or_may_not_be_announced_has_none() -> None:
    ranges = (ip_network("10.50.0.2/31"),)
    both = gateway("default/red", "10.50.0.2/31", "red")
    for found, src, why in (
        (both, "10.50.0.3", "no address of this node"),
        (replace(both, exported=()), "10.50.0.2", "disableBGPExport"),
    ):
        node = Node(intent(gateways=(replace(found, ranges=ranges),)))
        node.up(RED)
        node.learns(RED, "105.8.10.0/24")
        told, text = way_back(node, src)
        assert told == []
        assert why in str(text)


def test_what_goes_nowhere_has_no_way_back(node: Node) -> None:
    assert explained(node)["way_back"] is None
