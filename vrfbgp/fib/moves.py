"""Networks that move to another table: the old one serves until the new one does.

A gateway is steered into the new table when all of its routes are known to stand there, and the old rule goes
when the new one is known to stand, as any that another takes the place of. The old table's routes go
when no rule leads to them any more. So whatever of it the kernel refuses makes no gap; but what it goes on
to refuse is not waited for longer than `PATIENCE`, since nothing that is learned changes the old table.

A table that another network takes over can't serve its former one meanwhile: that is `handover`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import FOREIGN, Key
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.fib.retry import Retry
from vrfbgp.model import Family, RouteKey
from vrfbgp.operations import Step, tables_of

PATIENCE = 10.0
"""Seconds that an old table serves on while the kernel refuses routes of the new one."""


@dataclass
class _Way:
    network: str
    to: int
    serial: int
    """The batch that makes the routes of the new table, or that before if there was nothing to make."""
    begun: bool = False
    """The first batch after the move is made: `serial` is known."""
    until: float | None = None
    """When all has been waited for long enough; None: nobody looked yet."""


class Moves:
    """The tables that their networks are about to leave."""

    def __init__(
        self,
        nexthops: Nexthops,
        slices: Mapping[tuple[int, Family, int], RouteDelta],
        retry: Retry[Key],
    ) -> None:
        self._nexthops, self._slices, self._retry = nexthops, slices, retry
        self._ways: dict[int, _Way] = {}

    def begin(self, network: str, before: int, now: int, serial: int) -> None:
        """A network leaves a table for another; `serial` is that of the last batch until now."""
        for way in self._ways.values():
            if way.network == network:
                way.to, way.serial, way.begun, way.until = now, serial, False, None
        self._ways[before] = _Way(network, now, serial)
        self._ways.pop(now, None)

    def taken(self, table: int) -> None:
        """A network gets this table: what it was before does not matter any more."""
        self._ways.pop(table, None)

    @property
    def tables(self) -> dict[int, int]:
        """The tables that are left, and what their networks have instead."""
        return {before: way.to for before, way in self._ways.items()}

    def wrote(self, serial: int, steps: Iterable[Step]) -> None:
        """The batch with this serial changes these routes."""
        fresh = [way for way in self._ways.values() if not way.begun]
        tables = tables_of(steps) if fresh else ()
        for way in fresh:
            way.begun = True
            if way.to in tables:
                way.serial = serial

    def arriving(self, now: float, acknowledged: int, doubted: Container[int]) -> frozenset[int]:
        """Tables that nothing may lead to yet; `doubted` are those that are being read."""
        found = set()
        for way in self._ways.values():
            way.until = now + PATIENCE if way.until is None else way.until
            stands = acknowledged >= way.serial and way.to not in doubted and not self._lacks(way.to)
            if not stands and now < way.until:
                found.add(way.to)
        return frozenset(found)

    def kept(self, led: Iterable[int]) -> frozenset[int]:
        """Tables whose routes stay, since rules lead there; `led` are all that rules lead to."""
        if not self._ways:
            return frozenset()
        self._ways = {table: self._ways[table] for table in self._ways.keys() & set(led)}
        return frozenset(self._ways)

    def deadline(self) -> float | None:
        """When the next wait is over."""
        return min((way.until for way in self._ways.values() if way.until is not None), default=None)

    def _lacks(self, table: int) -> bool:
        """Whether the kernel has refused a route of a table, or the next hop that it needs."""
        for (of, family, metric), delta in self._slices.items():
            for nlri, desired, actual in delta.pending() if of == table else ():
                if desired is None or desired is FOREIGN or actual is FOREIGN:
                    continue
                if RouteKey(of, family, nlri, metric) in self._retry:
                    return True
                if isinstance(desired, int) and not self._nexthops.carries(desired):
                    return True
        return False
