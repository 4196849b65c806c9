"""One block of path attributes, from octets to values, with RFC 7606 as one table.

`split` cuts the block into attributes and looks at framing alone; `parse` reads the values of all but the
multiprotocol ones (those are `multiprotocol.py`), by the rules in `RULES`. What is malformed becomes a
`Fault`; a value that is discarded is simply missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import iter_unpack
from typing import Any

from vrfbgp.model import Attributes, IPAddress, Origin
from vrfbgp.rib import aspath
from vrfbgp.rib.errors import Code, Fault, Reason, Treatment, reset

OPTIONAL, TRANSITIVE, EXTENDED_LENGTH = 0x80, 0x40, 0x10
WELL_KNOWN = TRANSITIVE
DISCARD, WITHDRAW = Treatment.ATTRIBUTE_DISCARD, Treatment.TREAT_AS_WITHDRAW


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the meaning of an attribute depends on besides its octets."""

    internal: bool
    asn4: bool


class Malformed(ValueError):
    """A value is not what its attribute's definition asks for; what follows is in `RULES`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rule:
    """How an attribute must look, and what follows if it does not.

    Flags that are not the attribute's own are treat-as-withdraw for all of them (RFC 7606 3 c).
    """

    flags: int
    """OPTIONAL and TRANSITIVE as its definition gives them."""
    malformed: Treatment
    read: Callable[[bytes, Dialect], Any]
    """The value; raises `Malformed`."""
    external: bool = True
    """Whether an external peer may send it; if not, it is discarded unread."""
    four_octet: bool = True
    """Whether a peer that speaks four-octet AS numbers may send it; if not, it is discarded unread."""


def _exactly(value: bytes, octets: int) -> bytes:
    if len(value) != octets:
        raise Malformed(Reason.LENGTH)
    return value


def _multiple(value: bytes, octets: int) -> bytes:
    if not value or len(value) % octets:
        raise Malformed(Reason.LENGTH)
    return value


def _origin(value: bytes, _: Dialect) -> Origin:
    try:
        return Origin(_exactly(value, 1)[0])
    except ValueError as error:
        raise error if isinstance(error, Malformed) else Malformed(Reason.ORIGIN_VALUE) from None


def _as_path(value: bytes, dialect: Dialect) -> aspath.Segments:
    try:
        path = aspath.segments(value, 4 if dialect.asn4 else 2)
    except aspath.AsPathError as error:
        raise Malformed(error.reason) from None
    if not dialect.internal and aspath.has_confederation(path):
        raise Malformed(Reason.CONFEDERATION)  # RFC 5065 5: only within one confederation
    return path


def _as4_path(value: bytes, _: Dialect) -> aspath.Segments:
    if not value:
        raise Malformed(Reason.LENGTH)
    try:
        return aspath.without_confederation(aspath.segments(value, 4))
    except aspath.AsPathError as error:
        raise Malformed(error.reason) from None


def _next_hop(value: bytes, _: Dialect) -> IPv4Address:
    first = _exactly(value, 4)[0]
    if first in (0, 127) or first >= 224:
        raise Malformed(Reason.NEXT_HOP_VALUE)  # RFC 4271 6.3: must be a valid host address
    return IPv4Address(value)


def _number(value: bytes, _: Dialect) -> int:
    return int.from_bytes(_exactly(value, 4), "big")


def _nothing(value: bytes, _: Dialect) -> bool:
    _exactly(value, 0)
    return True


def _aggregator(value: bytes, dialect: Dialect) -> int:
    octets = 4 if dialect.asn4 else 2
    return _aggregating_as(_exactly(value, octets + 4)[:octets])


def _as4_aggregator(value: bytes, _: Dialect) -> int:
    return _aggregating_as(_exactly(value, 8)[:4])


def _aggregating_as(octets: bytes) -> int:
    asn = int.from_bytes(octets, "big")
    if not asn:
        raise Malformed(Reason.AS_ZERO)
    return asn


def _address(value: bytes, _: Dialect) -> IPv4Address:
    return IPv4Address(_exactly(value, 4))


def _addresses(value: bytes, _: Dialect) -> tuple[IPv4Address, ...]:
    return tuple(IPv4Address(number) for (number,) in iter_unpack("!I", _multiple(value, 4)))


def _communities(value: bytes, _: Dialect) -> tuple[tuple[int, int], ...]:
    return tuple(iter_unpack("!HH", _multiple(value, 4)))


def _large_communities(value: bytes, _: Dialect) -> tuple[tuple[int, int, int], ...]:
    return tuple(iter_unpack("!III", _multiple(value, 12)))


def _octets(unit: int) -> Callable[[bytes, Dialect], bytes]:
    return lambda value, _: _multiple(value, unit)


RULES: dict[int, Rule] = {
    # RFC 7606 7.1 to 7.5
    Code.ORIGIN: Rule(WELL_KNOWN, WITHDRAW, _origin),
    Code.AS_PATH: Rule(WELL_KNOWN, WITHDRAW, _as_path),
    Code.NEXT_HOP: Rule(WELL_KNOWN, WITHDRAW, _next_hop),
    Code.MULTI_EXIT_DISC: Rule(OPTIONAL, WITHDRAW, _number),
    Code.LOCAL_PREF: Rule(WELL_KNOWN, WITHDRAW, _number, external=False),
    # RFC 7606 7.6, 7.7
    Code.ATOMIC_AGGREGATE: Rule(WELL_KNOWN, DISCARD, _nothing),
    Code.AGGREGATOR: Rule(OPTIONAL | TRANSITIVE, DISCARD, _aggregator),
    # RFC 7606 7.8 to 7.10, 7.14, 7.15; RFC 8092 6
    Code.COMMUNITIES: Rule(OPTIONAL | TRANSITIVE, WITHDRAW, _communities),
    Code.ORIGINATOR_ID: Rule(OPTIONAL, WITHDRAW, _address, external=False),
    Code.CLUSTER_LIST: Rule(OPTIONAL, WITHDRAW, _addresses, external=False),
    Code.EXTENDED_COMMUNITIES: Rule(OPTIONAL | TRANSITIVE, WITHDRAW, _octets(8)),
    Code.IPV6_EXTENDED_COMMUNITIES: Rule(OPTIONAL | TRANSITIVE, WITHDRAW, _octets(20)),
    Code.LARGE_COMMUNITIES: Rule(OPTIONAL | TRANSITIVE, WITHDRAW, _large_communities),
    # RFC 6793 6
    Code.AS4_PATH: Rule(OPTIONAL | TRANSITIVE, DISCARD, _as4_path, four_octet=False),
    Code.AS4_AGGREGATOR: Rule(OPTIONAL | TRANSITIVE, DISCARD, _as4_aggregator, four_octet=False),
    # MP_REACH_NLRI and MP_UNREACH_NLRI: what is malformed there is always a session reset (RFC 7606 5.3),
    # since the routes to withdraw can't be known; see multiprotocol.py.
}
MANDATORY = (Code.ORIGIN, Code.AS_PATH)
"""Well-known attributes without which a route is treated as withdrawn (RFC 7606 3 d), beside a next hop."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block cut into its attributes, the first of each code."""

    plain: dict[int, tuple[int, bytes]]
    """Flags and value by code, in wire order, without the multiprotocol ones."""
    reach: bytes | None
    """Value of MP_REACH_NLRI."""
    unreach: bytes | None
    """Value of MP_UNREACH_NLRI."""
    rest: bytes
    """The block without the multiprotocol attributes."""
    faults: tuple[Fault, ...]


def split(block: bytes) -> Block:
    """Cut a block into attributes. Raises `Reset` where RFC 7606 asks for it (3 g, 5.3)."""
    plain: dict[int, tuple[int, bytes]] = {}
    multiprotocol: dict[int, bytes] = {}
    faults: dict[Fault, None] = {}
    rest = []
    at, end, copied = 0, len(block), 0
    while at < end:
        begin = at
        if end - at < 3:
            faults[_overrun(block[at + 1 : at + 2])] = None
            break
        flags, code, length = block[at], block[at + 1], block[at + 2]
        first = at + 3
        if flags & EXTENDED_LENGTH:
            length, first = length << 8 | (block[at + 3] if first < end else 0), at + 4
        at = first + length
        if at > end:
            faults[_overrun(bytes((code,)))] = None
            break
        value = block[first:at]
        if code in (Code.MP_REACH_NLRI, Code.MP_UNREACH_NLRI):
            if code in multiprotocol:
                raise reset(Reason.DUPLICATE, code)
            if flags & (OPTIONAL | TRANSITIVE) != OPTIONAL:
                raise reset(Reason.FLAGS, code)
            multiprotocol[code] = value
            rest.append(block[copied:begin])
            copied = at
        elif code in plain:
            faults[Fault(code, Reason.DUPLICATE, DISCARD)] = None
        else:
            plain[code] = flags, value
    return Block(
        plain,
        multiprotocol.get(Code.MP_REACH_NLRI),
        multiprotocol.get(Code.MP_UNREACH_NLRI),
        b"".join((*rest, block[copied:])),
        tuple(faults),
    )


def _overrun(code: bytes) -> Fault:
    """RFC 7606 4; an overrun of an attribute that carries routes leaves nothing to withdraw (3 j)."""
    if code and code[0] in (Code.MP_REACH_NLRI, Code.MP_UNREACH_NLRI):
        raise reset(Reason.ATTRIBUTE_OVERRUN, code[0])
    return Fault(code[0] if code else Code.MESSAGE, Reason.ATTRIBUTE_OVERRUN, WITHDRAW)


@dataclass(frozen=True, slots=True)
class Parsed:
    """The values of a block's plain attributes; `faults` says what is wrong with it."""

    values: dict[int, Any]
    faults: tuple[Fault, ...]

    def attributes(self, next_hop: IPAddress) -> Attributes:
        """As the rest of the program knows them. Only where ORIGIN and AS_PATH are there."""
        values = self.values
        return Attributes(
            next_hop,
            values[Code.ORIGIN],
            values[Code.AS_PATH],
            values.get(Code.MULTI_EXIT_DISC),
            values.get(Code.LOCAL_PREF),
            values.get(Code.COMMUNITIES, ()),
            values.get(Code.LARGE_COMMUNITIES, ()),
            values.get(Code.ORIGINATOR_ID),
            values.get(Code.CLUSTER_LIST, ()),
        )


def parse(block: Block, dialect: Dialect) -> Parsed:
    """Read the plain attributes of a block. Raises `Reset` for a well-known one that is not known."""
    values: dict[int, Any] = {}
    faults = list(block.faults)
    for code, (flags, value) in block.plain.items():
        rule = RULES.get(code)
        if rule is None:
            if not flags & OPTIONAL:
                raise reset(Reason.UNRECOGNIZED, code)  # RFC 4271 6.3, which RFC 7606 leaves as it is
        elif not (rule.external or dialect.internal):
            faults.append(Fault(code, Reason.EXTERNAL, DISCARD))
        elif not rule.four_octet and dialect.asn4:
            faults.append(Fault(code, Reason.FOUR_OCTET_PEER, DISCARD))
        elif flags & (OPTIONAL | TRANSITIVE) != rule.flags:
            faults.append(Fault(code, Reason.FLAGS, WITHDRAW))
        else:
            try:
                values[code] = rule.read(value, dialect)
            except Malformed as error:
                faults.append(Fault(code, error.reason, rule.malformed))
    _merge_four_octet(values)
    return Parsed(values, tuple(faults))


def _merge_four_octet(values: dict[int, Any]) -> None:
    """Take AS4_PATH into AS_PATH, unless AGGREGATOR says that it is stale (RFC 6793 4.2.3)."""
    path4 = values.pop(Code.AS4_PATH, None)
    aggregated = Code.AS4_AGGREGATOR in values
    if path4 is None or Code.AS_PATH not in values:
        return
    if aggregated and values.get(Code.AGGREGATOR, aspath.AS_TRANS) != aspath.AS_TRANS:
        return
    values[Code.AS_PATH] = aspath.merged(values[Code.AS_PATH], path4)
