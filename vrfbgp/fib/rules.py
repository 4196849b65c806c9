"""In which order rules come and go, so that a gateway's packets never meet main, nor another's table.

An `unreachable` rule is made before all else where the gateway has none yet; where it has one, the new one
comes when all others of the gateway are known to stand, since it could hide those that still serve. A rule
whose place another takes goes when that other is known to stand; and nothing of a gateway goes before its
`unreachable` is known to stand.

The kernel may refuse any of it. So what goes does so in steps, each when the one before is acknowledged: an
old `unreachable` before the rules that it could hide the successors of; and where no other closes
the gateway, all the others before it.

A rule that leads into a table which a network has now, and is none of its gateway's any more,
goes before any route or rule is made: its packets are unreachable for a moment, and never in that network.
Until it is known to be gone, as it can't go while the rules are being read and the kernel may refuse it,
that table stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Set
from dataclasses import dataclass, field
from types import MappingProxyType

from vrfbgp.fib.delta import Delta
from vrfbgp.model import Action, Rule

NOWHERE: Mapping[int, int] = MappingProxyType({})
"""No network moved."""


@dataclass(slots=True)
class RuleChanges:
    """What is to be done about rules now, by its place in a batch."""

    closing: list[Rule] = field(default_factory=list)
    """To be added: those that close, exempt the cluster, carry the sessions."""
    misleading: list[Rule] = field(default_factory=list)
    """To be deleted at once."""
    steering: list[Rule] = field(default_factory=list)
    """To be added when the routes stand."""
    going: list[Rule] = field(default_factory=list)
    """To be deleted when all that comes in their place stands."""
    misled: frozenset[int] = frozenset()
    """Tables into which a rule misleads that is not known to be gone: nothing is to change there."""


def changes(
    rules: Delta[Rule, bool],
    *,
    may_touch: Callable[[Rule], bool],
    unconfirmed: Collection[Rule],
    tables: Set[int],
    hold: bool,
    partial: bool = False,
    drained: Set[Rule] | None = None,
    moved: Mapping[int, int] = NOWHERE,
) -> RuleChanges:
    """The changes that bring the kernel's rules to what is desired.

    `may_touch` tells which rules may be written now, `unconfirmed` holds rules of which an addition or
    deletion was handed out and not acknowledged, `tables` those that networks have now. With `hold` nothing
    is deleted, and with `partial` it won't be, as the config doesn't tell all. `drained` are rules that would
    be wanted if the node were not drained (None: it isn't): no other network's, they go when their gateway is
    known to be closed; all that steer do then, also on `hold`, if it is closed already. `moved` tells of
    tables that networks had before, which they have now.
    """
    result = RuleChanges()
    if not len(rules) and not unconfirmed:
        return result
    every = [(rule, desired) for rule, desired, _ in rules.pending()]
    pending = [(rule, desired) for rule, desired in every if may_touch(rule)]

    def role(rule: Rule) -> tuple[object, ...]:
        return _role(rule, moved)

    led = {role(rule) for rule in (*rules.desired, *(drained or ())) if steers(rule)}

    def misleads(rule: Rule) -> bool:
        return steers(rule) and rule.table in tables and role(rule) not in led

    leaving = {rule for rule, desired in every if not desired}
    leaving.update(rule for rule in unconfirmed if rule not in rules.desired)
    if not partial:
        result.misled = frozenset(rule.table for rule in leaving if misleads(rule))
    actual = [rule for rule, _ in rules.actual_items()]
    closed = {rule.src for rule in actual if closes(rule)}
    coming = [rule for rule in rules.desired if rule in unconfirmed or not rules.settled((rule,))]
    hideable = {rule.src for rule in coming if not closes(rule)}
    if hold:
        hideable |= {rule.src for rule in actual if steers(rule)}
    for rule in sorted((rule for rule, desired in pending if desired), key=_urgency(closed)):
        if steers(rule):
            if rule.table not in result.misled:
                result.steering.append(rule)
        elif not (closes(rule) and rule.src in closed and rule.src in hideable):
            result.closing.append(rule)
    gone = [rule for rule, desired in pending if not desired]
    if hold:
        gone = [rule for rule in gone if drained is not None and steers(rule) and rule.src in closed]
    if not gone:
        return result
    awaited = {role(rule) for rule in coming}
    opened = {rule.src for rule in coming if closes(rule)}
    closed = {rule.src for rule in rules.desired if closes(rule)}
    shutting = {rule.src for rule in leaving if closes(rule)} & closed if not hold else set()
    steered = {rule.src for rule in leaving if not closes(rule)} - closed
    for rule in gone:
        if misleads(rule):
            result.misleading.append(rule)
        elif rule.src in opened or role(rule) in awaited:
            continue
        elif rule.src not in (steered if closes(rule) else shutting):
            result.going.append(rule)
    result.misleading.sort(key=lambda rule: (-rule.priority, str(rule)))
    result.going.sort(key=_lateness)
    return result


def closes(rule: Rule) -> bool:
    """Whether the rule keeps a gateway's packets from main."""
    return rule.action is Action.UNREACHABLE


def steers(rule: Rule) -> bool:
    """Whether the rule leads a gateway's packets into a network's table (and has no destination)."""
    return rule.action is Action.LOOKUP and rule.dst is None


def _role(rule: Rule, moved: Mapping[int, int]) -> tuple[object, ...]:
    """Two rules of one role do the same, at two priorities; or lead one session, or gateway, to two tables
    that a network has one after the other."""
    table = moved.get(rule.table, rule.table) if steers(rule) else 0
    return rule.src, rule.dst, rule.action, table


def _urgency(closed: Container[object]) -> Callable[[Rule], tuple[int, int, str]]:
    """Those that close an open gateway first, those that close a closed one last."""

    def urgency(rule: Rule) -> tuple[int, int, str]:
        rank = 1 if not closes(rule) else 2 if rule.src in closed else 0
        return rank, rule.priority, str(rule)

    return urgency


def _lateness(rule: Rule) -> tuple[int, int, str]:
    rank = 0 if closes(rule) else 1 if steers(rule) else 2
    return rank, -rule.priority, str(rule)
