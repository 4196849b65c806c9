"""How many routes of ours a table holds on each next hop: a dump of which nothing is kept."""

from __future__ import annotations

from collections import Counter

from vrfbgp.kernel.scan import TableScan
from vrfbgp.model import Family


class TableCensus:
    """Counts what `TableScan` gathers, a datagram at a time."""

    def __init__(self, table: int, family: Family) -> None:
        self._scan = TableScan(table, family)
        self.begin()

    def begin(self) -> None:
        """A dump begins."""
        self._scan.begin()
        self.ours: Counter[tuple[int, int]] = Counter()
        """By metric and next hop group."""

    def take(self, datagram: bytes, sequence: int) -> bytes:
        """As `TableScan.take`."""
        left = self._scan.take(datagram, sequence)
        for metric, routes in self._scan.ours.items():
            if routes:
                for nexthop, number in Counter(routes.values()).items():
                    self.ours[metric, nexthop] += number
                routes.clear()
        return left
