"""One slice's part of a batch: what a route's place holds, and what is to be written there.

A route may be put on a next hop only if that stands (`Standing`), and what was on a group that is gone went
with it (`Gone`). Both ask once a next hop, not once a route.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from vrfbgp.fib.delta import Delta
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.fib.retry import Retry
from vrfbgp.model import Family, Inline, KernelRoute, Nlri, RouteKey, RouteValue, Rule
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRoutes,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRule,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
    ReplaceRoutes,
    Step,
)
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadRules, ReadTable


class Foreign(Enum):
    """Stands in a table's actual state for a route of somebody else with a key of ours."""

    ROUTE = "foreign"


FOREIGN = Foreign.ROUTE
DISFIGURED = Inline(0)
"""A route with our protocol that looks like none we make: never desired, so it is put right."""
Slot = RouteValue | Foreign
Key = RouteKey | Rule | int
"""What a failure is remembered by: a route's key, a rule, or the id of a next hop."""


def slot_of(route: KernelRoute) -> Slot:
    """How a route read from the kernel stands in the actual state."""
    if not route.ours:
        return FOREIGN
    return route.value or DISFIGURED


def blocked(slices: Mapping[tuple[int, Family, int], Delta[Nlri, Slot]]) -> Iterator[RouteKey]:
    """Routes of ours whose place a foreign route has taken."""
    for (table, family, metric), delta in slices.items():
        for nlri, desired, actual in delta.pending():
            if desired is not None and actual is FOREIGN:
                yield RouteKey(table, family, nlri, metric)


def source_of(key: Key) -> ReadRequest:
    """What to read to know the truth about a key."""
    match key:
        case RouteKey():
            return ReadTable(key.table, key.family)
        case Rule():
            return ReadRules(key.family)
        case int():
            return ReadNexthops()


def key_of(operation: Operation) -> Key:
    """What the operation is about."""
    match operation:
        case AddRoute(key) | ReplaceRoute(key) | DeleteRoute(key):
            return key
        case AddNexthop(id_) | ReplaceNexthop(id_) | DeleteNexthop(id_):
            return id_
        case AddRule(rule) | DeleteRule(rule):
            return rule


class Draft:
    """What is to be written of one slice: runs, and what has no next hop group singly."""

    def __init__(self, table: int, family: Family, metric: int) -> None:
        self._of = table, family, metric
        self._single: list[Step] = []
        self._added: tuple[list[Nlri], list[int]] = [], []
        self._replaced: tuple[list[Nlri], list[int]] = [], []
        self.gone: list[Nlri] = []

    def add(self, nlri: Nlri, desired: RouteValue | None, actual: Slot | None) -> None:
        if desired is None:
            self.gone.append(nlri)
        elif isinstance(desired, int):
            nlris, groups = self._added if actual is None else self._replaced
            nlris.append(nlri)
            groups.append(desired)
        else:
            table, family, metric = self._of
            key = RouteKey(table, family, nlri, metric)
            self._single.append(AddRoute(key, desired) if actual is None else ReplaceRoute(key, desired))

    def written(self) -> list[Step]:
        steps = self._single
        if self._added[0]:
            steps.append(AddRoutes(*self._of, *self._added))
        if self._replaced[0]:
            steps.append(ReplaceRoutes(*self._of, *self._replaced))
        return steps


class Standing(dict[int, bool]):
    """Whether routes may be put on a next hop: it was made before, or will be in this batch."""

    def __init__(self, nexthops: Nexthops, retry: Retry[Key], *, known: bool) -> None:
        super().__init__()
        self._nexthops, self._retry, self._known = nexthops, retry, known

    def __missing__(self, id_: int) -> bool:
        stands = self[id_] = self._known and self._nexthops.carries(id_) and id_ not in self._retry
        return stands


class Gone(dict[int, bool]):
    """Whether a group is gone from the kernel, and with it, without a word, the routes on it."""

    def __init__(self, nexthops: Nexthops, *, known: bool) -> None:
        super().__init__()
        self._nexthops, self._known = nexthops, known

    def __missing__(self, id_: int) -> bool:
        gone = self[id_] = self._known and self._nexthops.is_gone(id_)
        return gone
