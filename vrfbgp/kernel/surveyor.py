"""Surveys a table from its dump, a datagram at a time: nothing is kept of a route but what tells it apart."""

from __future__ import annotations

from collections import Counter

from vrfbgp.kernel.scan import TableScan
from vrfbgp.model import Family
from vrfbgp.survey import Bunch


class TableSurveyor:
    """Counts what `TableScan` gathers, and remembers one prefix of each kind."""

    def __init__(self, table: int, family: Family) -> None:
        self._scan = TableScan(table, family)
        self.begin()

    def begin(self) -> None:
        """A dump begins."""
        self._scan.begin()
        self.bunches: dict[tuple[int, int], Bunch] = {}

    def take(self, datagram: bytes, sequence: int) -> bytes:
        """As `TableScan.take`."""
        left = self._scan.take(datagram, sequence)
        for metric, routes in self._scan.ours.items():
            if not routes:
                continue
            for nexthop, number in Counter(routes.values()).items():
                before = self.bunches.get((metric, nexthop))
                if before is None:
                    example = next(nlri for nlri, group in routes.items() if group == nexthop)
                    self.bunches[metric, nexthop] = Bunch(number, example)
                else:
                    self.bunches[metric, nexthop] = Bunch(before.routes + number, before.example)
            routes.clear()
        return left
