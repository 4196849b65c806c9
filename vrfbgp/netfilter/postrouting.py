"""Which packets a ruleset gives another source address: its rules walked with all packets of a kind at once.

A kind is what leaves by one device, of one family, from some sources to some destinations: the first packet
of a connection (others never come to nat chains), without a mark. Sources and destinations are split as rules
ask for them, so that behind an exemption of a part of them the rest is still followed. What a rule asks for
otherwise, and nothing here can answer (a port, a limit), leaves a doubt, which is named.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from vrfbgp.model import Family
from vrfbgp.netfilter.nat import (
    Asked,
    Between,
    Compare,
    Decide,
    Element,
    Expression,
    Field,
    Load,
    Lookup,
    MarkSet,
    Mask,
    Name,
    Nat,
    Rule,
    Translate,
    Verdict,
)
from vrfbgp.netfilter.registers import (
    Address,
    Meaning,
    NotLocal,
    Unknown,
    Value,
    Within,
    among,
    compared,
    masked,
)
from vrfbgp.netfilter.spans import Spans, both, count, without

DEEPEST = 16
"""NFT_JUMP_STACK_SIZE (net/netfilter/nf_tables.h)."""
_MOST = 1024
"""Kinds that are told apart; a ruleset that makes more of one is no ordinary one."""
_NEW = 8
"""NF_CT_STATE_BIT(IP_CT_NEW); its status has no bit yet (linux/netfilter/nf_conntrack_common.h)."""
_NAME_OCTETS = 16
"""IFNAMSIZ (linux/if.h)."""
_HOOKED = {Family.IPV4: ("ip", "inet"), Family.IPV6: ("ip6", "inet")}


@dataclass(frozen=True, slots=True)
class Packets:
    """Packets of a kind; `doubt` is what decides on whether they come as far as here, and is not known."""

    sources: Spans
    destinations: Spans
    doubt: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many pairs of addresses there are."""
        return count(self.sources) * count(self.destinations)

    def doubted(self, words: Iterable[str]) -> Packets:
        return replace(self, doubt=tuple(dict.fromkeys((*self.doubt, *words))))


@dataclass(frozen=True, slots=True)
class Translated:
    """Packets whose source address is changed, by which rule (from 1) of which chain, called by which."""

    packets: Packets
    word: str
    chain: Name
    number: int
    base: Name


class _Branch(NamedTuple):
    """Where the packets go that meet all conditions; those in `words` are not known."""

    where: tuple[Within, ...]
    words: tuple[str, ...]
    action: Decide | Translate | MarkSet


class _Place(NamedTuple):
    chain: Name
    number: int
    depth: int


def translated(nat: Nat, family: Family, device: str, index: int, packets: Packets) -> list[Translated]:
    """All that is found of these packets on their way through the chains of hook postrouting."""
    walk = _Walk(nat, family, device, index)
    for base in nat.bases:
        if base.family in _HOOKED[family]:
            walk.begin(base, packets)
    return walk.found


class _Walk:
    def __init__(self, nat: Nat, family: Family, device: str, index: int) -> None:
        self.found: list[Translated] = []
        self._base = Name("", "", "")
        self._nat = nat
        self._family = family
        self._known: dict[Field, bytes] = {
            Field.DEVICE_NAME: device.encode().ljust(_NAME_OCTETS, b"\0"),
            Field.DEVICE_INDEX: _number(index),
            Field.MARK: _number(0),
            Field.FAMILY: bytes((family,)),
            Field.CT_STATE: _number(_NEW),
            Field.CT_STATUS: _number(0),
        }

    def begin(self, base: Name, packets: Packets) -> None:
        """Enter by a chain that netfilter itself calls; it calls each, until one has translated."""
        self._base = base
        self._chain(base, [packets], 0)

    def _chain(self, name: Name, packets: list[Packets], depth: int) -> list[Packets]:
        """The packets that come back out of a chain, by its end or a `return`."""
        rules = self._nat.chains.get(name)
        if rules is None or depth > DEEPEST:
            return [some.doubted((f"chain {name.name}",)) for some in packets]
        returned: list[Packets] = []
        for number, rule in enumerate(rules, 1):
            for branch in self._branches(rule, name):
                packets = self._take(branch, packets, _Place(name, number, depth), returned)
            if not packets:
                break
        return packets + returned

    def _take(
        self, branch: _Branch, packets: list[Packets], at: _Place, returned: list[Packets]
    ) -> list[Packets]:
        """The packets that go on to the next rule; those that leave the chain alive are put to `returned`."""
        inside, outside = packets, []
        for within in branch.where:
            inside, others = _split(inside, within)
            outside += others
        if not inside or len(outside) > _MOST:
            return packets
        meeting = [some.doubted(branch.words) for some in inside]
        onward: list[Packets] = []
        back: list[Packets] = []
        match branch.action:
            case Translate(word):
                self.found += [Translated(some, word, at.chain, at.number, self._base) for some in meeting]
                if branch.words:
                    return packets
                onward = [some for some in meeting if some.doubt]
            case MarkSet():
                self._known.pop(Field.MARK, None)
                return packets
            case Decide(Verdict.CONTINUE | Verdict.BREAK):
                return packets
            case Decide(Verdict.JUMP, target):
                onward = self._chain(at.chain._replace(name=target), meeting, at.depth + 1)
            case Decide(Verdict.GOTO, target):
                back = self._chain(at.chain._replace(name=target), meeting, at.depth + 1)
            case Decide(Verdict.RETURN):
                back = meeting
        if branch.words:
            # Nobody knows which of them went that way: all go on, and if that way was an end, in doubt.
            lost = sum(some.size for some in onward) < sum(some.size for some in meeting)
            return outside + meeting if lost else packets
        returned += back
        return outside + onward

    def _branches(self, rule: Rule, chain: Name) -> Iterator[_Branch]:
        """What a rule does with these packets; nothing, if none of them meets its conditions."""
        registers: dict[int, Value] = {}
        where: list[Within] = []
        words: list[str] = []
        for expression in rule:
            match expression:
                case Load():
                    registers[expression.register] = self._loaded(expression)
                case Mask(source, register):
                    registers[register] = masked(registers.get(source, _NOTHING), expression)
                case Lookup(register, name, _, True):
                    for element in self._nat.sets.get(chain._replace(name=name), ()):
                        met = among(registers.get(register, _NOTHING), (element,))
                        if met is not False and element.verdict is not None:
                            more, unknown = _told(met)
                            yield _Branch((*where, *more), (*words, *unknown), element.verdict)
                    return
                case MarkSet():
                    yield _Branch(tuple(where), tuple(words), expression)
                case Decide() | Translate():
                    yield _Branch(tuple(where), tuple(words), expression)
                    return
                case _:
                    met = self._condition(expression, registers, chain)
                    if met is False:
                        return
                    more, unknown = _told(met)
                    where += more
                    words += unknown

    def _loaded(self, load: Load) -> Value:
        match load.field:
            case Field.NETWORK_HEADER:
                bits = self._family.bits
                first = 12 if self._family is Family.IPV4 else 8
                for destination, offset in ((False, first), (True, first + bits // 8)):
                    if load.offset == offset and 0 < load.length <= bits // 8:
                        return Address(destination, bits, load.length, (1 << 8 * load.length) - 1)
            case Field.SOURCE | Field.DESTINATION:
                bits = self._family.bits
                return Address(load.field is Field.DESTINATION, bits, bits // 8, (1 << bits) - 1)
            case Field.SOURCE_TYPE | Field.DESTINATION_TYPE:
                return NotLocal()
            case known if known in self._known:
                return self._known[known]
        return Unknown(load.word or load.field.value)

    def _condition(self, expression: Expression, registers: dict[int, Value], chain: Name) -> Meaning:
        match expression:
            case Asked(word, holds):
                return Unknown(word) if holds is None else holds
            case Compare(register, how, value):
                return compared(registers.get(register, _NOTHING), how, value)
            case Between(register, low, high, negated):
                return among(registers.get(register, _NOTHING), (Element(low, high),), negated)
            case Lookup(register, name, negated):
                elements = self._nat.sets.get(chain._replace(name=name))
                if elements is None:
                    return Unknown(f"set {name}")
                return among(registers.get(register, _NOTHING), elements, negated)
        return _NOTHING


_NOTHING = Unknown("what is not read")


def _told(met: Meaning) -> tuple[list[Within], list[str]]:
    """A condition that may hold: for which addresses, or what is not known of it."""
    match met:
        case Within():
            return [met], []
        case Unknown(word):
            return [], [word]
    return [], []


def _split(packets: Iterable[Packets], within: Within) -> tuple[list[Packets], list[Packets]]:
    """Those that meet a condition, and those that do not."""
    inside: list[Packets] = []
    outside: list[Packets] = []
    for some in packets:
        own = some.destinations if within.destination else some.sources
        part = both(own, within.spans)
        if part == own:
            inside.append(some)
        elif not part:
            outside.append(some)
        else:
            inside.append(_narrowed(some, within.destination, part))
            outside.append(_narrowed(some, within.destination, without(own, part)))
    return inside, outside


def _narrowed(packets: Packets, destination: bool, part: Spans) -> Packets:
    return replace(packets, destinations=part) if destination else replace(packets, sources=part)


def _number(value: int) -> bytes:
    return value.to_bytes(4, sys.byteorder)
