"""Repairs that are undone again and again: at first at once, then seldom, and forgotten at last."""

from __future__ import annotations

import pytest

from vrfbgp.fib import contests
from vrfbgp.fib.contests import BURST, EVERY, EVERY_FOR_RULES, Contests
from vrfbgp.fib.draft import Key
from vrfbgp.model import Action, Family, RouteKey, Rule

ROUTE = RouteKey(500, Family.IPV4, b"\x18\xc0\x00\x02")
RULE = Rule(Family.IPV4, 103, None, None, Action.UNREACHABLE)


def fight(met: Contests, key: Key, now: float, seconds: float, pause: float) -> int:
    """Undo an object whenever it has been put right for `pause` seconds; how often that was."""
    times, end = 0, now + seconds
    while now < end:
        met.undone(key, now)
        times += 1
        while key in met.waiting(now):
            now = met.next(now) or end
        now += pause
    return times


def test_the_first_repairs_are_made_at_once() -> None:
    met = Contests()
    for _ in range(BURST):
        assert not met.undone(ROUTE, 100.0)
        assert met.waiting(100.0) == set()
    assert list(met.fights(100.0)) == []


@pytest.mark.parametrize(("key", "every"), [(ROUTE, EVERY), (RULE, EVERY_FOR_RULES), (0xB3000000, EVERY)])
def test_a_fight_is_slowed_down_and_told_once(key: Key, every: float) -> None:
    met = Contests()
    news = [met.undone(key, 100.0) for _ in range(BURST + 1)]
    assert news == [False] * BURST + [True]
    assert met.waiting(100.0) == {key}
    assert met.next(100.0) == 100.0 + every
    assert met.waiting(100.0 + every) == set()
    assert not met.undone(key, 100.0 + every), "it goes on"
    assert [found for found, _ in met.fights(100.0 + every)] == [key]
    assert fight(Contests(), key, 100.0, 20 * every, 0.001) <= BURST + 21


def test_who_meddles_seldom_makes_nobody_wait() -> None:
    met = Contests()
    for turn in range(100):
        assert not met.undone(ROUTE, 100.0 + turn * (EVERY + 1))
    assert list(met.fights(100.0 + 100 * EVERY)) == []


def test_what_is_told_while_it_waits_is_no_further_debt() -> None:
    met = Contests()
    for _ in range(1000):
        met.undone(ROUTE, 100.0)
    assert met.waiting(100.0 + EVERY) == set()


def test_a_fight_that_is_over_is_forgotten() -> None:
    met = Contests()
    for _ in range(BURST + 1):
        met.undone(ROUTE, 100.0)
    over = 100.0 + (BURST + 1) * EVERY
    assert met.next(100.0 + EVERY) == over, "whoever reports it is to be woken"
    assert list(met.fights(over)) == []
    assert met.next(over) is None
    assert not met.undone(ROUTE, over), "it begins anew"
    assert met.waiting(over) == set()
    assert list(met.fights(over)) == []


def test_it_remembers_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contests, "REMEMBERED", 3)
    met = Contests()
    for id_ in range(10):
        met.undone(id_, 100.0)
    for _ in range(BURST):
        met.undone(2, 100.0)
        met.undone(9, 100.0)
    assert met.waiting(100.0) == {2}
    much_later = 100.0 + 100 * EVERY
    met.undone(9, much_later)
    for _ in range(BURST):
        met.undone(9, much_later)
    assert met.waiting(much_later) == {9}, "those that are over make room"
