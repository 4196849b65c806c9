"""One peer's session: what is known of it, and what it is to be held and judged by."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from vrfbgp import limits
from vrfbgp.events import DownCause, Negotiated
from vrfbgp.intent import NetworkIntent, PeerIntent
from vrfbgp.model import Family, PeerId
from vrfbgp.requests import Listen, SessionConfig
from vrfbgp.rib.arrivals import Arrivals
from vrfbgp.rib.decode import Decoder
from vrfbgp.rib.paths import Paths
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.route_filter import Subject
from vrfbgp.uplinks import Attachment


@dataclass
class Session:
    """What is known of one peer."""

    peer: PeerId
    """The same object as long as the session is wanted, as that of its intent is not."""
    intent: PeerIntent
    policy: ImportPolicy
    deadline: float
    """Until when the network waits for this peer's End-of-RIB."""
    state: str = "idle"
    epoch: int = 0
    """That of the session that is up; 0: none is."""
    negotiated: Negotiated | None = None
    decoder: Decoder | None = None
    paths: Paths | None = None
    since: float = 0.0
    """When the session came up, or went down."""
    last_error: DownCause | None = None
    ended: set[Family] = field(default_factory=set)
    """Families in which the peer said End-of-RIB."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    """When what it announces came."""
    stale_until: float | None = None
    """When paths kept from before a restart are given up; None: there are none."""
    peer_restarts: bool = False
    """Stale paths stem from an end of the peer's making, not from that of our own speaker."""
    end_of_rib_due: bool = False
    """We owe this session our own End-of-RIB."""
    unreached: bool = False
    """What the session stands on is lost (`footing`)."""
    ifindex: int | None = None
    """The device that it was, or will be, begun on."""
    renewing: bool = False
    """We asked for its end, to begin it again."""
    updates: int = 0
    faults_told: int = 0
    beyond: bool = False
    """The peer announced more than it may, and the session is ended for it."""
    rests_until: float | None = None
    """Until when there is no session for that reason."""
    refreshes: set[Family] = field(default_factory=set)
    """Families in which the peer is to be asked to send all it has again."""
    misses: bool = False
    """What was refused and not kept may be taken now, but the peer can't be asked for it."""
    next_refresh: float = 0.0
    """When that may be asked for again without an edit's need."""

    next_begin: dict[Family, float] = field(default_factory=dict)
    """From when on a refresh that the peer begins counts again."""

    @property
    def up(self) -> bool:
        return self.epoch > 0

    def can_refresh(self, family: Family) -> bool:
        """Whether the peer can be asked to send all it has in a family (RFC 2918 2)."""
        agreed = self.negotiated
        return agreed is not None and agreed.route_refresh and family in agreed.families

    @property
    def complete(self) -> bool:
        """The peer said End-of-RIB in every family of the session."""
        return self.negotiated is not None and self.ended >= self.negotiated.families

    def told_all(self, now: float) -> bool:
        """It is complete, or the peer has used up its time."""
        return self.complete or self.deadline <= now

    def heard(self, now: float) -> bool:
        """UPDATEs came, or were taken in; whether it is to be noted when (`arrivals`)."""
        self.arrivals.began(self.epoch, self.since)
        if self.negotiated is not None and self.deadline <= now:
            self.arrivals.completed(self.negotiated.families, self.deadline)
        return self.arrivals.completed(self.ended, now)

    @property
    def works(self) -> bool:
        """It is up, and the peer can be reached."""
        return self.up and not self.unreached


def import_policy(network: NetworkIntent, peer: PeerIntent, device: str | None = None) -> ImportPolicy:
    """What the network takes from the peer, which is reached by a device of this name."""
    return ImportPolicy(
        local_as=peer.local_as,
        router_id=IPv4Address(peer.router_id),
        allowed_local_as=peer.allowed_local_as,
        rules_v4=peer.filters.import_v4,
        rules_v6=peer.filters.import_v6,
        subject=Subject(internal=peer.internal, learned=True, device=device, metric=network.metric),
        refused_ranges=network.refused_ranges,
        default_route=network.default_route,
        most=limits.most(peer),
    )


def session_config(peer: PeerIntent, attachment: Attachment) -> SessionConfig:
    """A session with everything decided: where it speaks from, and on which device."""
    return SessionConfig(
        peer=peer.id,
        description=peer.name,
        peer_as=peer.peer_as,
        local_as=peer.local_as,
        router_id=peer.router_id,
        local_address=attachment.local,
        source_interface=attachment.device if attachment.on_link else None,
        families=peer.families,
        hold_time=peer.hold_time,
        keepalive_time=peer.keepalive_time,
        restart_time=peer.restart_time,
        password=peer.password,
        ttl_security=peer.ttl_security,
        multihop=peer.multihop or not attachment.on_link,
        listen=None
        if peer.listen_port is None
        else Listen(attachment.ifindex, attachment.device, peer.listen_port),
    )
