"""Generated UPDATEs: all that a session may carry, in every shape that the RFCs allow; and mutated ones."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address
from struct import pack

from hypothesis import strategies as st

from tests.unit.rib import wire
from tests.unit.rib.sessions import decoder
from vrfbgp.model import Family
from vrfbgp.rib.decode import Decoder


@dataclass(frozen=True)
class Speech:
    """What two sides agreed on, as far as it changes the meaning of an UPDATE."""

    internal: bool
    asn4: bool
    add_path: frozenset[Family]
    extended_next_hop: bool = False

    def decoder(self, *, exact: bool = False) -> Decoder:
        return decoder(
            internal=self.internal,
            asn4=self.asn4,
            add_path=self.add_path,
            extended_message=True,
            extended_next_hop=self.extended_next_hop,
            exact=exact,
        )


speeches = st.builds(
    Speech,
    st.booleans(),
    st.booleans(),
    st.frozensets(st.sampled_from(list(Family)), max_size=2),
    st.booleans(),
)

octets4 = st.integers(0, 0xFFFFFFFF)
host_addresses = st.integers(0x01000000, 0xDFFFFFFF).filter(lambda number: number >> 24 != 127)
ipv6_hosts = st.integers(0x2 << 124, (0x4 << 124) - 1).map(lambda number: number.to_bytes(16, "big"))
link_locals = st.integers(1, 1 << 63).map(lambda number: b"\xfe\x80" + bytes(6) + number.to_bytes(8, "big"))


def as_numbers(asn4: bool) -> st.SearchStrategy[int]:
    return st.integers(1, 0xFFFFFFFF if asn4 else 0xFFFF) | st.sampled_from([1, 23456, 64501])


def as_paths(asn4: bool, confederation: bool) -> st.SearchStrategy[bytes]:
    """Values of AS_PATH."""
    kinds = [1, 2, 2, 2, 3, 4] if confederation else [1, 2, 2, 2]
    segment = st.tuples(st.sampled_from(kinds), st.lists(as_numbers(asn4), min_size=1, max_size=8))
    return st.lists(segment, max_size=5).map(lambda path: wire.as_path_value(path, asn4))


def fields(family: Family, add_path: bool, *, stray: bool = True, least: int = 0) -> st.SearchStrategy[bytes]:
    """NLRI of a family, with stray bits behind the prefixes if `stray`."""

    def one(length: int, number: int, path_id: int) -> bytes:
        octets = (length + 7) // 8
        if not stray:
            number = number >> (family.bits - length) << (family.bits - length)
        body = bytes((length,)) + number.to_bytes(family.bits // 8, "big")[:octets]
        return (pack("!I", path_id) if add_path else b"") + body

    prefix = st.builds(one, st.integers(0, family.bits), st.integers(0, (1 << family.bits) - 1), octets4)
    return st.lists(prefix, min_size=least, max_size=8).map(b"".join)


def units(octets: int, most: int = 6) -> st.SearchStrategy[bytes]:
    """A whole number of units of so many octets, at least one."""
    sizes = st.integers(1, most).map(lambda count: count * octets)
    return sizes.flatmap(lambda size: st.binary(min_size=size, max_size=size))


@st.composite
def blocks(draw: st.DrawFn, speech: Speech, *, native: bool) -> bytes:
    """Plain attributes that belong to an announcement, in any order, well formed.

    Confederation segments are not mixed with AS4_PATH: there ExaBGP departs from RFC 6793 4.2.3.
    """
    path = as_paths(speech.asn4, confederation=speech.internal and speech.asn4)
    values: dict[int, bytes] = {1: bytes((draw(st.integers(0, 2)),)), 2: draw(path)}
    if native:
        values[3] = IPv4Address(draw(host_addresses)).packed
    number = octets4.map(lambda value: pack("!I", value))
    possible: dict[int, st.SearchStrategy[bytes]] = {
        4: number,
        6: st.just(b""),
        7: st.builds(
            lambda asn, address: (pack("!I", asn) if speech.asn4 else pack("!H", asn)) + pack("!I", address),
            as_numbers(speech.asn4),
            octets4,
        ),
        8: units(4),
        16: units(8),
        32: units(12),
    }
    if speech.internal:
        possible |= {5: number, 9: number, 10: units(4)}
    if not speech.asn4:
        possible[17] = as_paths(True, confederation=False).filter(bool)
        possible[18] = st.builds(lambda asn, address: pack("!II", asn, address), as_numbers(True), octets4)
    for code in draw(st.sets(st.sampled_from(sorted(possible)))):
        values[code] = draw(possible[code])
    extended = draw(st.sets(st.sampled_from(sorted(values))))
    order = draw(st.permutations(sorted(values)))
    flags = {code: wire.FLAGS[code] | (0x10 if code in extended else 0) for code in values}
    return b"".join(wire.attribute(code, values[code], flags[code]) for code in order)


@st.composite
def orderly_blocks(draw: st.DrawFn, speech: Speech, family: Family = Family.IPV4) -> list[bytes]:
    """Attributes in the order of their codes, with the flags that daemons send: most of them ordinary."""

    def number() -> bytes:
        return pack("!I", draw(octets4))

    least_of_four_octets = st.sampled_from([65536, 131072]) if speech.asn4 else st.nothing()
    numbers = draw(st.lists(as_numbers(speech.asn4) | least_of_four_octets, max_size=8))
    path = wire.as_path_value(numbers, speech.asn4) if numbers else b""
    parts = [
        wire.attribute(1, bytes((draw(st.integers(0, 2)),))),
        wire.attribute(2, path, draw(st.sampled_from([0x40, 0x50]))),
    ]
    if family is Family.IPV4:
        parts.append(wire.attribute(3, IPv4Address(draw(host_addresses)).packed))
    aggregator = pack("!I" if speech.asn4 else "!H", draw(as_numbers(speech.asn4)))
    optional = {4: number, 6: bytes, 7: lambda: aggregator + number()}
    if speech.internal:
        optional[5] = number
    for code, octets in {8: 4, 16: 8, 32: 12}.items():
        optional[code] = lambda octets=octets: draw(units(octets, 3))  # type: ignore[misc]
    codes = sorted(draw(st.sets(st.sampled_from(sorted(optional)))))
    if codes[-2:] == [16, 32] and draw(st.booleans()):
        codes[-2:] = [32, 16]  # as FRR does
    for code in codes:
        partial = draw(st.sampled_from([0, 0x20])) if code in (7, 8, 16, 32) else 0
        parts.append(wire.attribute(code, optional[code](), wire.FLAGS[code] | partial))
    return parts


@st.composite
def orderly(draw: st.DrawFn, speech: Speech) -> bytes:
    """An UPDATE of one family as it mostly is: prefixes without stray bits, attributes in order."""
    if draw(st.booleans()):
        return draw(orderly_multiprotocol(speech))
    ids = Family.IPV4 in speech.add_path
    withdrawn = draw(fields(Family.IPV4, ids, stray=False)) if draw(st.booleans()) else b""
    if withdrawn and draw(st.booleans()):
        return wire.message(withdrawn)
    announced = draw(fields(Family.IPV4, ids, stray=False, least=1))
    return wire.message(withdrawn, b"".join(draw(orderly_blocks(speech))), announced)


@st.composite
def orderly_multiprotocol(draw: st.DrawFn, speech: Speech) -> bytes:
    """MP_UNREACH_NLRI alone, or MP_REACH_NLRI first, or anywhere behind ORIGIN and AS_PATH."""
    family = draw(st.sampled_from(list(Family))) if speech.extended_next_hop else Family.IPV6
    field = draw(fields(family, family in speech.add_path, stray=False, least=1))
    flags = draw(st.sampled_from([0x80, 0x90]))
    if draw(st.booleans()):
        return wire.message(attributes=wire.attribute(15, wire.unreach((), family) + field, flags))
    reach = wire.attribute(14, wire.reach(draw(ipv6_hosts), (), family) + field, flags)
    parts = draw(orderly_blocks(speech, Family.IPV6))
    parts.insert(draw(st.sampled_from([0, *range(2, len(parts) + 1)])), reach)
    return wire.message(attributes=b"".join(parts))


@st.composite
def messages(draw: st.DrawFn, speech: Speech, *, stray: bool = True) -> bytes:
    """A well-formed UPDATE: withdrawals and announcements, of old and in the multiprotocol form."""

    def field(family: Family, least: int = 0) -> bytes:
        return draw(fields(family, family in speech.add_path, stray=stray, least=least))

    withdrawn, announced = field(Family.IPV4), field(Family.IPV4)
    reach = unreach = b""
    if draw(st.booleans()):
        hop = draw(ipv6_hosts | st.builds(lambda first, second: first + second, ipv6_hosts, link_locals))
        family = draw(st.sampled_from(list(Family))) if speech.extended_next_hop else Family.IPV6
        reach = wire.attribute(14, wire.reach(hop, (), family) + field(family, least=1))
        # One prefix with two next hops would be in no order.
        announced = b"" if family is Family.IPV4 else announced
    if draw(st.booleans()):
        family = draw(st.sampled_from(list(Family)))
        unreach = wire.attribute(15, wire.unreach((), family) + field(family))
    plain = draw(blocks(speech, native=bool(announced))) if announced or reach else b""
    return wire.message(withdrawn, b"".join(draw(st.permutations([reach, unreach, plain]))), announced)


@st.composite
def mutated(draw: st.DrawFn, message: bytes) -> bytes:
    """A message with octets altered, cut out or put in behind the header, whose length is right again."""
    body = bytearray(message[19:])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        match draw(st.sampled_from(["alter", "cut", "insert", "end"])):
            case "alter" if at < len(body):
                body[at] = draw(st.integers(0, 255))
            case "cut":
                del body[at : at + draw(st.integers(1, 8))]
            case "insert":
                body[at:at] = draw(st.binary(min_size=1, max_size=8))
            case _:
                del body[at:]
    body.extend(bytes(max(0, 4 - len(body))))
    return wire.header(19 + len(body)) + bytes(body)
