"""Draining: an operator's word that the node leaves, carried out in an order in which nothing leaks.

    SERVING ──DrainAsked──▶ WITHDRAWING ──wait──▶ CLOSING ──the kernel confirms──▶ DRAINED
       ◀───────────────────────── DrainUndone, from any of them ──────────────────────┘

First every announcement is taken back, while packets still go both ways as before: the peers turn to other
nodes, and what is on the wire arrives. Only then do the rules go that lead into the networks' tables.
The rules that make a gateway's packets unreachable, those that exempt the cluster and those of the sessions
stay, and so do routes and sessions: a session with nothing announced costs nobody anything, and undoing is a
matter of a few rules. What happens meanwhile, an edit of the config for instance, is followed within this.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

WAIT = 5.0
"""Seconds between withdrawal and the end of steering, if nobody says otherwise: BGP has no acknowledgement.
A router takes one in within milliseconds; passing it on may take it 5 s within its AS (RFC 4271 10)."""
LONGEST_WAIT = 3600.0
"""Seconds that may be asked for instead."""


class DrainState(StrEnum):
    """How far it is."""

    SERVING = "serving"
    WITHDRAWING = "withdrawing"
    """Nothing is announced any more; steering still stands."""
    CLOSING = "closing"
    """The rules that steer are going."""
    DRAINED = "drained"
    """The kernel has none of them any more."""


class Drain:
    """Whether, and how far, this node is drained. Times are the caller's, in seconds."""

    def __init__(self) -> None:
        self.state = DrainState.SERVING
        self.until: float | None = None
        """When steering ends; None: not waiting for it."""
        self._wait = 0.0
        self._withdrawn: float | None = None

    @property
    def announces(self) -> bool:
        """Whether anything may be announced."""
        return self.state is DrainState.SERVING

    @property
    def steers(self) -> bool:
        """Whether rules may lead into the networks' tables."""
        return self.state in (DrainState.SERVING, DrainState.WITHDRAWING)

    def asked(self, wait: float) -> bool:
        """The word was given; whether that is news. Said again, it sets the time to wait anew."""
        news = self.state is DrainState.SERVING
        if news:
            self.state = DrainState.WITHDRAWING
        self._wait = wait
        if self._withdrawn is not None and self.until is not None:
            self.until = self._withdrawn + wait
        return news

    def undone(self) -> bool:
        """The word was taken back; whether that is news."""
        news = self.state is not DrainState.SERVING
        self.state, self.until, self._withdrawn = DrainState.SERVING, None, None
        return news

    def withdrawn(self, number: int, now: float) -> None:
        """The speakers have been told; so many announcements were taken back. With none, nobody waits."""
        if self.state is DrainState.WITHDRAWING and self._withdrawn is None:
            self._withdrawn = now
            self.until = now + (self._wait if number else 0.0)

    def tick(self, now: float) -> bool:
        """Let time pass; whether steering has to end now."""
        if self.until is None or now < self.until:
            return False
        self.state, self.until = DrainState.CLOSING, None
        return True

    def looked(self, steering: Callable[[], bool]) -> bool:
        """Whether the node is drained now, and that is news: no rule that steers may still stand.

        That is asked only where it matters, as it takes a walk over all rules.
        """
        if self.state is not DrainState.CLOSING or steering():
            return False
        self.state = DrainState.DRAINED
        return True
