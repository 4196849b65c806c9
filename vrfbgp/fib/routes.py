"""What a network wants in its table: bootstrap routes, and learned routes on next hop groups.

Where both have a prefix, the bootstrap route stands: without it the peers themselves are out of reach.

A prefix with more paths than its best has a second route, at metric + 1, on the group of the next best ones.
When the last member of the first group is gone, the kernel drops the first route, and in the same instant the
second is the one that is found: nothing has to be written for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vrfbgp.fib.delta import Delta
from vrfbgp.fib.draft import Slot
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.model import Family, Inline, Members, Nlri


@dataclass(frozen=True, slots=True)
class Place:
    """Where a network's routes are: its table, and the metric (rtm priority) of its routes."""

    table: int
    metric: int

    @property
    def backup(self) -> Place:
        """Where the routes are that take over."""
        return Place(self.table, self.metric + 1)


class Routes:
    """The desired routes of all networks, by place."""

    def __init__(self, reconciler: Reconciler) -> None:
        self._reconciler = reconciler
        self._bootstrap: dict[tuple[Place, Family], dict[Nlri, Inline]] = {}
        """The bootstrap routes among the desired, so that nobody has to look for them among a million."""

    def open(self, place: Place) -> None:
        """Have the place read, so that it can be written."""
        for family in Family:
            self._slice(place, family)
            self._slice(place.backup, family)

    def learned(
        self, place: Place, family: Family, nlris: list[Nlri], members: Members, backup: Members = ()
    ) -> None:
        """Learned prefixes have these members, and these to take over, from now on; none: no such route."""
        self._lead(place, family, nlris, members)
        if backup or self._slice(place.backup, family).desired:
            self._lead(place.backup, family, nlris, backup)

    def _slice(self, place: Place, family: Family) -> Delta[Nlri, Slot]:
        return self._reconciler.slice(place.table, family, place.metric)

    def _lead(self, place: Place, family: Family, nlris: list[Nlri], members: Members) -> None:
        slice_ = self._slice(place, family)
        nexthops = self._reconciler.nexthops
        if not members:
            for nlri in nlris:
                before = slice_.desired.get(nlri)
                if isinstance(before, int):
                    slice_.unwant(nlri)
                    nexthops.release(before)
            return
        group = nexthops.acquire(members, len(nlris))
        if count := slice_.want_all(nlris, group):
            if count < len(nlris):
                nexthops.release(group, len(nlris) - count)
            return
        for nlri in nlris:
            before = slice_.desired.get(nlri)
            if before == group or isinstance(before, Inline):
                nexthops.release(group)
                continue
            slice_.want(nlri, group)
            if isinstance(before, int):
                nexthops.release(before)

    def bootstrap(self, place: Place, family: Family, routes: Mapping[Nlri, Inline]) -> None:
        """Just these bootstrap routes are wanted from now on."""
        before = self._bootstrap.get((place, family), {})
        if before == routes:
            return
        slice_ = self._slice(place, family)
        for nlri in before.keys() - routes.keys():
            slice_.unwant(nlri)
        for nlri, inline in routes.items():
            learned = slice_.desired.get(nlri)
            slice_.want(nlri, inline)
            if isinstance(learned, int):
                self._reconciler.nexthops.release(learned)
        self._bootstrap[place, family] = dict(routes)

    def close(self, place: Place) -> None:
        """Nothing is wanted there any more."""
        for family in Family:
            self._bootstrap.pop((place, family), None)
        for slice_ in [self._slice(of, family) for of in (place, place.backup) for family in Family]:
            for nlri, value in list(slice_.desired.items()):
                slice_.unwant(nlri)
                if isinstance(value, int):
                    self._reconciler.nexthops.release(value)

    def settled(self, place: Place) -> bool:
        """Whether the bootstrap routes are in the kernel (the table may still be filling)."""
        return all(
            self._slice(place, family).settled(self._bootstrap.get((place, family), ())) for family in Family
        )
