"""How far the kernel is behind with each table's routes.

The core may be three times as fast as the kernel, and a peer that flaps has something for it without end. So
whoever is too far ahead has to wait (`inbox`), or what is to be written would take ever more memory, and next
hops and rules, which keep their place behind it, ever more time.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from vrfbgp.operations import Step, count_of, slice_of

MOST = 1 << 20
"""Operations of one table: a full one is less. They take some 60 MB, and a kernel 1 to 3 s."""


class Backlog:
    """Operations that were handed out and are not acknowledged."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._batches: deque[tuple[int, Counter[int]]] = deque()
        self._waiting: Counter[int] = Counter()

    def asked(self, serial: int, steps: Iterable[Step]) -> None:
        """The batch with this serial is to be written."""
        found: Counter[int] = Counter()
        for step in steps:
            if of := slice_of(step):
                found[of[0]] += count_of(step)
        self._batches.append((serial, found))
        self._waiting += found

    def applied(self, serial: int) -> None:
        """It is through, as are all before it."""
        while self._batches and self._batches[0][0] <= serial:
            self._waiting -= self._batches.popleft()[1]

    @property
    def full(self) -> frozenset[int]:
        """The tables of which no more should be asked for now."""
        return frozenset(table for table, count in self._waiting.items() if count > self._most)
