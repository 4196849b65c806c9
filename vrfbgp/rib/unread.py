"""Attributes that stay octets until somebody looks at them.

Most of a full table is never looked at beyond its next hop: with one peer there is nothing to compare. So a
block of *ordinary* attributes, as one regular expression recognises it, is kept as it came; who looks at
another value has the exact way (`attributes.py`) read them all. Ordinary is what has no fault at all:
known attributes in the order of their codes with their proper flags, AS_PATH one AS_SEQUENCE of four-octet
numbers. Whatever else there may be is not judged here: the exact way decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

from vrfbgp.model import Attributes, IPAddress
from vrfbgp.rib.attributes import Dialect, parse, split
from vrfbgp.rib.errors import Code

if TYPE_CHECKING:
    _Attributes = Attributes
else:
    _Attributes = object
    """The empty slots of `Attributes` would be two thirds of what an `Unread` takes up."""

_LIKELY = (4, 5, 3, 6, 7, 2, 8, 1)
"""Of ASes in a path and of communities: regular expressions try their alternatives in order."""
_READ = Dialect(internal=True, asn4=True)
"""What an external peer may not send is not ordinary from it, so this reads all that is."""
_REMEMBERED = 4096
_COUNTED = ("origin", "path", "med", "preference", "communities", "large")
_ELSEWHERE = IPv4Address(0)


def octets(values: Iterable[int]) -> bytes:
    """A regular expression for one octet out of these."""
    return b"[%b]" % b"".join(b"\\x%02x" % value for value in values)


def _sized(unit: int) -> bytes:
    """A value of units of so many octets, at least one, behind its one octet of length."""
    return _any(255 // unit, lambda n: b"\\x%02x.{%d}" % (unit * n, unit * n))


def _segment(n: int) -> bytes:
    """An AS_SEQUENCE of so many ASes, behind the length of the path. AS 0 is malformed (RFC 7607 2)."""
    asn = rb"(?!\x00\x00\x00\x00).{4}"
    return rb"\x%02x\x02\x%02x" % (2 + 4 * n, n) + (asn * n if n in _LIKELY else b"(?:%b){%d}" % (asn, n))


def _any(most: int, one: Callable[[int], bytes]) -> bytes:
    counts = [*(n for n in _LIKELY if n <= most), *(n for n in range(1, most + 1) if n not in _LIKELY)]
    return b"(?:%b)" % b"|".join(map(one, counts))


def _ordinary(internal: bool, hop: bytes, *, counted: bool = False) -> re.Pattern[bytes]:
    """Group 1 is the next hop; or, `counted`, groups have all else that `Attributes` depend on."""

    def group(name: bytes, value: bytes) -> bytes:
        return (b"(?P<%b>%b)" % (name, value)) if counted else value

    communities = rb"(?:[\xc0\xe0]\x08%b)?" % group(b"communities", _sized(4))
    extended = rb"[\xc0\xe0]\x10%b" % _sized(8)
    large = rb"(?:[\xc0\xe0]\x20%b)" % group(b"large", _sized(12))
    rest = [
        rb"(?:@\x06\x00)?",
        rb"(?:[\xc0\xe0]\x07\x08(?!\x00{4}).{8})?",
        communities,
        rb"(?P<extended>%b)?" % extended,
        large + b"?",
        rb"(?(extended)|(?:%b)?)" % extended,  # FRR has them in this order
    ]
    often = [] if counted else [rb"(?:\xc0\x08%b)?\Z|" % _sized(4)]
    parts = [
        rb"@\x01\x01%b" % group(b"origin", rb"[\x00-\x02]"),
        # FRR: always P, 0x50
        rb"(?:@\x02|P\x02\x00)%b" % group(b"path", rb"(?:\x00|%b)" % _any(63, _segment)),
        hop,
        rb"(?:\x80\x04\x04%b)?" % group(b"med", b"...."),
        rb"(?:@\x05\x04%b)?" % group(b"preference", b"....") if internal else b"",
        b"(?:%b)" % b"".join(often + rest),
    ]
    return re.compile(b"".join(parts), re.DOTALL)


_HOP = rb"@\x03\x04(%b...)" % octets({*range(1, 224)} - {127})
_EXTERNAL, _INTERNAL = (_ordinary(internal, _HOP).fullmatch for internal in (False, True))
_EXTERNAL_IPV6, _INTERNAL_IPV6 = (_ordinary(internal, b"") for internal in (False, True))
"""Beside an MP_REACH_NLRI, which has the next hop."""
_VALUES = _ordinary(True, rb"(?:@\x03\x04....)?", counted=True).fullmatch


class Unread(_Attributes):
    """`Attributes` in every respect but that their values are read from the octets, again at each look.

    Who needs several values takes them from `read()`, which remembers a few thousand blocks.
    """

    __slots__ = ("block", "next_hop")
    block: bytes
    next_hop: IPAddress

    def __init__(self, block: bytes, next_hop: IPAddress) -> None:
        self.block = block
        self.next_hop = next_hop

    def mentions(self, asn: bytes) -> bool:
        """Whether an AS, given in four octets, may be in the path; no is certain, and costs no look."""
        return self.block.find(asn) >= 0

    def read(self) -> Attributes:
        """The values, in an object that is shared by equal blocks."""
        found = _read(self.block)
        return found if found.next_hop is not _ELSEWHERE else replace(found, next_hop=self.next_hop)

    def __getattr__(self, name: str) -> object:
        if not hasattr(Attributes, name):
            raise AttributeError(f"Attributes have no {name}")
        return getattr(_read(self.block), name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Unread):
            same = self.next_hop is other.next_hop or self.next_hop == other.next_hop
            return same and (self.block == other.block or _values(self.block) == _values(other.block))
        if isinstance(other, Attributes):
            return self.read() == other
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.read())

    def __repr__(self) -> str:
        return repr(self.read())

    def __reduce__(self) -> tuple[object, ...]:
        return Unread, (self.block, self.next_hop)


@lru_cache(_REMEMBERED)
def _read(block: bytes) -> Attributes:
    """What an ordinary block says; the next hop is `_ELSEWHERE` if it is not in it."""
    parsed = parse(split(block), _READ)
    return parsed.attributes(parsed.values.get(Code.NEXT_HOP, _ELSEWHERE))


def _values(block: bytes) -> tuple[bytes | None, ...]:
    """The values of an ordinary block as octets; equal if and only if what they are read as is equal."""
    found = _VALUES(block)
    assert found is not None
    return found.group(*_COUNTED)


class Recognizer:
    """Tells ordinary blocks of one session, with a four-octet speaker, from others."""

    def __init__(self, internal: bool) -> None:
        self.ordinary = _INTERNAL if internal else _EXTERNAL
        """Matches an ordinary block; group 1 is the next hop."""
        ipv6 = _INTERNAL_IPV6 if internal else _EXTERNAL_IPV6
        self.ordinary_ipv6 = ipv6.fullmatch
        """Matches an ordinary block that was taken out of around an MP_REACH_NLRI."""
        self.before_reach = ipv6.match
        """Matches the attributes before an MP_REACH_NLRI that is not the first one."""
