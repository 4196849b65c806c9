"""What stands in for a missing route is held until that is known to stand."""

from __future__ import annotations

from vrfbgp.fib.cover import MANY, Cover
from vrfbgp.model import METRIC, Family
from vrfbgp.operations import AddRoutes

V4 = Family.IPV4
ROUTES, BACKUPS, OTHERS = (500, V4, METRIC), (500, V4, METRIC + 1), (501, V4, METRIC + 1)
P, Q = b"\x18\xc0\x00\x02", b"\x18\xc6\x33\x64"


def adds(*nlris: bytes) -> AddRoutes:
    return AddRoutes(500, V4, METRIC, list(nlris), [7] * len(nlris))


def test_a_backup_is_held_until_the_route_is_acknowledged() -> None:
    cover = Cover()
    cover.begin()
    cover.asked(3, [adds(P)])
    assert cover.over(ROUTES) is None, "a slice does not wait for itself"
    assert cover.over(OTHERS) is None, "nor for another table"
    holding = cover.over(BACKUPS)
    assert holding is not None
    assert not cover.holds
    assert [holding(P), holding(Q)] == [True, False]
    assert cover.holds
    cover.acknowledged(2)
    assert cover.over(BACKUPS) is not None
    cover.acknowledged(3)
    assert cover.over(BACKUPS) is None


def test_what_is_lacking_counts_in_its_turn() -> None:
    cover = Cover()
    cover.lacks(ROUTES, P)
    holding = cover.over(BACKUPS)
    assert holding is not None
    assert holding(P)
    cover.begin()
    assert cover.over(BACKUPS) is None
    assert not cover.holds


def test_for_much_at_once_a_slice_waits_as_a_whole() -> None:
    cover = Cover()
    cover.asked(1, [adds(*(n.to_bytes(4, "big") for n in range(MANY - 1)))])
    assert not cover.waits(BACKUPS)
    cover.asked(2, [adds(*(n.to_bytes(4, "big") for n in range(MANY)))])
    assert not cover.waits(ROUTES)
    assert not cover.waits(OTHERS)
    assert not cover.holds
    assert cover.waits(BACKUPS)
    assert cover.holds
    cover.acknowledged(2)
    assert not cover.waits(BACKUPS)
