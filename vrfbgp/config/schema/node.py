"""projectcalico.org/v3 Node: what Calico knows of a node."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from vrfbgp.config.schema.base import Open, Resource, Strict
from vrfbgp.config.schema.effect import ACTED, Remark
from vrfbgp.config.schema.scalars import Address, Interface, Items, LocalAs, Text

_FABRIC = Remark("Calico carries the traffic between nodes")


class NodeBGP(Strict):
    as_number: Annotated[LocalAs | None, ACTED] = None
    """The node's AS. The annotation `projectcalico.org/ASNumber` of Kubernetes' Node says the same."""
    ipv4_address: Annotated[Interface | None, Field(alias="ipv4Address"), ACTED] = None
    """The node's address: Calico's first, then InternalIP, then ExternalIP; without any, that of the
    interface that main's default route uses.
    """
    ipv6_address: Annotated[Interface | None, Field(alias="ipv6Address"), ACTED] = None
    """As `ipv4Address`."""
    ipv4_ipip_tunnel_addr: Annotated[Address | None, Field(alias="ipv4IPIPTunnelAddr"), ACTED] = None
    """Part of the cluster, as all addresses of all nodes."""
    route_reflector_cluster_id: Annotated[
        Text, Field(alias="routeReflectorClusterID"), Remark("no routes are reflected")
    ] = ""


class NodeWireguard(Strict):
    interface_ipv4_address: Annotated[Address | None, Field(alias="interfaceIPv4Address"), ACTED] = None
    """Part of the cluster."""
    interface_ipv6_address: Annotated[Address | None, Field(alias="interfaceIPv6Address"), ACTED] = None
    """Part of the cluster."""


class NodeAddress(Strict):
    address: Annotated[Interface, ACTED]
    """An address of the node: its own where `bgp` has none. Part of the cluster."""
    type: Annotated[Text, ACTED] = ""
    """`CalicoNodeIP` goes before `InternalIP`, that before `ExternalIP`; others are not the node's own."""


class NodeSpec(Strict):
    bgp: Annotated[NodeBGP | None, ACTED] = None
    """What Calico's BGP knows of the node."""
    addresses: Annotated[tuple[NodeAddress, ...], Items, ACTED] = ()
    """All addresses of the node. Part of the cluster."""
    ipv4_vxlan_tunnel_addr: Annotated[Address | None, Field(alias="ipv4VXLANTunnelAddr"), ACTED] = None
    """Part of the cluster."""
    ipv6_vxlan_tunnel_addr: Annotated[Address | None, Field(alias="ipv6VXLANTunnelAddr"), ACTED] = None
    """Part of the cluster."""
    wireguard: Annotated[NodeWireguard | None, ACTED] = None
    """Addresses of the node's WireGuard devices."""
    vxlan_tunnel_mac_addr: Annotated[Text, Field(alias="vxlanTunnelMACAddr"), _FABRIC] = ""
    vxlan_tunnel_mac_addr_v6: Annotated[Text, Field(alias="vxlanTunnelMACAddrV6"), _FABRIC] = ""
    orch_refs: Annotated[tuple[Open, ...], Items, Field(alias="orchRefs"), ACTED] = ()
    """Nothing in them is for us; every dump has them."""
    interfaces: Annotated[tuple[Open, ...], Items, _FABRIC] = ()


class CalicoNode(Resource):
    spec: NodeSpec = Field(default_factory=NodeSpec)
