"""Which rules packets meet, and how surely: walked as fib_rules_lookup() does, for all destinations at once.

A rule may ask for more than addresses. Whether the packets of a gateway have what it asks for, a mark for
instance, can't be told from here: then they meet it *perhaps*.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from vrfbgp.model import Action, IPAddress, IPNetwork, Rule
from vrfbgp.steering import host_prefix
from vrfbgp.verify.ground import within
from vrfbgp.verify.nest import Nest

_DROPS = frozenset({"blackhole", "prohibit"})
_RESULTS = ("suppress_", "realms ", "goto ")
_SOME = ("tos ", "ipproto ", "sport ", "dport ")
"""What some of any gateway's packets have."""
_OF_A_SOCKET = ("oif ", "uidrange ")
"""What only packets of the node's own sockets have (fib_frontend.c, ip_route_input)."""


class Rules:
    """The rules of one family in the kernel's order, and the few of them that a range's packets may meet."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._nest: Nest[int] = Nest((rule.src, at) for at, rule in enumerate(rules) if rule.src is not None)
        self._anybodys = [at for at, rule in enumerate(rules) if rule.src is None or "not" in rule.others]

    def near(self, range_: IPNetwork) -> list[Rule]:
        """In their order; with those that only a part of the range meets."""
        places = {*self._anybodys, *self._nest.inside(range_), *self._nest.around(range_)}
        return [self._rules[at] for at in sorted(places)]


class Match(IntEnum):
    """Whether packets meet a rule."""

    NEVER = 0
    PERHAPS = 1
    SURELY = 2
    """At least some of them do."""


@dataclass(frozen=True, slots=True)
class Source:
    """Packets from a range of addresses, to wherever."""

    range: IPNetwork
    devices: frozenset[str] = frozenset()
    """By which they come in; none: that is not known."""
    local: bool = False
    """The node itself sends such packets."""


@dataclass(frozen=True, slots=True)
class Met:
    """A rule that packets meet, and how surely."""

    rule: Rule
    match: Match


def walk(rules: Iterable[Rule], source: Source) -> Iterator[Met]:
    """The rules that packets meet, up to the one that drops all of them."""
    for rule in rules:
        found = match(rule, source)
        if found is Match.NEVER:
            continue
        yield Met(rule, found)
        if found is Match.SURELY and closes(rule):
            return


def match(rule: Rule, source: Source) -> Match:
    """Whether packets meet a rule, to whatever destination."""
    asked = conditions(rule)
    if "not" in asked:
        excluded = len(asked) == 1 and rule.dst is None and _covers(rule, source)
        return Match.NEVER if excluded else Match.SURELY
    if not _covers(rule, source):
        return Match.NEVER
    return min((_met(word, source) for word in asked), default=Match.SURELY)


def conditions(rule: Rule) -> list[str]:
    """What a rule asks for beside addresses."""
    return [
        word for word in rule.others if word not in _DROPS and word != "nop" and not word.startswith(_RESULTS)
    ]


def drops(rule: Rule) -> bool:
    """Whether the packets that it takes go nowhere."""
    return rule.action is Action.UNREACHABLE or not _DROPS.isdisjoint(rule.others)


def closes(rule: Rule) -> bool:
    """Whether no packet of its source passes it."""
    return drops(rule) and rule.dst is None and not conditions(rule)


def leap(rule: Rule) -> int | None:
    """The priority at which a packet goes on that meets this rule (`goto`), if that is what it says."""
    found = [word for word in rule.others if word.startswith("goto ")]
    number = found[0].removeprefix("goto ") if found else ""
    return int(number) if number.isdecimal() else None


def parts(range_: IPNetwork, rules: Iterable[Rule]) -> list[IPNetwork]:
    """The range itself, and each part of it that rules tell apart: each meets rules of its own."""
    inner = {rule.src for rule in rules if rule.src is not None and within(rule.src, range_)}
    return sorted(inner | {range_}, key=lambda part: (part.prefixlen, int(part.network_address)))


def first_for(rules: Iterable[Rule], local: IPAddress, remote: IPAddress, until: Rule) -> Iterator[Rule]:
    """The rules ahead of `until` that the node's own packets from one address to another surely meet."""
    source = Source(host_prefix(local), local=True)
    for rule in rules:
        if rule == until:
            return
        if (rule.dst is None or remote in rule.dst) and match(rule, source) is Match.SURELY:
            yield rule


def _covers(rule: Rule, source: Source) -> bool:
    return rule.src is None or within(source.range, rule.src)


def _met(word: str, source: Source) -> Match:
    if word.startswith("iif "):
        return _comes_in(word.removeprefix("iif "), source)
    if word.startswith(_OF_A_SOCKET):
        return Match.PERHAPS if source.local else Match.NEVER
    if word.startswith(_SOME) or word.startswith("fwmark 0x0/"):
        return Match.SURELY
    return Match.PERHAPS


def _comes_in(device: str, source: Source) -> Match:
    if device == "lo":
        return Match.SURELY if source.local else Match.NEVER
    if device in source.devices:
        return Match.SURELY
    return Match.NEVER if source.devices or source.local else Match.PERHAPS
