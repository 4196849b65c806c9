"""What rules do to gateways' and sessions' packets: each flaw is named, and what is right is let be."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from tests.unit.nodes import ADDRESSES, gateway
from tests.unit.verify.scene import CLOSE_RED, PODS, RED_GATEWAY, RULES, STEER_RED, V4, WANTED, Scene, route
from vrfbgp.intent import NetworkIntent, Problem, Reason, Severity
from vrfbgp.model import MAIN_TABLE, PROTOCOL, Action, Address, Family, KernelRoute, RouteKey, Rule
from vrfbgp.verify.findings import Flaw, Weight

BOTH = replace(WANTED, gateways=(gateway("default/red", "10.50.0.2/32", "red", "yellow"), WANTED.gateways[1]))
"""The red gateway uses both networks."""
BOTH_RULES = (
    *RULES[:6],
    Rule(V4, 103, RED_GATEWAY, table=501),
    RULES[7],
    Rule(V4, 104, RED_GATEWAY, action=Action.UNREACHABLE),
)


def foreign(
    priority: int, source: str | None = None, table: int = MAIN_TABLE, *others: str, **changes: object
) -> Rule:
    src = ip_network(source) if source else None
    return replace(Rule(V4, priority, src, table=table, protocol=3, others=others), **changes)  # type: ignore[arg-type]


def both() -> Scene:
    scene = Scene(BOTH)
    scene.rules = list(BOTH_RULES)
    return scene


# -- what is right ---------------------------------------------------------------------------------


def test_nothing_is_wrong() -> None:
    assert Scene().findings() == ()
    assert both().findings() == ()


def test_an_open_gateway_may_go_on_to_main() -> None:
    red = replace(WANTED.networks[0], fail_open=True)
    scene = Scene(replace(WANTED, networks=(red, WANTED.networks[1])))
    scene.rules.remove(CLOSE_RED)
    assert scene.findings() == ()


def test_a_drained_node_is_closed_and_not_steered() -> None:
    scene = Scene()
    scene.rules = [rule for rule in RULES if rule.priority != 102]
    assert set(scene.flaws()) == {Flaw.NOT_STEERED}
    scene.drained = True
    assert scene.findings() == ()


def test_a_disabled_node_has_nothing_of_ours() -> None:
    scene = Scene(replace(WANTED, enabled=False))
    assert set(scene.flaws()) == {Flaw.RULE_LEFT, Flaw.ROUTE_LEFT, Flaw.NEXTHOP_ASTRAY}
    scene.rules, scene.bunches, scene.nexthops = [], {}, {}
    scene.routes = {MAIN_TABLE: scene.routes[MAIN_TABLE]}
    assert scene.findings() == ()


@pytest.mark.parametrize(
    "rule",
    [
        foreign(0, table=255),
        foreign(50, "10.50.0.9/32"),
        foreign(50, None, MAIN_TABLE, "iif cali-other"),
        foreign(50, None, MAIN_TABLE, "iif lo"),
        foreign(50, None, MAIN_TABLE, "oif eth0"),
        foreign(50, None, MAIN_TABLE, "uidrange 0-0"),
        foreign(50, None, MAIN_TABLE, dst=ip_network("10.244.7.0/24")),
        foreign(50, "10.50.0.0/16", MAIN_TABLE, "not"),
        foreign(50, None, 0, "nop", action=Action.OTHER),
        foreign(50, None, 0, "goto 60", action=Action.OTHER),
        foreign(200, None, MAIN_TABLE),
        foreign(50, "10.50.0.2/32", action=Action.UNREACHABLE, dst=ip_network("192.0.2.0/24")),
    ],
    ids=str,
)
def test_rules_of_others_that_take_no_packet_of_a_gateway_elsewhere(rule: Rule) -> None:
    scene = Scene()
    scene.foreign_rules = [rule]
    # What the node itself sends is another matter: its sessions do meet some of these.
    assert scene.flaws().keys() <= {Flaw.SESSION_DIVERTED}


# -- gateways --------------------------------------------------------------------------------------


def test_a_gateway_that_nothing_closes() -> None:
    scene = Scene()
    scene.rules.remove(CLOSE_RED)
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.NOT_CLOSED, Weight.LEAK)
    assert found.subject == "EgressGateway default/red"
    assert "rule '32766: from all lookup main'" in found.text


def test_closing_a_part_of_the_range_is_not_enough() -> None:
    wide = gateway("default/red", "10.50.0.2/31", "red")
    scene = Scene(replace(WANTED, gateways=(wide, WANTED.gateways[1])))
    both_addresses = ip_network("10.50.0.2/31")
    scene.rules = [
        replace(r, src=both_addresses) if r.src == RED_GATEWAY and r != CLOSE_RED else r for r in RULES
    ]
    assert scene.flaws()[Flaw.NOT_CLOSED] == "EgressGateway default/red"
    scene.replace_rule(CLOSE_RED, replace(CLOSE_RED, src=both_addresses))
    assert scene.findings() == ()


@pytest.mark.parametrize(
    "rule",
    [
        foreign(50),
        foreign(101, "10.50.0.0/16"),
        foreign(102, "10.50.0.0/16"),
        foreign(50, "10.50.0.2/32", MAIN_TABLE, "ipproto 6"),
        foreign(50, None, MAIN_TABLE, "iif gw-red"),
        foreign(50, None, MAIN_TABLE, "fwmark 0x0/0x1"),
        foreign(50, None, MAIN_TABLE, "not", "fwmark 0xca6c"),
        foreign(50, None, MAIN_TABLE, "suppress_prefixlength 0"),
        foreign(50, None, MAIN_TABLE, dst=ip_network("10.0.0.0/8")),
        foreign(50, "10.50.0.9/32", MAIN_TABLE, "not"),
        foreign(50, None, 253),
        foreign(50, None, 0, "goto 200", action=Action.OTHER),
    ],
    ids=str,
)
def test_a_rule_of_others_ahead_of_ours_that_takes_packets_elsewhere(rule: Rule) -> None:
    scene = Scene()
    scene.routes[253] = [KernelRoute(RouteKey(253, V4, b"\0", 0), 3, nexthops=((None, 9),))]
    scene.foreign_rules = [rule]
    found = [finding for finding in scene.findings() if finding.flaw is Flaw.DIVERTED]
    assert [finding.subject for finding in found] == [f"rule {rule}"]
    assert "gateway default/red" in found[0].text
    assert f"priority {rule.priority} " in found[0].remedy


def test_a_rule_for_one_address_of_a_range() -> None:
    wide = gateway("default/red", "10.50.0.2/31", "red")
    scene = Scene(replace(WANTED, gateways=(wide, WANTED.gateways[1])))
    scene.rules = [replace(r, src=wide.ranges[0]) if r.src == RED_GATEWAY else r for r in RULES]
    scene.foreign_rules = [foreign(60, "10.50.0.3/32")]
    found = scene.one()
    assert found.flaw is Flaw.DIVERTED
    assert "10.50.0.3/32" in found.text


@pytest.mark.parametrize(
    "rule",
    [foreign(50, None, MAIN_TABLE, "fwmark 0x1"), foreign(50, None, 77), foreign(50, None, 0, "l3mdev")],
    ids=str,
)
def test_what_depends_on_a_mark_or_is_empty_is_a_notice(rule: Rule) -> None:
    scene = Scene()
    scene.foreign_rules = [rule]
    found = [finding for finding in scene.findings() if finding.subject == f"rule {rule}"]
    assert [(finding.flaw, finding.weight) for finding in found] == [(Flaw.MAY_DIVERT, Weight.NOTICE)]


def test_a_table_that_leads_into_the_cluster_alone_takes_nothing_away() -> None:
    """As Calico's does with WireGuard: `99: not from all fwmark 0x200000/0x200000 lookup 1`."""
    scene = Scene()
    scene.foreign_rules = [foreign(99, None, 1, "not", "fwmark 0x200000/0x200000")]
    scene.routes[1] = [
        route("10.244.7.0/24", 1, 9, 80),
        route("10.244.8.0/24", 1, 0, 80, kind="throw", nexthops=()),
        route("172.16.0.0/16", 1, 0, 80, kind="throw", nexthops=()),
    ]
    assert scene.findings() == ()
    scene.routes[1].append(route("105.8.0.0/16", 1, 9, 80))
    assert scene.one().flaw is Flaw.DIVERTED
    scene.routes[1][-1] = route("172.16.1.0/24", 1, 9, 80)
    assert Flaw.SESSION_DIVERTED in scene.flaws()


def test_an_exemption_that_is_wider_than_asked_for() -> None:
    scene = Scene()
    wide = Rule(V4, 101, RED_GATEWAY, ip_network("10.0.0.0/8"), table=MAIN_TABLE)
    scene.rules.insert(0, wide)
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (Flaw.EXEMPTION_TOO_WIDE, Weight.LEAK, f"rule {wide}")
    scene.rules[0] = Rule(V4, 101, RED_GATEWAY, table=MAIN_TABLE)
    assert scene.one().flaw is Flaw.EXEMPTION_TOO_WIDE


def test_a_cluster_that_is_not_exempt() -> None:
    scene = Scene()
    scene.rules.remove(Rule(V4, 101, RED_GATEWAY, PODS, table=MAIN_TABLE))
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.EXEMPTION_MISSING, Weight.DEFECT)
    assert "10.244.0.0/16" in found.text


def test_an_exemption_behind_a_networks_table_comes_too_late() -> None:
    scene = Scene()
    scene.rules.remove(RULES[0])
    scene.foreign_rules = [foreign(102, "10.50.0.2/32", dst=PODS)]
    assert Flaw.EXEMPTION_MISSING in scene.flaws()


@pytest.mark.parametrize("protocol", [PROTOCOL, 3])
def test_a_gateway_that_is_led_into_another_network(protocol: int) -> None:
    scene = Scene()
    wrong = Rule(V4, 102, RED_GATEWAY, table=501, protocol=protocol)
    scene.rules.insert(4, wrong)
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (Flaw.WRONG_NETWORK, Weight.LEAK, f"rule {wrong}")
    assert "501 (network yellow)" in found.text


def test_an_isolated_gateway_may_look_up_nothing() -> None:
    scene = Scene(replace(WANTED, gateways=(replace(WANTED.gateways[0], isolated=True), WANTED.gateways[1])))
    assert scene.one().flaw is Flaw.WRONG_NETWORK
    scene.rules.remove(STEER_RED)
    assert scene.findings() == ()


def test_a_gateways_networks_in_another_order() -> None:
    scene = both()
    scene.replace_rule(STEER_RED, replace(STEER_RED, table=501))
    scene.replace_rule(BOTH_RULES[6], replace(STEER_RED, priority=103))
    flaws = scene.flaws()
    assert flaws[Flaw.WRONG_ORDER] == "EgressGateway default/red"
    assert Flaw.NOT_STEERED not in flaws


def test_a_gateway_that_is_not_steered() -> None:
    scene = both()
    scene.rules.remove(BOTH_RULES[6])
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.NOT_STEERED, Weight.DEFECT)
    assert "501 (network yellow)" in found.text


def test_what_stands_behind_the_rule_that_closes_steers_nothing() -> None:
    scene = Scene()
    scene.rules.remove(STEER_RED)
    scene.rules.append(replace(STEER_RED, priority=104))
    assert scene.flaws()[Flaw.NOT_STEERED] == "EgressGateway default/red"


def test_a_rule_that_some_packets_meet_steers_none() -> None:
    scene = Scene()
    scene.replace_rule(STEER_RED, replace(STEER_RED, others=("ipproto 6",)))
    assert scene.flaws()[Flaw.NOT_STEERED] == "EgressGateway default/red"


def test_what_is_wrong_with_a_range_is_told_once() -> None:
    wide = gateway("default/red", "10.50.0.2/31", "red")
    scene = Scene(replace(WANTED, gateways=(wide, WANTED.gateways[1])))
    scene.rules = [
        replace(r, src=wide.ranges[0]) if r.src == RED_GATEWAY else r for r in RULES if r != CLOSE_RED
    ]
    scene.foreign_rules = [foreign(60, "10.50.0.3/32", dst=PODS)]
    assert scene.one().flaw is Flaw.NOT_CLOSED


def test_a_missing_network_is_not_missed_by_its_gateway() -> None:
    why = Problem(Severity.DEGRADED, Reason.TABLE_SHARED, "ExternalNetwork blue", "it is red's")
    networks = (*WANTED.networks, NetworkIntent("blue", 502, degraded=(why,)))
    three = gateway("default/red", "10.50.0.2/32", "red", "missing", "blue")
    scene = Scene(replace(WANTED, networks=networks, gateways=(three, WANTED.gateways[1])))
    scene.replace_rule(CLOSE_RED, replace(CLOSE_RED, priority=105))
    assert scene.findings() == ()


def test_a_rule_that_skips_ours_or_drops_a_sessions_packets() -> None:
    scene = Scene()
    local = "172.16.1.0/24"
    for rule, wrong in (
        (foreign(50, local, 0, "nop", action=Action.OTHER), False),
        (foreign(50, local, 0, "goto 60", action=Action.OTHER), False),
        (foreign(50, local, 0, "goto 102", action=Action.OTHER), True),
        (foreign(50, local, 0, "blackhole", action=Action.OTHER), True),
    ):
        scene.foreign_rules = [rule]
        assert (Flaw.SESSION_DIVERTED in scene.flaws()) is wrong, rule


# -- other rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        Rule(V4, 102, ip_network("10.50.0.9/32"), table=500),
        foreign(300, "10.48.0.0/16", 500),
        foreign(300, None, 500, "fwmark 0x1"),
        foreign(300, "10.50.0.2/32", 500, "not"),
    ],
    ids=str,
)
def test_strangers_that_are_led_into_a_network(rule: Rule) -> None:
    scene = Scene()
    scene.foreign_rules = [rule]
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (Flaw.STRANGER_STEERED, Weight.LEAK, f"rule {rule}")


def test_a_rule_of_others_that_leads_a_gateway_into_its_own_network() -> None:
    scene = Scene()
    scene.foreign_rules = [foreign(102, "10.50.0.2/32", 500)]
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.TABLE_IN_USE, Weight.DEFECT)
    assert "protocol 3" in found.text


def test_a_rule_of_ours_that_nothing_asks_for() -> None:
    scene = Scene()
    left = Rule(V4, 105, ip_network("10.50.0.8/31"), action=Action.UNREACHABLE)
    old = Rule(V4, 101, ip_network("172.16.1.7"), ip_network("172.16.1.140"), table=500)
    for rule in (left, old):
        scene.foreign_rules = [rule]
        found = scene.one()
        assert (found.flaw, found.weight, found.subject) == (Flaw.RULE_LEFT, Weight.DEFECT, f"rule {rule}")
        what = "unreachable" if rule is left else f"to {rule.dst} lookup 500"
        assert found.remedy.endswith(f"from {rule.src} {what} protocol 179")
    scene.intent = replace(scene.intent, partial=True)
    assert scene.findings() == ()


# -- sessions --------------------------------------------------------------------------------------


def test_a_session_without_its_rule() -> None:
    scene = Scene()
    scene.rules.remove(RULES[2])
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.SESSION_RULE_MISSING, Weight.DEFECT)
    assert found.subject == "session red/172.16.1.140"


def test_a_session_that_can_not_be_held_needs_no_rule() -> None:
    scene = Scene()
    scene.rules.remove(RULES[2])
    scene.links[2] = replace(scene.links[2], running=False)
    assert scene.findings() == ()


def test_a_rule_ahead_of_a_sessions_own() -> None:
    scene = Scene()
    rule = foreign(40, "172.16.1.0/24")
    scene.foreign_rules = [rule]
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.SESSION_DIVERTED, Weight.LEAK)
    assert found.subject == "session red/172.16.1.140"
    assert f"rule '{rule}'" in found.text
    scene.foreign_rules = [foreign(40, "172.16.1.0/24", dst=ip_network("172.16.1.9"))]
    assert Flaw.SESSION_DIVERTED not in scene.flaws()


def test_one_pair_of_link_local_addresses_on_two_links_is_two_sessions() -> None:
    local, remote = ip_address("fe80::10"), ip_address("fe80::140")
    links = {"red": 2, "yellow": 3}
    networks = tuple(
        replace(
            network,
            peers=(
                replace(
                    network.peers[0],
                    id=replace(network.peers[0].id, address=remote),
                    source_interface=f"{network.name}0",
                ),
            ),
        )
        for network in WANTED.networks
    )
    scene = Scene(replace(WANTED, networks=networks))
    scene.addresses = (*ADDRESSES, *(Address(ifindex, local, 64) for ifindex in links.values()))
    scene.routes[MAIN_TABLE] += [route("fe80::/64", MAIN_TABLE, ifindex, 2) for ifindex in links.values()]
    pairs = [Rule(Family.IPV6, 101, ip_network(local), ip_network(remote), table=t) for t in (500, 501)]
    scene.foreign_rules = pairs
    flaws = scene.flaws()
    assert not {Flaw.SESSION_DIVERTED, Flaw.SESSION_RULE_MISSING} & flaws.keys()
    scene.foreign_rules = [Rule(Family.IPV6, 50, table=MAIN_TABLE, protocol=3), *pairs]
    assert Flaw.SESSION_DIVERTED in scene.flaws()


def test_of_two_networks_with_one_pair_of_addresses_the_first_has_a_session() -> None:
    twin = replace(WANTED.networks[0].peers[0], id=replace(WANTED.networks[0].peers[0].id, network="twin"))
    scene = Scene(replace(WANTED, networks=(*WANTED.networks, NetworkIntent("twin", 502, (twin,)))))
    assert Flaw.SESSION_RULE_MISSING not in scene.flaws()
