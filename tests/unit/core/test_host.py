"""What is attached to the node follows every kind of word of the kernel."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from tests.unit.core.nodes import host, route
from vrfbgp.model import MAIN_TABLE, Address, Family, Link
from vrfbgp.requests import ReadTable

WIDE, NARROW, BESIDE = (
    route(text) for text in ("10.0.0.0/8 dev 3", "10.1.0.0/16 dev 4", "10.1.0.0/16 dev 5")
)
THERE = ip_address("10.1.2.3")


def test_p21_the_most_specific_attached_network_is_told_whatever_came_last() -> None:
    node = host({"eth1": "172.16.1.10/24"})

    def devices(device: int | None = None) -> list[int]:
        return [connected.ifindex for connected in node.covering(THERE, device)]

    assert devices() == []
    node.route_seen(WIDE)
    assert devices() == [3]
    node.route_seen(NARROW)
    assert devices() == [4]
    assert devices(3) == [3], "the most specific one on that device"
    assert devices(2) == []
    node.table_read(MAIN_TABLE, Family.IPV4, [WIDE, NARROW, BESIDE])
    assert devices() == [4, 5], "they compete"
    node.route_gone(NARROW)
    assert devices() == [5]
    node.table_read(MAIN_TABLE, Family.IPV4, [WIDE])
    assert devices() == [3]
    node.route_seen(route("0.0.0.0/0 dev 3"))
    node.route_gone(WIDE)
    assert devices() == [], "a default route attaches nothing"


def test_x3_a_route_that_comes_beside_another_takes_its_place_only_when_that_is_read() -> None:
    node = host({"eth1": "172.16.1.10/24"})
    by_gateway = route("10.1.0.0/16 via 172.16.1.7 dev 2")
    for seen in NARROW, BESIDE, by_gateway:
        node.route_seen(seen)
        assert node.covering(THERE, 4), "its network would lose its peers"
    assert node.covering(THERE, 5)
    assert node.doubted == {ReadTable(MAIN_TABLE, Family.IPV4)}
    node.table_read(MAIN_TABLE, Family.IPV4, [BESIDE])
    assert [connected.ifindex for connected in node.covering(THERE)] == [5]


def test_only_the_devices_that_changed_are_told() -> None:
    node = host({"eth1": "172.16.1.10/24", "eth2": "172.16.2.10/24", "eth3": "172.16.3.10/24"})
    links = {2: node.links[2], 3: Link(3, "eth2", True, False), 5: Link(5, "eth4", True, True)}
    addresses = (Address(3, ip_address("172.16.2.10"), 24), Address(9, ip_address("172.16.9.9"), 24))
    assert node.links_read(links, addresses) == (frozenset({2, 3, 4, 5}), frozenset({2, 3, 4}))
    assert node.links_read(links, addresses) == (frozenset(), frozenset())


def test_p1_the_addresses_present_are_those_of_interfaces_and_behind_host_routes() -> None:
    node = host({"eth1": "172.16.1.10/24 fd00::10/64"})

    def present(prefix: str) -> list[str]:
        return [str(address) for address in node.present(ip_network(prefix))]

    assert present("172.16.0.0/12") == ["172.16.1.10"]
    assert present("0.0.0.0/0") == ["172.16.1.10"]
    assert present("::/0") == ["fd00::10"]
    pods = [route(f"10.50.0.{number}/32 dev 3") for number in (9, 2, 4)]
    for pod in pods:
        node.route_seen(pod)
    assert present("10.50.0.0/24") == ["10.50.0.2", "10.50.0.4", "10.50.0.9"]
    assert present("10.50.0.2/31") == ["10.50.0.2"]
    assert present("10.50.0.4/32") == ["10.50.0.4"]
    node.route_gone(pods[2])
    assert present("10.50.0.0/29") == ["10.50.0.2"]
    node.links_read({}, ())
    assert present("172.16.0.0/12") == []
