"""When a peer announced what: all that is known of it without a time for each prefix.

A full table is a million prefixes, and a time for each would be a large part of what is kept of them. But
nearly all come in one go, and of those one time says all: the *first transfer*, from a session's start to its
End-of-RIB (RFC 4724 2). What changes afterwards is remembered, for so many prefixes; of what is older than
these it is known between which two times it came.

`now` is an argument, in seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Set
from dataclasses import dataclass
from enum import StrEnum
from itertools import repeat

from vrfbgp.model import Family, Nlri
from vrfbgp.rib.update import Update

KEPT = 32_768
"""Changes that are remembered of each peer and family: so many announcements, and as many withdrawals."""


class Came(StrEnum):
    """How much is known of when a path came."""

    THEN = "then"
    """It was announced at just this time."""
    FIRST_TRANSFER = "first-transfer"
    """With all that the peer had when the session began."""
    LATER = "later"
    """Between these two times: so much has changed since that the time itself is forgotten."""
    EARLIER_SESSION = "earlier-session"
    """Before the present session began, or the last one ended, and not again."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a path came: not before `since` (None: not known), not after `until` (None: the first transfer
    is not over yet)."""

    how: Came
    since: float | None
    until: float | None


class Recent:
    """The last prefixes that something happened to, and when."""

    __slots__ = ("_nlris", "_times")

    def __init__(self, kept: int) -> None:
        self._nlris: deque[Nlri] = deque(maxlen=kept)
        self._times: deque[float] = deque(maxlen=kept)

    def add(self, nlris: Collection[Nlri], now: float) -> None:
        """It happens now to these."""
        self._nlris.extend(nlris)
        self._times.extend(repeat(now, len(nlris)))

    def last(self, wanted: Set[Nlri]) -> tuple[Nlri, float] | None:
        """The newest of these prefixes, and when; None if none of them is remembered."""
        for nlri, time in zip(reversed(self._nlris), reversed(self._times), strict=True):
            if nlri in wanted:
                return nlri, time
        return None

    @property
    def forgotten(self) -> float | None:
        """What happened until then may be forgotten; None if nothing is."""
        return self._times[0] if len(self._times) == self._times.maxlen else None


class Arrivals:
    """When one peer announced what, and withdrew it, over all its sessions."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._epoch = 0
        self._begun: float | None = None
        """When the session of that epoch began."""
        self._begun_before: float | None = None
        """When the one before it did."""
        self._complete: dict[Family, float] = {}
        """When its first transfer was over."""
        self._announced: dict[Family, Recent] = {}
        self._withdrawn: dict[Family, Recent] = {}

    def began(self, epoch: int, since: float) -> None:
        """UPDATEs came of the session with this epoch, which began at `since`."""
        if epoch != self._epoch:
            self._epoch, self._begun_before, self._begun = epoch, self._begun, since
            self._complete.clear()

    def note(self, update: Update, now: float) -> None:
        """What came, where the first transfer is over."""
        for family, nlris, _ in update.withdrawn:
            if family in self._complete:
                self._recent(self._withdrawn, family).add(nlris, now)
        for family, nlris, _, _ in update.announced:
            if family in self._complete:
                self._recent(self._announced, family).add(nlris, now)

    def completed(self, families: Collection[Family], now: float) -> bool:
        """The first transfer is over in these families, as of now if that is news; whether it is in any."""
        if len(families) > len(self._complete):
            for family in families:
                self._complete.setdefault(family, now)
        return bool(self._complete)

    def came(self, family: Family, nlri: Nlri, due: float | None = None) -> Arrival:
        """When the path came that the peer announced, in its present session, for this prefix. `due`: when
        the first transfer was over, if nobody said so and its time is up."""
        recent = self._announced.get(family)
        found = recent.last({nlri}) if recent else None
        if found is not None and self._begun is not None and found[1] >= self._begun:
            return Arrival(Came.THEN, found[1], found[1])
        over = self._complete.get(family, due)
        forgotten = recent.forgotten if recent else None
        if over is not None and forgotten is not None and forgotten > over:
            return Arrival(Came.LATER, self._begun, forgotten)
        return Arrival(Came.FIRST_TRANSFER, self._begun, over)

    def came_earlier(self, family: Family, nlri: Nlri, epoch: int, until: float) -> Arrival:
        """When a stale path came: before the present session (0: none is up), which has existed, or not
        existed, since `until`."""
        present = epoch == self._epoch
        begun = self._begun_before if present else self._begun
        recent = self._announced.get(family)
        found = recent.last({nlri}) if recent else None
        # Older ones may have been said again by a first transfer in between.
        if found is not None and begun is not None and found[1] >= begun:
            return Arrival(Came.THEN, found[1], found[1])
        return Arrival(Came.EARLIER_SESSION, None, self._begun if present else until)

    def withdrew(self, family: Family, nlris: Set[Nlri]) -> tuple[Nlri, float] | None:
        """Which of these prefixes the peer withdrew last, and when, as far as it is remembered."""
        recent = self._withdrawn.get(family)
        return recent.last(nlris) if recent else None

    def _recent(self, of: dict[Family, Recent], family: Family) -> Recent:
        if family not in of:
            of[family] = Recent(self._kept)
        return of[family]
