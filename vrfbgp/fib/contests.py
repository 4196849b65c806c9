"""Fights: somebody undoes again and again what is put right.

The first repairs of an object are made at once. Somebody who goes on, a program that takes our objects for
its own, say, would have us write as fast as it deletes; so each object has an allowance of `BURST` repairs,
that grows again by one in `EVERY` seconds (the generic cell rate algorithm, ITU-T I.371). Who meddles more
seldom than that makes nobody wait. Without a rule packets may go astray: for these the wait is shorter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vrfbgp.fib.draft import Key
from vrfbgp.model import Rule

BURST = 10
EVERY = 10.0
EVERY_FOR_RULES = 1.0
REMEMBERED = 4096
"""Objects; a table that is flushed again and again is not held in memory route by route."""


@dataclass(frozen=True, slots=True)
class Contest:
    """One object's repairs, while they are remembered."""

    times: int
    full: float
    """When its whole allowance is back."""
    every: float

    @property
    def again(self) -> float:
        """When it may be repaired."""
        return self.full - BURST * self.every


class Contests:
    """The objects that were repaired lately."""

    def __init__(self) -> None:
        self._known: dict[Key, Contest] = {}
        self._fought: set[Key] = set()
        """Those whose allowance was used up, and is not back; few, even after a table was flushed."""
        self._pruned = 0.0

    def undone(self, key: Key, now: float) -> bool:
        """Somebody changed or deleted an object; whether that has just become a fight."""
        every = EVERY_FOR_RULES if isinstance(key, Rule) else EVERY
        known = self._known.get(key)
        if known is None or known.full <= now:
            if known is None and not self._has_room(now):
                return False
            known = Contest(0, now, every)
            self._fought.discard(key)
        # While it waits, it can't be undone: what is told meanwhile is no further debt.
        full = min(known.full + every, now + (BURST + 1) * every)
        met = self._known[key] = Contest(known.times + 1, full, every)
        news = met.again > now and key not in self._fought
        if news:
            self._fought.add(key)
        return news

    def waiting(self, now: float) -> set[Key]:
        """Objects that are not repaired yet."""
        if not self._fought:
            return set()
        self._fought = {key for key in self._fought if self._known[key].full > now}
        return {key for key in self._fought if self._known[key].again > now}

    def fights(self, now: float) -> Iterator[tuple[Key, Contest]]:
        """The fights that go on, or were over too shortly ago to be sure."""
        return ((key, self._known[key]) for key in self._fought if self._known[key].full > now)

    def next(self, now: float) -> float | None:
        """When the next object may be repaired, or the next fight counts as over."""
        times = (time for key in self._fought for time in (self._known[key].again, self._known[key].full))
        return min((time for time in times if time > now), default=None)

    def _has_room(self, now: float) -> bool:
        if len(self._known) >= REMEMBERED and self._pruned + EVERY <= now:
            self._pruned = now
            self._known = {key: contest for key, contest in self._known.items() if contest.full > now}
            self._fought &= self._known.keys()
        return len(self._known) < REMEMBERED
