"""Announcements: only differences, only when the rules stand, and End-of-RIB after them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from tests.unit.core.nodes import host, network, peer
from vrfbgp.announce import Announcements
from vrfbgp.events import DownCause, DownKind, Negotiated, SessionDown, SessionUp
from vrfbgp.filters import FilterRule, Operations, Operator, PrefixMatch
from vrfbgp.host import Host
from vrfbgp.intent import Advertisement, GatewayIntent, Intent, PeerFilters
from vrfbgp.model import Family
from vrfbgp.network import Network
from vrfbgp.requests import Announce, SendEndOfRib, SessionConfig, SpeakerRequest, Withdraw
from vrfbgp.uplinks import Attachment, Uplinks

ONE = peer("172.16.1.140")
ADDRESS = ip_network("10.50.0.2/32")
GATEWAY = GatewayIntent("egress/gw", (ip_network("10.50.0.2/31"),), ("red",), (ip_network("10.50.0.2/31"),))
HERE = host({"gw0": "10.50.0.2/31"})
READY = frozenset({"egress/gw"})


def speaking() -> Network:
    """Network red with one session, up."""
    red = Network(network(ONE), 0.0)
    session = SessionConfig(ONE.id, "red-1", 64501, 64512, "10.0.0.1", ip_address("172.16.1.10"))
    red.configured, red.speaking = (session,), True
    agreed = Negotiated(64501, "172.16.1.140", ip_address("172.16.1.10"), 90, frozenset({Family.IPV4}))
    red.session_up(SessionUp(ONE.id, 1, agreed), 0.0)
    return red


class Bench:
    def __init__(self) -> None:
        self.announcements = Announcements()
        self.red = speaking()
        self.advertisements: tuple[Advertisement, ...] = ()

    def filter(self, *rules: FilterRule, **changes: int) -> None:
        """From now on these are the peer's export rules."""
        filtered = replace(ONE, filters=PeerFilters(export_v4=rules), **changes)
        self.red.configure(replace(self.red.intent, peers=(filtered,)), 0.0)

    def ask(
        self, *gateways: GatewayIntent, node: Host = HERE, ready: frozenset[str] = READY
    ) -> list[SpeakerRequest]:
        networks = (self.red.intent,)
        intent = Intent(
            "node1", True, networks=networks, gateways=gateways, advertisements=self.advertisements
        )
        return self.announcements.requests(intent, node, {"red": self.red}, ready)[0]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_an_address_that_is_here_then_end_of_rib_then_nothing_more(bench: Bench) -> None:
    assert bench.ask(GATEWAY) == [Announce(ONE.id, ADDRESS), SendEndOfRib(ONE.id, Family.IPV4)]
    assert bench.ask(GATEWAY) == []


OTHER = ip_network("2001:db8:50::2/128")
BOTH_FAMILIES = replace(
    GATEWAY,
    ranges=(*GATEWAY.ranges, ip_network("2001:db8:50::2/127")),
    exported=(*GATEWAY.exported, ip_network("2001:db8:50::2/127")),
)
HERE_BOTH = host({"gw0": "10.50.0.2/31 2001:db8:50::2/127"})


def attached(network: Network, next_hop: str | None) -> None:
    """The uplink has this address in the other family."""
    (session,) = network.configured
    network.configured = (replace(session, families=frozenset(Family)),)
    other = ip_address(next_hop) if next_hop else None
    attachment = Attachment(session.peer, 3, session.local_address, True, "eth1", other)
    network.uplinks = Uplinks({session.peer: attachment})


def test_a_prefix_of_the_other_family_has_a_next_hop_of_its_own(bench: Bench) -> None:
    attached(bench.red, "2001:db8:1::10")
    found = [one for one in bench.ask(BOTH_FAMILIES, node=HERE_BOTH) if isinstance(one, Announce)]
    other = Announce(ONE.id, OTHER, next_hop=ip_address("2001:db8:1::10"))
    assert sorted(found, key=str) == sorted([Announce(ONE.id, ADDRESS), other], key=str)
    bench.red.uplinks = Uplinks()
    assert bench.ask(BOTH_FAMILIES, node=HERE_BOTH) == [], "the device is gone, and may come back"
    attached(bench.red, None)
    assert bench.ask(BOTH_FAMILIES, node=HERE_BOTH) == [Withdraw(ONE.id, OTHER)], "nothing leads to us"


def test_an_ipv4_prefix_has_an_ipv6_next_hop_if_both_agreed_on_that() -> None:
    router = replace(peer("2001:db8:1::140"), families=frozenset(Family))
    red = Network(network(router), 0.0)
    own = ip_address("2001:db8:1::10")
    session = SessionConfig(router.id, "", 64501, 64512, "10.0.0.1", own, families=frozenset(Family))
    red.configured, red.speaking = (session,), True
    attached(red, None)
    intent = Intent("node1", True, networks=(red.intent,), gateways=(GATEWAY,))
    announcements = Announcements()

    def asked(*, extended: bool) -> list[Announce]:
        agreed = Negotiated(64501, "1.1.1.1", own, 90, frozenset(Family), extended_next_hop=extended)
        red.session_up(SessionUp(router.id, red.sessions[router.id].epoch + 1, agreed), 0.0)
        found, _ = announcements.requests(intent, HERE, {"red": red}, READY)
        return [one for one in found if isinstance(one, Announce)]

    assert asked(extended=False) == []
    assert asked(extended=True) == [Announce(router.id, ADDRESS, next_hop=own)]
    attached(red, "172.16.1.10")
    assert asked(extended=True) == [], "it is known that the one leads to us"
    assert asked(extended=False) == [Announce(router.id, ADDRESS, next_hop=ip_address("172.16.1.10"))]
    down = SessionDown(router.id, red.sessions[router.id].epoch, DownCause(DownKind.HOLD_TIMER, 4))
    red.session_down(down, 1.0)
    attached(red, None)
    assert announcements.requests(intent, HERE, {"red": red}, READY)[0] == [], "nothing is said between two"
    assert asked(extended=True) == [Announce(router.id, ADDRESS, next_hop=own)]


def test_nothing_before_the_rules_stand_nor_end_of_rib(bench: Bench) -> None:
    assert bench.ask(GATEWAY, ready=frozenset()) == []
    assert bench.ask(GATEWAY) == [Announce(ONE.id, ADDRESS), SendEndOfRib(ONE.id, Family.IPV4)]


def test_what_was_announced_stays_while_a_rule_moves(bench: Bench) -> None:
    bench.ask(GATEWAY)
    assert bench.ask(GATEWAY, ready=frozenset()) == []


def test_an_address_that_leaves_is_withdrawn(bench: Bench) -> None:
    bench.ask(GATEWAY)
    assert bench.ask(GATEWAY, node=host({})) == [Withdraw(ONE.id, ADDRESS)]


def test_a_gateway_that_goes_is_withdrawn(bench: Bench) -> None:
    bench.ask(GATEWAY)
    assert bench.ask() == [Withdraw(ONE.id, ADDRESS)]


def test_an_isolated_gateway_is_not_announced(bench: Bench) -> None:
    isolated = GatewayIntent("egress/gw", GATEWAY.ranges, ("red",), GATEWAY.exported, isolated=True)
    assert bench.ask(isolated) == [SendEndOfRib(ONE.id, Family.IPV4)]


def test_a_session_without_the_family_is_not_told(bench: Bench) -> None:
    six = ip_network("2001:db8::2/127")
    gateway = GatewayIntent("egress/gw", (six,), ("red",), (six,))
    assert bench.ask(gateway, node=host({"gw0": "2001:db8::2/127"})) == [SendEndOfRib(ONE.id, Family.IPV4)]


def test_a_speaker_that_starts_anew_is_told_everything_again(bench: Bench) -> None:
    bench.ask(GATEWAY)
    bench.announcements.forget("red")
    assert bench.ask(GATEWAY) == [Announce(ONE.id, ADDRESS)]


def test_a_speaker_that_does_not_run_is_told_nothing(bench: Bench) -> None:
    bench.red.speaking = False
    assert bench.ask(GATEWAY) == []


def test_a_network_that_goes_takes_back_everything(bench: Bench) -> None:
    bench.ask(GATEWAY)
    assert bench.announcements.withdraw_all("red") == [Withdraw(ONE.id, ADDRESS)]
    assert bench.announcements.withdraw_all("red") == []


def test_p16_an_export_filter_holds_an_address_back_and_lets_it_go_again(bench: Bench) -> None:
    reject = FilterRule("quiet exportV4[0]", False, PrefixMatch(ADDRESS, Operator.IN, 0, 32))
    bench.ask(GATEWAY)
    bench.filter(reject)
    assert bench.ask(GATEWAY) == [Withdraw(ONE.id, ADDRESS)]
    assert bench.announcements.refused == {(ONE.id, ADDRESS): reject}
    bench.filter(FilterRule("other exportV4[0]", False, internal=True))
    assert bench.ask(GATEWAY) == [Announce(ONE.id, ADDRESS)]
    assert bench.announcements.refused == {}


def test_p16_what_an_export_rule_adds_goes_out(bench: Bench) -> None:
    bench.ask(GATEWAY)
    bench.filter(FilterRule("loud", True, operations=Operations(((65000, 7), (1, 2, 3)), (65010,))))
    assert bench.ask(GATEWAY) == [
        Announce(
            ONE.id,
            ADDRESS,
            communities=((65000, 7),),
            large_communities=((1, 2, 3),),
            prepend=(65010,),
        )
    ]


def test_p16_med_goes_to_any_peer_and_a_preference_to_those_in_our_own_as(bench: Bench) -> None:
    operations = Operations(local_pref=2147483135, med=50)
    bench.filter(FilterRule("ranked", True, operations=operations))
    assert bench.ask(GATEWAY)[0] == Announce(ONE.id, ADDRESS, med=50)
    bench.filter(FilterRule("ranked", True, operations=operations), peer_as=ONE.local_as)
    assert bench.ask(GATEWAY)[0] == Announce(ONE.id, ADDRESS, med=50, local_pref=2147483135)


def test_communities_of_prefix_advertisements_go_with_what_is_within_and_filters_see_them(
    bench: Bench,
) -> None:
    wide, other = ip_network("10.50.0.0/24"), ip_network("10.51.0.0/24")
    bench.advertisements = (Advertisement(wide, ((65000, 1),)), Advertisement(other, ((65000, 2),)))
    assert bench.ask(GATEWAY)[0] == Announce(ONE.id, ADDRESS, communities=((65000, 1),))
    bench.filter(FilterRule("tagged", False, communities=((65000, 1),)))
    assert bench.ask(GATEWAY) == [Withdraw(ONE.id, ADDRESS)]


def test_x26_what_a_speaker_that_does_not_run_had_announced_may_still_be_kept(bench: Bench) -> None:
    bench.ask(GATEWAY)
    assert bench.announcements.mute == 0
    bench.red.speaking = False
    bench.announcements.forget("red")
    assert bench.ask() == []
    assert bench.announcements.mute == 1, "a drain has something to wait for"
