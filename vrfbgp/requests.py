"""What the core asks of the speakers and of the readers of the kernel. Answers come back as events."""

from __future__ import annotations

from dataclasses import dataclass, field

from vrfbgp.model import Family, IPAddress, IPNetwork, PeerId

# -- to the speakers -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Listen:
    """Where the peer of a passive session is waited for, at the session's local address."""

    ifindex: int
    device: str
    """Its name. Calls by other devices are not taken."""
    port: int = 179


@dataclass(frozen=True, slots=True)
class SessionConfig:
    """One neighbor of a speaker, everything decided. Times are in seconds."""

    peer: PeerId
    description: str
    peer_as: int
    local_as: int
    router_id: str
    local_address: IPAddress
    source_interface: str | None = None
    """Device to bind the socket to (SO_BINDTODEVICE); set where the peer is on-link."""
    families: frozenset[Family] = frozenset({Family.IPV4})
    hold_time: int = 90
    keepalive_time: int | None = None
    restart_time: int = 120
    """Graceful Restart time that we announce; 0: the capability is not sent."""
    password: str | None = field(default=None, repr=False)
    ttl_security: int | None = None
    """Hops to the peer, at most (RFC 5082)."""
    multihop: bool = True
    listen: Listen | None = None
    """The session is passive: it is the peer that connects (RFC 4271 8.1.1). None: we do."""

    @property
    def sent_ttl(self) -> int:
        """RFC 5082 3: 255; RFC 4271 has no word on it, but eBGP over one hop is sent with 1."""
        if self.ttl_security:
            return 255
        return 1 if not self.multihop and self.peer_as != self.local_as else 64

    @property
    def least_ttl(self) -> int:
        """Segments that come with less are not the peer's (RFC 5082); 0: any may be."""
        return 256 - self.ttl_security if self.ttl_security else 0


@dataclass(frozen=True, slots=True)
class ConfigureSpeaker:
    """The sessions that the speaker of a network holds from now on; none: the speaker ends.

    The rule and the routes that a session's own packets need stand when this is asked.
    """

    network: str
    sessions: tuple[SessionConfig, ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Send a route to one peer. Kept by the speaker until it is withdrawn or ends."""

    peer: PeerId
    prefix: IPNetwork
    med: int | None = None
    local_pref: int | None = None
    communities: tuple[tuple[int, int], ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    prepend: tuple[int, ...] = ()
    next_hop: IPAddress | None = None
    """None: self, for a prefix of the session's own family."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take an announced route back."""

    peer: PeerId
    prefix: IPNetwork


@dataclass(frozen=True, slots=True)
class SendEndOfRib:
    """RFC 4724 2; after the announcements that were asked for before it."""

    peer: PeerId
    family: Family


@dataclass(frozen=True, slots=True)
class RequestRefresh:
    """Ask a peer to send all it has once more (RFC 2918 3); one whose session begins anew does so unasked."""

    peer: PeerId
    family: Family


@dataclass(frozen=True, slots=True)
class ResetSession:
    """Send a NOTIFICATION with this code and close (RFC 4271 4.5); the speaker connects again."""

    peer: PeerId
    code: int
    subcode: int


SpeakerRequest = ConfigureSpeaker | Announce | Withdraw | SendEndOfRib | RequestRefresh | ResetSession

# -- to the readers of the kernel ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Dump one table in one family (strict: that table alone); answered by `TableRead`."""

    table: int
    family: Family


@dataclass(frozen=True, slots=True)
class CountTable:
    """Count our routes in one table in one family, beside all batches; answered by `TableCounted`."""

    table: int
    family: Family


@dataclass(frozen=True, slots=True)
class ReadTables:
    """Find every table that holds a route of our protocol; answered by `TablesRead`."""


@dataclass(frozen=True, slots=True)
class ReadRules:
    """Dump the rules of one family; answered by `RulesRead`."""

    family: Family


@dataclass(frozen=True, slots=True)
class ReadNexthops:
    """Dump all next hop objects; answered by `NexthopsRead`."""


@dataclass(frozen=True, slots=True)
class ReadLinks:
    """Dump links and addresses; answered by `LinksRead`."""


ReadRequest = ReadTable | CountTable | ReadTables | ReadRules | ReadNexthops | ReadLinks
