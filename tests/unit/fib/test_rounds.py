"""The slow comparison: what is asked when, and what counts as a difference."""

from __future__ import annotations

from array import array
from collections import Counter

import pytest

from vrfbgp.events import TableCounted
from vrfbgp.fib.delta import Delta
from vrfbgp.fib.draft import FOREIGN, Slot
from vrfbgp.fib.rounds import AGAIN, Rounds
from vrfbgp.model import METRIC, Family, Inline, Nlri, RouteKey, RouteValue
from vrfbgp.operations import AddRoute, AddRoutes, DeleteRoutes, Step
from vrfbgp.requests import CountTable, ReadNexthops, ReadRules

V4 = Family.IPV4
GROUP, OTHER = 0xB3000001, 0xB3000002
CONNECTED = Inline(2)
NLRIS = [bytes((24, 192, 0, number)) for number in range(4)]
Slices = dict[tuple[int, Family, int], Delta[Nlri, Slot]]


def table() -> Slices:
    """Table 500: three routes on a group, a bootstrap route, and a foreign one in our place."""
    delta: Delta[Nlri, Slot] = Delta()
    for nlri in NLRIS[:3]:
        delta.want(nlri, GROUP)
        delta.saw(nlri, GROUP)
    delta.want(NLRIS[3], CONNECTED)
    delta.saw(NLRIS[3], CONNECTED)
    delta.saw(b"\x08\x0a", FOREIGN)
    return {(500, V4, METRIC): delta, (600, V4, METRIC): Delta()}


def differs(rounds: Rounds, slices: Slices, *found: RouteValue | None) -> bool:
    """Whether a table that is being counted differs, when it is counted twice."""
    now = rounds.deadline() or 0.0
    if rounds.differs(counted(*found), now):
        pytest.fail("one count is not enough")
    if rounds.deadline() != now + AGAIN:
        return False
    assert rounds.due(now + AGAIN, slices) == CountTable(500, V4), "it is counted again soon"
    return rounds.differs(counted(*found), now + AGAIN)


def counted(*values: RouteValue | None) -> TableCounted:
    return TableCounted(500, V4, Counter((METRIC, value) for value in values))


RIGHT = (GROUP, GROUP, GROUP, CONNECTED)


def asked(rounds: Rounds, slices: Slices) -> None:
    """Go on until the table is being counted."""
    now = 0.0
    while rounds.due(now, slices) != CountTable(500, V4):
        now = rounds.deadline() or now


def test_a_round_asks_for_everything_once_spread_over_its_period() -> None:
    rounds, slices = Rounds(40.0), table()
    assert rounds.due(100.0, slices) is None, "a start reads it all anyway"
    times = []
    now = 100.0
    for _ in range(8):
        now = rounds.deadline() or 0.0
        assert rounds.due(now - 0.1, slices) is None
        times.append((now, rounds.due(now, slices)))
    requests = {CountTable(500, V4), ReadNexthops(), ReadRules(Family.IPV4), ReadRules(Family.IPV6)}
    for begin in (0, 4):
        assert {request for _, request in times[begin : begin + 4]} == requests, "table 600 is empty"
    assert [now for now, _ in times] == [140.0 + 10.0 * turn for turn in range(8)]


def test_it_can_be_switched_off() -> None:
    rounds = Rounds(None)
    assert rounds.due(1e9, table()) is None
    assert rounds.deadline() is None


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (RIGHT, False),
        ((GROUP, GROUP, CONNECTED), True),
        ((*RIGHT, GROUP), True),
        ((GROUP, GROUP, OTHER, CONNECTED), True),
        ((GROUP, GROUP, GROUP, Inline(3)), True),
        ((GROUP, GROUP, GROUP, None), True),
    ],
    ids=["right", "one missing", "one too many", "on another group", "on another device", "disfigured"],
)
def test_what_differs_is_found(found: tuple[RouteValue | None, ...], wrong: bool) -> None:
    rounds, slices = Rounds(40.0), table()
    asked(rounds, slices)
    assert differs(rounds, slices, *found) is wrong
    assert rounds.compared == (2 if wrong else 1)


@pytest.mark.parametrize(
    "step",
    [
        AddRoute(RouteKey(500, V4, NLRIS[0]), GROUP),
        AddRoutes(500, V4, METRIC, [NLRIS[0]], array("I", [GROUP])),
        DeleteRoutes(500, V4, METRIC, [NLRIS[0]]),
    ],
)
def test_what_is_written_meanwhile_may_differ(step: Step) -> None:
    rounds, slices = Rounds(40.0), table()
    asked(rounds, slices)
    rounds.wrote([step])
    assert not differs(rounds, slices, GROUP, GROUP, CONNECTED)
    asked(rounds, slices)
    assert differs(rounds, slices, GROUP, GROUP, CONNECTED), "what was written before is no excuse"
    asked(rounds, slices)
    rounds.wrote([step])
    now = rounds.deadline() or 0.0
    assert not rounds.differs(counted(GROUP, CONNECTED), now)
    assert rounds.deadline() == now + AGAIN, "nor more than was written"


def test_what_was_on_its_way_as_an_event_is_no_difference() -> None:
    rounds, slices = Rounds(40.0), table()
    asked(rounds, slices)
    assert not rounds.differs(counted(GROUP, GROUP, CONNECTED), 0.0)
    assert rounds.due(AGAIN, slices) == CountTable(500, V4)
    assert not rounds.differs(counted(*RIGHT), AGAIN)
    asked(rounds, slices)
    assert not rounds.differs(counted(GROUP, GROUP, CONNECTED), 100.0), "it begins anew"


def test_an_answer_that_nobody_asked_for_says_nothing() -> None:
    assert not Rounds(40.0).differs(counted(), 0.0)
