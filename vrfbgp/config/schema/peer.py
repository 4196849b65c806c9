"""projectcalico.org/v3 BGPPeer: a router that nodes hold a BGP session with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vrfbgp.config.schema.base import Reference, Resource, Strict
from vrfbgp.config.schema.effect import ACTED, OURS, Remark, Unset
from vrfbgp.config.schema.faults import exclusive, out_of_range, wrong_type
from vrfbgp.config.schema.scalars import (
    Address,
    AsNumber,
    Bool,
    Int,
    InterfaceName,
    Items,
    LabelSelector,
    LocalAs,
    PeerEndpoint,
    Seconds,
    StringMap,
    Text,
    Uint8,
    one_of,
    within,
)

_MESH = Remark("sessions between a cluster's nodes are not ours")


class SecretKeyRef(Strict):
    """A key of a Secret. `optional` does not make a session without the password."""

    name: Annotated[Reference, ACTED]
    """The `Secret`. A reference names no namespace: see [Secret](#secret)."""
    key: Annotated[Text, ACTED]
    """The key in its `data` or `stringData`."""
    optional: Annotated[Bool, Remark("a missing password never means a session without one")] = False


class Password(Strict):
    secret_key_ref: Annotated[SecretKeyRef | None, ACTED] = None
    """`name` and `key` of a `Secret` with the TCP MD5 password, 1 to 80 printable ASCII characters.
    Missing: degraded, never a session without.
    """


class MaxPrefixes(Strict):
    """How many prefixes a peer may announce, and what happens beyond."""

    limit: Annotated[Int, within(1, 2**31 - 1), ACTED]
    """Prefixes that may be accepted from the peer in each family; `status` warns from 75 % on."""
    action: Annotated[Text, one_of("Warn", "Drop", "Restart"), ACTED] = "Warn"
    """`Warn`: all are taken. `Drop`: the excess is not taken, nor kept; it is
    [asked for](reload.md#route-refresh) when there is room. `Restart`: a Cease, and no session for
    `restartAfter`.
    """
    restart_after: Annotated[Seconds | None, ACTED] = None
    """How long there is no session after a `Restart`. None: until the peer's config changes."""


class BGPPeerSpec(Strict):
    node: Annotated[Reference, Unset("all nodes"), ACTED] = ""
    """The one node that the peer is for, by name. Together with `nodeSelector`: refused."""
    node_selector: Annotated[LabelSelector, Unset("all nodes"), ACTED] = None
    """For which nodes: those whose labels match. The grammar is Calico's: `==`, `!=`, `in`, `not in`,
    `has()`, `contains`, `starts with`, `ends with`, `!`, `&&`, `||`, `all()`, parentheses.
    """
    peer_ip: Annotated[PeerEndpoint | None, Field(alias="peerIP"), Unset("required"), ACTED] = None
    """Address, with a port or without: `172.16.1.140`, `172.16.1.140:1790`, `[fd00::1]:179`. A link-local
    one has its device behind it (ours): `fe80::1%eth1`, `[fe80::1%eth1]:179`; or `sourceInterface` says it.
    Another network, address or port is another peer, but two passive ones can't have one address (the second
    is degraded). The session carries the family of this address, and another only if [`families`](#families)
    says so. None: degraded.
    """
    as_number: Annotated[AsNumber, Unset("required"), ACTED] = 0
    """The peer's AS. If it is the local one, the session is iBGP. None: degraded."""
    local_as_number: Annotated[
        LocalAs | None, Field(alias="localASNumber"), Unset("the node's AS"), ACTED
    ] = None
    """The local AS of this session."""
    external_network: Annotated[Reference, ACTED] = ""
    """The network that the peer belongs to. None: no session, and a notice. One that does not exist:
    degraded.
    """
    network: Annotated[Reference, Remark("only peers of an externalNetwork get a session")] = ""
    source_address: Annotated[Annotated[Text, one_of("UseNodeIP", "None")], ACTED] = "UseNodeIP"
    """Where the session comes from, and the next hop that we announce: `UseNodeIP` is the node's address,
    `None` that of the uplink.
    """
    password: Annotated[Password | None, ACTED] = None
    """The TCP MD5 password (RFC 2385), by reference."""
    keepalive_time: Annotated[
        Annotated[Seconds, within(1, 21845)] | None, Unset("a third of the hold time"), ACTED
    ] = None
    """Seconds between two KEEPALIVEs; shorter than `holdTime`."""
    max_restart_time: Annotated[
        Annotated[Seconds, within(0, 16777215)] | None, Unset("`120s`; `30s` if passive"), ACTED
    ] = None
    """The time that we announce for graceful restart, at most 4095 s (12 bits, RFC 4724 3). `0s`: it is
    not offered. With `LongLivedGracefulRestart` it is another time, of 24 bits (RFC 9494).
    """
    restart_mode: Annotated[
        Annotated[Text, one_of("GracefulRestart", "LongLivedGracefulRestart")],
        Remark("plain graceful restart is announced, for 120s"),
    ] = "GracefulRestart"
    next_hop_mode: Annotated[
        Annotated[Text, one_of("Auto", "Self", "Keep")] | None, Unset("`Auto`"), ACTED
    ] = None
    """What is announced today are the gateways' addresses, with this node as next hop in any mode."""
    keep_original_next_hop: Annotated[Bool, ACTED] = False
    """`true` is the old spelling of `nextHopMode: Keep`."""
    num_allowed_local_as_numbers: Annotated[
        Annotated[Int, within(0, 255)], Field(alias="numAllowedLocalASNumbers"), ACTED
    ] = 0
    """How often the local AS may be in the AS_PATH of what is taken."""
    ttl_security: Annotated[Annotated[Uint8, within(1, 255)] | None, Unset("off"), ACTED] = None
    """Hops between the peers (RFC 5082), 1 on a shared link."""
    reachable_by: Annotated[Address | None, ACTED] = None
    """The gateway, on a connected network, by which a peer further away is reached."""
    filters: Annotated[tuple[Reference, ...], Items, ACTED] = ()
    """Names of `BGPFilter`s, in the order in which they are asked. One that is missing: degraded."""
    failure_detection_mode: Annotated[
        Annotated[Text, one_of("None", "BFDIfDirectlyConnected")], Remark("there is no BFD")
    ] = "None"
    bird_gateway_mode: Annotated[
        Annotated[Text, one_of("Recursive", "DirectIfDirectlyConnected")],
        Field(alias="birdGatewayMode"),
        Remark("next hops are resolved on the network's uplinks"),
    ] = "Recursive"
    peer_selector: Annotated[LabelSelector, _MESH] = None
    local_workload_selector: Annotated[LabelSelector, Remark("sessions with workloads are not ours")] = None
    reverse_peering: Annotated[Annotated[Text, one_of("Auto", "Manual")], _MESH] = "Auto"
    extensions: Annotated[StringMap, Remark("they are for BIRD's templates")] = Field(default_factory=dict)

    hold_time: Annotated[Annotated[Seconds, within(0, 65535)] | None, Unset("`90s`"), OURS, ACTED] = None
    """`0s`: none; otherwise at least `3s`."""
    max_prefixes: Annotated[MaxPrefixes | None, OURS, ACTED] = None
    """A limit on what is accepted from the peer, and what happens beyond."""
    families: Annotated[
        tuple[Annotated[Text, one_of("IPv4", "IPv6")], ...], Items, Unset("that of `peerIP`"), OURS, ACTED
    ] = ()
    """The address families that the session carries (RFC 4760), that of `peerIP` among them. What two carry
    over one session is described under [Families](#families).
    """
    passive: Annotated[Bool, OURS, ACTED] = False
    """To be called, not to call: see [Passive sessions](#passive-sessions)."""
    source_ip: Annotated[Address | None, Field(alias="sourceIP"), OURS, ACTED] = None
    """A source address, instead. It must be on an interface of the node."""
    source_interface: Annotated[InterfaceName, Unset("found"), OURS, ACTED] = ""
    """The device that leads to the peer; needed if connected routes on several devices cover it."""

    @model_validator(mode="after")
    def _holds_together(self) -> BGPPeerSpec:
        if self.node and self.node_selector is not None:
            raise exclusive("stands together with node: remove one of them", "nodeSelector")
        if self.peer_ip is not None and self.peer_selector is not None:
            raise exclusive("stands together with peerIP: remove one of them", "peerSelector")
        if self.peer_selector is not None and self.as_number:
            raise exclusive("stands together with peerSelector: remove one of them", "asNumber")
        if self.local_workload_selector is not None and (self.peer_ip or self.peer_selector is not None):
            raise exclusive(
                "stands together with peerIP or peerSelector: remove one of them", "localWorkloadSelector"
            )
        if self.network and self.external_network:
            raise exclusive("stands together with externalNetwork: remove one of them", "network")
        if self.keep_original_next_hop and self.next_hop_mode is not None:
            raise exclusive(
                "stands together with nextHopMode, which replaces it: remove it", "keepOriginalNextHop"
            )
        return self

    @model_validator(mode="after")
    def _one_family(self) -> BGPPeerSpec:
        if self.reachable_by is not None and self.peer_ip is None:
            raise wrong_type("needs peerIP, which is missing", "reachableBy")
        for alias, address in (("reachableBy", self.reachable_by), ("sourceIP", self.source_ip)):
            if address is not None and self.peer_ip and address.version != self.peer_ip.address.version:
                raise exclusive(
                    f"is {address}, of another address family than peerIP: give one of its family", alias
                )
        if self.families and self.peer_ip and f"IPv{self.peer_ip.address.version}" not in self.families:
            raise exclusive(f"must have IPv{self.peer_ip.address.version}, that of peerIP, too", "families")
        return self

    @model_validator(mode="after")
    def _one_device(self) -> BGPPeerSpec:
        zone = self.peer_ip.zone if self.peer_ip else ""
        if zone and self.source_interface not in ("", zone):
            raise exclusive(
                f"is {self.source_interface}, but peerIP says {zone}: remove one", "sourceInterface"
            )
        return self

    @model_validator(mode="after")
    def _timers(self) -> BGPPeerSpec:
        if self.hold_time in (1, 2):
            raise out_of_range("must be 0s (no hold timer) or at least 3s (RFC 4271 4.2)", "holdTime")
        if self.keepalive_time and self.hold_time and self.keepalive_time >= self.hold_time:
            raise out_of_range(f"must be shorter than holdTime, which is {self.hold_time}s", "keepaliveTime")
        long_lived = self.restart_mode == "LongLivedGracefulRestart"
        if not long_lived and self.max_restart_time is not None and self.max_restart_time > 4095:
            raise out_of_range("must be at most 4095s, 1h8m15s (RFC 4724 3)", "maxRestartTime")
        return self


class BGPPeer(Resource):
    spec: BGPPeerSpec = Field(...)
