"""A peer is asked for all it has where what was not kept is missed (ROUTE-REFRESH, RFC 2918)."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from tests.unit.core.nodes import network
from tests.unit.core.test_limits import accepted, announce, limited, told
from tests.unit.core.test_network import GRACEFUL, LOST, ONE, TWO, Bench
from tests.unit.rib import wire
from vrfbgp.events import Refresh, RefreshPhase
from vrfbgp.intent import LimitAction, PrefixLimit, Reason
from vrfbgp.model import Family
from vrfbgp.replay import PAUSE, REFRESH_PAUSE
from vrfbgp.requests import RequestRefresh

ASKED = RequestRefresh(ONE.id, Family.IPV4)
WIDER = replace(ONE, max_prefixes=PrefixLimit(100, LimitAction.DROP))


@pytest.mark.parametrize("now", [WIDER, ONE, limited(LimitAction.WARN)])
def test_x11_what_had_no_room_is_asked_for_once_when_an_edit_gives_it(now: object) -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    announce(bench, 1, 12)
    assert told(bench) == [Reason.MAX_PREFIXES]
    assert not bench.red.take_refreshes()
    bench.red.configure(network(now), 1.0)  # type: ignore[arg-type]
    assert bench.red.take_refreshes() == [ASKED]
    assert not bench.red.take_refreshes()
    assert Reason.MAX_PREFIXES not in told(bench)


def test_x11_p12_of_a_session_that_begins_again_nothing_is_known_to_be_missing() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up(route_refresh=False, restart=GRACEFUL)
    announce(bench, 1, 12)
    bench.red.configure(network(ONE), 1.0)
    assert told(bench) == [Reason.MAX_PREFIXES]
    assert bench.down(LOST, now=2.0)
    bench.up(epoch=2, now=3.0, route_refresh=False, restart=GRACEFUL)
    assert told(bench) == []


@pytest.mark.parametrize(
    "now",
    [
        limited(LimitAction.DROP),
        replace(ONE, max_prefixes=PrefixLimit(4, LimitAction.DROP)),
        replace(limited(LimitAction.DROP), restart_time=7),
    ],
)
def test_x11_an_edit_that_gives_no_room_asks_for_nothing(now: object) -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    announce(bench, 1, 12)
    bench.red.configure(network(now), 1.0)  # type: ignore[arg-type]
    assert not bench.red.take_refreshes()
    assert told(bench) == [Reason.MAX_PREFIXES]
    bench.red.configure(network(WIDER), 2.0)
    assert bench.red.take_refreshes() == [ASKED], "what was left out before is not forgotten"


def test_x11_nothing_is_asked_of_a_peer_whose_all_was_taken() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    announce(bench, 1, 8)
    bench.red.configure(network(WIDER), 1.0)
    bench.red.tick(1000.0)
    assert not bench.red.take_refreshes()


def test_x11_of_a_peer_that_can_not_be_asked_it_is_told_until_its_session_begins_again() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up(route_refresh=False)
    announce(bench, 1, 12)
    for now in (WIDER, ONE):
        bench.red.configure(network(now), 1.0)
        assert not bench.red.take_refreshes()
        [problem] = bench.red.limit_problems()
        assert problem.reason is Reason.MAX_PREFIXES
        assert "no route refresh" in problem.text
        assert "begin its session anew" in problem.text
    assert bench.down(LOST, now=2.0)
    bench.red.bury()
    bench.up(epoch=2, now=3.0)
    announce(bench, 1, 1)
    assert not list(bench.red.limit_problems())


def test_x11_the_session_that_begins_again_needs_no_asking() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up(restart=GRACEFUL)
    announce(bench, 1, 12)
    assert bench.down(LOST, now=1.0)
    bench.red.configure(network(WIDER), 2.0)
    bench.up(epoch=2, now=3.0, restart=GRACEFUL)
    assert not bench.red.take_refreshes()


def test_x11_room_that_returns_by_itself_is_asked_for_when_a_quarter_is_free_once_a_minute() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    announce(bench, 1, 12)

    def withdraw(*numbers: int) -> None:
        bench.hear(wire.message(withdrawn=wire.nlri(*[f"192.0.{number}.0/24" for number in numbers])))

    withdraw(1, 2)
    bench.red.tick(10.0)
    assert not bench.red.take_refreshes(), "six of eight are no room to spare"
    withdraw(3)
    bench.red.tick(10.0)
    assert bench.red.take_refreshes() == [ASKED]
    announce(bench, 4, 15)
    withdraw(4, 5, 6, 7, 8)
    bench.red.tick(11.0)
    assert not bench.red.take_refreshes()
    assert 10.0 + PAUSE in bench.red.deadlines()
    bench.red.tick(10.0 + PAUSE)
    assert bench.red.take_refreshes() == [ASKED]
    assert 10.0 + PAUSE not in bench.red.deadlines()


def test_x11_all_peers_that_the_networks_limit_left_without_room_are_asked() -> None:
    bench = Bench(ONE, TWO)
    bench.red.configure(replace(bench.red.intent, max_routes=8), 0.0)
    bench.up()
    bench.up(TWO)
    announce(bench, 1, 9)
    announce(bench, 21, 22, TWO)
    assert told(bench) == [Reason.MAX_ROUTES]
    bench.red.configure(replace(bench.red.intent, max_routes=100), 1.0)
    assert bench.red.take_refreshes() == [ASKED, RequestRefresh(TWO.id, Family.IPV4)]
    assert told(bench) == []


def test_x11_guarded_prefixes_beyond_those_that_are_kept_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vrfbgp.rib.adj_in.GUARDED", 4)
    bench = Bench(ONE)
    guarded = replace(bench.red.intent, refused_ranges=(ip_network("192.0.0.0/16"),))
    bench.red.configure(guarded, 0.0)
    bench.up()
    announce(bench, 1, 4)
    bench.red.configure(network(ONE), 1.0)
    assert accepted(bench) == 4
    assert not bench.red.take_refreshes(), "they were all kept"
    bench.red.configure(guarded, 2.0)
    announce(bench, 5, 9)
    bench.red.configure(replace(guarded, max_paths=7), 3.0)
    assert not bench.red.take_refreshes(), "what is refused is the same"
    bench.red.configure(network(ONE), 4.0)
    assert accepted(bench) == 4
    assert bench.red.take_refreshes() == [ASKED]
    bench.red.configure(guarded, 5.0)
    assert not bench.red.take_refreshes(), "once is enough"


def test_x11_of_a_peer_that_can_not_be_asked_it_is_told_that_guarded_prefixes_are_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vrfbgp.rib.adj_in.GUARDED", 4)
    bench = Bench(ONE)
    bench.red.configure(replace(bench.red.intent, refused_ranges=(ip_network("192.0.0.0/16"),)), 0.0)
    bench.up(route_refresh=False)
    announce(bench, 1, 9)
    assert not list(bench.red.limit_problems()), "they are refused anyway"
    bench.red.configure(network(ONE), 1.0)
    assert not bench.red.take_refreshes()
    [problem] = bench.red.limit_problems()
    assert problem.reason is Reason.NOT_KEPT
    bench.up(epoch=2, now=2.0, route_refresh=False)
    assert not list(bench.red.limit_problems())


def test_x11_p12_after_a_refresh_a_peer_has_no_more_than_it_may_whatever_comes_first() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    announce(bench, 1, 8)
    bench.red.refresh(Refresh(ONE.id, 1, Family.IPV4, RefreshPhase.BEGIN), 1.0)
    announce(bench, 9, 12)
    announce(bench, 1, 8)
    bench.red.refresh(Refresh(ONE.id, 1, Family.IPV4, RefreshPhase.END), 1.0)
    assert accepted(bench) == 8
    assert told(bench) == [Reason.MAX_PREFIXES]


def test_x11_who_begins_one_refresh_after_the_other_gets_no_more_room() -> None:
    bench = Bench(limited(LimitAction.DROP))
    bench.up()
    for turn in range(10):
        announce(bench, 8 * turn + 1, 8 * turn + 8)
        bench.red.refresh(Refresh(ONE.id, 1, Family.IPV4, RefreshPhase.BEGIN), turn * REFRESH_PAUSE)
    assert accepted(bench) <= 16


def test_a_refresh_counts_again_after_a_while() -> None:
    bench = Bench(ONE)
    bench.up()
    announce(bench, 1, 2)
    adj = bench.red.loc.adj(ONE.id, Family.IPV4)
    for now, stale in ((1.0, 2), (2.0, 0), (REFRESH_PAUSE, 0), (1.0 + REFRESH_PAUSE, 2)):
        bench.red.refresh(Refresh(ONE.id, 1, Family.IPV4, RefreshPhase.BEGIN), now)
        assert len(adj.stale) == stale, now
        announce(bench, 1, 2)
        bench.red.refresh(Refresh(ONE.id, 1, Family.IPV4, RefreshPhase.END), now)
        assert accepted(bench) == 2
