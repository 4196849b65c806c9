"""What the edges tell the core. All are facts: something was read, happened, or was answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vrfbgp.intent import Intent, Problem
from vrfbgp.model import (
    Address,
    Family,
    IPAddress,
    KernelNexthop,
    KernelRoute,
    Link,
    Nlri,
    PeerId,
    RouteValue,
    Rule,
)
from vrfbgp.operations import Failure
from vrfbgp.surroundings import Surroundings

# -- from the speakers ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PeerRestart:
    """The peer's Graceful Restart capability (RFC 4724 3). `time` in seconds."""

    time: int
    restarting: bool
    """The Restart State bit of its OPEN."""
    forwarding: frozenset[Family]
    """Families whose forwarding state it says to have preserved."""
    families: frozenset[Family] = frozenset(Family)
    """Families that it lists at all: only of these may stale routes be kept."""


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What both OPENs agreed on."""

    peer_as: int
    router_id: str
    """The peer's BGP identifier."""
    local_address: IPAddress
    hold_time: int
    families: frozenset[Family]
    asn4: bool = True
    add_path: frozenset[Family] = frozenset()
    """Families in which the peer sends path identifiers (RFC 7911)."""
    extended_message: bool = False
    extended_next_hop: bool = False
    """IPv4 prefixes may have an IPv6 next hop (RFC 8950)."""
    route_refresh: bool = False
    enhanced_refresh: bool = False
    restart: PeerRestart | None = None


@dataclass(frozen=True, slots=True)
class SessionUp:
    """The session reached Established. `epoch` grows with each; older ones are over."""

    peer: PeerId
    epoch: int
    negotiated: Negotiated


@dataclass(frozen=True, slots=True)
class Updates:
    """A run of whole UPDATE messages of one session, headers included, in wire order."""

    peer: PeerId
    epoch: int
    block: bytes


class RefreshPhase(StrEnum):
    """The two demarcations of an enhanced route refresh (RFC 7313)."""

    BEGIN = "borr"
    END = "eorr"


@dataclass(frozen=True, slots=True)
class Refresh:
    """The peer begins or ends sending its whole Adj-RIB-Out again."""

    peer: PeerId
    epoch: int
    family: Family
    phase: RefreshPhase


class DownKind(StrEnum):
    """Why a session ended or did not come up."""

    NOTIFICATION_RECEIVED = "notification-received"
    NOTIFICATION_SENT = "notification-sent"
    CONNECTION_LOST = "connection-lost"
    CONNECT_FAILED = "connect-failed"
    HOLD_TIMER = "hold-timer-expired"
    CONFIGURED = "configured"
    SPEAKER_ENDED = "speaker-ended"
    UPLINK_LOST = "uplink-lost"


@dataclass(frozen=True, slots=True)
class DownCause:
    """`code` and `subcode` are those of the NOTIFICATION (RFC 4271 4.5), else 0."""

    kind: DownKind
    code: int = 0
    subcode: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class SessionDown:
    """An Established session ended, or (`epoch` 0) a try to reach that state failed."""

    peer: PeerId
    epoch: int
    cause: DownCause


@dataclass(frozen=True, slots=True)
class SessionState:
    """The speaker's finite state machine moved (RFC 4271 8.2.2): `idle`, `connect`, `opensent`, …"""

    peer: PeerId
    state: str


@dataclass(frozen=True, slots=True)
class SpeakerStarted:
    """A speaker runs and takes commands; it knows no announcements yet."""

    network: str


@dataclass(frozen=True, slots=True)
class SpeakerExited:
    """A speaker is gone; its supervisor starts another."""

    network: str
    status: int | None
    """Exit status; negative: the signal that ended it; None: unknown, as nobody was left to ask."""
    text: str = ""


# -- from the kernel -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LinksRead:
    """All links and addresses, read afresh because one of them changed."""

    links: Mapping[int, Link]
    addresses: tuple[Address, ...]
    lapsed: frozenset[int] = frozenset()
    """Devices (by index) that since the read before were down, gone or without carrier, or lost an
    address, if only for a moment that this read does not show: what hung on them must be read again."""


@dataclass(frozen=True, slots=True)
class TableRead:
    """The whole of one table in one family, as asked for by a `ReadTable`: `routes` and `ours`."""

    table: int
    family: Family
    routes: tuple[KernelRoute, ...]
    ours: Mapping[int, Mapping[Nlri, int]] = field(default_factory=dict)
    """Routes of ours that were read in bulk: by metric and prefix, the id of the next hop group."""


@dataclass(frozen=True, slots=True)
class TableCounted:
    """How many routes of ours a table holds, by metric and value; the answer to `CountTable`.

    A route that looks like none of ours is counted as None.
    """

    table: int
    family: Family
    ours: Mapping[tuple[int, RouteValue | None], int]


@dataclass(frozen=True, slots=True)
class TablesRead:
    """Every table that holds a route of our protocol; the answer to `ReadTables`."""

    tables: frozenset[tuple[int, Family]]


@dataclass(frozen=True, slots=True)
class RouteSeen:
    """Somebody else made or replaced a route, or the kernel did."""

    route: KernelRoute


@dataclass(frozen=True, slots=True)
class RouteGone:
    """Somebody else deleted a route, or the kernel did."""

    route: KernelRoute


@dataclass(frozen=True, slots=True)
class RulesRead:
    """All rules in one family, in the kernel's order."""

    family: Family
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class NexthopsRead:
    """All next hop objects and groups, ours and foreign."""

    nexthops: tuple[KernelNexthop, ...]


@dataclass(frozen=True, slots=True)
class NexthopSeen:
    """Somebody else made or replaced a next hop, or the kernel shrank a group."""

    nexthop: KernelNexthop


@dataclass(frozen=True, slots=True)
class NexthopGone:
    """Somebody else deleted a next hop, or the kernel did, with its link."""

    id: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The writer is through with batch `serial`; all but `failures` is in the kernel."""

    serial: int
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class SurroundingsRead:
    """The node's settings; they are not what they were, or it is the first time."""

    surroundings: Surroundings


@dataclass(frozen=True, slots=True)
class Overrun:
    """Events of the kernel were lost (ENOBUFS): everything must be read again."""


# -- from the config files -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ConfigLoaded:
    """A config that holds together; it replaces the one before."""

    intent: Intent


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """A config that doesn't; the one before stays."""

    problems: tuple[Problem, ...]


# -- from the operator ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DrainAsked:
    """The node leaves: nothing is to be announced, and after `wait` seconds nothing steered (`drain`)."""

    wait: float


@dataclass(frozen=True, slots=True)
class DrainUndone:
    """The node serves again."""


SpeakerEvent = SessionUp | Updates | Refresh | SessionDown | SessionState | SpeakerStarted | SpeakerExited
KernelEvent = (
    LinksRead
    | TableRead
    | TableCounted
    | TablesRead
    | RouteSeen
    | RouteGone
    | RulesRead
    | NexthopsRead
    | NexthopSeen
    | NexthopGone
    | Applied
    | SurroundingsRead
    | Overrun
)
ConfigEvent = ConfigLoaded | ConfigRefused
OperatorEvent = DrainAsked | DrainUndone
Event = SpeakerEvent | KernelEvent | ConfigEvent | OperatorEvent
