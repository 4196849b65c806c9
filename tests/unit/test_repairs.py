"""What is told of repairs: not a line for each of a million, and a person is called to a fight."""

from __future__ import annotations

from vrfbgp.fib.contests import BURST, EVERY
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.rounds import Rounds
from vrfbgp.intent import Reason
from vrfbgp.model import Action, Family, RouteKey, Rule
from vrfbgp.operations import AddRoute, AddRule, Failure
from vrfbgp.repairs import DOUBT, TOLD, Repairs, told_refused

RULE = Rule(Family.IPV4, 103, None, None, Action.UNREACHABLE)


def repairs_of_a_life() -> Repairs:
    return Repairs(Reconciler(), Rounds(None))


def route(number: int) -> RouteKey:
    return RouteKey(500, Family.IPV4, bytes((32, 192, 0, 2, number)))


def test_they_are_counted_by_kind_and_told_by_name() -> None:
    repairs = repairs_of_a_life()
    repairs.undone(route(1), 0.0)
    repairs.undone(RULE, 0.0)
    repairs.undone(0xB3000001, 0.0)
    repairs.compared("table 500", "routes", 7, 0.0)
    assert repairs.deadline(0.0) == DOUBT
    repairs.settle(DOUBT)
    assert repairs.found == {"routes": 8, "rules": 1, "next hops": 1}
    assert (repairs.total, repairs.missed) == (10, 7)
    told = [str(note) for note in repairs.notes()]
    words = "192.0.2.1/32 table 500", "rule 103", "next hop", "found 7 routes"
    for expected, note in zip(words, told, strict=True):
        assert expected in note
    assert repairs.notes() == []


def test_refusals_are_told_with_their_table_and_only_the_first_ones() -> None:
    failures = [Failure(AddRoute(route(number), 7), 22) for number in range(TOLD + 5)]
    notes = told_refused([Failure(AddRule(RULE), 17), *failures])
    assert len(notes) == TOLD
    assert [note.subject for note in notes[:2]] == ["", "table 500"]
    assert "192.0.2.0/32 table 500" in notes[1].text
    assert "Invalid argument; it is tried again" in notes[1].text


def test_what_a_link_took_along_is_nobodys_deed() -> None:
    repairs = repairs_of_a_life()
    repairs.compared("next hops", "next hops", 2, 0.0)
    repairs.settle(DOUBT / 2)
    repairs.explain()
    repairs.settle(DOUBT)
    assert repairs.total == repairs.missed == 0
    assert repairs.notes() == []


def test_a_flushed_table_is_told_in_some_lines_and_a_sum() -> None:
    repairs = repairs_of_a_life()
    for number in range(200):
        repairs.undone(route(number), 0.0)
    told = repairs.notes()
    assert len(told) == TOLD + 1
    assert str(200 - TOLD) in str(told[-1])


def test_a_fight_is_a_problem_while_it_lasts() -> None:
    repairs = repairs_of_a_life()
    for _ in range(BURST):
        repairs.undone(route(1), 0.0)
    assert not repairs.fights_changed(0.0)
    repairs.undone(route(1), 0.0)
    assert repairs.fights_changed(0.0)
    (problem,) = repairs.problems(0.0)
    assert problem.reason is Reason.CONTESTED
    assert problem.subject == str(route(1))
    assert not repairs.fights_changed(1.0)
    over = (BURST + 1) * EVERY
    assert repairs.fights_changed(over)
    assert list(repairs.problems(over)) == []
