"""What nf_tables' registers hold of packets of a kind, and what a comparison with them comes to.

A value is known, or is an address, of which the answer is which addresses meet the condition, or is neither.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from vrfbgp.netfilter.nat import Compared, Element, Mask
from vrfbgp.netfilter.spans import Spans, union, without

LOCAL = (2).to_bytes(4, "little"), (2).to_bytes(4, "big")
"""RTN_LOCAL (linux/rtnetlink.h), whatever the order of a host's octets."""


class Address(NamedTuple):
    """The first octets of an address, under a mask."""

    destination: bool
    bits: int
    """Of the whole address."""
    octets: int
    mask: int


class NotLocal(NamedTuple):
    """The type of an address, of which is known that it is not the node's own."""


class Unknown(NamedTuple):
    """What nothing here can know; its name is for people."""

    word: str


class Within(NamedTuple):
    """The condition holds for these destinations, or else sources."""

    destination: bool
    spans: Spans


Value = bytes | Address | NotLocal | Unknown
Meaning = bool | Within | Unknown


def masked(value: Value, change: Mask) -> Value:
    """The value under a mask."""
    match value:
        case bytes() if len(value) == len(change.mask) == len(change.xor):
            return bytes(v & m ^ x for v, m, x in zip(value, change.mask, change.xor, strict=True))
        case Address(_, _, octets, mask) if len(change.mask) == octets and not any(change.xor):
            return value._replace(mask=mask & int.from_bytes(change.mask))
        case Unknown():
            return value
    return Unknown("a mask")


def compared(value: Value, how: Compared, other: bytes) -> Meaning:
    """Whether the value is equal to the other, less, and so on."""
    match value:
        case bytes():
            own = value[: len(other)]
            return {
                Compared.EQ: own == other,
                Compared.NEQ: own != other,
                Compared.LT: own < other,
                Compared.LTE: own <= other,
                Compared.GT: own > other,
                Compared.GTE: own >= other,
            }[how]
        case NotLocal():
            if other in LOCAL and how in (Compared.EQ, Compared.NEQ):
                return how is Compared.NEQ
            return Unknown("the type of an address")
        case Address():
            number, highest = int.from_bytes(other), (1 << 8 * len(other)) - 1
            first, last, negated = {
                Compared.EQ: (number, number, False),
                Compared.NEQ: (number, number, True),
                Compared.LT: (0, number - 1, False),
                Compared.LTE: (0, number, False),
                Compared.GT: (number + 1, highest, False),
                Compared.GTE: (number, highest, False),
            }[how]
            return _within(value, len(other), [(first, last)], negated)
    return value


def among(value: Value, elements: Iterable[Element], negated: bool = False) -> Meaning:
    """Whether any of the elements holds the value; or whether none does."""
    match value:
        case bytes():
            of_size = [element for element in elements if len(element.low) == len(value)]
            return any(low <= value <= high for low, high, _ in of_size) is not negated
        case Address():
            sizes = {len(element.low) for element in elements}
            if len(sizes) > 1:
                return Unknown("a set")
            pairs = [(int.from_bytes(low), int.from_bytes(high)) for low, high, _ in elements]
            return _within(value, sizes.pop() if sizes else value.octets, pairs, negated)
        case NotLocal():
            return Unknown("the type of an address")
    return value


def _within(
    address: Address, octets: int, pairs: Iterable[tuple[int, int]], negated: bool
) -> Within | Unknown:
    """The addresses whose first octets are in any of the pairs, or in none."""
    if octets != address.octets:
        return Unknown("a part of an address")
    everything = (1 << 8 * octets) - 1
    hidden = everything & ~address.mask
    if hidden & (hidden + 1):
        return Unknown("a mask with holes")
    listed = list(pairs)
    if hidden:
        # Under a mask an address equals its prefix; nothing else is asked of one.
        if any(first != last for first, last in listed):
            return Unknown("a mask")
        listed = [(first, first | hidden) for first, _ in listed if not first & hidden]
    rest = address.bits - 8 * octets
    spans = union((first << rest, (last + 1 << rest) - 1) for first, last in listed)
    if negated:
        spans = without(((0, (1 << address.bits) - 1),), spans)
    return Within(address.destination, spans)
