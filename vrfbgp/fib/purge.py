"""All that is ours in the kernel, and the order in which it can go: from what was read alone, without memory.

    rules that steer ▶ crowded groups ▶ routes ▶ groups ▶ objects ▶ rules of sessions, cluster ▶ unreachable

Once nothing steers, a gateway's packets are unreachable, whatever goes behind their back; only the very last
steps let them meet main. These are a list of their own, so that whoever carries the others out, and meets a
refusal, need not come to them.

What is ours is told by protocol, and by range of id for next hops, as everywhere. Routes of ours in main,
local or default can't be: nothing of ours is ever there. A next hop goes with all that hang on it; one that
somebody else's route or group hangs on is kept, and named.

A group takes its routes along, a million in a third of a second, where one by one they take four. But for
each group the kernel looks at every route there is (fib_flush), so it pays for those that hold many of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from vrfbgp.events import NexthopsRead, RulesRead, TableRead
from vrfbgp.fib.nexthops import is_ours
from vrfbgp.fib.rules import closes, steers
from vrfbgp.model import RESERVED_TABLES, Family, KernelNexthop, NexthopGroup, Nlri, Rule
from vrfbgp.operations import DeleteNexthop, DeleteRoutes, DeleteRule, Step

CROWDED = 32
"""A group that holds one of so many routes takes them along: to delete a route costs as much as to look at 45
(measured)."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A next hop of ours that somebody else uses."""

    id: int
    user: str
    """What hangs on it, printable."""


@dataclass(frozen=True, slots=True)
class Ours:
    """All that is ours and can go."""

    rules: tuple[Rule, ...]
    """As the kernel walks them, family by family."""
    routes: Mapping[tuple[int, Family, int], Mapping[Nlri, int | None]]
    """By table, family and metric, and by prefix: the next hop group, None if the route has its own."""
    groups: tuple[int, ...]
    objects: tuple[int, ...]
    kept: tuple[Kept, ...] = ()

    @property
    def empty(self) -> bool:
        """There is nothing that could go."""
        return not (self.rules or self.routes or self.groups or self.objects)


def ours(rules: Iterable[RulesRead], tables: Iterable[TableRead], nexthops: NexthopsRead) -> Ours:
    """What of all that was read is ours."""
    routes: dict[tuple[int, Family, int], dict[Nlri, int | None]] = {}
    users: dict[int, str] = {}
    for read in tables:
        for route in read.routes:
            if route.ours and read.table not in RESERVED_TABLES:
                of = read.table, read.family, route.key.metric
                routes.setdefault(of, {})[route.key.nlri] = route.nhid
            elif route.nhid is not None:
                users[route.nhid] = f"route {route.key}, protocol {route.protocol}"
        if read.table not in RESERVED_TABLES:
            for metric, found in read.ours.items():
                routes.setdefault((read.table, read.family, metric), {}).update(found)
    mine = [nexthop for nexthop in nexthops.nexthops if is_ours(nexthop)]
    kept = _kept(mine, nexthops.nexthops, users)
    free = [nexthop for nexthop in mine if nexthop.id not in kept]
    return Ours(
        tuple(rule for read in rules for rule in read.rules if rule.ours and not rule.others),
        routes,
        tuple(nexthop.id for nexthop in free if isinstance(nexthop.value, NexthopGroup)),
        tuple(nexthop.id for nexthop in free if not isinstance(nexthop.value, NexthopGroup)),
        tuple(Kept(id_, user) for id_, user in sorted(kept.items())),
    )


def _kept(
    mine: Iterable[KernelNexthop], everyones: Iterable[KernelNexthop], users: dict[int, str]
) -> dict[int, str]:
    """Those of ours that somebody else uses, with the user: by itself or by a group that it is in."""
    for nexthop in everyones:
        if not is_ours(nexthop):
            users |= dict.fromkeys(_members(nexthop), f"next hop group {nexthop.id} of somebody else")
    kept = {nexthop.id: users[nexthop.id] for nexthop in mine if nexthop.id in users}
    for nexthop in mine:
        if nexthop.id in kept:
            kept |= dict.fromkeys(_members(nexthop), f"next hop group {nexthop.id}, which stays")
    return kept


def _members(nexthop: KernelNexthop) -> tuple[int, ...]:
    return nexthop.value.members if isinstance(nexthop.value, NexthopGroup) else ()


def removal(found: Ours) -> list[Step]:
    """What removes all but the rules that close: at no step of it is a closed gateway open."""
    by_precedence = sorted(found.rules, key=lambda rule: -rule.priority)
    steps: list[Step] = [DeleteRule(rule) for rule in by_precedence if steers(rule)]
    crowded = _crowded(found)
    steps += map(DeleteNexthop, crowded)
    for of, groups in found.routes.items():
        if alone := [nlri for nlri, group in groups.items() if group not in crowded]:
            steps.append(DeleteRoutes(*of, alone))
    steps += [DeleteNexthop(id_) for id_ in (*found.groups, *found.objects) if id_ not in crowded]
    steps += [DeleteRule(rule) for rule in found.rules if not steers(rule) and not closes(rule)]
    return steps


def _crowded(found: Ours) -> dict[int, int]:
    """The groups that take their routes along, with the number of these."""
    sizes: Counter[int | None] = Counter()
    for groups in found.routes.values():
        sizes.update(groups.values())
    least = max(1.0, sizes.total() / CROWDED)
    return {group: sizes[group] for group in found.groups if sizes[group] >= least}


def opening(found: Ours) -> list[Step]:
    """What removes the rules that close. After it, gateways' packets go as anybody's do."""
    return [DeleteRule(rule) for rule in found.rules if closes(rule)]
