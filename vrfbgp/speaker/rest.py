"""When a peer's socket is read again: UPDATEs that come one by one are gathered for a moment.

A turn of ExaBGP's loop costs as much as a hundred UPDATEs, and so does what follows from a read in the
daemon. So after a read that brought little, soon behind another one, a lane rests, and what comes meanwhile
is read at once. A message that comes alone does not wait, nor does bulk, nor the end of a session.
"""

from __future__ import annotations

REST = 0.003
"""Seconds."""
SOON = 2 * REST
LITTLE = 1 << 12
"""Octets: a read that brings fewer may be followed by a rest."""


class Rest:
    """The rest of one lane; times are the caller's, in seconds."""

    def __init__(self) -> None:
        self._until = self._last = float("-inf")

    def read(self, octets: int, now: float) -> None:
        """A read brought so much."""
        soon, self._last = now < self._last + SOON, now
        self._until = now + REST if soon and octets < LITTLE else now

    def left(self, now: float) -> float:
        """Seconds until the next read; 0: it may be now."""
        return max(0.0, self._until - now)

    def end(self) -> None:
        """The next read may be now."""
        self._until = float("-inf")
