"""What a session stands on: its device, and the address that it speaks from; and what becomes of it without.

When it is lost, what is forwarded changes at once: the kernel drops the next hops, and a path over a dead
device takes no part in the choice. The session counts as down after `PATIENCE` seconds, long before its hold
timer. But its connection is let be: when the link returns, it goes on where it was, nothing has to be learned
again, and TCP has lost nothing of what was said meanwhile. Were it ended, the peer could not be told, and
without graceful restart it would refuse another for as long as it believes in the old one. If the connection
does end, no graceful restart keeps its paths: that is for a peer that forwards on (RFC 4724 1), and this one
can't be reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from vrfbgp.host import Host
from vrfbgp.intent import PeerIntent, Problem, Reason, Severity
from vrfbgp.model import PeerId
from vrfbgp.uplinks import Attachment

PATIENCE = 1.0
"""Seconds for which a device may be down, or an address away: a flap is not worth a word."""


@dataclass(frozen=True, slots=True)
class Footing:
    """How a peer is, or was last, reached; good for that config of it."""

    peer: PeerIntent
    attachment: Attachment
    lost: float | None = None
    """Since when it is not reached that way; None: it is."""


class Footings:
    """Those of all peers that a session can be held with."""

    def __init__(self, host: Host) -> None:
        self.problems: tuple[Problem, ...] = ()
        """Peers that can't be reached since their device is down."""
        self._host = host
        self._known: dict[PeerId, Footing] = {}
        self._next: float | None = None

    def renew(
        self, wanted: Iterable[tuple[PeerIntent, Attachment | None]], held: Set[PeerId], now: float
    ) -> None:
        """Look at the node again; `held` are the peers that a session is configured with."""
        before, self._known = self._known, {}
        problems: list[Problem] = []
        for peer, attachment in wanted:
            if attachment is not None and self._carries(attachment):
                self._known[peer.id] = Footing(peer, attachment)
                continue
            old = before.get(peer.id)
            if old is not None and old.peer == peer and peer.id in held:
                self._known[peer.id] = old if old.lost is not None else replace(old, lost=now)
            if attachment is not None and (peer.id not in self._known or self.is_lost(peer.id, now)):
                problems.append(self._problem(peer, attachment))
        self.problems = tuple(problems)
        due = [footing.lost + PATIENCE for footing in self._known.values() if footing.lost is not None]
        self._next = min((time for time in due if time > now), default=None)

    def of(self, peer: PeerId) -> Footing | None:
        """What a session with this peer stands on; None: there can be none."""
        return self._known.get(peer)

    def device(self, peer: PeerId) -> int | None:
        """Index of the device that the session is bound to; None: it is to none, or there is none.

        One to a peer further away is bound only if it is passive.
        """
        footing = self._known.get(peer)
        if footing is None or footing.lost is not None:
            return None
        bound = footing.attachment.on_link or footing.peer.listen_port is not None
        return footing.attachment.ifindex if bound else None

    def is_lost(self, peer: PeerId, now: float) -> bool:
        """Whether the peer of a session has not been reached for longer than a flap."""
        footing = self._known.get(peer)
        return footing is not None and footing.lost is not None and footing.lost + PATIENCE <= now

    def deadline(self) -> float | None:
        """When `renew` is to be called even if nothing happens."""
        return self._next

    def is_due(self, now: float) -> bool:
        """Whether that time has come."""
        return self._next is not None and self._next <= now

    def _carries(self, attachment: Attachment) -> bool:
        """A peer further away may be reached by another device; that of one on the link is all it has."""
        link = self._host.links.get(attachment.ifindex)
        return not attachment.on_link or (link is not None and link.running)

    def _problem(self, peer: PeerIntent, attachment: Attachment) -> Problem:
        text = (
            f"{peer.id.address} can't be reached: its uplink {self._host.name(attachment.ifindex)} is down, "
            "or has no carrier; the session comes back with the link"
        )
        return Problem(Severity.DEGRADED, Reason.UPLINK_DOWN, f"BGPPeer {peer.name}", text)
