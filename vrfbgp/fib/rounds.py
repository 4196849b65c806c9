"""The slow comparison: all that is ours, looked at again every few minutes, whatever events told.

Events heal at once. This is for what no event told of. A round asks for one thing at a time, evenly spread
over its period: rules, next hops, and of each table how many routes are on each next hop (`CountTable`).
Counting costs the kernel its dump, and us a quarter of a microsecond a route in a thread of its own: no route
is kept, nothing waits for it, and batches go on beside it. Only a table whose count differs is read.

What was written while a table was counted may or may not be in the count; so many may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vrfbgp.events import TableCounted
from vrfbgp.fib.delta import Delta
from vrfbgp.fib.draft import DISFIGURED, FOREIGN, Slot
from vrfbgp.model import Family, Nlri
from vrfbgp.operations import Step, count_of, slice_of
from vrfbgp.requests import CountTable, ReadNexthops, ReadRequest, ReadRules

AGAIN = 1.0
"""Seconds; the latter until a count that differs is repeated."""
Slices = Mapping[tuple[int, Family, int], Delta[Nlri, Slot]]
_Count = Counter[tuple[int, Slot]]


@dataclass
class _Counting:
    """A table that is being counted."""

    expected: _Count
    written: int = 0
    """Routes that were handed out since."""


class Rounds:
    """What is compared, and when. `period` in seconds; None: nothing ever is."""

    def __init__(self, period: float | None) -> None:
        self.period = period
        self.compared = 0
        """Answers that were looked at."""
        self.last: float | None = None
        """When something was asked for last."""
        self._left: list[ReadRequest] = []
        self._pause = 0.0
        self._next: float | None = None
        self._counting: dict[CountTable, _Counting] = {}
        self._doubted: set[CountTable] = set()

    def due(self, now: float, slices: Slices) -> ReadRequest | None:
        """What is to be asked now, if anything; to be called when all that was handed out is acknowledged."""
        if self.period is None:
            return None
        if self._next is None:
            self._next = now + self.period
        if now < self._next:
            return None
        if not self._left:
            tables = {(table, family) for (table, family, _), delta in slices.items() if delta.desired}
            self._left = [CountTable(*of) for of in sorted(tables)]
            self._left += [ReadNexthops(), *(ReadRules(family) for family in Family)]
            self._pause = self.period / len(self._left)
        self._next = now + self._pause
        request = self._left.pop()
        self.last = now
        if isinstance(request, CountTable):
            self._counting[request] = _Counting(_count(request, slices))
        return request

    def wrote(self, steps: Iterable[Step]) -> None:
        """These operations are handed out."""
        if not self._counting:
            return
        for step in steps:
            if of := slice_of(step):
                table, family, _ = of
                self._wrote(table, family, count_of(step))

    def differs(self, counted: TableCounted, now: float) -> bool:
        """Whether a table holds something else than it should, also when it is counted once more.

        What the first count shows may be on its way as an event.
        """
        request = CountTable(counted.table, counted.family)
        counting = self._counting.pop(request, None)
        if counting is None:
            return False
        self.compared += 1
        found: _Count = Counter()
        for (metric, value), routes in counted.ours.items():
            found[metric, DISFIGURED if value is None else value] += routes
        missing, surplus = counting.expected - found, found - counting.expected
        # A route that moves from one next hop to another is missing there and surplus here.
        if max(missing.total(), surplus.total()) <= counting.written:
            self._doubted.discard(request)
            return False
        if request in self._doubted:
            self._doubted.discard(request)
            return True
        self._doubted.add(request)
        self._left.append(request)
        self._next = now + AGAIN
        return False

    def deadline(self) -> float | None:
        """When `due` has something to ask."""
        return self._next

    def _wrote(self, table: int, family: Family, routes: int) -> None:
        if counting := self._counting.get(CountTable(table, family)):
            counting.written += routes


def _count(of: CountTable, slices: Slices) -> _Count:
    """What the kernel has, as far as we know: how many routes of each metric are on each next hop."""
    found: _Count = Counter()
    for (table, family, metric), delta in slices.items():
        if (table, family) == (of.table, of.family):
            values = Counter(slot for _, slot in delta.actual_items())
            found.update({(metric, slot): n for slot, n in values.items() if slot is not FOREIGN})
    return found
