"""What stands in for a missing route, and so may not go yet: a backup, or a route at the metric of before.

When a next hop dies, the kernel drops the prefix's route, and what carries the traffic from then on is its
backup at metric + 1. Then the same way is wanted as the route, and the backup is wanted no longer; it is much
the same when a network's metric is edited. Both in one batch would do if the kernel took both; but it may
refuse the first, and then takes the second all the same. So no route is deleted as long as one that leads the
same way is wanted at another metric, and is not known to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vrfbgp.model import Family, Nlri
from vrfbgp.operations import AddRoute, AddRoutes, Step

MANY = 1000
"""Routes asked for and not acknowledged, from which on a table's other slices wait, unlooked at."""
Slice = tuple[int, Family, int]
"""The routes of one metric in one table and family."""


class _Run:
    """Routes that were asked for; by prefix only once somebody looks."""

    def __init__(self, serial: int, run: AddRoutes) -> None:
        self.serial, self.metric = serial, run.metric
        self.many = len(run) >= MANY
        self._run = run
        self._by_prefix: dict[Nlri, int] | None = None

    def get(self, nlri: Nlri) -> object:
        if self._by_prefix is None:
            self._by_prefix = dict(zip(self._run.nlris, self._run.nexthops, strict=True))
        return self._by_prefix.get(nlri)


class _Single:
    """One route that was asked for."""

    many = False

    def __init__(self, serial: int, route: AddRoute) -> None:
        self.serial, self.metric = serial, route.key.metric
        self._route = route

    def get(self, nlri: Nlri) -> object:
        return self._route.value if nlri == self._route.key.nlri else None


class Cover:
    """The wanted routes that are not known to stand."""

    def __init__(self) -> None:
        self.holds = False
        """Whether something that is to go stayed in this turn."""
        self._asked: dict[tuple[int, Family], list[_Run | _Single]] = {}
        self._lacking: dict[tuple[int, Family], dict[Nlri, object]] = {}

    def begin(self) -> None:
        """A batch is about to be made."""
        self.holds = False
        self._lacking.clear()

    def lacks(self, of: Slice, nlri: Nlri, value: object) -> None:
        """A route is wanted that leads this way, is not there, and is not in the batch."""
        self._lacking.setdefault(of[:2], {})[nlri] = value

    def asked(self, serial: int, steps: Iterable[Step]) -> None:
        """The batch with this serial makes these."""
        for step in steps:
            match step:
                case AddRoutes(table, family):
                    self._asked.setdefault((table, family), []).append(_Run(serial, step))
                case AddRoute(key):
                    self._asked.setdefault((key.table, key.family), []).append(_Single(serial, step))

    def acknowledged(self, serial: int) -> None:
        """Batches up to this one are through; what the kernel refused of them is lacking again."""
        for of, runs in list(self._asked.items()):
            if left := [run for run in runs if run.serial > serial]:
                self._asked[of] = left
            else:
                del self._asked[of]

    def waits(self, of: Slice) -> bool:
        """Whether backups are left alone in this turn: so many of the table's routes are on their way that a
        look at each would take longer than to wait. What is new may go at once."""
        table, family, metric = of
        waits = any(run.many and run.metric < metric for run in self._asked.get((table, family), ()))
        self.holds |= waits
        return waits

    def over(self, of: Slice) -> Holding | None:
        """Tells which routes of a slice stand in for another; None: none does."""
        table, family, metric = of
        runs = [run for run in self._asked.get((table, family), ()) if run.metric != metric]
        lacking = self._lacking.get((table, family), {})
        if not runs and not lacking:
            return None

        def holding(nlri: Nlri, value: object) -> bool:
            """Whether the route of a prefix, that leads this way, is still needed."""
            held = value is not None and (
                lacking.get(nlri) == value or any(run.get(nlri) == value for run in runs)
            )
            self.holds |= held
            return held

        return holding


Holding = Callable[[Nlri, object], bool]
