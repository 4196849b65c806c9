"""What of each peer's announcements counts, by RFC 4724: what it said in this session, and what is kept.

A `Ledger` is told what happens to sessions, and remembers paths over their ends: those of a peer that
restarts gracefully, for as long as it asked for and at most 120 s, and those of one whose session ended by
our own doing. What is not said again goes at the End-of-RIB.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from vrfbgp.events import DownKind
from vrfbgp.model import PeerId

P = TypeVar("P")
CAP = 120.0
"""Seconds that paths are kept at most (`staleTime`)."""
RETURNED = 60.0
"""Seconds that a peer which is back has for its End-of-RIB."""
OURS = (DownKind.CONFIGURED, DownKind.SPEAKER_ENDED)
GRACEFUL = (DownKind.CONNECTION_LOST, DownKind.HOLD_TIMER)


@dataclass
class Account(Generic[P]):
    """One peer's: what it says now (as long as its session is up), and what is kept from before."""

    said: Mapping[str, P] = field(default_factory=dict)
    """The router's own list, which changes."""
    up: bool = False
    graceful: float = 0.0
    """Seconds that it asked for, in this session."""
    ended: bool = False
    """It has said End-of-RIB."""
    stale: dict[str, P] = field(default_factory=dict)
    until: float = 0.0

    def counting(self, now: float) -> dict[str, P]:
        stale = self.stale if now < self.until else {}
        return {**stale, **(self.said if self.up else {})}


class Ledger(Generic[P]):
    """The accounts of all peers."""

    def __init__(self) -> None:
        self.accounts: dict[PeerId, Account[P]] = {}

    def up(self, peer: PeerId, said: Mapping[str, P], graceful: float, forgets: bool, now: float) -> None:
        """A session begins; `forgets`: the peer did not preserve its forwarding state."""
        account = self.accounts.setdefault(peer, Account())
        account.said, account.up, account.graceful, account.ended = said, True, graceful, False
        if forgets or now >= account.until:
            account.stale = {}
        elif account.until:
            account.until = now + RETURNED

    def end_of_rib(self, peer: PeerId) -> None:
        account = self.accounts[peer]
        account.ended, account.stale = True, {}

    def down(self, peer: PeerId, kind: DownKind, reached: bool, now: float) -> None:
        """A session ends; `reached`: the link to the peer is there, and the address to speak from."""
        account = self.accounts.setdefault(peer, Account())
        if kind in OURS and reached:
            kept, seconds = account.counting(now), CAP
        elif kind in GRACEFUL and account.graceful and reached and account.up:
            kept, seconds = dict(account.said), min(account.graceful, CAP)
        elif account.up or kind not in (*OURS, *GRACEFUL):
            kept, seconds = {}, 0.0
        else:
            return
        account.stale, account.until, account.up = kept, now + seconds, False

    def keep_only(self, peers: Iterable[PeerId]) -> None:
        """Who was taken from the config is forgotten."""
        known = set(peers)
        self.accounts = {peer: account for peer, account in self.accounts.items() if peer in known}

    def forget(self) -> None:
        """A new daemon knows nothing."""
        self.accounts.clear()
