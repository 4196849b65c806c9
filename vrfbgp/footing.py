"""What a session stands on: its device, and the address that it speaks from; and what becomes of it without.

A link that flaps ends no session. What is forwarded has changed already: the kernel dropped the next hops,
and a path over a dead device takes no part in the choice. A session that outlives the flap has nothing to
learn again when the link returns. But what stays lost for `PATIENCE` seconds ends the session, however long
its hold timer would still wait, and its paths with it: graceful restart is for a peer that forwards on (RFC
4724 1), and this one can't be reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace

from vrfbgp.host import Host
from vrfbgp.intent import PeerIntent, Problem, Reason, Severity
from vrfbgp.model import PeerId
from vrfbgp.uplinks import Attachment

PATIENCE = 1.0
"""Seconds for which a device may be down, or an address away, before the sessions on them are ended."""


@dataclass(frozen=True, slots=True)
class Footing:
    """How a peer is, or was last, reached; good for that config of it."""

    peer: PeerIntent
    attachment: Attachment
    device: str
    lost: float | None = None
    """Since when it is not reached that way; None: it is."""


class Footings:
    """Those of all peers that a session can be held with."""

    def __init__(self, host: Host) -> None:
        self.problems: tuple[Problem, ...] = ()
        """Peers that have no session since their device is down."""
        self._host = host
        self._known: dict[PeerId, Footing] = {}

    def renew(
        self, wanted: Iterable[tuple[PeerIntent, Attachment | None]], held: Set[PeerId], now: float
    ) -> None:
        """Look at the node again; `held` are the peers that a session is configured with."""
        before, self._known = self._known, {}
        problems: list[Problem] = []
        for peer, attachment in wanted:
            if attachment is not None and self._carries(attachment):
                self._known[peer.id] = Footing(peer, attachment, self._host.name(attachment.ifindex))
                continue
            old = before.get(peer.id)
            if old is not None and old.peer == peer and peer.id in held:
                since = now if old.lost is None else old.lost
                if now < since + PATIENCE:
                    self._known[peer.id] = replace(old, lost=since)
                    continue
            if attachment is not None:
                problems.append(self._problem(peer, attachment))
        self.problems = tuple(problems)

    def of(self, peer: PeerId) -> Footing | None:
        """What a session with this peer stands on; None: there can be none."""
        return self._known.get(peer)

    def deadline(self) -> float | None:
        """When the next session is given up."""
        return min((f.lost + PATIENCE for f in self._known.values() if f.lost is not None), default=None)

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
