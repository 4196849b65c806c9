"""Manifests as mappings, for configs that are made up on the way. What is not told is left to the defaults.

`projectcalico.org/v3` is Calico's own; a field that only we know needs `vrfbgp.io/v1alpha1` (`OURS`).
"""

from __future__ import annotations

from typing import Any

CALICO = "projectcalico.org/v3"
OPERATOR = "operator.tigera.io/v1"
OURS = "vrfbgp.io/v1alpha1"

Manifest = dict[str, Any]


def manifest(api_version: str, kind: str, name: str, spec: dict[str, Any], **metadata: Any) -> Manifest:
    """An object of any kind."""
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec}


def network(name: str, table: int, *, api_version: str = CALICO, **spec: Any) -> Manifest:
    """An ExternalNetwork."""
    return manifest(api_version, "ExternalNetwork", name, {"routeTableIndex": table, **spec})


def peer(
    name: str, network: str, address: str, asn: int, *, api_version: str = CALICO, **spec: Any
) -> Manifest:
    """A BGPPeer of a network, for all nodes, from the uplink's address unless told otherwise."""
    fields = {"peerIP": address, "asNumber": asn, "externalNetwork": network, "sourceAddress": "None"}
    return manifest(api_version, "BGPPeer", name, {**fields, **spec})


def gateway(
    name: str,
    networks: list[str],
    *cidrs: str,
    pools: tuple[dict[str, str], ...] = (),
    node_selector: dict[str, str] | None = None,
) -> Manifest:
    """An EgressGateway in namespace `default`; without a selector it may run on any node."""
    pod: dict[str, Any] = {"terminationGracePeriodSeconds": 0}
    if node_selector is not None:
        pod["nodeSelector"] = node_selector
    spec = {
        "replicas": 1,
        "externalNetworks": networks,
        "ipPools": [*({"cidr": cidr} for cidr in cidrs), *pools],
        "template": {"metadata": {"labels": {"egress-code": name}}, "spec": pod},
    }
    return manifest(OPERATOR, "EgressGateway", name, spec, namespace="default")


def felix(support: str = "Enabled", **spec: Any) -> Manifest:
    """The FelixConfiguration `default`."""
    return manifest(CALICO, "FelixConfiguration", "default", {"externalNetworkSupport": support, **spec})


def bgp(**spec: Any) -> Manifest:
    """The BGPConfiguration `default`."""
    return manifest(CALICO, "BGPConfiguration", "default", spec)


def node(name: str, address: str, **labels: str) -> Manifest:
    """A Kubernetes Node."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/os": "linux", **labels}},
        "status": {"addresses": [{"type": "InternalIP", "address": address}]},
    }


def pool(name: str, cidr: str, **spec: Any) -> Manifest:
    """An IPPool."""
    return manifest(CALICO, "IPPool", name, {"cidr": cidr, **spec})


def bgp_filter(name: str, **rules: list[dict[str, Any]]) -> Manifest:
    """A BGPFilter, with rules by `importV4`, `exportV4`, `importV6`, `exportV6`."""
    return manifest(CALICO, "BGPFilter", name, dict(rules))
