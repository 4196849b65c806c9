"""What a network wants in its table: bootstrap routes, and learned routes on next hop groups.

Where both have a prefix, the bootstrap route stands: without it the peers themselves are out of reach.

A prefix with more paths than its best has a second route, at metric + 1, on the group of the next best ones.
When the last member of the first group is gone, the kernel drops the first route, and in the same instant the
second is the one that is found: nothing has to be written for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from vrfbgp.fib.desired import BACKUP, ROUTE, Groups, Learned, RouteDelta
from vrfbgp.fib.draft import Slot
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.model import Chosen, Family, Inline, Nlri


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

    def follow(self, place: Place, chosen: Mapping[Family, Learned]) -> None:
        """The place is for what is chosen there, as it will be `learned`; nothing of it was yet."""
        for family, learned in chosen.items():
            for of, part in ((place, ROUTE), (place.backup, BACKUP)):
                self._slice(of, family).desired.follow(learned, Groups(self._reconciler.nexthops, part))

    def learned(self, place: Place, family: Family, nlris: list[Nlri], before: Chosen, now: Chosen) -> None:
        """What is chosen for these prefixes took this step, in what the place follows."""
        for of in (place, place.backup):
            slice_ = self._slice(of, family)
            groups, own = slice_.desired.groups, slice_.desired.own
            assert groups is not None, f"{of} follows nothing"
            entered = groups.enter(now, len(nlris))
            left = groups.leave(before, len(nlris))
            if own and not own.keys().isdisjoint(nlris):
                slice_.told([nlri for nlri in nlris if nlri not in own], left, entered)
            else:
                slice_.told(nlris, left, entered)

    def bootstrap(self, place: Place, family: Family, routes: Mapping[Nlri, Inline]) -> None:
        """Just these bootstrap routes are wanted from now on."""
        before = self._bootstrap.get((place, family), {})
        if before == routes:
            return
        slice_ = self._slice(place, family)
        for nlri in before.keys() - routes.keys():
            slice_.unwant(nlri)
        for nlri, inline in routes.items():
            slice_.want(nlri, inline)
        self._bootstrap[place, family] = dict(routes)

    def close(self, place: Place) -> None:
        """Nothing is wanted there any more."""
        for family in Family:
            self._bootstrap.pop((place, family), None)
        for slice_ in [self._slice(of, family) for of in (place, place.backup) for family in Family]:
            wanted: dict[Slot, list[Nlri]] = {}
            for nlri, slot in slice_.desired.items():
                wanted.setdefault(slot, []).append(nlri)
            slice_.desired.clear()
            for slot, nlris in wanted.items():
                slice_.told(nlris, slot, None)

    def settled(self, place: Place) -> bool:
        """Whether the bootstrap routes are in the kernel (the table may still be filling)."""
        return all(
            self._slice(place, family).settled(self._bootstrap.get((place, family), ())) for family in Family
        )

    def _slice(self, place: Place, family: Family) -> RouteDelta:
        return self._reconciler.slice(place.table, family, place.metric)
