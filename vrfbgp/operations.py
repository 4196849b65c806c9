"""What the core asks of the kernel: a list of these, applied in order.

Creations are CREATE|EXCL and never overwrite; replacements are made only of what was read back, or made,
as ours (a REPLACE overwrites a foreign route of the same prefix and metric silently: it was tried).

A full table is a million routes, and a million values to say so cost more than to write them. A `RouteRun`
says the same as its `expanded` operations, in that order, and a failure always names the single one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import strerror

from vrfbgp.model import Family, NexthopValue, Nlri, RouteKey, RouteValue, Rule


@dataclass(frozen=True, slots=True)
class AddRoute:
    """RTM_NEWROUTE with NLM_F_CREATE|NLM_F_EXCL: EEXIST if anything stands there."""

    key: RouteKey
    value: RouteValue


@dataclass(frozen=True, slots=True)
class ReplaceRoute:
    """RTM_NEWROUTE with NLM_F_REPLACE and without NLM_F_CREATE: only of a route that is ours."""

    key: RouteKey
    value: RouteValue


@dataclass(frozen=True, slots=True)
class DeleteRoute:
    """RTM_DELROUTE that names the table, prefix, metric and our protocol; ESRCH if there is none."""

    key: RouteKey


@dataclass(frozen=True, slots=True)
class AddNexthop:
    """RTM_NEWNEXTHOP with NLM_F_CREATE|NLM_F_EXCL; a single object gets RTNH_F_ONLINK."""

    id: int
    value: NexthopValue


@dataclass(frozen=True, slots=True)
class ReplaceNexthop:
    """RTM_NEWNEXTHOP with NLM_F_REPLACE: every route on it follows at once."""

    id: int
    value: NexthopValue


@dataclass(frozen=True, slots=True)
class DeleteNexthop:
    """RTM_DELNEXTHOP: groups shrink, and routes that have nothing left go with it."""

    id: int


@dataclass(frozen=True, slots=True)
class AddRule:
    """RTM_NEWRULE with NLM_F_CREATE|NLM_F_EXCL."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """RTM_DELRULE that names every selector, the priority and the protocol."""

    rule: Rule


Operation = (
    AddRoute | ReplaceRoute | DeleteRoute | AddNexthop | ReplaceNexthop | DeleteNexthop | AddRule | DeleteRule
)


@dataclass(frozen=True, slots=True)
class AddRoutes:
    """An `AddRoute` for each prefix, on the next hop group of the same place in `nexthops`.

    Whoever makes a run gives its sequences away: they are read later, and must not change any more.
    """

    table: int
    family: Family
    metric: int
    nlris: Sequence[Nlri]
    nexthops: Sequence[int]

    def __post_init__(self) -> None:
        _check_pairs(self.nlris, self.nexthops)

    def __len__(self) -> int:
        return len(self.nlris)

    def at(self, place: int) -> AddRoute:
        """The single operation at a place."""
        key = RouteKey(self.table, self.family, self.nlris[place], self.metric)
        return AddRoute(key, self.nexthops[place])

    def part(self, start: int, stop: int) -> AddRoutes:
        """The run from place `start` up to, without, `stop`."""
        nlris, nexthops = self.nlris[start:stop], self.nexthops[start:stop]
        return AddRoutes(self.table, self.family, self.metric, nlris, nexthops)


@dataclass(frozen=True, slots=True)
class ReplaceRoutes:
    """A `ReplaceRoute` for each prefix; else as `AddRoutes`."""

    table: int
    family: Family
    metric: int
    nlris: Sequence[Nlri]
    nexthops: Sequence[int]

    def __post_init__(self) -> None:
        _check_pairs(self.nlris, self.nexthops)

    def __len__(self) -> int:
        return len(self.nlris)

    def at(self, place: int) -> ReplaceRoute:
        """The single operation at a place."""
        key = RouteKey(self.table, self.family, self.nlris[place], self.metric)
        return ReplaceRoute(key, self.nexthops[place])

    def part(self, start: int, stop: int) -> ReplaceRoutes:
        """The run from place `start` up to, without, `stop`."""
        nlris, nexthops = self.nlris[start:stop], self.nexthops[start:stop]
        return ReplaceRoutes(self.table, self.family, self.metric, nlris, nexthops)


@dataclass(frozen=True, slots=True)
class DeleteRoutes:
    """A `DeleteRoute` for each prefix; else as `AddRoutes`."""

    table: int
    family: Family
    metric: int
    nlris: Sequence[Nlri]

    def __len__(self) -> int:
        return len(self.nlris)

    def at(self, place: int) -> DeleteRoute:
        """The single operation at a place."""
        return DeleteRoute(RouteKey(self.table, self.family, self.nlris[place], self.metric))

    def part(self, start: int, stop: int) -> DeleteRoutes:
        """The run from place `start` up to, without, `stop`."""
        return DeleteRoutes(self.table, self.family, self.metric, self.nlris[start:stop])


RouteRun = AddRoutes | ReplaceRoutes | DeleteRoutes
"""Many operations on routes of one table, family and metric."""
Step = Operation | RouteRun
"""What a batch is made of."""


def slice_of(step: Step) -> tuple[int, Family, int] | None:
    """Table, family and metric of the routes that a step is about; None: it is about no routes."""
    match step:
        case AddRoute(key) | ReplaceRoute(key) | DeleteRoute(key):
            return key.table, key.family, key.metric
        case AddRoutes() | ReplaceRoutes() | DeleteRoutes():
            return step.table, step.family, step.metric
    return None


def tables_of(steps: Iterable[Step]) -> set[int]:
    """The tables whose routes these steps change."""
    return {of[0] for step in steps if (of := slice_of(step)) is not None}


def count_of(step: Step) -> int:
    """How many single operations a step stands for."""
    return len(step) if isinstance(step, RouteRun) else 1


def expanded(step: Step) -> Iterator[Operation]:
    """The single operations that a step stands for, in their order."""
    if isinstance(step, RouteRun):
        yield from map(step.at, range(len(step)))
    else:
        yield step


def _check_pairs(nlris: Sequence[Nlri], nexthops: Sequence[int]) -> None:
    if len(nlris) != len(nexthops):
        raise ValueError(f"{len(nlris)} prefixes on {len(nexthops)} next hops: one for each is needed")


@dataclass(frozen=True, slots=True)
class Failure:
    """An operation that the kernel refused: `errno`, and the text of its extended ack, if any."""

    operation: Operation
    errno: int
    text: str = ""

    def __str__(self) -> str:
        return f"{described(self.operation)}: {self.text or strerror(self.errno)}"


def described(operation: Operation) -> str:
    """An operation in a few words, for people."""
    words = _WORDS[type(operation)]
    match operation:
        case AddRoute(key) | ReplaceRoute(key) | DeleteRoute(key):
            return f"{words} {key}"
        case AddNexthop(id_) | ReplaceNexthop(id_) | DeleteNexthop(id_):
            return f"{words} {id_}"
        case AddRule(rule) | DeleteRule(rule):
            return f"{words} {rule}"


_WORDS = {
    AddRoute: "add route",
    ReplaceRoute: "replace route",
    DeleteRoute: "delete route",
    AddNexthop: "add next hop",
    ReplaceNexthop: "replace next hop",
    DeleteNexthop: "delete next hop",
    AddRule: "add rule",
    DeleteRule: "delete rule",
}
