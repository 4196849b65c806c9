"""The kernel's decision for one packet, made again: the rules in order, then the longest match in a table.

`core.host` knows the rules of others, the reconciler ours; together they are walked as fib_rules_lookup()
does: by priority, and the first table with any match wins. What is not known here is taken from the
kernel's own answer: what tables of others hold, most of main included, and what depends on more than the
two addresses, such as a mark.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from vrfbgp.core import Core
from vrfbgp.model import MAIN_TABLE, Action, Family, IPAddress, KernelRoute, Rule
from vrfbgp.views.table import Entry, Table
from vrfbgp.views.words import Json

LOCAL_TABLE = 255
"""RT_TABLE_LOCAL (linux/rtnetlink.h)."""
KernelAnswer = KernelRoute | OSError | None
"""What `Kernel.route_get` returned or raised; None: it was not asked."""


class Step(StrEnum):
    """What came of a rule that the packet meets."""

    DECIDED = "decided"
    NO_ROUTE = "no-route"
    """Its table has no route for the destination; on to the next rule."""
    SKIPPED = "not-followed"
    """It asks for more than two addresses can tell."""


class Verdict(StrEnum):
    """What becomes of the packet."""

    FORWARDED = "forwarded"
    """By a route of an external network's table."""
    UNREACHABLE = "unreachable"
    LOCAL = "local"
    """It is for this node itself."""
    ELSEWHERE = "elsewhere"
    """A table decides that is no external network's, such as main."""
    UNKNOWN = "unknown"
    """It depends on a table that is not ours, and the kernel was not asked."""


@dataclass(frozen=True, slots=True)
class Met:
    """A rule that the packet meets, and what came of it."""

    rule: Rule
    step: Step

    def told(self) -> Json:
        return {"rule": str(self.rule), "ours": self.rule.ours, "result": self.step.value}


@dataclass(frozen=True, slots=True)
class Walk:
    """All rules met, and the end of it."""

    met: tuple[Met, ...]
    verdict: Verdict
    table: int | None = None
    network: str | None = None
    entry: Entry | None = None

    @property
    def rule(self) -> Rule | None:
        """The rule that decided."""
        return self.met[-1].rule if self.met and self.met[-1].step is Step.DECIDED else None


def walk(core: Core, src: IPAddress, dst: IPAddress, device: str | None, kernel: KernelAnswer) -> Walk:
    """What the kernel does with a packet from `src` to `dst` that comes in by `device` (None: it is ours)."""
    met: list[Met] = []
    tables = {network.intent.table: name for name, network in core.networks.items()}
    for rule in rules(core, Family.of(dst)):
        if not matches(rule, src, dst):
            continue
        if not all(other == f"iif {device}" for other in rule.others):
            if not any(other.startswith("iif ") for other in rule.others):
                met.append(Met(rule, Step.SKIPPED))
            continue
        if rule.action is Action.UNREACHABLE:
            return Walk((*met, Met(rule, Step.DECIDED)), Verdict.UNREACHABLE)
        if rule.action is not Action.LOOKUP:
            met.append(Met(rule, Step.SKIPPED))
            continue
        found = _look_up(core, rule.table, tables.get(rule.table), dst, kernel)
        if found is not None:
            verdict, entry = found
            decided = (*met, Met(rule, Step.DECIDED))
            return Walk(decided, verdict, rule.table, tables.get(rule.table), entry)
        met.append(Met(rule, Step.NO_ROUTE))
    return Walk(tuple(met), Verdict.UNREACHABLE)


def rules(core: Core, family: Family) -> Iterator[Rule]:
    """All rules in the kernel's order; at equal priority those that were there when it was last read."""
    ours = {rule for rule, _ in core.reconciler.rules.actual_items() if rule.family is family}
    held = [rule for rule in core.host.rules[family] if not rule.ours or rule.others or rule in ours]
    known = set(held)
    fresh = [rule for rule in ours if rule not in known]
    yield from sorted(held + sorted(fresh, key=str), key=lambda rule: rule.priority)


def matches(rule: Rule, src: IPAddress, dst: IPAddress) -> bool:
    """Whether a packet has the rule's addresses."""
    return (rule.src is None or src in rule.src) and (rule.dst is None or dst in rule.dst)


def _look_up(
    core: Core, table: int, network: str | None, dst: IPAddress, kernel: KernelAnswer
) -> tuple[Verdict, Entry | None] | None:
    """What a table says; None if it has no route for the destination."""
    if table == LOCAL_TABLE and dst in core.host.local:
        return Verdict.LOCAL, None
    if network is not None:
        entry = Table(core, network).longest(dst)
        if entry is None or entry.kind == "throw":
            return None
        reached = entry.kind in ("unicast", "local", "broadcast", "multicast", "anycast")
        return (Verdict.FORWARDED if reached else Verdict.UNREACHABLE), entry
    if isinstance(kernel, KernelRoute):
        return (_elsewhere(kernel), None) if kernel.key.table == table else None
    if table == MAIN_TABLE and core.host.covering(dst):
        return Verdict.ELSEWHERE, None
    if table == MAIN_TABLE and kernel is None:
        return Verdict.UNKNOWN, None
    return None


def _elsewhere(kernel: KernelRoute) -> Verdict:
    if kernel.kind in ("local", "broadcast"):
        return Verdict.LOCAL
    return Verdict.ELSEWHERE if kernel.kind == "unicast" else Verdict.UNREACHABLE
