"""What was handed out to the kernel counts as done until the kernel says otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vrfbgp.fib.delta import Delta
from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import DISFIGURED
from vrfbgp.model import Family, NexthopValue, Rule
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRoutes,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRoutes,
    DeleteRule,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
    ReplaceRoutes,
    Step,
)

Slices = Mapping[tuple[int, Family, int], RouteDelta]
Nexthops = Delta[int, NexthopValue]
Rules = Delta[Rule, bool]


def assume(batch: Iterable[Step], slices: Slices, nexthops: Nexthops, rules: Rules) -> None:
    """It is handed out: from now on it is taken for done."""
    for step in batch:
        match step:
            case AddRoutes() | ReplaceRoutes():
                slices[step.table, step.family, step.metric].saw_as_desired(step.nlris)
            case DeleteRoutes():
                slices[step.table, step.family, step.metric].saw_gone(step.nlris)
            case AddRoute(key, value) | ReplaceRoute(key, value):
                slices[key.table, key.family, key.metric].saw(key.nlri, value)
            case DeleteRoute(key):
                slices[key.table, key.family, key.metric].saw(key.nlri, None)
            case AddNexthop(id_, nexthop) | ReplaceNexthop(id_, nexthop):
                nexthops.saw(id_, nexthop)
            case DeleteNexthop(id_):
                nexthops.saw(id_, None)
            case AddRule(rule):
                rules.saw(rule, True)
            case DeleteRule(rule):
                rules.saw(rule, None)


def disbelieve(refused: Operation, slices: Slices, nexthops: Nexthops, rules: Rules) -> None:
    """It was taken for done, and is not: until the truth is read, nothing may build on it."""
    match refused:
        case AddRule(rule):
            rules.saw(rule, None)
        case DeleteRule(rule):
            rules.saw(rule, True)
        case AddNexthop(id_):
            nexthops.saw(id_, None)
        case AddRoute(key):
            slices[key.table, key.family, key.metric].saw(key.nlri, None)
        case ReplaceRoute(key):
            slices[key.table, key.family, key.metric].saw(key.nlri, DISFIGURED)
