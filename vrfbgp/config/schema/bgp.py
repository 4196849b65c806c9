"""projectcalico.org/v3 BGPConfiguration: what holds for BGP in the cluster (`default`) or on `node.NAME`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vrfbgp.config.schema.base import Resource, Strict
from vrfbgp.config.schema.effect import ACTED, OURS, Remark, Unset
from vrfbgp.config.schema.peer import Password
from vrfbgp.config.schema.scalars import (
    Address,
    Bool,
    CommunityValue,
    EnabledDisabled,
    Int,
    Items,
    LocalAs,
    Network,
    Port,
    RouterId,
    Seconds,
    StringMap,
    Text,
    one_of,
    one_of_any_case,
    within,
)

_MESH = Remark("sessions between a cluster's nodes are not ours")
_GATEWAYS_ONLY = Remark("only egress gateways' addresses are announced")
_WORKLOADS = Remark("sessions with workloads are not ours")
_WORKLOAD_ROUTES = Remark("it is of routes to workloads, which are Felix's")
_PRIORITY = within(1, 2147483646)


class ServiceBlock(Strict):
    cidr: Annotated[Network | None, ACTED] = None


class Community(Strict):
    name: Annotated[Text, ACTED] = ""
    """What `prefixAdvertisements` call it."""
    value: Annotated[CommunityValue, ACTED]
    """Standard (`65000:100`) or large (`65000:1:2`)."""


class PrefixAdvertisement(Strict):
    cidr: Annotated[Network | None, ACTED] = None
    """What is announced within it carries the communities."""
    communities: Annotated[tuple[Text, ...], Items, ACTED] = ()
    """By name or value."""


class BGPConfigurationSpec(Strict):
    as_number: Annotated[LocalAs | None, Unset("64512"), ACTED] = None
    """The local AS, if the Node has none (in `default` only)."""
    service_cluster_ips: Annotated[
        tuple[ServiceBlock, ...], Items, Field(alias="serviceClusterIPs"), ACTED
    ] = ()
    """`cidr`s of services: part of the cluster."""
    service_external_ips: Annotated[
        tuple[ServiceBlock, ...], Items, Field(alias="serviceExternalIPs"), ACTED
    ] = ()
    """As `serviceClusterIPs`."""
    service_load_balancer_ips: Annotated[
        tuple[ServiceBlock, ...], Items, Field(alias="serviceLoadBalancerIPs"), ACTED
    ] = ()
    """As `serviceClusterIPs`."""
    log_severity_screen: Annotated[
        Text, one_of_any_case("Trace", "Debug", "Info", "Warning", "Error", "Fatal"), Remark("it is BIRD's")
    ] = "Info"
    node_to_node_mesh_enabled: Annotated[Bool | None, _MESH] = None
    node_mesh_max_restart_time: Annotated[Seconds | None, _MESH] = None
    node_mesh_password: Annotated[Password | None, _MESH] = None
    listen_port: Annotated[Port | None, Unset("179"), ACTED] = None
    """Where passive sessions are waited for. That of `node.NAME` replaces that of `default`."""
    bind_mode: Annotated[
        Annotated[Text, one_of("None", "NodeIP")],
        Remark("a passive session is waited for at its own source address only"),
    ] = "None"
    communities: Annotated[tuple[Community, ...], Items, ACTED] = ()
    """Names for communities, for `prefixAdvertisements`."""
    prefix_advertisements: Annotated[tuple[PrefixAdvertisement, ...], Items, ACTED] = ()
    """`cidr` and `communities`, by name or value: what is announced within the prefix carries them. That
    of `node.NAME` replaces that of `default`.
    """
    service_load_balancer_aggregation: Annotated[EnabledDisabled, _GATEWAYS_ONLY] = "Enabled"
    ignored_interfaces: Annotated[
        tuple[Text, ...], Items, Remark("of devices only a network's uplinks are looked at")
    ] = ()
    local_workload_peering_ipv4: Annotated[
        Address | None, Field(alias="localWorkloadPeeringIPV4"), _WORKLOADS
    ] = None
    local_workload_peering_ipv6: Annotated[
        Address | None, Field(alias="localWorkloadPeeringIPV6"), _WORKLOADS
    ] = None
    ipv4_normal_route_priority: Annotated[
        Annotated[Int, _PRIORITY] | None, Field(alias="ipv4NormalRoutePriority"), _WORKLOAD_ROUTES
    ] = None
    ipv6_normal_route_priority: Annotated[
        Annotated[Int, _PRIORITY] | None, Field(alias="ipv6NormalRoutePriority"), _WORKLOAD_ROUTES
    ] = None
    program_cluster_routes: Annotated[
        EnabledDisabled | None, Remark("the cluster's own routes are Felix's")
    ] = None
    extensions: Annotated[StringMap, Remark("they are for BIRD's templates")] = Field(default_factory=dict)

    router_id: Annotated[
        RouterId | None, Field(alias="routerID"), Unset("the node's IPv4 address"), OURS, ACTED
    ] = None
    """The BGP identifier."""
    cluster_cidrs: Annotated[tuple[Network, ...], Items, Field(alias="clusterCIDRs"), OURS, ACTED] = ()
    """More ranges of the cluster."""


class BGPConfiguration(Resource):
    spec: BGPConfigurationSpec = Field(default_factory=BGPConfigurationSpec)
