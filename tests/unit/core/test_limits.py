"""Limits on what is announced: told from three quarters on, and what then happens beyond."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from tests.unit.core.nodes import network
from tests.unit.core.test_network import CEASE, GRACEFUL, LOST, ONE, TWO, Bench
from tests.unit.rib import wire
from vrfbgp.filters import FilterRule
from vrfbgp.intent import LimitAction, PeerFilters, PeerIntent, PrefixLimit, Reason
from vrfbgp.model import Family, nlri_of
from vrfbgp.requests import ResetSession


def limited(action: LimitAction, restart_after: float | None = None) -> PeerIntent:
    """A peer that may announce 8 prefixes."""
    return replace(ONE, max_prefixes=PrefixLimit(8, action, restart_after))


def announce(bench: Bench, first: int, last: int, one: PeerIntent = ONE) -> list[ResetSession]:
    prefixes = [f"192.0.{number}.0/24" for number in range(first, last + 1)]
    return bench.hear(wire.update(prefixes, next_hop=str(one.id.address)), one)


def accepted(bench: Bench, one: PeerIntent = ONE) -> int:
    return len(bench.red.loc.adj(one.id, Family.IPV4).paths)


def told(bench: Bench) -> list[Reason]:
    """What is to be told; nothing is, if nothing changed."""
    assert bench.red.limits_changed
    found = [problem.reason for problem in bench.red.limit_problems()]
    assert not bench.red.limits_changed
    return found


def test_x11_a_warning_at_three_quarters_and_beyond_and_none_when_they_go() -> None:
    bench = Bench(limited(LimitAction.WARN))
    bench.up()
    assert not announce(bench, 1, 5)
    assert not bench.red.limits_changed
    announce(bench, 6, 6)
    assert told(bench) == [Reason.NEAR_LIMIT]
    announce(bench, 7, 8)
    assert not bench.red.limits_changed
    announce(bench, 9, 9)
    assert told(bench) == [Reason.MAX_PREFIXES]
    assert accepted(bench) == 9
    bench.hear(wire.message(withdrawn=wire.nlri(*[f"192.0.{number}.0/24" for number in range(1, 9)])))
    assert told(bench) == []


def test_x11_the_excess_is_dropped_and_what_is_there_may_change() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    assert not announce(bench, 1, 20)
    assert accepted(bench) == 8
    assert told(bench) == [Reason.MAX_PREFIXES]
    assert not announce(bench, 5, 12)
    assert accepted(bench) == 8
    bench.hear(wire.message(withdrawn=wire.nlri(*["192.0.1.0/24"])))
    announce(bench, 20, 20)
    assert accepted(bench) == 8


@pytest.mark.parametrize("rest", [30.0, None])
def test_x11_the_session_ends_rests_and_comes_back(rest: float | None) -> None:
    bench = Bench(limited(LimitAction.RESTART, rest))
    bench.up()
    assert announce(bench, 1, 9) == [ResetSession(ONE.id, 6, 1)]
    assert accepted(bench) == 8
    assert announce(bench, 10, 12) == [], "once is enough"
    assert bench.down(CEASE, now=100.0)
    bench.red.bury()
    (session,) = bench.red.sessions.values()
    assert session.rests_until is not None
    assert told(bench) == [Reason.MAX_PREFIXES]
    if rest is None:
        bench.red.tick(1e9)
        assert session.rests_until is not None
        wider = replace(ONE, max_prefixes=PrefixLimit(100, LimitAction.RESTART))
        bench.red.configure(network(wider), 200.0)
    else:
        assert 130.0 in bench.red.deadlines()
        bench.red.tick(129.0)
        assert session.rests_until == 130.0
        bench.red.tick(130.0)
        assert told(bench) == []
    assert session.rests_until is None
    bench.red.bury()
    bench.up(epoch=2, now=200.0)
    assert not bench.hear(wire.update(["192.0.1.0/24"], next_hop=str(ONE.id.address)), epoch=2)
    assert accepted(bench) == 1


def test_x11_a_network_learns_no_more_than_it_may_from_all_peers_together() -> None:
    bench = Bench(ONE, TWO)
    bench.red.configure(replace(bench.red.intent, max_routes=8), 0.0)
    bench.up()
    bench.up(TWO)
    announce(bench, 1, 5)
    assert not bench.red.limits_changed
    announce(bench, 4, 20, TWO)
    assert (accepted(bench), accepted(bench, TWO)) == (5, 5)
    assert len(bench.red.loc.tables[Family.IPV4]) == 8
    assert told(bench) == [Reason.MAX_ROUTES]
    announce(bench, 6, 9)
    assert accepted(bench) == 8, "6 to 8 are there already, by the other peer"


@pytest.mark.parametrize("of_network", [True, False])
def test_x11_below_a_limit_that_was_lowered_what_is_learned_still_moves(of_network: bool) -> None:
    bench = Bench(ONE)
    bench.up()
    announce(bench, 1, 20)
    peers = (ONE if of_network else limited(LimitAction.DROP),)
    bench.red.configure(replace(bench.red.intent, peers=peers, max_routes=8 if of_network else None), 1.0)
    bench.hear(wire.update(["192.0.1.0/24"], next_hop="172.16.1.99"))
    paths = bench.red.loc.adj(ONE.id, Family.IPV4).paths
    assert str(paths[nlri_of(ip_network("192.0.1.0/24"))].next_hop) == "172.16.1.99"


def test_x11_nobody_is_ended_for_what_another_peer_learned() -> None:
    two = replace(TWO, max_prefixes=PrefixLimit(1000, LimitAction.RESTART))
    bench = Bench(ONE, two)
    bench.red.configure(replace(bench.red.intent, max_routes=8), 0.0)
    bench.up()
    bench.up(two)
    announce(bench, 1, 8)
    assert announce(bench, 9, 9, two) == []


@pytest.mark.parametrize("action", [LimitAction.RESTART, LimitAction.DROP])
def test_x11_p12_what_is_stale_takes_no_room_from_a_peer_that_returns(action: LimitAction) -> None:
    bench = Bench(limited(action))
    bench.up(restart=GRACEFUL)
    announce(bench, 1, 7)
    assert bench.down(LOST, now=5.0)
    bench.up(epoch=2, now=10.0, restart=GRACEFUL)
    others = [f"192.0.{number}.0/24" for number in range(11, 18)]
    assert bench.hear(wire.update(others, next_hop=str(ONE.id.address)), epoch=2) == []
    bench.hear(wire.end_of_rib(), epoch=2)
    assert accepted(bench) == 7


@pytest.mark.parametrize("action", [LimitAction.RESTART, LimitAction.DROP])
def test_x11_a_limit_that_was_raised_is_a_new_one(action: LimitAction) -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    announce(bench, 1, 12)
    assert told(bench) == [Reason.MAX_PREFIXES]
    wider = replace(ONE, max_prefixes=PrefixLimit(100, action))
    bench.red.configure(network(wider), 1.0)
    assert told(bench) == []
    assert announce(bench, 1, 12) == []
    assert accepted(bench) == 12


def test_x11_no_limit_no_problem() -> None:
    bench = Bench(ONE)
    bench.red.configure(replace(bench.red.intent, max_routes=8), 0.0)
    bench.up()
    announce(bench, 1, 12)
    assert told(bench) == [Reason.MAX_ROUTES]
    bench.red.configure(replace(bench.red.intent, max_routes=None), 1.0)
    assert told(bench) == []


def test_x11_when_there_is_room_again_it_is_still_told_that_prefixes_are_missing() -> None:
    bench = Bench(ONE, TWO)
    bench.red.configure(replace(bench.red.intent, max_routes=8), 0.0)
    bench.up()
    bench.up(TWO)
    announce(bench, 1, 8)
    announce(bench, 21, 28, TWO)
    assert told(bench) == [Reason.MAX_ROUTES]
    bench.down(CEASE, now=2.0)
    bench.red.bury()
    announce(bench, 29, 29, TWO)
    [problem] = bench.red.limit_problems()
    assert problem.reason is Reason.MAX_ROUTES
    assert "are missing" in problem.text


IPV6_HOP = "2001:db8:1::140"


def test_p16_x11_what_holds_for_ipv4_holds_for_ipv6() -> None:
    bench = Bench(replace(ONE, filters=PeerFilters(import_v6=(FilterRule("none", False),))))
    bench.up(families=frozenset(Family))
    bench.hear(wire.update(["2001:db8:8::/48"], next_hop=IPV6_HOP))
    assert not bench.red.loc.adj(ONE.id, Family.IPV6).paths
    bench.red.configure(replace(network(ONE), refused_ranges=(ip_network("fd00:244::/48"),)), 1.0)
    bench.hear(wire.update(["fd00:244:0:7::/64"], next_hop=IPV6_HOP))
    refused = bench.red.loc.adj(ONE.id, Family.IPV6).refused
    assert [one.reason for one in refused.values()] == ["cluster-prefix"]


def test_x11_p12_what_is_swept_or_goes_with_its_peer_no_longer_counts() -> None:
    bench = Bench(ONE, TWO)
    bench.red.configure(replace(bench.red.intent, max_routes=8), 0.0)
    bench.up(restart=GRACEFUL)
    announce(bench, 1, 7)
    assert told(bench) == [Reason.NEAR_LIMIT]
    assert bench.down(LOST, now=5.0)
    bench.up(epoch=2, now=10.0, restart=GRACEFUL)
    bench.red.tick(1000.0)
    assert told(bench) == []
    bench.up(TWO)
    announce(bench, 1, 7, TWO)
    assert told(bench) == [Reason.NEAR_LIMIT]
    bench.red.configure(replace(bench.red.intent, peers=(ONE,)), 1000.0)
    assert told(bench) == []
