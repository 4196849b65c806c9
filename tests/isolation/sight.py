"""What the fake kernel does with packets, looked at once for many of them.

The same walk as `tests.scenarios.fate`, laid out for asking it about every source and destination after every
single operation; a test holds the two against each other.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.isolation.truth import Hop, Host
from tests.scenarios.fake_kernel import LOCAL_TABLE, FakeKernel
from tests.scenarios.fate import Fate
from vrfbgp.model import Action, Family, KernelRoute

Row = tuple[int, int, int, KernelRoute]
"""How far to shift, what must be left, the metric, the route."""


class Sight:
    """A kernel at one moment."""

    def __init__(self, kernel: FakeKernel) -> None:
        self._kernel = kernel
        self._own = {address.address for address in kernel.addresses}
        self._rows: dict[tuple[int, Family], list[Row]] = {}
        for key, route in kernel.routes.items():
            bits, length = key.family.bits, key.nlri[0]
            prefix = int.from_bytes(key.nlri[1:].ljust(bits // 8, b"\0"), "big")
            shift = bits - length
            self._rows.setdefault((key.table, key.family), []).append(
                (shift, prefix >> shift, key.metric, route)
            )
        for rows in self._rows.values():
            rows.sort(key=lambda row: (row[0], row[2]))
        self._found: dict[tuple[int, Host], Fate | None] = {}

    def fates(self, src: Host, destinations: Iterable[Host]) -> Iterable[tuple[Host, Fate]]:
        """What becomes of a packet from `src` to each of these, as far as they are of its family."""
        family = Family.of(src)
        rules = [
            rule
            for rule in self._kernel.rules
            if rule.family is family and not rule.others and (rule.src is None or src in rule.src)
        ]
        for dst in destinations:
            if dst.version != src.version:
                continue
            if dst in self._own:
                yield dst, Fate("local", LOCAL_TABLE)
                continue
            for rule in rules:
                if rule.dst is not None and dst not in rule.dst:
                    continue
                if rule.action is Action.UNREACHABLE:
                    yield dst, Fate("unreachable")
                    break
                if rule.action is Action.LOOKUP and (found := self._look_up(rule.table, dst)) is not None:
                    yield dst, found
                    break
            else:
                yield dst, Fate("none")

    def _look_up(self, table: int, dst: Host) -> Fate | None:
        if (table, dst) not in self._found:
            packed = int(dst)
            rows = self._rows.get((table, Family.of(dst)), ())
            route = next((route for shift, left, _, route in rows if packed >> shift == left), None)
            self._found[table, dst] = None if route is None else self._fate(table, route)
        return self._found[table, dst]

    def is_foreign(self, table: int, dst: Host) -> bool:
        """Whether the route that a table has for `dst` is somebody else's."""
        rows = self._rows.get((table, Family.of(dst)), ())
        found = (route for shift, left, _, route in rows if int(dst) >> shift == left)
        return not next(found).ours

    def _fate(self, table: int, route: KernelRoute) -> Fate:
        if route.kind != "unicast":
            return Fate(route.kind, table)
        links = self._kernel.links
        hops: tuple[Hop, ...] = tuple((g, links[i].name) for g, i in self._kernel.shown(route).nexthops)
        return Fate("route", table, hops)
