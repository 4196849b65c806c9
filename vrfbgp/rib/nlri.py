"""A field of NLRI, cut into prefixes (RFC 4271 4.3, RFC 4760 5, RFC 7911 3).

A prefix stays the bytes that it has on the wire; only the bits behind its length, which the RFC calls
irrelevant, are cleared, so that one prefix is one key.
"""

from __future__ import annotations

from vrfbgp.model import Nlri
from vrfbgp.rib.errors import Reason

KEPT = (0xFF, 0x80, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC, 0xFE)
"""The bits of the last octet that belong to a prefix, by its length modulo 8."""


class NlriError(ValueError):
    """The field can't be cut into prefixes, so nothing after this place is known (RFC 7606 5.3)."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


def prefixes(field: bytes, bits: int) -> list[Nlri]:
    """The prefixes of a field, in wire order; `bits` is the greatest length that the family allows.

    Raises `NlriError` for a length beyond `bits`, or a prefix that reaches beyond the field.
    """
    found: list[Nlri] = []
    at, end = 0, len(field)
    while at < end:
        stop = _stop(field, at, bits)
        found.append(_canonical(field[at:stop]))
        at = stop
    return found


def identified_prefixes(field: bytes, bits: int) -> tuple[list[int], list[Nlri]]:
    """The same where each prefix has a path identifier before it (RFC 7911 3): identifiers, prefixes."""
    identifiers: list[int] = []
    found: list[Nlri] = []
    at, end = 0, len(field)
    while at < end:
        if end - at < 5:
            raise NlriError(Reason.PREFIX_OVERRUN)
        identifiers.append(int.from_bytes(field[at : at + 4], "big"))
        stop = _stop(field, at + 4, bits)
        found.append(_canonical(field[at + 4 : stop]))
        at = stop
    return identifiers, found


def _stop(field: bytes, at: int, bits: int) -> int:
    """Where the prefix that begins at `at` ends."""
    length = field[at]
    if length > bits:
        raise NlriError(Reason.PREFIX_LENGTH)
    stop = at + 1 + (length + 7 >> 3)
    if stop > len(field):
        raise NlriError(Reason.PREFIX_OVERRUN)
    return stop


def _canonical(nlri: bytes) -> Nlri:
    kept = KEPT[nlri[0] & 7]
    last = nlri[-1]
    if last & ~kept and len(nlri) > 1:
        return nlri[:-1] + bytes((last & kept,))
    return nlri
