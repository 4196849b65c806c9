"""The fast way for ordinary UPDATEs, in front of the exact one (`decode.py`), which is its reference.

A full table is a million IPv4 prefixes in a hundred and fifty thousand UPDATEs that look alike. Nothing is
taken apart octet by octet here: one regular expression cuts a field into prefixes and proves that each is
canonical; a block of attributes is looked up, or recognised as a whole (`unread.py`). Whatever is not seen
to be ordinary is declined, and the exact way decides: so each message here either comes to an `Update` equal
to what the exact way makes of it, or is left to it.

Ordinary is an UPDATE with IPv4 prefixes in the fields of RFC 4271, no path identifiers, no bits behind a
prefix, and attributes without any fault and without the multiprotocol ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from struct import Struct

from vrfbgp.model import Attributes, Family, Nlri
from vrfbgp.rib.intern import Interned
from vrfbgp.rib.policy import IPV4_MARTIANS
from vrfbgp.rib.unread import octets
from vrfbgp.rib.update import Announced, Prefixes, Unsuspected, Update

MARKER = b"\xff" * 16
HEADER = 19
UPDATE = 2
SHORTEST = 23
"""Octets of an UPDATE (RFC 4271 4.3)."""

_FRONT = Struct("!16sHBH").unpack_from
"""Marker, length, type (RFC 4271 4.1) and the length of the withdrawn routes (4.3)."""
_LIKELY = (24, 22, 23, 21, 20, 19, 16, 18, 17, 32, 15, 14, 13, 12)
"""Lengths of prefixes, the most frequent first: a regular expression tries its alternatives in order."""
_ANY = frozenset(range(256))


def _prefix(length: int, first: frozenset[int], second: frozenset[int] = _ANY) -> bytes:
    """Prefixes of a length with no bit behind it, whose first octets are among these."""
    kept = frozenset(octet for octet in _ANY if not octet & 0xFF >> (length & 7 or 8))
    allowed = [first, second, _ANY, _ANY][: (length + 7) // 8]
    allowed[-1] &= kept
    return b"\\x%02x" % length + b"".join(b"." if one == _ANY else octets(sorted(one)) for one in allowed)


def _cut(found: list[bytes]) -> Callable[[bytes, int, int], list[Nlri]]:
    """Cuts a field into what these describe; the last is empty if that does not cover the field."""
    pattern = b"(%b)|.+" % b"|".join(found)
    return re.compile(pattern, re.DOTALL).findall


_LENGTHS = (*_LIKELY, *(length for length in range(1, 33) if length not in _LIKELY))
_HALVES = [rb"\x00", *(_prefix(length, frozenset({0})) for length in range(1, 8))]
"""The default route, its halves, and so on: their first octet is 0, and they are no martians."""
_LINK_LOCAL = frozenset({169})
_UNSUSPECTED = _cut(
    [_prefix(length, _ANY - IPV4_MARTIANS - (_LINK_LOCAL if length >= 16 else set())) for length in _LENGTHS]
    + [_prefix(length, _LINK_LOCAL, _ANY - {254}) for length in _LENGTHS if length >= 16]
    + _HALVES
)
_CANONICAL = _cut([_prefix(length, _ANY) for length in _LENGTHS] + [rb"\x00"])

_IPV4 = Family.IPV4
"""A member of an enum is looked up at some cost."""
_new = tuple.__new__
"""Half the time of a named tuple's own."""


class Fast:
    """Decodes the ordinary UPDATEs of a session that carries IPv4 without path identifiers."""

    def __init__(self, longest: int, read: Callable[[bytes], Attributes | None]) -> None:
        """`read` says what a block of attributes comes to; None if that is not all there is to say."""
        self._longest = longest
        self._read = read
        self._known: Interned[Attributes] = Interned()

    def updates(self, data: bytes, at: int) -> Generator[Update, None, int]:
        """Decode messages from `at` on; where the first one begins that is declined, or the end."""
        end, longest, known, read = len(data), self._longest, self._known.get, self._read
        while end - at >= SHORTEST:
            marker, length, kind, gone = _FRONT(data, at)
            stop = at + length
            block = at + SHORTEST + gone
            if marker != MARKER or kind != UPDATE or length > longest or stop > end or block > stop:
                break
            reach = block + (data[block - 2] << 8 | data[block - 1])
            if reach > stop:
                break
            withdrawn: tuple[Prefixes, ...] = ()
            announced: tuple[Announced, ...] = ()
            if gone:
                nlri = _split(data, at + 21, block - 2)
                if nlri is None:
                    break
                withdrawn = (_new(Prefixes, (_IPV4, nlri, ())),)
            if reach < stop:
                nlri = _split(data, reach, stop)
                octets = data[block:reach]
                attributes = known(octets)
                if attributes is None:
                    attributes = read(octets)
                    if attributes is None:
                        break
                    self._known.put(octets, attributes)
                if nlri is None:
                    break
                announced = (_new(Announced, (_IPV4, nlri, attributes, ())),)
            elif reach > block or not gone:
                break
            yield _new(Update, (withdrawn, announced, None, ()))
            at = stop
        return at


def _split(data: bytes, begin: int, end: int) -> Sequence[Nlri] | None:
    """The prefixes of a field that has some; None if one is cut off, or has bits behind its length."""
    found = _UNSUSPECTED(data, begin, end)
    if found[-1]:
        return Unsuspected(found)
    found = _CANONICAL(data, begin, end)
    return found if found[-1] else None
