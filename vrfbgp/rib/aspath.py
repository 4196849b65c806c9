"""AS_PATH and AS4_PATH: segments from the wire, and the two merged (RFC 4271 4.3, RFC 5065, RFC 6793)."""

from __future__ import annotations

from vrfbgp.rib.errors import Reason

Segment = tuple[int, tuple[int, ...]]
Segments = tuple[Segment, ...]

AS_SET, AS_SEQUENCE, AS_CONFED_SEQUENCE, AS_CONFED_SET = 1, 2, 3, 4
AS_TRANS = 23456
"""Stands for any AS beyond 65535 where only two octets fit (RFC 6793 9)."""


class AsPathError(ValueError):
    """The path is malformed by RFC 7606 7.2 or RFC 7607."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def segments(value: bytes, octets: int) -> Segments:
    """The segments of a path whose AS numbers are `octets` (2 or 4) long.

    Raises `AsPathError` for an unknown type, an empty segment, one that reaches beyond the value, and
    for AS 0 (RFC 7607 2).
    """
    found: list[Segment] = []
    at, end = 0, len(value)
    while at < end:
        if end - at < 2:
            raise AsPathError(Reason.AS_PATH_SEGMENT)
        kind, count = value[at], value[at + 1]
        first, at = at + 2, at + 2 + count * octets
        if not AS_SET <= kind <= AS_CONFED_SET or not count or at > end:
            raise AsPathError(Reason.AS_PATH_SEGMENT)
        numbers = tuple(
            int.from_bytes(value[place : place + octets], "big") for place in range(first, at, octets)
        )
        if 0 in numbers:
            raise AsPathError(Reason.AS_ZERO)
        found.append((kind, numbers))
    return tuple(found)


def has_confederation(path: Segments) -> bool:
    """Whether a segment is of a kind that never leaves a confederation (RFC 5065 3)."""
    return any(kind >= AS_CONFED_SEQUENCE for kind, _ in path)


def without_confederation(path: Segments) -> Segments:
    """An AS4_PATH must not carry them; they are dropped and the rest is used (RFC 6793 6)."""
    return tuple(segment for segment in path if segment[0] < AS_CONFED_SEQUENCE)


def hops(path: Segments) -> int:
    """AS numbers as RFC 4271 9.1.2.2 and RFC 5065 5.3 count them: a set is one, a confederation none."""
    return sum(len(numbers) if kind == AS_SEQUENCE else int(kind == AS_SET) for kind, numbers in path)


def merged(path: Segments, path4: Segments) -> Segments:
    """The path that an old speaker's AS_PATH and AS4_PATH stand for (RFC 6793 4.2.3).

    As many hops of `path` as `path4` is short of are put before `path4`, with the confederation segments
    that lead the path or adjoin what is put there; if `path4` is the longer one, it is ignored.
    """
    missing = hops(path) - hops(path4)
    if missing < 0:
        return path
    leading: list[Segment] = []
    for kind, numbers in path:
        if kind < AS_CONFED_SEQUENCE:
            if not missing:
                break
            if kind == AS_SEQUENCE and len(numbers) > missing:
                leading.append((kind, numbers[:missing]))
                break
            missing -= hops(((kind, numbers),))
        leading.append((kind, numbers))
    return _joined((*leading, *path4))


def _joined(path: Segments) -> Segments:
    """Neighbouring sequences as one, so that the seam of a merge does not show."""
    found: list[Segment] = []
    for kind, numbers in path:
        if found and kind == found[-1][0] and kind in (AS_SEQUENCE, AS_CONFED_SEQUENCE):
            found[-1] = (kind, found[-1][1] + numbers)
        else:
            found.append((kind, numbers))
    return tuple(found)
