"""In which order rules come and go, so that a gateway's packets never meet main, nor another's table.

An `unreachable` rule is made before all else where the gateway has none yet; where it has one, the new one
comes last, since it could hide the rules that are still to be made. A rule whose place another takes goes
when that other is known to stand; and nothing of a gateway goes before its `unreachable` is known to stand.

A rule that leads into a table which a network has now, and is none of its gateway's any more,
goes before any route or rule is made: its packets are unreachable for a moment, and never in that network.
While it can't go, as the rules are being read or the kernel refuses it, that table stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Set
from dataclasses import dataclass, field

from vrfbgp.fib.delta import Delta
from vrfbgp.model import Action, Rule


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
    """Tables into which a rule misleads that can't be deleted now: nothing is to change there."""


def changes(
    rules: Delta[Rule, bool],
    *,
    may_touch: Callable[[Rule], bool],
    unconfirmed: Container[Rule],
    tables: Set[int],
    hold: bool,
    drained: Set[Rule] | None = None,
) -> RuleChanges:
    """The changes that bring the kernel's rules to what is desired.

    `may_touch` tells which rules may be written now, `unconfirmed` holds rules that were handed out and
    not acknowledged, `tables` those that networks have now. With `hold` nothing is deleted. `drained` are
    rules that would be wanted if the node were not drained (None: it isn't): no other network's, they go when
    their gateway is known to be closed; all that steer do then, also on `hold`, if it is closed already.
    """
    result = RuleChanges()
    if not len(rules):
        return result
    every = [(rule, desired) for rule, desired, _ in rules.pending()]
    pending = [(rule, desired) for rule, desired in every if may_touch(rule)]
    led = {_role(rule) for rule in (*rules.desired, *(drained or ())) if steers(rule)}

    def misleads(rule: Rule) -> bool:
        return steers(rule) and rule.table in tables and _role(rule) not in led

    if not hold:
        stuck = {rule for rule, desired in every if not desired} - {rule for rule, _ in pending}
        result.misled = frozenset(rule.table for rule in stuck if misleads(rule))
    closed = {rule.src for rule, _ in rules.actual_items() if closes(rule)}
    adds = sorted((rule for rule, desired in pending if desired), key=lambda rule: _urgency(rule, closed))
    first = sum(_urgency(rule, closed)[0] < _STEERING for rule in adds)
    result.closing = adds[:first]
    result.steering = [rule for rule in adds[first:] if rule.table not in result.misled]
    gone = [rule for rule, desired in pending if not desired]
    if hold:
        gone = [rule for rule in gone if drained is not None and steers(rule) and rule.src in closed]
    if not gone:
        return result
    coming = [rule for rule in rules.desired if rule in unconfirmed or not rules.settled((rule,))]
    awaited = {_role(rule) for rule in coming}
    opened = {rule.src for rule in coming if closes(rule)}
    for rule in gone:
        if misleads(rule):
            result.misleading.append(rule)
        elif rule.src not in opened and _role(rule) not in awaited:
            result.going.append(rule)
    closed = {rule.src for rule in rules.desired if closes(rule)}
    result.misleading.sort(key=lambda rule: (-rule.priority, str(rule)))
    result.going.sort(key=lambda rule: _lateness(rule, rule.src in closed))
    return result


def closes(rule: Rule) -> bool:
    """Whether the rule keeps a gateway's packets from main."""
    return rule.action is Action.UNREACHABLE


def steers(rule: Rule) -> bool:
    """Whether the rule leads a gateway's packets into a network's table (and has no destination)."""
    return rule.action is Action.LOOKUP and rule.dst is None


def _role(rule: Rule) -> tuple[object, ...]:
    """Two rules of one role do the same, at two priorities; or lead one session, to two tables."""
    return rule.src, rule.dst, rule.action, rule.table if steers(rule) else 0


_STEERING = 2


def _urgency(rule: Rule, closed: Container[object]) -> tuple[int, int, str]:
    if closes(rule):
        rank = 3 if rule.src in closed else 0
    else:
        rank = _STEERING if steers(rule) else 1
    return rank, rule.priority, str(rule)


def _lateness(rule: Rule, closed: bool) -> tuple[int, int, str]:
    if closes(rule):
        # Another `unreachable` of the same gateway stands: this one would only hide newer rules.
        rank = 0 if closed else 3
    else:
        rank = 1 if steers(rule) else 2
    return rank, -rule.priority, str(rule)
