"""What is remembered of the node: only what decides something, and whether it came out different."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

from tests.unit.core.nodes import host, route
from vrfbgp.model import MAIN_TABLE, PROTOCOL, Family, Link, Rule
from vrfbgp.requests import ReadTable


def test_the_most_specific_attached_network_covers_an_address() -> None:
    node = host({"eth0": "10.0.0.1/8", "eth1": "10.1.0.1/16"})
    assert [c.ifindex for c in node.covering(ip_address("10.1.2.3"))] == [3]
    assert [c.ifindex for c in node.covering(ip_address("10.2.2.3"))] == [2]
    assert node.covering(ip_address("192.0.2.1")) == []
    assert [c.ifindex for c in node.covering(ip_address("10.1.2.3"), 2)] == [2]


def test_devices_that_compete_are_all_named() -> None:
    node = host({"eth0": "10.0.0.1/24", "eth1": ""}, route("10.0.0.0/24 dev 3", metric=100))
    assert {c.ifindex for c in node.covering(ip_address("10.0.0.9"))} == {2, 3}


def test_a_default_route_or_one_with_a_gateway_attaches_nothing() -> None:
    node = host({"eth0": "10.0.0.1/24"}, route("0.0.0.0/0 dev 2"), route("192.0.2.0/24 via 10.0.0.2 dev 2"))
    assert [str(c.prefix) for c in node.connected()] == ["10.0.0.0/24"]


def test_ours_are_not_kept() -> None:
    node = host({"eth0": "10.0.0.1/24"})
    assert not node.route_seen(route("192.0.2.0/24 dev 2", protocol=PROTOCOL, table=500))
    assert node.foreign_routes(500) == []


def test_a_change_is_told_and_a_repetition_is_not() -> None:
    node = host({"eth0": "10.0.0.1/24"})
    one = route("10.9.0.0/24 via 10.0.0.7 dev 2", table=500)
    assert node.route_seen(one)
    assert not node.route_seen(one)
    other = replace(one, nexthops=((ip_address("10.0.0.8"), 2),))
    assert node.route_seen(other)
    assert node.route_gone(other)
    assert not node.route_gone(other)


def test_two_devices_in_one_subnet_have_a_route_each() -> None:
    node = host({"eth0": "172.16.1.1/24", "eth1": "172.16.1.2/24"})
    first, second = (route(f"172.16.1.0/24 dev {index}", table=MAIN_TABLE) for index in (2, 3))
    node.table_read(MAIN_TABLE, Family.IPV4, (first, second))
    peer = ip_address("172.16.1.140")
    assert {connected.ifindex for connected in node.covering(peer)} == {2, 3}
    assert node.route_gone(first)
    assert [connected.ifindex for connected in node.covering(peer)] == [3]


def test_what_an_event_leaves_open_is_read_again() -> None:
    node = host({"eth0": "", "eth1": ""})
    first, second = (route(f"172.16.1.0/24 dev {index}", table=MAIN_TABLE) for index in (2, 3))
    node.route_seen(first)
    assert not node.doubted
    node.route_seen(second)
    assert node.doubted == {ReadTable(MAIN_TABLE, Family.IPV4)}


def test_ours_in_the_place_of_a_foreign_one_ends_it() -> None:
    node = host({"eth0": "10.0.0.1/24"})
    one = route("10.9.0.0/24 dev 2", table=500)
    node.route_seen(one)
    assert node.route_seen(replace(one, protocol=PROTOCOL))
    assert node.foreign_routes(500) == []


def test_ours_that_goes_takes_no_foreign_one_along() -> None:
    node = host({"eth0": "10.0.0.1/24"})
    one = route("10.9.0.0/24 dev 2", table=500)
    node.route_seen(one)
    assert not node.route_gone(replace(one, protocol=PROTOCOL))
    assert node.foreign_routes(500) == [one]


def test_a_dump_of_one_family_leaves_the_other_alone() -> None:
    node = host({"eth0": "10.0.0.1/24 2001:db8::1/64"})
    assert node.table_read(254, Family.IPV4, [])
    assert [str(c.prefix) for c in node.connected()] == ["2001:db8::/64"]
    assert not node.table_read(254, Family.IPV4, [])


def test_which_devices_changed() -> None:
    node = host({"eth0": "10.0.0.1/24", "eth1": "10.1.0.1/24"})
    links = dict(node.links)
    assert node.links_read(links, node.addresses) == (set(), set())
    assert node.links_read(links, node.addresses[:1]) == ({3}, {3})
    assert node.links_read({2: links[2], 4: Link(4, "eth2", True, True)}, node.addresses[:1]) == ({3, 4}, {3})
    assert node.links_read({2: replace(links[2], running=False)}, ()) == ({2, 4}, {2, 4})
    assert node.links_read({2: links[2]}, node.addresses) == ({2}, set())


def test_foreign_rules_of_a_table() -> None:
    node = host({})
    foreign = Rule(Family.IPV4, 90, table=500, protocol=3)
    node.rules[Family.IPV4] = (foreign, Rule(Family.IPV4, 102, table=500), replace(foreign, table=501))
    assert node.foreign_rules(500) == [foreign]
