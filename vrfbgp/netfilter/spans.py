"""Sets of addresses as spans: pairs of first and last, as numbers, ascending and apart."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice

from vrfbgp.model import IPNetwork

Spans = tuple[tuple[int, int], ...]


def of(networks: Iterable[IPNetwork]) -> Spans:
    """The addresses of networks, which are of one family."""
    return union((int(net.network_address), int(net.broadcast_address)) for net in networks)


def union(pairs: Iterable[tuple[int, int]]) -> Spans:
    """What any of the pairs holds, in whatever order they are; a pair in the wrong order holds nothing."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(pair for pair in pairs if pair[0] <= pair[1]):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def both(one: Spans, other: Spans) -> Spans:
    """What both hold."""
    few, many = sorted((one, other), key=len)
    return tuple(
        (max(first, low), min(last, high)) for first, last in few for low, high in _meeting(many, first, last)
    )


def without(one: Spans, other: Spans) -> Spans:
    """What the first holds, and the other does not."""
    found = []
    for first, last in one:
        at = first
        for low, high in _meeting(other, first, last):
            if at < low:
                found.append((at, low - 1))
            at = high + 1
        if at <= last:
            found.append((at, last))
    return tuple(found)


def count(spans: Spans) -> int:
    """How many addresses there are."""
    return sum(last - first + 1 for first, last in spans)


def _meeting(spans: Spans, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Those that hold any address from `first` to `last`."""
    at = bisect_left(spans, (first,))
    if at and spans[at - 1][1] >= first:
        at -= 1
    for span in islice(spans, at, None):
        if span[0] > last:
            return
        yield span
