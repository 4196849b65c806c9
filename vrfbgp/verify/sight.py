"""All that `verify` looks at, as it was read from the kernel: values, without memory of anything before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vrfbgp.events import LinksRead
from vrfbgp.fib.nexthops import FIRST_ID, LAST_ID
from vrfbgp.model import Family, KernelNexthop, KernelRoute, NexthopGroup, NexthopObject, Rule
from vrfbgp.survey import TableSurvey

LOCAL_TABLE = 255
"""RT_TABLE_LOCAL (linux/rtnetlink.h)."""
_DEAD_ENDS = frozenset({"unreachable", "blackhole", "prohibit", "throw"})


@dataclass(frozen=True, slots=True)
class Sight:
    """One reading of the kernel."""

    links: LinksRead
    rules: Mapping[Family, tuple[Rule, ...]]
    """In the kernel's order."""
    nexthops: Mapping[int, KernelNexthop] = field(default_factory=dict)
    tables: Mapping[tuple[int, Family], TableSurvey] = field(default_factory=dict)
    """Of the networks; main and local; with routes of ours; and those that rules of others look up."""
    skipped: int = 0
    """Links, addresses and rules that could not be understood."""

    def table(self, table: int, family: Family) -> TableSurvey:
        """What a table holds; nothing, if it was not read."""
        return self.tables.get((table, family)) or TableSurvey(table, family)

    def all_rules(self) -> Iterator[Rule]:
        """The rules of both families."""
        for rules in self.rules.values():
            yield from rules

    def device(self, ifindex: int) -> str:
        """The name of a device; `#7` if there is none of that index."""
        link = self.links.links.get(ifindex)
        return link.name if link else f"#{ifindex}"

    def devices(self, nexthop: int) -> frozenset[int] | None:
        """The devices that a next hop object or group leads to; None if that can't be told."""
        found = self.nexthops.get(nexthop)
        if found is None or found.value is None:
            return None
        if isinstance(found.value, NexthopObject):
            return frozenset({found.value.ifindex})
        assert isinstance(found.value, NexthopGroup)
        members = [self.devices(member) for member in found.value.members]
        return None if None in members else frozenset().union(*(member for member in members if member))

    def leaves_by(self, route: KernelRoute) -> frozenset[int] | None:
        """The devices that a route leads to; none, if it drops packets; None if that can't be told."""
        if route.kind in _DEAD_ENDS:
            return frozenset()
        if route.nhid is not None and route.nhid in self.nexthops:
            found = self.devices(route.nhid)
            if found is not None:
                return found
        if route.nexthops:
            return frozenset(ifindex for _, ifindex in route.nexthops)
        return None if route.nhid is not None else frozenset()


def in_our_range(nexthop: int) -> bool:
    """Whether an id is one of those that are kept for us."""
    return FIRST_ID <= nexthop <= LAST_ID
