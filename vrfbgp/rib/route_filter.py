"""A peer's filter rules at work (BGPFilter), on what it announces and on what is announced to it.

Most conditions are the same for all prefixes of an UPDATE: `rules_for` leaves those rules whose other
conditions hold, up to the first that decides for every prefix. So where no rule asks for a prefix, or none is
left, a run of prefixes is judged once; `first` then looks at one prefix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from vrfbgp.filters import Community, FilterRule, Operations, Operator, PrefixMatch, Rules
from vrfbgp.model import Attributes, Nlri
from vrfbgp.rib.aspath import AS_SEQUENCE
from vrfbgp.rib.unread import Unread

Test = Callable[[Nlri], bool]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is the same for all routes of one peer and family."""

    internal: bool
    """The peer is in our own AS."""
    learned: bool
    """These are routes from the peer, not to it."""
    device: str | None = None
    """The device that they leave by, if it is known."""
    metric: int | None = None
    """Their metric in the kernel, if they have one."""


class RouteFilter:
    """The rules for one peer, family and direction."""

    def __init__(self, rules: Rules, subject: Subject) -> None:
        concerned = [rule for rule in rules if _concerns(rule, subject)]
        self._rules = [(rule, prefix_test(rule.prefix) if rule.prefix else None) for rule in concerned]

    def __bool__(self) -> bool:
        """Whether there is any rule to ask."""
        return bool(self._rules)

    def rules_for(self, attributes: Attributes) -> list[tuple[FilterRule, Test | None]]:
        """What is left to be asked of each prefix; a rule without a test, the last, decides for all."""
        left = []
        for rule, test in self._rules:
            if _carries(attributes, rule.communities) and _begins(attributes, rule.as_path_prefix):
                left.append((rule, test))
                if test is None:
                    break
        return left


def first(rules: Iterable[tuple[FilterRule, Test | None]], nlri: Nlri) -> FilterRule | None:
    """The rule that decides about a prefix; None: none does, and it is accepted."""
    for rule, test in rules:
        if test is None or test(nlri):
            return rule
    return None


def changed(attributes: Attributes, operations: Operations) -> Attributes:
    """The attributes after a rule's operations."""
    if isinstance(attributes, Unread):
        attributes = attributes.read()
    standard, large = list(attributes.communities), list(attributes.large_communities)
    for community in operations.communities:
        if len(community) == 2:
            if community not in standard:
                standard.append((community[0], community[1]))
        elif community not in large:
            large.append((community[0], community[1], community[2]))
    path = attributes.as_path
    if operations.prepend:
        if path and path[0][0] == AS_SEQUENCE:
            path = ((AS_SEQUENCE, operations.prepend + path[0][1]), *path[1:])
        else:
            path = ((AS_SEQUENCE, operations.prepend), *path)
    return replace(
        attributes,
        communities=tuple(standard),
        large_communities=tuple(large),
        as_path=path,
        local_pref=attributes.local_pref if operations.local_pref is None else operations.local_pref,
        med=attributes.med if operations.med is None else operations.med,
    )


def _concerns(rule: FilterRule, subject: Subject) -> bool:
    """Whether the conditions that no UPDATE changes hold."""
    return (
        rule.internal in (None, subject.internal)
        and (subject.learned or not rule.learned)
        and (
            not rule.interface or (subject.device is not None and fnmatchcase(subject.device, rule.interface))
        )
        and rule.priority in (None, subject.metric)
    )


def _carries(attributes: Attributes, communities: tuple[Community, ...]) -> bool:
    if not communities:
        return True
    return any(
        community in (attributes.communities if len(community) == 2 else attributes.large_communities)
        for community in communities
    )


def _begins(attributes: Attributes, prefix: tuple[int, ...]) -> bool:
    """Whether the AS_PATH begins with these; the look ends at an AS_SET, which has no order."""
    if not prefix:
        return True
    path: tuple[int, ...] = ()
    for kind, numbers in attributes.as_path:
        if kind != AS_SEQUENCE:
            break
        path += numbers
    return path[: len(prefix)] == prefix


def prefix_test(match: PrefixMatch) -> Test:
    """Whether a prefix is what a rule's `cidr`, operator and lengths ask for, as a function of the prefix."""
    bits = match.network.prefixlen
    octets = (bits + 7) // 8
    shift = 8 * octets - bits
    wanted = int.from_bytes(match.network.network_address.packed[:octets], "big") >> shift
    equal = match.operator in (Operator.EQUAL, Operator.NOT_EQUAL)
    shortest = max(bits, match.shortest)
    longest = min(bits, match.longest) if equal else match.longest
    opposite = match.operator in (Operator.NOT_EQUAL, Operator.NOT_IN)

    def test(nlri: Nlri) -> bool:
        if not shortest <= nlri[0] <= longest:
            return opposite
        return (int.from_bytes(nlri[1 : 1 + octets], "big") >> shift == wanted) is not opposite

    return test
