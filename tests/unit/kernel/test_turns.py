"""Whose turn it is to be written, and what may not pass what."""

from __future__ import annotations

from vrfbgp.kernel.batch import MAX_MESSAGES, Encoder
from vrfbgp.kernel.turns import AT_ONCE, Turns, cut
from vrfbgp.model import Family, RouteKey
from vrfbgp.operations import AddRoute, AddRoutes, DeleteNexthop, DeleteRoute, Step

RED, YELLOW = 500, 501
BARRIER = DeleteNexthop(7)


def run(table: int, count: int, begin: int = 0) -> AddRoutes:
    nlris = [b"\x18" + number.to_bytes(3, "big") for number in range(begin, begin + count)]
    return AddRoutes(table, Family.IPV4, 20000, nlris, [7] * count)


def one(table: int) -> AddRoute:
    return AddRoute(RouteKey(table, Family.IPV4, b"\x08\x0a", 20000), 7)


def order(turns: Turns[str]) -> list[tuple[str, int | None]]:
    """The batch and the table of each chunk, as they go."""
    found = []
    while (part := turns.first()) is not None:
        if part.next() is None:
            turns.drop(part)
        else:
            found.append((part.batch, part.table))
    return found


def test_a_batch_is_cut_by_table_between_what_keeps_its_place() -> None:
    gone = DeleteRoute(one(RED).key)
    steps: list[Step] = [run(RED, 2), one(YELLOW), gone, BARRIER, BARRIER, one(YELLOW)]
    assert list(cut(steps)) == [
        (RED, [steps[0], gone]),
        (YELLOW, [steps[1]]),
        (None, [BARRIER, BARRIER]),
        (YELLOW, [steps[5]]),
    ]


def test_one_tables_flood_delays_anothers_route_by_a_chunk() -> None:
    turns: Turns[str] = Turns(Encoder())
    turns.put("flood", [run(RED, 5 * MAX_MESSAGES)], alone=True)
    first = turns.first()
    assert first is not None
    first.next()
    turns.put("late", [one(YELLOW)], alone=False)
    assert order(turns)[:2] == [("late", YELLOW), ("flood", RED)]


def test_a_table_without_end_leaves_the_others_their_turns() -> None:
    turns: Turns[str] = Turns(Encoder())
    turns.put("load", [run(RED, 6 * MAX_MESSAGES)], alone=True)
    for _ in range(2):
        load = turns.first()
        assert load is not None
        load.next()
    found: list[int | None] = []
    for _ in range(8):
        # Always there anew: what flaps is asked for again before it is written.
        turns.put("flaps", [one(YELLOW)], alone=False)
        part = turns.first()
        assert part is not None
        found.append(part.table)
        part.next()
        if part.table == YELLOW:
            turns.drop(part)
    assert found == [YELLOW, RED] * 4


def test_also_within_one_batch() -> None:
    turns: Turns[str] = Turns(Encoder())
    turns.put("both", [run(RED, 3 * MAX_MESSAGES), one(YELLOW)], alone=True)
    assert order(turns) == [("both", RED), ("both", YELLOW), ("both", RED), ("both", RED)]


def test_the_routes_of_a_table_stay_in_their_order() -> None:
    turns: Turns[str] = Turns(Encoder())
    turns.put("first", [run(RED, 2 * MAX_MESSAGES)], alone=True)
    turns.put("second", [one(RED)], alone=False)
    assert [batch for batch, _ in order(turns)] == ["first", "first", "second"]


def test_next_hops_and_rules_keep_their_place() -> None:
    turns: Turns[str] = Turns(Encoder())
    turns.put("flood", [run(RED, 2 * MAX_MESSAGES)], alone=True)
    turns.put("objects", [one(YELLOW), BARRIER, one(YELLOW)], alone=False)
    turns.put("later", [one(502)], alone=False)
    assert [(batch, table) for batch, table in order(turns) if batch != "flood"] == [
        ("objects", YELLOW),
        ("objects", None),
        ("later", 502),
        ("objects", YELLOW),
    ]
    turns.put("flood", [run(RED, 2 * MAX_MESSAGES)], alone=True)
    turns.put("objects", [BARRIER], alone=False)
    turns.put("later", [one(YELLOW)], alone=False)
    assert [batch for batch, _ in order(turns)] == ["flood", "flood", "objects", "later"]


def test_what_is_small_and_alone_is_not_cut() -> None:
    turns: Turns[str] = Turns(Encoder())
    assert turns.put("small", [one(RED), one(YELLOW)], alone=True) == 1
    assert order(turns) == [("small", None)]
    assert turns.put("large", [run(RED, AT_ONCE), one(YELLOW)], alone=True) == 2
    assert turns.put("empty", [], alone=True) == turns.put("empty", [], alone=False) == 0
