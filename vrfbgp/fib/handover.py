"""Tables that go from one network to another: no gateway is steered there before they are all the new one's.

The routes of the former network are replaced or deleted in a batch, and the rules that steer would follow in
the same one; but the kernel may refuse some of it, and take the rules. So these wait until it has said
that nothing of the former network is left. Until then the gateways' packets are unreachable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import FOREIGN
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.model import Family
from vrfbgp.operations import Step, tables_of


@dataclass
class _Handed:
    network: str
    serial: int
    """The last batch that changed anything there."""


class Handovers:
    """The tables that are on their way from one network to another."""

    def __init__(self, nexthops: Nexthops, slices: Mapping[tuple[int, Family, int], RouteDelta]) -> None:
        self._nexthops, self._slices = nexthops, slices
        self._handed: dict[int, _Handed] = {}

    def begin(self, table: int, network: str, serial: int) -> None:
        """A network gets a table that was another's; `serial` is that of the last batch until now."""
        self._handed[table] = _Handed(network, serial)

    def wrote(self, serial: int, steps: Iterable[Step]) -> None:
        """The batch with this serial."""
        if not self._handed:
            return
        for table in tables_of(steps) & self._handed.keys():
            self._handed[table].serial = serial

    def closed(self, acknowledged: int, unread: Iterable[int]) -> frozenset[int]:
        """The tables that no gateway may be steered into yet; `unread` are those that are being read."""
        if not self._handed:
            return frozenset()
        doubted = set(unread)
        for table, handed in list(self._handed.items()):
            if handed.serial <= acknowledged and table not in doubted and self._is_own(table, handed.network):
                del self._handed[table]
        return frozenset(self._handed)

    def _is_own(self, table: int, network: str) -> bool:
        """Whether nothing is left of another network, as far as the kernel has said."""
        for (of, _, _), delta in self._slices.items():
            if of != table:
                continue
            for _, _, actual in delta.pending():
                if actual is None or actual is FOREIGN:
                    continue
                members = self._nexthops.members(actual) if isinstance(actual, int) else ()
                if not members or members[0].peer.network != network:
                    return False
        return True
