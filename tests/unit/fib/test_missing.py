"""What goes is counted only if no device took it along; of very many, most only by their number."""

from __future__ import annotations

from vrfbgp.fib.missing import LATE, NAMED
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.rounds import Rounds
from vrfbgp.model import Family, RouteKey
from vrfbgp.repairs import TOLD, Repairs

ETH1, ETH2 = frozenset({2}), frozenset({3})
NONE: frozenset[int] = frozenset()


def repairs_of_a_life() -> Repairs:
    return Repairs(Reconciler(), Rounds(None))


def route(number: int) -> RouteKey:
    return RouteKey(500, Family.IPV6, bytes((48, 0x20, 0x01)) + number.to_bytes(4))


def test_it_counts_when_links_were_read_and_none_changed() -> None:
    repairs = repairs_of_a_life()
    repairs.went(route(1), ETH1)
    assert repairs.total == 0
    assert repairs.notes() == []
    repairs.links_read(NONE, NONE, 0.0)
    assert repairs.found == {"routes": 1}
    (note,) = repairs.notes()
    assert str(route(1)) in str(note)
    repairs.links_read(NONE, NONE, 0.0)
    assert repairs.total == 1, "counted once"


def test_what_another_device_took_along_does_not_excuse_it() -> None:
    repairs = repairs_of_a_life()
    repairs.went(route(1), ETH1)
    repairs.went(route(2), ETH2)
    repairs.went(route(3), ETH1 | ETH2)
    repairs.links_read(ETH1, ETH1, 0.0)
    assert repairs.total == 1
    assert str(route(2)) in str(repairs.notes()[0])


def test_an_event_may_be_late_but_not_for_ever() -> None:
    repairs = repairs_of_a_life()
    repairs.links_read(ETH1, ETH1, 0.0)
    repairs.went(route(1), ETH1)
    repairs.links_read(NONE, NONE, LATE / 2)
    assert repairs.total == 0
    repairs.went(route(1), ETH1)
    repairs.links_read(NONE, NONE, LATE)
    assert repairs.total == 1


def test_a_device_that_only_gained_something_excuses_nothing_later() -> None:
    repairs = repairs_of_a_life()
    repairs.links_read(ETH1, NONE, 0.0)
    repairs.went(route(1), ETH1)
    repairs.links_read(NONE, NONE, 0.0)
    assert repairs.total == 1


def test_of_very_many_all_are_counted() -> None:
    repairs = repairs_of_a_life()
    for number in range(NAMED + 100):
        repairs.went(route(number), ETH1)
    repairs.links_read(NONE, NONE, 0.0)
    assert repairs.found == {"routes": NAMED + 100}
    told = repairs.notes()
    assert len(told) == TOLD + 1
    assert str(NAMED + 100 - TOLD) in str(told[-1])


def test_of_very_many_that_a_device_took_along_none_is_counted() -> None:
    repairs = repairs_of_a_life()
    for number in range(NAMED + 100):
        repairs.went(route(number), ETH1)
    repairs.links_read(ETH1, ETH1, 0.0)
    assert repairs.total == 0
    assert repairs.notes() == []
