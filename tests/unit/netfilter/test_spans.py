"""Sets of addresses as spans, against sets of numbers."""

from __future__ import annotations

from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.netfilter.spans import Spans, both, count, of, union, without

PAIRS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)))


def numbers(spans: Spans) -> set[int]:
    return {number for first, last in spans for number in range(first, last + 1)}


@given(PAIRS, PAIRS)
def test_they_are_sets(some: list[tuple[int, int]], others: list[tuple[int, int]]) -> None:
    one, other = union(some), union(others)
    mine, theirs = numbers(tuple(some)), numbers(tuple(others))
    assert numbers(one) == mine
    assert numbers(both(one, other)) == mine & theirs
    assert numbers(without(one, other)) == mine - theirs
    assert count(one) == len(mine)
    for made in (one, both(one, other), without(one, other)):
        assert made == union(made)


def test_of_networks() -> None:
    assert of([ip_network("0.0.0.4/30"), ip_network("0.0.0.0/30"), ip_network("0.0.0.16/32")]) == (
        (0, 7),
        (16, 16),
    )
