"""What stands in for a missing route, and so may not go yet: a backup, or a route at the metric of before.

When a next hop dies, the kernel drops the prefix's route, and what carries the traffic from then on is its
backup at metric + 1. Then another route is wanted in its place, and the backup no longer; it is much
the same when a network's metric is edited. Both in one batch would do if the kernel took both; but it may
refuse the first, and then takes the second all the same. So no route is deleted as long as one for the same
prefix is wanted at another metric and not known to stand, just as one that is replaced stays if the kernel
refuses what was to replace it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import cached_property

from vrfbgp.model import Family, Nlri
from vrfbgp.operations import AddRoute, AddRoutes, Step

MANY = 1000
"""Routes asked for and not acknowledged, from which on a table's other slices wait, unlooked at."""
Slice = tuple[int, Family, int]
"""The routes of one metric in one table and family."""
Holding = Callable[[Nlri], bool]
"""Whether the route of a prefix is still needed."""


@dataclass(frozen=True)
class _Asked:
    """Routes that a batch makes at one metric."""

    serial: int
    metric: int
    step: AddRoute | AddRoutes

    @property
    def many(self) -> bool:
        return isinstance(self.step, AddRoutes) and len(self.step) >= MANY

    @cached_property
    def prefixes(self) -> Set[Nlri]:
        return frozenset(self.step.nlris if isinstance(self.step, AddRoutes) else (self.step.key.nlri,))


class Cover:
    """The wanted routes that are not known to stand."""

    def __init__(self) -> None:
        self.holds = False
        """Whether something that is to go stayed in this turn."""
        self._asked: dict[tuple[int, Family], list[_Asked]] = {}
        self._lacking: dict[tuple[int, Family], set[Nlri]] = {}
        self._besides: dict[tuple[int, Family], list[Holding]] = {}

    def begin(self) -> None:
        """A batch is about to be made."""
        self.holds = False
        self._lacking.clear()
        self._besides.clear()

    def lacks(self, of: Slice, nlri: Nlri) -> None:
        """A route is wanted, is not there, and is not in the batch."""
        self._lacking.setdefault(of[:2], set()).add(nlri)

    def lacking_besides(self, of: Slice, lacks: Holding) -> None:
        """Of more prefixes it can be asked whether they are wanted, not there, and not in the batch."""
        self._besides.setdefault(of[:2], []).append(lacks)

    def asked(self, serial: int, steps: Iterable[Step]) -> None:
        """The batch with this serial makes these."""
        for step in steps:
            match step:
                case AddRoutes(table, family, metric):
                    self._asked.setdefault((table, family), []).append(_Asked(serial, metric, step))
                case AddRoute(key):
                    asked = _Asked(serial, key.metric, step)
                    self._asked.setdefault((key.table, key.family), []).append(asked)

    def acknowledged(self, serial: int) -> None:
        """Batches up to this one are through; what the kernel refused of them is lacking again."""
        for of, asked in list(self._asked.items()):
            if left := [one for one in asked if one.serial > serial]:
                self._asked[of] = left
            else:
                del self._asked[of]

    def waits(self, of: Slice) -> bool:
        """Whether backups are left alone in this turn: so many of the table's routes are on their way that a
        look at each would take longer than to wait. What is new may go at once."""
        table, family, metric = of
        waits = any(one.many and one.metric < metric for one in self._asked.get((table, family), ()))
        self.holds |= waits
        return waits

    def over(self, of: Slice) -> Holding | None:
        """Tells which routes of a slice stand in for another; None: none does."""
        table, family, metric = of
        asked = [one.prefixes for one in self._asked.get((table, family), ()) if one.metric != metric]
        if lacking := self._lacking.get((table, family)):
            asked.append(lacking)
        besides = self._besides.get((table, family), ())
        if not asked and not besides:
            return None

        def holding(nlri: Nlri) -> bool:
            held = any(nlri in prefixes for prefixes in asked) or any(lacks(nlri) for lacks in besides)
            self.holds |= held
            return held

        return holding
