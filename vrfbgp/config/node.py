"""Who this node is: its labels, its AS, its addresses and its router id."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_interface

from vrfbgp.config.facts import HostFacts
from vrfbgp.config.findings import Findings
from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.schema.bgp import BGPConfiguration, BGPConfigurationSpec
from vrfbgp.config.schema.kubernetes import KubeNode
from vrfbgp.config.schema.node import CalicoNode
from vrfbgp.intent import Problem, Reason, Severity
from vrfbgp.model import Family, IPAddress

DEFAULT_AS = 64512
"""Calico's default local AS."""
BGP_PORT = 179
_BEST_FIRST = ("InternalIP", "ExternalIP")


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """This node, all defaults applied."""

    name: str
    labels: Mapping[str, str]
    as_number: int
    addresses: Mapping[Family, IPAddress]
    router_id: str
    made_up_router_id: bool
    """There was no address to take it from."""
    listen_port: int
    """Where the peers of passive sessions call."""


def identify(
    objects: Objects, name: str, labels: Mapping[str, str], host: HostFacts, findings: Findings
) -> NodeIdentity:
    """Put together what the Node objects, the BGPConfiguration, the command line and the host say."""
    kube = next((entry for entry in objects.nodes if entry.name == name), None)
    calico = next((entry for entry in objects.calico_nodes if entry.name == name), None)
    if kube is None and calico is None:
        _tell_unknown(objects, name, host, findings)
    known = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    known |= calico.model.metadata.labels if calico else {}
    known |= kube.model.metadata.labels if kube else {}
    addresses: dict[Family, IPAddress] = {}
    for address in (*_calico_addresses(calico), *_kube_addresses(kube), host.ipv4, host.ipv6):
        if address is not None:
            addresses.setdefault(Family.of(address), address)
    default, own = bgp_settings(objects, name, findings)
    router_id = own.router_id or default.router_id or addresses.get(Family.IPV4)
    return NodeIdentity(
        name=name,
        labels=known | dict(labels),
        as_number=_own_as(calico, kube) or default.as_number or DEFAULT_AS,
        addresses=addresses,
        router_id=str(router_id or _made_up(name)),
        made_up_router_id=router_id is None,
        listen_port=own.listen_port or default.listen_port or BGP_PORT,
    )


def bgp_settings(
    objects: Objects, node: str, findings: Findings
) -> tuple[BGPConfigurationSpec, BGPConfigurationSpec]:
    """The BGPConfiguration `default` and that of this node; empty ones if there are none."""
    found = {"default": BGPConfigurationSpec(), f"node.{node}": BGPConfigurationSpec()}
    for entry in objects.bgp:
        if entry.name in found:
            found[entry.name] = entry.model.spec
        if entry.name.startswith("node.") and entry.model.spec.as_number is not None:
            text = (
                "asNumber counts in the BGPConfiguration default only: set it in the Node's spec.bgp instead."
            )
            findings.tell(entry.notice(Reason.NO_EFFECT, text, "spec", "asNumber"))
        if entry.name != "default" and not entry.name.startswith("node."):
            findings.tell(_no_such_scope(entry))
    return found["default"], found[f"node.{node}"]


def _no_such_scope(entry: Entry[BGPConfiguration]) -> Problem:
    text = "Only the names default and node.NAME have a meaning: rename it, or remove it."
    return entry.notice(Reason.NO_EFFECT, text, "metadata", "name")


def _own_as(calico: Entry[CalicoNode] | None, kube: Entry[KubeNode] | None) -> int | None:
    if calico and calico.model.spec.bgp and calico.model.spec.bgp.as_number:
        return calico.model.spec.bgp.as_number
    # Calico keeps its own part of a Node in annotations when Kubernetes is its datastore.
    text = kube.model.metadata.annotations.get("projectcalico.org/ASNumber", "") if kube else ""
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) < 2**32 else None


def _calico_addresses(entry: Entry[CalicoNode] | None) -> Iterator[IPAddress]:
    if entry is None:
        return
    spec = entry.model.spec
    for interface in (spec.bgp.ipv4_address, spec.bgp.ipv6_address) if spec.bgp else ():
        if interface is not None:
            yield interface.ip
    for kind in ("CalicoNodeIP", *_BEST_FIRST):
        yield from (address.address.ip for address in spec.addresses if address.type == kind)


def _kube_addresses(entry: Entry[KubeNode] | None) -> Iterator[IPAddress]:
    if entry is None:
        return
    for annotation in ("projectcalico.org/IPv4Address", "projectcalico.org/IPv6Address"):
        yield from address_in(entry.model.metadata.annotations.get(annotation, ""))
    for kind in _BEST_FIRST:
        for address in entry.model.status.addresses:
            if address.type == kind:
                yield from address_in(address.address)


def address_in(text: str) -> Iterator[IPAddress]:
    """The address of a text that may have a prefix length, or be no address at all."""
    try:
        yield ip_interface(text).ip
    except ValueError:
        return


def _made_up(name: str) -> IPv4Address:
    """Any number but 0 that is unique in the AS will do (RFC 6286 2.1)."""
    return IPv4Address(zlib.crc32(name.encode()) or 1)


def _tell_unknown(objects: Objects, name: str, host: HostFacts, findings: Findings) -> None:
    others = sorted({entry.name for entry in objects.nodes} | {entry.name for entry in objects.calico_nodes})
    if not others:
        return
    shown = ", ".join(others[:5]) + (", …" if len(others) > 5 else "")
    text = (
        f"There is no Node of this name, but {shown}: only --label and the host's own labels count. "
        f"Say which node this is with --node (the host is called {host.hostname})."
    )
    findings.tell(Problem(Severity.NOTICE, Reason.MISSING_NODE, f"Node {name}", text))
