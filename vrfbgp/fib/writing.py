"""What is to be written of all tables in one batch: routes that come, change and go.

Made and changed ones go ahead of all that go, since only when all of a table was looked at it is known what
of it is not known to stand (`cover`). What the kernel refused, or somebody fights over, waits for its time.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from itertools import chain

from vrfbgp.fib.contests import Contests
from vrfbgp.fib.cover import Cover, Slice
from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import FOREIGN, Draft, Gone, Key, Slot, Standing, key_of
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.fib.reads import Reads
from vrfbgp.fib.retry import Retry
from vrfbgp.model import Inline, Nlri, RouteKey
from vrfbgp.operations import AddRoutes, DeleteRoutes, ReplaceRoute, ReplaceRoutes, Step, expanded
from vrfbgp.requests import ReadNexthops, ReadTable


@dataclass(frozen=True, slots=True)
class Bounds:
    """What may be done to which tables."""

    tables: Set[int]
    """Those that networks have now."""
    guarded: Mapping[int, frozenset[int]]
    """Those that are not in sync, each with the devices that none of its routes may leave by."""
    untouched: Set[int]
    """Those that stay as they are for now."""
    keep_left: bool
    """What an earlier life left stays, in all tables."""


@dataclass(frozen=True, slots=True)
class RouteChanges:
    """What is to be done about routes now, by its place in a batch."""

    written: list[Step] = field(default_factory=list)
    """To be made or changed."""
    removals: list[Step] = field(default_factory=list)
    """To go from tables in use."""
    clearances: list[Step] = field(default_factory=list)
    """To go from tables that nobody wants."""

    @property
    def lead_elsewhere(self) -> bool:
        """Whether the next hops of some may have nothing left on them then."""
        replaced = any(isinstance(step, ReplaceRoute | ReplaceRoutes) for step in self.written)
        return bool(self.removals or self.clearances or replaced)


class Writing:
    """The routes' part of a batch."""

    def __init__(
        self,
        slices: Mapping[Slice, RouteDelta],
        nexthops: Nexthops,
        retry: Retry[Key],
        contests: Contests,
        cover: Cover,
        reads: Reads,
    ) -> None:
        self._slices, self._nexthops = slices, nexthops
        self._retry, self._contests, self._cover, self._reads = retry, contests, cover, reads
        self._searched: dict[Slice, frozenset[int]] = {}
        """Guarded slices that were searched for routes that leave by these devices."""

    def was_read(self, of: Slice) -> None:
        """A slice holds what nobody has looked at yet."""
        self._searched.pop(of, None)

    def changes(self, now: float, serial: int, bounds: Bounds) -> RouteChanges:
        """The routes' part of the batch with this serial."""
        result = RouteChanges()
        written, removals, clearances = result.written, result.removals, result.clearances
        reads, fought, refused = self._reads, self._contests.waiting(now), self._retry.watched
        later: list[Step] = []
        standing = Standing(self._nexthops, self._retry, known=ReadNexthops() not in reads)
        gone = Gone(self._nexthops, known=ReadNexthops() not in reads)
        cover, kept = self._cover, bounds.guarded.keys()
        cover.begin()
        parts: list[tuple[Slice, RouteDelta, list[tuple[Slot, list[Nlri]]], Draft]] = []
        for of, delta in self._slices.items():
            table, family, metric = of
            if not len(delta) or ReadTable(table, family) in reads or table in bounds.untouched:
                continue
            if astray := self._astray(of, bounds):
                (removals if table in bounds.tables else clearances).append(DeleteRoutes(*of, astray))
            fresh: list[Step] = []
            runs: list[tuple[Slot, list[Nlri]]] = []
            for slot, nlris in delta.take_fresh():
                if isinstance(slot, int) and standing[slot]:
                    fresh.append(AddRoutes(*of, nlris, array("I", (slot,)) * len(nlris)))
                else:
                    delta.lack(nlris)
            if delta.has_parked:
                cover.lacking_besides(of, delta.lacks)
            if len(delta) and cover.waits(of):
                cover.asked(serial, fresh)
                written += fresh
                continue
            runs = [run for run in delta.take_gone() if not (isinstance(run[0], int) and gone[run[0]])]
            draft, again = Draft(*of), Draft(*of)
            vanished = [nlri for nlri, actual in delta.held() if isinstance(actual, int) and gone[actual]]
            for nlri in vanished:
                delta.saw(nlri, None)
            vanished.clear()
            for nlri, desired, actual in chain(
                delta.changed(), () if table in kept or bounds.keep_left else delta.left()
            ):
                if actual is FOREIGN or desired is FOREIGN:
                    continue
                if isinstance(actual, int) and gone[actual]:
                    vanished.append(nlri)
                    if desired is None:
                        continue
                    actual = None
                key = RouteKey(table, family, nlri, metric) if fought or refused else None
                if key in fought or (isinstance(desired, int) and not standing[desired]):
                    if actual is None and desired is not None:
                        cover.lacks(of, nlri)
                    if key in refused:
                        self._retry.postpone(key, now)
                elif key in refused:
                    again.add(nlri, desired, actual)
                else:
                    draft.add(nlri, desired, actual)
            for nlri in vanished:
                delta.saw(nlri, None)
            made, tried = draft.written() + fresh, again.written()
            cover.asked(serial, made + tried)
            written += made
            later += tried
            draft.gone += again.gone
            if runs or draft.gone:
                parts.append((of, delta, runs, draft))
        written += later
        self._retried(later, serial)
        for of, delta, runs, draft in parts:
            # Now it is known what of each table is not known to stand.
            holding = cover.over(of)
            going = removals if of[0] in bounds.tables else clearances
            for slot, nlris in runs:
                if holding and (held := set(filter(holding, nlris))):
                    delta.keep(held, slot)
                    nlris = [nlri for nlri in nlris if nlri not in held]
                if nlris:
                    going.append(DeleteRoutes(*of, nlris))
            if leaving := [nlri for nlri in draft.gone if not (holding and holding(nlri))]:
                going.append(DeleteRoutes(*of, leaving))
        self._retried(removals + clearances, serial)
        return result

    def _retried(self, steps: list[Step], serial: int) -> None:
        """Take note of what was refused before and is tried again by these."""
        refused = self._retry.watched
        for operation in chain.from_iterable(map(expanded, steps)) if refused else ():
            if (key := key_of(operation)) in refused:
                self._retry.attempted(key, serial)

    def _astray(self, of: Slice, bounds: Bounds) -> list[Nlri]:
        """What an earlier life left in a guarded table, and is never right: nothing waits for it."""
        barred = bounds.guarded.get(of[0])
        known = ReadNexthops() not in self._reads
        if barred is None or bounds.keep_left or not known or self._searched.get(of) == barred:
            return []
        if not self._retry.watched:
            self._searched[of] = barred
        left = self._slices[of].left()
        return [nlri for nlri, _, actual in left if devices(actual, self._nexthops) & barred]


def devices(slot: Slot, nexthops: Nexthops) -> set[int]:
    """The devices that a route of ours leads to."""
    if isinstance(slot, Inline):
        return {slot.ifindex}
    return nexthops.devices(slot) if isinstance(slot, int) else set()
