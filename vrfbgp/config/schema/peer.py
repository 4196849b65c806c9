"""projectcalico.org/v3 BGPPeer: a router that nodes hold a BGP session with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vrfbgp.config.schema.base import Reference, Resource, Strict
from vrfbgp.config.schema.effect import ACTED, OURS, Limits, Remark, Unset
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
    key: Annotated[Text, ACTED]
    optional: Annotated[Bool, Remark("a missing password never means a session without one")] = False


class Password(Strict):
    secret_key_ref: Annotated[SecretKeyRef | None, ACTED] = None


class MaxPrefixes(Strict):
    """How many prefixes a peer may announce, and what happens beyond."""

    limit: Annotated[Int, within(1, 2**31 - 1), ACTED]
    action: Annotated[Text, one_of("Warn", "Drop", "Restart"), ACTED] = "Warn"
    restart_after: Annotated[Seconds | None, ACTED] = None


class BGPPeerSpec(Strict):
    node: Annotated[Reference, ACTED] = ""
    node_selector: Annotated[LabelSelector, ACTED] = None
    peer_ip: Annotated[PeerEndpoint | None, Field(alias="peerIP"), ACTED] = None
    as_number: Annotated[AsNumber, Unset("required"), ACTED] = 0
    """0: not given."""
    local_as_number: Annotated[LocalAs | None, Field(alias="localASNumber"), ACTED] = None
    external_network: Annotated[Reference, ACTED] = ""
    network: Annotated[Reference, Remark("only peers of an externalNetwork get a session")] = ""
    source_address: Annotated[Annotated[Text, one_of("UseNodeIP", "None")], ACTED] = "UseNodeIP"
    password: Annotated[Password | None, ACTED] = None
    keepalive_time: Annotated[Annotated[Seconds, within(1, 21845)] | None, ACTED] = None
    max_restart_time: Annotated[Annotated[Seconds, within(0, 16777215)] | None, ACTED] = None
    """12 bits (RFC 4724 3); with LongLivedGracefulRestart it is another time, of 24 bits (RFC 9494)."""
    restart_mode: Annotated[
        Annotated[Text, one_of("GracefulRestart", "LongLivedGracefulRestart")],
        Remark("plain graceful restart is announced, for 120s"),
    ] = "GracefulRestart"
    next_hop_mode: Annotated[Annotated[Text, one_of("Auto", "Self", "Keep")] | None, ACTED] = None
    keep_original_next_hop: Annotated[Bool, ACTED] = False
    num_allowed_local_as_numbers: Annotated[
        Annotated[Int, within(0, 255)], Field(alias="numAllowedLocalASNumbers"), ACTED
    ] = 0
    ttl_security: Annotated[Annotated[Uint8, within(1, 255)] | None, ACTED] = None
    """Hops between the peers, 1 if they share a link (RFC 5082)."""
    reachable_by: Annotated[Address | None, ACTED] = None
    filters: Annotated[tuple[Reference, ...], Items, ACTED] = ()
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

    hold_time: Annotated[Annotated[Seconds, within(0, 65535)] | None, OURS, ACTED] = None
    max_prefixes: Annotated[MaxPrefixes | None, OURS, ACTED] = None
    passive: Annotated[Bool, OURS, Limits()] = False
    source_ip: Annotated[Address | None, Field(alias="sourceIP"), OURS, ACTED] = None
    source_interface: Annotated[InterfaceName, OURS, ACTED] = ""

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
