"""Runs of UPDATEs with one IPv4 prefix each, taken over many messages at once, for the fast way.

Peers that do not pack their UPDATEs send them in long runs: all withdraw, or all announce with the same
attributes. Such a run is not looked at message by message. Withdrawals are found by one regular expression,
which proves each message on the way; announcements by what is equal in all of them, and proven by making the
same octets again from what was found.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from vrfbgp.model import Nlri
from vrfbgp.rib import cut

_HEADER_BUT_TYPE = 18
"""Marker and length (RFC 4271 4.1): what is before the octets that are equal."""
_WITHOUT_PREFIX = 23
"""Octets of an UPDATE that has nothing in it."""
_MARKER = b"\xff" * 16
_LONGEST_PIECE = 5 + _HEADER_BUT_TYPE
"""A prefix, and what of the next message is before the octets that are equal."""


def _withdrawal() -> re.Pattern[bytes]:
    """Group 1 is the one prefix of an UPDATE that has nothing else; empty for what is something else."""
    sizes = [
        rb"\x%02x\x02\x00\x%02x(?=[\x%02x-\x%02x])"
        % (_WITHOUT_PREFIX + 1 + octets, 1 + octets, 8 * octets - 7, 8 * octets)
        for octets in (3, 2, 4, 1)
    ]
    sizes.append(rb"\x18\x02\x00\x01(?=\x00)")
    message = rb"\xff{16}\x00(?:%b)(%b)\x00\x00" % (b"|".join(sizes), cut.IPV4_CANONICAL)
    return re.compile(message + b"|.+", re.DOTALL)


_withdrawals = _withdrawal().findall


def withdrawals(data: bytes, begin: int, end: int) -> list[Nlri]:
    """What the run withdraws that begins here, one prefix for each message; empty if there is none."""
    found: list[Nlri] = _withdrawals(data, begin, end)
    if found and not found[-1]:
        found.pop()
    return found


def octets_of_withdrawals(nlri: Sequence[Nlri]) -> int:
    """Of the messages that withdraw these."""
    return _WITHOUT_PREFIX * len(nlri) + sum(map(len, nlri))


def announcements(data: bytes, begin: int, reach: int, end: int) -> tuple[Sequence[Nlri], int] | None:
    """What the run announces that begins here, one prefix for each message, and where it ends.

    `reach` is where the prefix of the first message begins. None: there are less than two.
    """
    same = data[begin + _HEADER_BUT_TYPE : reach]
    # Of the last piece it is not known where its prefix ends.
    pieces = data[reach:end].split(same)[:-1]
    found = _proven(data, begin, reach, same, pieces)
    if found is None:
        several = [place for place, piece in enumerate(pieces) if len(piece) > _LONGEST_PIECE]
        if several:
            found = _proven(data, begin, reach, same, pieces[: several[0]])
    return found


def _proven(
    data: bytes, begin: int, reach: int, same: bytes, pieces: list[bytes]
) -> tuple[Sequence[Nlri], int] | None:
    if len(pieces) < 2:
        return None
    nlri = cut.ipv4(b"".join([piece[:-_HEADER_BUT_TYPE] for piece in pieces]))
    if nlri is None:
        return None
    size = reach - begin
    fronts = [_MARKER + (size + octets).to_bytes(2, "big") + same for octets in range(6)]
    made = b"".join([fronts[len(prefix)] + prefix for prefix in nlri])
    return (nlri, begin + len(made)) if data.startswith(made, begin) else None
