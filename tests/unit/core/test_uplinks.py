"""How a network is attached: the device, the local address and the bootstrap routes of each peer."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from tests.unit.core.nodes import host, network, peer, route
from vrfbgp.host import Host
from vrfbgp.intent import NetworkIntent, PeerIntent, Reason, Severity, SourceMode, StaticBootstrap
from vrfbgp.model import MAIN_TABLE, Family, Inline, Nlri, nlri_of
from vrfbgp.uplinks import Attachment, attach

V4, V6 = Family.IPV4, Family.IPV6
NODE = host({"eth0": "192.168.0.10/24", "eth1": "172.16.1.10/24 2001:db8:1::10/64", "eth2": "172.16.2.10/24"})
ETH1 = 3


def nlri(text: str) -> Nlri:
    return nlri_of(ip_network(text))


def only(intent: NetworkIntent, node: Host = NODE) -> Attachment:
    (attachment,) = attach(intent, node).attachments.values()
    return attachment


def reasons(intent: NetworkIntent, node: Host = NODE) -> list[Reason]:
    found = attach(intent, node)
    assert not found.attachments
    return [problem.reason for problem in found.problems]


def test_a_peer_on_a_link() -> None:
    found = attach(network(peer("172.16.1.140")), NODE)
    one = peer("172.16.1.140")
    assert found.attachments == {one.id: Attachment(one.id, ETH1, ip_address("172.16.1.10"), True, "eth1")}
    assert found.bootstrap[V4] == {nlri("172.16.1.0/24"): Inline(ETH1, None, ip_address("172.16.1.10"))}
    assert found.reach.uplinks == found.reach.running == {ETH1}
    assert found.problems == ()


def test_a_peer_of_each_family() -> None:
    found = attach(network(peer("172.16.1.140"), peer("2001:db8:1::140")), NODE)
    assert {a.local for a in found.attachments.values()} == {
        ip_address("172.16.1.10"),
        ip_address("2001:db8:1::10"),
    }
    assert list(found.bootstrap[V6]) == [nlri("2001:db8:1::/64")]


BOTH = frozenset(Family)


def test_a_session_that_carries_both_families_finds_the_links_subnets_of_the_other() -> None:
    node = host(
        {"eth1": "172.16.1.10/24 2001:db8:1::11/64 2001:db8:1::10/64 fe80::10/64", "eth2": "fe80::2/64"}
    )
    found = attach(network(peer("172.16.1.140", families=BOTH)), node)
    assert set(found.bootstrap[V6]) == {nlri("2001:db8:1::/64")}, "fe80::/64 is on other links, too"
    assert only(network(peer("172.16.1.140", families=BOTH)), node).other == ip_address("2001:db8:1::10")
    assert only(network(peer("172.16.1.140")), node).other is None
    found = attach(network(peer("2001:db8:1::140", families=BOTH)), node)
    assert set(found.bootstrap[V4]) == {nlri("172.16.1.0/24")}
    assert only(network(peer("2001:db8:1::140", families=BOTH)), node).other == ip_address("172.16.1.10")


def test_a_next_hop_of_the_other_family_is_the_nodes_if_the_source_is() -> None:
    wanted = peer(
        "172.16.1.140",
        families=BOTH,
        source=SourceMode.NODE,
        source_address=ip_address("192.168.0.10"),
        other_address=ip_address("2001:db8:99::10"),
    )
    links = {"eth0": "192.168.0.10/24 2001:db8:99::10/64", "eth1": "172.16.1.10/24 2001:db8:1::10/64"}
    assert only(network(wanted), host(links)).other == ip_address("2001:db8:99::10")
    links["eth0"] = "192.168.0.10/24"
    assert only(network(wanted), host(links)).other == ip_address("2001:db8:1::10"), "it is not there"
    links["eth1"] = "172.16.1.10/24 fe80::10/64"
    found = attach(network(wanted), host(links))
    assert found.attachments[wanted.id].other is None
    (problem,) = found.problems
    assert (problem.severity, problem.reason) == (Severity.NOTICE, Reason.NO_SOURCE)
    assert "eth1 has no global IPv6 address" in problem.text


def test_a_far_session_that_carries_both_families_has_the_uplinks_subnets() -> None:
    far = peer("10.99.0.1", families=BOTH, reachable_by=ip_address("172.16.1.1"))
    assert set(attach(network(far), NODE).bootstrap[V6]) == {nlri("2001:db8:1::/64")}


def test_a_link_without_carrier_is_an_uplink_that_does_not_run() -> None:
    node = host({"eth0": "192.168.0.10/24", "eth1": "172.16.1.10/24"}, down=("eth1",))
    reach = attach(network(peer("172.16.1.140")), node).reach
    assert reach.uplinks == {ETH1}
    assert reach.running == frozenset()


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (peer("10.99.0.1"), Reason.NO_UPLINK),
        (peer("172.16.1.140", source_interface="eth9"), Reason.NO_UPLINK),
        (peer("172.16.1.140", source_interface="eth2"), Reason.NO_UPLINK),
        (peer("172.16.1.140", source=SourceMode.NODE), Reason.NO_SOURCE),
        (
            peer("172.16.1.140", source=SourceMode.EXPLICIT, source_address=ip_address("10.7.7.7")),
            Reason.NO_SOURCE,
        ),
        (peer("10.99.0.1", reachable_by=ip_address("10.98.0.1")), Reason.NO_UPLINK),
    ],
)
def test_a_peer_that_cannot_be_reached_says_why(one: PeerIntent, reason: Reason) -> None:
    assert reasons(network(one)) == [reason]


def test_a_default_route_reaches_no_peer() -> None:
    node = host({"eth0": "192.168.0.10/24"}, route("0.0.0.0/0 via 192.168.0.1 dev 2", table=500))
    assert reasons(network(peer("10.99.0.1")), node) == [Reason.NO_UPLINK]


def test_two_devices_alike_are_named_and_one_can_be_chosen() -> None:
    node = host({"eth0": "172.16.1.10/24", "eth1": "172.16.1.20/24"}, route("172.16.1.0/24 dev 2", metric=9))
    (problem,) = attach(network(peer("172.16.1.140")), node).problems
    assert problem.reason is Reason.AMBIGUOUS_UPLINK
    assert "eth0, eth1" in problem.text
    assert only(network(peer("172.16.1.140", source_interface="eth1")), node).local == ip_address(
        "172.16.1.20"
    )


def test_a_degraded_peer_has_no_session_and_no_second_problem() -> None:
    from vrfbgp.intent import Problem, Severity

    told = Problem(Severity.DEGRADED, Reason.MISSING_SECRET, "BGPPeer red-1", "its Secret is missing")
    assert reasons(network(peer("172.16.1.140", degraded=(told,)))) == []


def test_an_explicit_and_the_nodes_address() -> None:
    for mode in (SourceMode.NODE, SourceMode.EXPLICIT):
        one = peer("172.16.1.140", source=mode, source_address=ip_address("192.168.0.10"))
        assert only(network(one)).local == ip_address("192.168.0.10")


def test_a_device_route_without_an_address_of_its_own_takes_the_uplinks() -> None:
    node = host({"eth0": "", "eth1": "172.16.1.10/24"}, route("100.64.7.7/32 dev 3"))
    assert only(network(peer("100.64.7.7")), node) == Attachment(
        peer("100.64.7.7").id, 3, ip_address("172.16.1.10"), True, "eth1"
    )


def test_a_link_local_peer_is_spoken_to_from_a_link_local_address() -> None:
    node = host({"eth0": "", "eth1": "2001:db8:1::10/64 fe80::10/64"})
    one = peer("fe80::140", source_interface="eth1")
    assert only(network(one), node).local == ip_address("fe80::10")


def test_a_global_peer_is_never_spoken_to_from_a_link_local_address() -> None:
    """As long as the kernel looks for duplicates of the global one, the link-local one is all there is."""
    node = host({"eth1": "fe80::10/64"}, route("2001:db8:1::/64 dev 2"))
    assert reasons(network(peer("2001:db8:1::140")), node) == [Reason.NO_SOURCE]


def test_a_link_local_peers_table_has_the_links_global_subnets() -> None:
    node = host({"eth1": "172.16.1.10/24 2001:db8:1::10/64 fe80::10/64", "eth2": "2001:db8:2::10/64"})
    found = attach(network(peer("fe80::140", source_interface="eth1")), node)
    assert set(found.bootstrap[V6]) == {nlri("fe80::/64"), nlri("2001:db8:1::/64")}
    assert found.bootstrap[V4] == {}


def test_one_pair_of_link_local_addresses_is_another_on_each_link() -> None:
    node = host({"eth1": "fe80::10/64 2001:db8:1::10/64"})
    (one,) = attach(network(peer("fe80::140", source_interface="eth1")), node).attachments.values()
    assert one.pair == (ip_address("fe80::10"), ip_address("fe80::140"), one.ifindex)
    assert only(network(peer("2001:db8:1::140")), node).pair[2] == 0


def test_an_ipv4_link_local_peers_table_has_its_own_subnet_alone() -> None:
    node = host({"eth1": "172.16.1.10/24 169.254.7.1/30"})
    found = attach(network(peer("169.254.7.2")), node)
    assert set(found.bootstrap[V4]) == {nlri("169.254.7.0/30")}


def test_link_local_peers_on_two_links_of_one_network_are_told_apart_by_nothing() -> None:
    node = host({"eth1": "fe80::10/64", "eth2": "fe80::11/64"})
    node.table_read(MAIN_TABLE, V6, [route("fe80::/64 dev 2"), route("fe80::/64 dev 3")])
    first = peer("fe80::140", source_interface="eth1")
    found = attach(network(first, peer("fe80::141", source_interface="eth2")), node)
    assert set(found.attachments) == {first.id}
    assert [problem.reason for problem in found.problems] == [Reason.AMBIGUOUS_UPLINK]


def test_two_hops_away_by_the_users_own_route() -> None:
    node = host({"eth0": "", "eth1": "172.16.1.10/24"}, route("10.99.0.0/24 via 172.16.1.1 dev 3", table=500))
    found = attach(network(peer("10.99.0.1")), node)
    assert only(network(peer("10.99.0.1")), node).on_link is False
    assert found.bootstrap[V4] == {}, "the user's own route is used, and not made once more"


def test_two_hops_away_by_reachable_by() -> None:
    found = attach(network(peer("10.99.0.1", reachable_by=ip_address("172.16.1.1"))), NODE)
    assert found.bootstrap[V4] == {
        nlri("172.16.1.0/24"): Inline(ETH1, None, ip_address("172.16.1.10")),
        nlri("10.99.0.1/32"): Inline(ETH1, ip_address("172.16.1.1"), ip_address("172.16.1.10")),
    }


@pytest.mark.parametrize(
    ("static", "expected"),
    [
        (StaticBootstrap(ip_network("10.98.0.0/16"), ip_address("172.16.1.1")), True),
        (StaticBootstrap(ip_network("10.98.0.0/16"), ip_address("172.16.1.1"), "eth1"), True),
        (StaticBootstrap(ip_network("10.98.0.0/16"), None, "eth1"), True),
        (StaticBootstrap(ip_network("10.98.0.0/16"), ip_address("172.16.1.1"), "eth9"), False),
        (StaticBootstrap(ip_network("10.98.0.0/16"), ip_address("10.1.1.1")), False),
    ],
)
def test_a_bootstrap_route_from_the_config(static: StaticBootstrap, expected: bool) -> None:
    found = attach(network(peer("10.98.0.1"), bootstrap_routes=(static,)), NODE)
    assert (nlri("10.98.0.0/16") in found.bootstrap[V4]) is expected
    assert bool(found.attachments) is expected


def test_a_learned_or_default_route_of_main_is_no_attachment() -> None:
    node = host({"eth0": "192.168.0.10/24"}, route("10.99.0.0/24 via 192.168.0.1 dev 2"))
    assert reasons(network(peer("10.99.0.1")), node) == [Reason.NO_UPLINK]
