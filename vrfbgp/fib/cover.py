"""What stands in for a missing route, and so may not go yet: a backup that has become the route.

When a next hop dies, the kernel drops the prefix's route, and what carries the traffic from then on is its
backup at metric + 1. Then the same way is wanted as the route, and the backup is wanted no longer. Both
in one batch would do if the kernel took both; but it may refuse the first, and then takes the second all the
same. So a route stays for as long as one that leads the same way is wanted at a lower metric, and is not
known to stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vrfbgp.model import Family, Nlri
from vrfbgp.operations import AddRoutes, Step

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

    def get(self, nlri: Nlri) -> int | None:
        if self._by_prefix is None:
            self._by_prefix = dict(zip(self._run.nlris, self._run.nexthops, strict=True))
        return self._by_prefix.get(nlri)


class Cover:
    """The wanted routes that are not known to stand."""

    def __init__(self) -> None:
        self.holds = False
        """Whether something that is to go stayed in this turn."""
        self._asked: dict[tuple[int, Family], list[_Run]] = {}
        self._lacking: dict[tuple[int, Family], dict[Nlri, int]] = {}

    def begin(self) -> None:
        """A batch is about to be made; of each table, slices of lower metrics come first."""
        self.holds = False
        self._lacking.clear()

    def lacks(self, of: Slice, nlri: Nlri, nexthop: int) -> None:
        """A route is wanted on this next hop, is not there, and is not in the batch."""
        self._lacking.setdefault(of[:2], {})[nlri] = nexthop

    def asked(self, serial: int, steps: Iterable[Step]) -> None:
        """The batch with this serial makes these."""
        for step in steps:
            if isinstance(step, AddRoutes):
                self._asked.setdefault((step.table, step.family), []).append(_Run(serial, step))

    def acknowledged(self, serial: int) -> None:
        """Batches up to this one are through; what the kernel refused of them is lacking again."""
        for of, runs in list(self._asked.items()):
            if left := [run for run in runs if run.serial > serial]:
                self._asked[of] = left
            else:
                del self._asked[of]

    def waits(self, of: Slice) -> bool:
        """Whether nothing of a slice is to be taken away in this turn: too much of its table is on its way for
        a look at each. What is added there may go at once."""
        table, family, metric = of
        waits = any(run.many and run.metric < metric for run in self._asked.get((table, family), ()))
        self.holds |= waits
        return waits

    def over(self, of: Slice) -> Holding | None:
        """Tells which routes of a slice stand in for another; None: none does."""
        table, family, metric = of
        runs = [run for run in self._asked.get((table, family), ()) if run.metric < metric]
        lacking = self._lacking.get((table, family), {})
        if not runs and not lacking:
            return None

        def holding(nlri: Nlri, nexthop: object) -> bool:
            """Whether the route of a prefix, on this next hop, is still needed."""
            held = nexthop is not None and (
                lacking.get(nlri) == nexthop or any(run.get(nlri) == nexthop for run in runs)
            )
            self.holds |= held
            return held

        return holding


Holding = Callable[[Nlri, object], bool]
