"""What the config wants of this node: frozen values, all defaults filled in, all selectors decided.

`config` makes an `Intent` from the user's objects; the core compares it with what the kernel and the
peers say. Whatever could not be used carries a `Problem`: the object, the reason and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from vrfbgp.filters import Community, Rules
from vrfbgp.model import METRIC, Family, IPAddress, IPNetwork, PeerId


class Reason(StrEnum):
    """Why an object of the config is refused, degraded or only partly acted on."""

    SYNTAX = "syntax"
    UNKNOWN_FIELD = "unknown-field"
    UNKNOWN_KIND = "unknown-kind"
    WRONG_TYPE = "wrong-type"
    OUT_OF_RANGE = "out-of-range"
    DUPLICATE_NAME = "duplicate-name"
    EXCLUSIVE_FIELDS = "exclusive-fields"
    TABLE_SHARED = "table-shared"
    TABLE_RESERVED = "table-reserved"
    TABLE_IN_USE = "table-in-use"
    RULES_DO_NOT_FIT = "rules-do-not-fit"
    RANGES_OVERLAP = "ranges-overlap"
    MISSING_NETWORK = "missing-network"
    MISSING_FILTER = "missing-filter"
    MISSING_SECRET = "missing-secret"
    MISSING_POOL = "missing-pool"
    MISSING_COMMUNITY = "missing-community"
    MISSING_AS = "missing-as"
    MISSING_NODE = "missing-node"
    NO_PEER = "no-peer"
    NO_UPLINK = "no-uplink"
    UPLINK_DOWN = "uplink-down"
    AMBIGUOUS_UPLINK = "ambiguous-uplink"
    NO_SOURCE = "no-source-address"
    FOREIGN_ROUTE = "foreign-route"
    FOREIGN_RULE = "foreign-rule"
    CONTESTED = "contested"
    KERNEL_REFUSED = "kernel-refused"
    SPEAKER_FAILED = "speaker-failed"
    LAST_GOOD = "last-good-config"
    NOT_ACTED_ON = "not-acted-on"
    NOT_ENABLED = "not-enabled"
    NO_EFFECT = "no-effect"
    NEAR_LIMIT = "near-limit"
    MAX_PREFIXES = "max-prefixes"
    MAX_ROUTES = "max-routes"
    NOT_KEPT = "not-kept"
    NODE_SETTING = "node-setting"
    MASQUERADED = "masqueraded"


class Severity(StrEnum):
    """REFUSED: the whole config stays out. DEGRADED: this object alone. NOTICE: worth a line, works."""

    REFUSED = "refused"
    DEGRADED = "degraded"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the user's files: `path` is the field's (`spec.routeTableIndex`), `line` counts from 1."""

    file: str = ""
    line: int = 0
    path: str = ""

    def __str__(self) -> str:
        at = f"{self.file}:{self.line}" if self.line else self.file
        return f"{at}: {self.path}" if self.path else at


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with which object, and what to do about it."""

    severity: Severity
    reason: Reason
    subject: str
    """Kind and name: `ExternalNetwork red`, `BGPPeer red-1`, `EgressGateway default/red`."""
    text: str
    """Cause and remedy, one sentence each."""
    place: Place = field(default_factory=Place)

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place.file else ""
        return f"{where}{self.subject}: {self.text} [{self.reason}]"


class NextHopMode(StrEnum):
    """BGPPeer.spec.nextHopMode."""

    AUTO = "Auto"
    SELF = "Self"
    KEEP = "Keep"


class SourceMode(StrEnum):
    """BGPPeer.spec.sourceAddress, and the explicit address that is ours (`sourceIP`)."""

    UPLINK = "None"
    NODE = "UseNodeIP"
    EXPLICIT = "explicit"


class LimitAction(StrEnum):
    """What happens when a peer announces more than it may."""

    WARN = "Warn"
    DROP = "Drop"
    RESTART = "Restart"


@dataclass(frozen=True, slots=True)
class PrefixLimit:
    """How many prefixes a peer may announce in each family (`maxPrefixes`)."""

    limit: int
    action: LimitAction = LimitAction.WARN
    restart_after: float | None = None
    """Seconds that a session rests after RESTART; None: until the peer's config changes."""

    @property
    def enforced(self) -> int | None:
        """What is not exceeded; None: nothing is dropped."""
        return None if self.action is LimitAction.WARN else self.limit


@dataclass(frozen=True, slots=True)
class PeerFilters:
    """The rules of all BGPFilters that a peer names, in order."""

    import_v4: Rules = ()
    import_v6: Rules = ()
    export_v4: Rules = ()
    export_v6: Rules = ()

    def imports(self, family: Family) -> Rules:
        """For what the peer announces."""
        return self.import_v4 if family is Family.IPV4 else self.import_v6

    def exports(self, family: Family) -> Rules:
        """For what is announced to it."""
        return self.export_v4 if family is Family.IPV4 else self.export_v6


@dataclass(frozen=True, slots=True)
class PeerIntent:
    """One session to hold. Times are in seconds."""

    id: PeerId
    name: str
    """Name of the BGPPeer object."""
    peer_as: int
    local_as: int
    router_id: str
    source: SourceMode = SourceMode.NODE
    source_address: IPAddress | None = None
    """The node's address (NODE) or the explicit one; None with UPLINK: the core takes the uplink's."""
    source_interface: str | None = None
    reachable_by: IPAddress | None = None
    families: frozenset[Family] = frozenset({Family.IPV4})
    other_address: IPAddress | None = None
    """The node's address of the other family than the peer's, with NODE: a next hop to announce."""
    hold_time: int = 90
    keepalive_time: int | None = None
    restart_time: int = 120
    """What we announce in the Graceful Restart capability (RFC 4724); 0: capability not sent."""
    password: str | None = field(default=None, repr=False)
    ttl_security: int | None = None
    """Number of hops (RFC 5082), None: off."""
    multihop: bool = True
    listen_port: int | None = None
    """The session is passive, and the peer calls this port; None: we call it."""
    next_hop_mode: NextHopMode = NextHopMode.AUTO
    allowed_local_as: int = 0
    """numAllowedLocalASNumbers: how often the local AS may be in a received AS_PATH."""
    filters: PeerFilters = PeerFilters()
    max_prefixes: PrefixLimit | None = None
    degraded: tuple[Problem, ...] = ()
    """If not empty, no session is held, for these reasons."""

    @property
    def internal(self) -> bool:
        """iBGP: the peer is in our own AS."""
        return self.peer_as == self.local_as


@dataclass(frozen=True, slots=True)
class StaticBootstrap:
    """A route that the user asks for in the network's table (`bootstrapRoutes`)."""

    destination: IPNetwork
    gateway: IPAddress | None = None
    interface: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkIntent:
    """One ExternalNetwork, with the peers that this node holds sessions with."""

    name: str
    table: int
    peers: tuple[PeerIntent, ...] = ()
    fail_open: bool = False
    bootstrap_routes: tuple[StaticBootstrap, ...] = ()
    max_paths: int = 16
    always_compare_med: bool = False
    """MED compares between neighbour ASes, too."""
    multipath_relax: bool = True
    """Paths by different ASes share the traffic."""
    metric: int = METRIC
    backup_routes: bool = True
    """Have the next best paths ready in the kernel, at metric + 1."""
    stale_time: int = 120
    """Seconds that paths of a restarting peer are kept at most, whatever time it asks for."""
    refused_ranges: tuple[IPNetwork, ...] = ()
    """Prefixes within these are not learned: those of the cluster, unless they may be."""
    default_route: bool = True
    """A default route may be learned."""
    max_routes: int | None = None
    """How many prefixes may be learned in each family, from all peers together."""
    degraded: tuple[Problem, ...] = ()
    """If not empty, the network has no session and no route, for these reasons."""


@dataclass(frozen=True, slots=True)
class GatewayIntent:
    """One EgressGateway that may run on this node."""

    name: str
    """`namespace/name`."""
    ranges: tuple[IPNetwork, ...]
    """Source ranges, of its pools and bare CIDRs; disjoint, sorted."""
    networks: tuple[str, ...]
    """Names in the user's order, missing ones too: they keep their place."""
    exported: tuple[IPNetwork, ...] = ()
    """The ranges whose addresses may be announced: without `disableBGPExport` pools."""
    isolated: bool = False
    """Fail closed with no network at all: its ranges exclude another gateway's."""
    degraded: tuple[Problem, ...] = ()
    """What is missing; the rest of the gateway works."""


@dataclass(frozen=True, slots=True)
class Advertisement:
    """What is announced within a prefix carries these communities (`prefixAdvertisements`)."""

    prefix: IPNetwork
    communities: tuple[Community, ...]


@dataclass(frozen=True, slots=True)
class Intent:
    """All that the config wants of this node."""

    node: str
    enabled: bool
    """FelixConfiguration.externalNetworkSupport is Enabled."""
    rule_priority: int = 102
    networks: tuple[NetworkIntent, ...] = ()
    gateways: tuple[GatewayIntent, ...] = ()
    cluster: tuple[IPNetwork, ...] = ()
    """Destinations that a gateway reaches by main: pods, services, nodes."""
    advertisements: tuple[Advertisement, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Everything worth telling, those of the objects above included."""
    partial: bool = False
    """Made from a refused config, of what could be understood: what it leaves out was not taken away."""

    @property
    def tables(self) -> dict[int, str]:
        """Network by table; of networks that are not degraded for the table's sake, too."""
        return {network.table: network.name for network in self.networks}
