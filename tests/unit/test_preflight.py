"""What stands in the way is told with its remedy, only to those whom it concerns, and only while it does."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from tests.unit.core.nodes import network, peer
from vrfbgp.intent import (
    GatewayIntent,
    Intent,
    LimitAction,
    NetworkIntent,
    PrefixLimit,
    Reason,
    Severity,
)
from vrfbgp.model import Action, Family, Rule
from vrfbgp.preflight import MANY_ROUTES, findings, rules_ahead
from vrfbgp.surroundings import Surroundings

RED = network(peer("172.16.1.140"), peer("172.16.1.141"), name="red", table=500)
RED6 = network(
    *(replace(peer(f"2001:db8:1::14{n}"), families=frozenset({Family.IPV6})) for n in (0, 1)),
    name="red",
    table=500,
)

BOUNDED = replace(
    RED,
    name="bounded",
    peers=tuple(replace(peer, max_prefixes=PrefixLimit(1000, LimitAction.DROP, None)) for peer in RED.peers),
)

V4 = "10.50.0.2/31"


def told(around: Surroundings, *networks: NetworkIntent, range_: str = V4, routes: int = 0) -> list[str]:
    gateways = (GatewayIntent("egress/gw", (ip_network(range_),), ("red",)),)
    found = findings(around, Intent("node1", True, 102, networks, gateways), {"eth1"}, routes)
    return [problem.text for problem in found]


@pytest.mark.parametrize(
    ("around", "networks", "range_", "remedy"),
    [
        (Surroundings(ip_forward=False), (), V4, "sysctl -w net.ipv4.ip_forward=1"),
        (Surroundings(ipv6_forwarding=False), (), "fd00::/127", "sysctl -w net.ipv6.conf.all.forwarding=1"),
        (
            Surroundings(strict=frozenset({"eth1"})),
            (),
            V4,
            "sysctl -w net.ipv4.conf.eth1.rp_filter=2",
        ),
        (
            Surroundings(drops_addresses=frozenset({"eth1"})),
            (RED6,),
            "fd00::/127",
            "sysctl -w net.ipv6.conf.eth1.keep_addr_on_down=1",
        ),
        (
            Surroundings(hash_policy={Family.IPV4: 0}),
            (RED,),
            V4,
            "sysctl -w net.ipv4.fib_multipath_hash_policy=1",
        ),
        (
            Surroundings(hash_policy={Family.IPV6: 0}),
            (RED6,),
            "fd00::/127",
            "sysctl -w net.ipv6.fib_multipath_hash_policy=1",
        ),
        (Surroundings(networkd=("ManageForeignRoutes",)), (), V4, "ManageForeignRoutes=no"),
        (Surroundings(memory_limit=512 << 20, memory_short=512 << 20), (RED,), V4, "512 MiB is nearly"),
        (Surroundings(memory_limit=512 << 20), (RED, BOUNDED), V4, "at most: red 540016; set"),
    ],
)
def test_it_is_told_with_the_remedy(
    around: Surroundings, networks: tuple[NetworkIntent, ...], range_: str, remedy: str
) -> None:
    [text] = told(around, *networks, range_=range_)
    assert remedy in text


@pytest.mark.parametrize(
    ("around", "networks"),
    [
        (Surroundings(), (RED, RED6)),
        (Surroundings(ipv6_forwarding=False), (RED,)),
        (Surroundings(strict=frozenset({"eth9"})), (RED,)),
        (Surroundings(drops_addresses=frozenset({"eth1"})), (RED,)),
        (Surroundings(hash_policy={Family.IPV4: 0}), (replace(RED, peers=RED.peers[:1]),)),
        (Surroundings(hash_policy={Family.IPV4: 0}), (replace(RED, max_paths=1),)),
        (Surroundings(nexthop_compat_mode=True), (RED,)),
        (Surroundings(memory_limit=512 << 20), (BOUNDED, replace(RED, max_routes=1000))),
    ],
)
def test_it_is_not_told_to_whom_it_does_not_concern(
    around: Surroundings, networks: tuple[NetworkIntent, ...]
) -> None:
    assert told(around, *networks) == []


def test_the_compatibility_of_next_hops_matters_to_those_with_many_routes() -> None:
    [text] = told(Surroundings(nexthop_compat_mode=True), RED, routes=MANY_ROUTES)
    assert "sysctl -w net.ipv4.nexthop_compat_mode=0" in text


def rule(priority: int, src: str | None = V4, dst: str | None = None, **changes: object) -> Rule:
    """One of somebody else's, to main, if nothing else is said."""
    made = Rule(
        Family.IPV4, priority, src and ip_network(src), dst and ip_network(dst), table=254, protocol=4
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def ahead(*rules: Rule) -> list[Severity]:
    gateways = (GatewayIntent("egress/gw", (ip_network(V4),), ("red", "yellow")),)
    intent = Intent("node1", True, 102, (RED,), gateways, cluster=(ip_network("10.48.0.0/16"),))
    found = list(rules_ahead(rules, intent))
    assert {problem.reason for problem in found} <= {Reason.FOREIGN_RULE}
    return [problem.severity for problem in found]


@pytest.mark.parametrize(
    "taken",
    [
        rule(50),
        rule(50, None),
        rule(50, "10.50.0.0/16"),
        rule(50, "10.50.0.3/32"),
        rule(50, dst="105.8.10.0/24"),
        rule(103),
        rule(50, table=0, action=Action.OTHER),
    ],
    ids=str,
)
def test_a_rule_of_others_that_takes_a_gateways_packets_is_told(taken: Rule) -> None:
    assert ahead(taken) == [Severity.DEGRADED]


def test_whether_a_table_of_others_has_a_route_is_not_known() -> None:
    assert ahead(rule(50, table=999)) == [Severity.NOTICE]


@pytest.mark.parametrize(
    "harmless",
    [
        rule(0, None, table=255),
        rule(104),
        rule(32766, None),
        rule(50, "10.50.0.4/32"),
        rule(50, dst="10.48.7.0/24"),
        rule(50, others=("fwmark 0x1",)),
        rule(50, protocol=179),
        replace(rule(50, None), family=Family.IPV6),
    ],
    ids=str,
)
def test_rules_of_others_that_take_nothing_of_a_gateways_are_not_told(harmless: Rule) -> None:
    assert ahead(harmless) == []
