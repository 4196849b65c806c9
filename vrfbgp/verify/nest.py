"""Values by prefix, found by what is in a range and by what is around it: hundreds of gateways meet thousands
of rules, and each of them only a few."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import Generic, TypeVar

from vrfbgp.model import IPNetwork

T = TypeVar("T")


class Nest(Generic[T]):
    """Made of (prefix, value); both families may be in it."""

    def __init__(self, pairs: Iterable[tuple[IPNetwork, T]] = ()) -> None:
        self._by_prefix: dict[tuple[int, int, int], list[T]] = {}
        for prefix, value in pairs:
            self._by_prefix.setdefault(_key(prefix), []).append(value)
        self._sorted = sorted((version, address, length) for version, length, address in self._by_prefix)

    def inside(self, range_: IPNetwork) -> list[T]:
        """The values of all prefixes within a range, its own included."""
        version, length, first = _key(range_)
        last = first + range_.num_addresses - 1
        start = bisect_left(self._sorted, (version, first, length))
        stop = bisect_right(self._sorted, (version, last, range_.max_prefixlen))
        return [
            value
            for version, address, inner in self._sorted[start:stop]
            if inner >= length
            for value in self._by_prefix[version, inner, address]
        ]

    def around(self, range_: IPNetwork) -> list[T]:
        """The values of all prefixes that hold the whole range, its own included; the longest first."""
        version, length, first = _key(range_)
        found: list[T] = []
        for outer in range(length, -1, -1):
            beyond = range_.max_prefixlen - outer
            found += self._by_prefix.get((version, outer, first >> beyond << beyond), ())
        return found


def _key(prefix: IPNetwork) -> tuple[int, int, int]:
    return prefix.version, prefix.prefixlen, int(prefix.network_address)
