"""Attributes that stay octets until somebody looks at them.

Most of a full table is never looked at beyond its next hop: with one peer there is nothing to compare. So a
block of *ordinary* attributes, as one regular expression recognises it, is kept as it came; at the first
look at another value the exact way (`attributes.py`) reads them all. Ordinary is what has no fault at all:
known attributes in the order of their codes with their proper flags, AS_PATH one AS_SEQUENCE of four-octet
numbers. Whatever else there may be is not judged here: `unread` declines, and the exact way decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address

from vrfbgp.model import Attributes, IPAddress
from vrfbgp.rib.attributes import Dialect, parse, split

_ZERO = bytes(4)
_LIKELY = (4, 5, 3, 6, 7, 2, 8, 1)
"""Of ASes in a path and of communities: regular expressions try their alternatives in order."""
_NEXT_HOPS = 1024
"""How many are shared; few peers have more than one."""
_READ = Dialect(internal=True, asn4=True)
"""What an external peer may not send is not ordinary from it, so this reads all that is."""


def octets(values: Iterable[int]) -> bytes:
    """A regular expression for one octet out of these."""
    return b"[%b]" % b"".join(b"\\x%02x" % value for value in values)


def _sized(unit: int, *, segment: bytes = b"") -> bytes:
    """A value of units, behind its one octet of length; each in a segment of that kind, if one is given."""
    head = 2 if segment else 0
    most = (255 - head) // unit
    counts = [*(n for n in _LIKELY if n <= most), *(n for n in range(1, most + 1) if n not in _LIKELY)]
    lengths = (b"\\x%02x" % (head + unit * n) for n in counts)
    heads = (segment + b"\\x%02x" % n if segment else b"" for n in counts)
    found = (b"%b%b.{%d}" % parts for parts in zip(lengths, heads, (unit * n for n in counts), strict=True))
    return b"(?:%b)" % b"|".join(found)


def _ordinary(internal: bool) -> re.Pattern[bytes]:
    """All that `Attributes` depend on is in groups, with its length."""
    extended = rb"[\xc0\xe0]\x10%b" % _sized(8)
    parts = [
        rb"@\x01\x01(?P<origin>[\x00-\x02])",
        rb"(?:@\x02|P\x02\x00)(?P<path>\x00|%b)" % _sized(4, segment=rb"\x02"),  # FRR: always P, 0x50
        rb"@\x03\x04(?P<hop>%b...)" % octets({*range(1, 224)} - {127}),
        rb"(?:\x80\x04\x04(?P<med>....))?",
        rb"(?:@\x05\x04(?P<preference>....))?" if internal else b"",
        rb"(?:@\x06\x00)?",
        rb"(?:[\xc0\xe0]\x07\x08(?!\x00{4}).{8})?",
        rb"(?:[\xc0\xe0]\x08(?P<communities>%b))?" % _sized(4),
        rb"(?P<extended>%b)?" % extended,
        rb"(?:[\xc0\xe0]\x20(?P<large>%b))?" % _sized(12),
        rb"(?(extended)|(?:%b)?)" % extended,  # FRR has them in this order
    ]
    return re.compile(b"".join(parts), re.DOTALL)


_COUNTED = ("origin", "path", "hop", "med", "preference", "communities", "large")
_EXTERNAL, _INTERNAL = (_ordinary(internal).fullmatch for internal in (False, True))


class Unread(Attributes):
    """`Attributes` in every respect but that they are read at the first look; so is what they take up."""

    __slots__ = ("block",)
    block: bytes

    def __init__(self, block: bytes, next_hop: IPAddress) -> None:
        _set_block(self, block)
        _set_next_hop(self, next_hop)

    def mentions(self, asn: bytes) -> bool:
        """Whether an AS, given in four octets, may be in the path; no is certain, and costs no look."""
        return self.block.find(asn) >= 0

    def __getattr__(self, name: str) -> object:
        # only called for a slot that is still empty
        if name not in Attributes.__slots__:
            raise AttributeError(f"Attributes have no {name}")
        read = parse(split(self.block), _READ).attributes(self.next_hop)
        for field in Attributes.__slots__:
            object.__setattr__(self, field, getattr(read, field))
        return getattr(self, name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Unread):
            return self.block == other.block or _groups(self.block) == _groups(other.block)
        if isinstance(other, Attributes):
            return _values(self) == _values(other)
        return NotImplemented

    __hash__ = Attributes.__hash__

    def __reduce__(self) -> tuple[object, ...]:
        return Unread, (self.block, self.next_hop)


_set_block = Unread.__dict__["block"].__set__
_set_next_hop = Attributes.__dict__["next_hop"].__set__


def _values(attributes: Attributes) -> tuple[object, ...]:
    return tuple(getattr(attributes, field) for field in Attributes.__slots__)


def _groups(block: bytes) -> tuple[bytes | None, ...]:
    """The values of an ordinary block as octets; equal if and only if what they are read as is equal."""
    found = _INTERNAL(block)
    assert found is not None
    return found.group(*_COUNTED)


class Recognizer:
    """Tells ordinary blocks of one session from others."""

    def __init__(self, internal: bool) -> None:
        self._ordinary = _INTERNAL if internal else _EXTERNAL
        self._next_hops: dict[bytes, IPv4Address] = {}

    def unread(self, block: bytes) -> Unread | None:
        """The attributes of an ordinary block of a four-octet speaker; None if it is not ordinary."""
        found = self._ordinary(block)
        if found is None:
            return None
        if block.find(_ZERO, 4, found.end(2)) >= 0:
            return None  # perhaps AS 0, which is malformed (RFC 7607 2); perhaps not, as in 65536 1
        octets = found[3]
        next_hop = self._next_hops.get(octets)
        if next_hop is None:
            if len(self._next_hops) >= _NEXT_HOPS:
                self._next_hops.clear()
            next_hop = self._next_hops[octets] = IPv4Address(octets)
        return Unread(block, next_hop)
