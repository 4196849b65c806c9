"""Gateways to rules and addresses."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from tests.unit.core.nodes import host, network, route
from vrfbgp.intent import GatewayIntent, Intent
from vrfbgp.model import PeerId
from vrfbgp.steering import addresses_here, gateway_rules, is_open, session_rule

RED, YELLOW = network(name="red", table=500), network(name="yellow", table=501)
TABLES = {"red": 500, "yellow": 501}


def gateway(*networks: str, ranges: str = "10.50.0.2/31", **options: object) -> GatewayIntent:
    found = tuple(ip_network(text) for text in ranges.split(","))
    return GatewayIntent("egress/gw", found, networks, exported=found, **options)  # type: ignore[arg-type]


def intent(*gateways: GatewayIntent, cluster: str = "", priority: int = 102) -> Intent:
    return Intent(
        "node1",
        True,
        priority,
        (RED, YELLOW),
        gateways,
        tuple(ip_network(text) for text in cluster.split()),
    )


def rules(wanted: Intent, usable: dict[str, int] | None = None) -> list[str]:
    return [str(rule) for rule in gateway_rules(wanted, TABLES if usable is None else usable)]


def test_the_layout_of_the_docs() -> None:
    assert rules(intent(gateway("red", "yellow"), cluster="10.244.0.0/16 fd00::/48")) == [
        "101: from 10.50.0.2/31 to 10.244.0.0/16 lookup main",
        "102: from 10.50.0.2/31 lookup 500",
        "103: from 10.50.0.2/31 lookup 501",
        "104: from 10.50.0.2/31 unreachable",
    ]


def test_a_missing_network_keeps_its_place() -> None:
    assert rules(intent(gateway("missing", "yellow"))) == [
        "103: from 10.50.0.2/31 lookup 501",
        "104: from 10.50.0.2/31 unreachable",
    ]


def test_a_network_without_a_table_yet_keeps_its_place_too() -> None:
    assert rules(intent(gateway("red", "yellow")), {"yellow": 501})[0] == "103: from 10.50.0.2/31 lookup 501"


def test_a_network_that_moves_is_steered_into_where_it_is() -> None:
    assert rules(intent(gateway("red")), {"red": 499})[0] == "102: from 10.50.0.2/31 lookup 499"


def test_each_range_in_its_family() -> None:
    found = rules(
        intent(gateway("red", ranges="10.50.0.2/31,2001:db8::/127"), cluster="fd00::/48", priority=200)
    )
    assert found == [
        "200: from 10.50.0.2/31 lookup 500",
        "201: from 10.50.0.2/31 unreachable",
        "199: from 2001:db8::/127 to fd00::/48 lookup main",
        "200: from 2001:db8::/127 lookup 500",
        "201: from 2001:db8::/127 unreachable",
    ]


def test_an_isolated_gateway_reaches_the_cluster_alone() -> None:
    assert rules(intent(gateway("red", isolated=True), cluster="10.244.0.0/16")) == [
        "101: from 10.50.0.2/31 to 10.244.0.0/16 lookup main",
        "103: from 10.50.0.2/31 unreachable",
    ]


@pytest.mark.parametrize(
    ("names", "isolated", "expected"),
    [
        (("red",), False, True),
        (("red", "yellow"), False, False),
        (("red", "missing"), False, False),
        ((), False, False),
        (("red",), True, False),
    ],
)
def test_open_only_if_all_of_its_networks_are(names: tuple[str, ...], isolated: bool, expected: bool) -> None:
    networks = {"red": replace(RED, fail_open=True), "yellow": YELLOW}
    assert is_open(gateway(*names, isolated=isolated), networks) is expected


def test_a_sessions_own_rule() -> None:
    peer = PeerId("red", ip_address("172.16.1.140"))
    rule = session_rule(102, ip_address("172.16.1.10"), peer, 500)
    assert str(rule) == "101: from 172.16.1.10/32 to 172.16.1.140/32 lookup 500"


def test_addresses_of_interfaces_and_of_workloads() -> None:
    node = host(
        {"eth0": "10.50.0.3/31", "cali1": ""},
        route("10.50.0.2/32 dev 3"),
        route("10.50.1.0/24 dev 3"),
        route("10.50.0.4/32 dev 3"),
    )
    assert [str(a) for a in addresses_here(gateway("red"), node)] == ["10.50.0.2", "10.50.0.3"]
    assert addresses_here(replace(gateway("red"), exported=()), node) == []
