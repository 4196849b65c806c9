"""Whose turn it is to be written: no table waits for another's million routes.

Routes of two tables have no order between them, but all else has one: a route goes behind its next hop, a
rule behind the routes that it leads to. So batches are cut into parts, one for each table's routes between
two other operations; the parts of different tables take turns, chunk by chunk, and every other operation
keeps its place. What one peer announces then delays the others' routes by a chunk, and not by all of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

from vrfbgp.kernel.batch import Encoder
from vrfbgp.kernel.chunk import Chunk
from vrfbgp.operations import AddRoute, DeleteRoute, ReplaceRoute, RouteRun, Step

B = TypeVar("B")

AT_ONCE = 5000
"""Operations that are written before anyone could wait for them."""


class Part(Generic[B]):
    """Steps of a batch that are written in their order; those of one table, or such as keep their place."""

    __slots__ = ("_chunks", "batch", "steps", "table")

    def __init__(self, batch: B, table: int | None, steps: Sequence[Step], chunks: Iterator[Chunk]) -> None:
        self.batch = batch
        self.table = table
        self.steps = steps
        self._chunks = chunks

    def next(self) -> Chunk | None:
        """The next chunk; None if all of it is made. Raises whatever the encoder does."""
        return next(self._chunks, None)


class Turns(Generic[B]):
    """The parts that are not all made yet, in the order in which they were asked for."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._parts: list[Part[B]] = []
        self._served: dict[int | None, int] = {}
        """When each table had its last turn, as a count of turns: a new part brings none back."""
        self._count = 0

    def put(self, batch: B, steps: Sequence[Step], *, alone: bool) -> int:
        """A batch behind all others; how many parts it has. `alone`: none is under way, so that a small one
        need not be cut."""
        found: list[tuple[int | None, Sequence[Step]]]
        if alone and _count(steps) <= AT_ONCE:
            found = [(None, steps)] if steps else []
        else:
            found = list(cut(steps))
        parts = [Part(batch, table, of, self._encoder.chunks(of)) for table, of in found]
        self._parts += parts
        return len(parts)

    def first(self) -> Part[B] | None:
        """The part whose turn it is, for a chunk: of those that may go, one of the table that waits longest,
        however much is asked for of another meanwhile."""
        part = min(self._free(), key=self._last, default=None)
        if part is not None:
            self._count += 1
            self._served[part.table] = self._count
        return part

    def _last(self, part: Part[B]) -> int:
        return self._served.get(part.table, 0)

    def _free(self) -> Iterator[Part[B]]:
        ahead: set[int] = set()
        for part in self._parts:
            if part.table is None:
                if not ahead:
                    yield part
                return
            if part.table not in ahead:
                yield part
                ahead.add(part.table)

    def drop(self, part: Part[B]) -> None:
        """All of it is made."""
        self._parts.remove(part)
        if not self._parts:
            self._served.clear()


def cut(steps: Sequence[Step]) -> Iterator[tuple[int | None, Sequence[Step]]]:
    """The steps by the table of their routes; with None, those that keep their place among the others."""
    tables: dict[int | None, list[Step]] = {}
    for step in steps:
        table = _table(step)
        if (table is None) != (None in tables):
            yield from tables.items()
            tables = {}
        tables.setdefault(table, []).append(step)
    yield from tables.items()


def _table(step: Step) -> int | None:
    if isinstance(step, RouteRun):
        return step.table
    return step.key.table if isinstance(step, AddRoute | ReplaceRoute | DeleteRoute) else None


def _count(steps: Sequence[Step]) -> int:
    return sum(len(step) if isinstance(step, RouteRun) else 1 for step in steps)
