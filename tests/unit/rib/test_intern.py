"""The memory of attribute blocks: what is used stays, and no more is kept than was allowed."""

from __future__ import annotations

from vrfbgp.rib.intern import Interned


def test_made_once() -> None:
    known: Interned[object] = Interned()
    first = known.made(b"key", object)
    assert known.made(b"key", object) is first
    assert known.get(b"other") is None


def test_no_more_than_two_generations_of_entries() -> None:
    known: Interned[int] = Interned(entries=10)
    for number in range(1000):
        known.put(number.to_bytes(4, "big"), number)
        assert len(known) <= 20


def test_no_more_than_two_generations_of_octets() -> None:
    known: Interned[int] = Interned(octets=1000)
    for number in range(1000):
        known.put(number.to_bytes(100, "big"), number)
        assert len(known) <= 20


def test_a_key_that_would_push_out_all_others_is_not_kept() -> None:
    known: Interned[int] = Interned(octets=1000)
    known.put(b"small", 1)
    known.put(bytes(126), 2)
    assert known.get(bytes(126)) is None
    assert known.get(b"small") == 1


def test_what_is_used_stays() -> None:
    known: Interned[object] = Interned(entries=10)
    kept = known.made(b"used", object)
    for number in range(1000):
        known.put(number.to_bytes(4, "big"), object())
        assert known.get(b"used") is kept
    assert known.get((0).to_bytes(4, "big")) is None
