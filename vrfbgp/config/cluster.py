"""The cluster itself: destinations that a gateway's traffic reaches by main, whatever its networks say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_network

from vrfbgp.config.gateways import pools_used
from vrfbgp.config.node import NodeIdentity, address_in
from vrfbgp.config.objects import Objects
from vrfbgp.config.ranges import collapse
from vrfbgp.config.schema.node import NodeSpec
from vrfbgp.model import IPAddress, IPNetwork

LINK_LOCAL: tuple[IPNetwork, ...] = (ip_network("169.254.0.0/16"), ip_network("fe80::/10"))
"""A workload's gateway is 169.254.1.1 or a link-local address; without them it loses its own neighbour."""

_ANNOTATIONS = tuple(
    f"projectcalico.org/{name}"
    for name in (
        "IPv4Address",
        "IPv6Address",
        "IPv4IPIPTunnelAddr",
        "IPv4VXLANTunnelAddr",
        "IPv6VXLANTunnelAddr",
        "IPv4WireguardInterfaceAddr",
        "IPv6WireguardInterfaceAddr",
    )
)
"""Where Calico keeps a node's addresses when Kubernetes is its datastore."""


def cluster_of(objects: Objects, node: NodeIdentity) -> tuple[IPNetwork, ...]:
    """Pods, services and nodes, and what is link-local; disjoint and sorted."""
    hosts = (
        *_calico_node_addresses(objects),
        *_kube_node_addresses(objects),
        *node.addresses.values(),
    )
    return collapse((*_blocks(objects, node), *(ip_network(host) for host in hosts), *LINK_LOCAL))


def _blocks(objects: Objects, node: NodeIdentity) -> Iterator[IPNetwork]:
    for entry in objects.bgp:
        if entry.name not in ("default", f"node.{node.name}"):
            continue
        spec = entry.model.spec
        yield from spec.cluster_cidrs
        for block in (
            *spec.service_cluster_ips,
            *spec.service_external_ips,
            *spec.service_load_balancer_ips,
        ):
            if block.cidr is not None:
                yield block.cidr
    used = {pool.model.spec.cidr for pool in pools_used(objects)}
    for pool in objects.pools:
        if pool.model.spec.cidr not in used:
            yield pool.model.spec.cidr
    for kube in objects.nodes:
        for text in (kube.model.spec.pod_cidr, *kube.model.spec.pod_cidrs):
            with suppress(ValueError):  # a v1 Node is open: what is no prefix is none of ours
                yield ip_network(text, strict=False)


def _calico_node_addresses(objects: Objects) -> Iterator[IPAddress]:
    for entry in objects.calico_nodes:
        spec: NodeSpec = entry.model.spec
        yield from (address.address.ip for address in spec.addresses)
        optional = [spec.ipv4_vxlan_tunnel_addr, spec.ipv6_vxlan_tunnel_addr]
        if spec.bgp is not None:
            optional.append(spec.bgp.ipv4_ipip_tunnel_addr)
            interfaces = (spec.bgp.ipv4_address, spec.bgp.ipv6_address)
            optional += [interface.ip for interface in interfaces if interface is not None]
        if spec.wireguard is not None:
            optional += [spec.wireguard.interface_ipv4_address, spec.wireguard.interface_ipv6_address]
        yield from (address for address in optional if address is not None)


def _kube_node_addresses(objects: Objects) -> Iterator[IPAddress]:
    for entry in objects.nodes:
        for address in entry.model.status.addresses:
            yield from address_in(address.address)
        for annotation in _ANNOTATIONS:
            yield from address_in(entry.model.metadata.annotations.get(annotation, ""))
