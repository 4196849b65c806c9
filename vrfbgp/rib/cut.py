"""Fields of NLRI cut into prefixes by regular expressions, which prove on the way that each is canonical.

What is found is what `nlri.prefixes` finds, or nothing at all.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence

from vrfbgp.model import Nlri
from vrfbgp.rib.policy import IPV4_MARTIANS
from vrfbgp.rib.unread import octets
from vrfbgp.rib.update import Unsuspected

_ANY = frozenset(range(256))

_Find = Callable[[bytes, int, int], list[Nlri]]


def _prefix(length: int, first: frozenset[int], second: frozenset[int] = _ANY) -> bytes:
    """Prefixes of a length with no bit behind it, whose first octets are among these."""
    kept = frozenset(octet for octet in _ANY if not octet & 0xFF >> (length & 7 or 8))
    allowed = [first, second, *[_ANY] * 14][: (length + 7) // 8]
    allowed[-1] &= kept
    return b"\\x%02x" % length + b"".join(b"." if one == _ANY else octets(sorted(one)) for one in allowed)


def _finder(found: list[bytes]) -> _Find:
    """Cuts a field into what these describe; the last is empty if that does not cover the field."""
    pattern = b"(%b)|.+" % b"|".join(found)
    return re.compile(pattern, re.DOTALL).findall


def _lengths(likely: tuple[int, ...], bits: int) -> tuple[int, ...]:
    """Lengths of prefixes, the most frequent first: alternatives are tried in order."""
    return *likely, *(length for length in range(1, bits + 1) if length not in likely)


_IPV4 = _lengths((24, 22, 23, 21, 20, 19, 16, 18, 17, 32, 15, 14, 13, 12), 32)
_IPV6 = _lengths((48, 32, 44, 40, 36, 47, 46, 29, 45, 33, 64, 42, 38, 34, 43, 28, 41, 39, 56, 35), 128)
_HALVES = [rb"\x00", *(_prefix(length, frozenset({0})) for length in range(1, 8))]
"""The default route, its halves, and so on: their first octet is 0, and they are no martians."""
_LINK_LOCAL = frozenset({169})
_UNSUSPECTED = _finder(
    [_prefix(length, _ANY - IPV4_MARTIANS - (_LINK_LOCAL if length >= 16 else set())) for length in _IPV4]
    + [_prefix(length, _LINK_LOCAL, _ANY - {254}) for length in _IPV4 if length >= 16]
    + _HALVES
)
_CANONICAL_IPV4 = [*(_prefix(length, _ANY) for length in _IPV4), rb"\x00"]
IPV4_CANONICAL = b"(?:%b)" % b"|".join(_CANONICAL_IPV4)
"""A regular expression for a prefix with no bit behind its length."""
_CANONICAL = _finder(_CANONICAL_IPV4)
_UNSUSPECTED_IPV6 = _finder([*(_prefix(length, _ANY - {0x00, 0xFE, 0xFF}) for length in _IPV6), rb"\x00"])
_CANONICAL_IPV6 = _finder([*(_prefix(length, _ANY) for length in _IPV6), rb"\x00"])


def ipv4(data: bytes, begin: int = 0, end: int = sys.maxsize) -> Sequence[Nlri] | None:
    """The prefixes of a field that has some; None if one is cut off, or has bits behind its length."""
    found = _UNSUSPECTED(data, begin, end)
    if found[-1]:
        return Unsuspected(found)
    found = _CANONICAL(data, begin, end)
    return found if found[-1] else None


def ipv6(data: bytes, begin: int, end: int) -> Sequence[Nlri] | None:
    """The same for IPv6; some prefixes that are no martians may be suspected."""
    found = _UNSUSPECTED_IPV6(data, begin, end)
    if found[-1]:
        return Unsuspected(found)
    found = _CANONICAL_IPV6(data, begin, end)
    return found if found[-1] else None
