"""BGPPeers that this node holds sessions with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vrfbgp.config.filters import filters_of
from vrfbgp.config.findings import Findings, degrading
from vrfbgp.config.node import NodeIdentity
from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.schema.effect import neglected
from vrfbgp.config.schema.network import ExternalNetwork
from vrfbgp.config.schema.peer import BGPPeer, BGPPeerSpec
from vrfbgp.config.secrets import password_of
from vrfbgp.intent import LimitAction, NextHopMode, PeerIntent, PrefixLimit, Problem, Reason, SourceMode
from vrfbgp.model import Family, IPAddress, PeerId

_HOLD_TIME = 90
_RESTART_TIME = 120
"""BIRD's default, and so Calico's."""
_CALLERS_RESTART_TIME = 30
"""Of a passive session: FRR calls once after the end of one whose routes it keeps, then not before their
time is over. So it is back before the network's own time to come in sync ends (`network.SYNC_TIME`)."""


def peers_of(objects: Objects, node: NodeIdentity, findings: Findings) -> dict[str, list[PeerIntent]]:
    """The sessions of this node by network, each session once, sorted by its id."""
    networks = {entry.name: entry for entry in reversed(objects.networks)}
    by_id: dict[PeerId, list[tuple[Entry[BGPPeer], PeerIntent]]] = {}
    for entry in objects.peers:
        if not selects(entry.model.spec, node):
            continue
        peer = _peer(entry, objects, networks, node, findings)
        if peer is not None:
            by_id.setdefault(peer.id, []).append((entry, peer))
    found: dict[str, list[PeerIntent]] = {}
    for peer_id in sorted(by_id, key=lambda peer_id: (peer_id.network, peer_id.address.packed, peer_id.port)):
        peers = found.setdefault(peer_id.network, [])
        peer = _single(by_id[peer_id], findings)
        for other in peers:
            if _indistinct(other, peer) and not peer.degraded:
                peer = _second(by_id[peer_id][0][0], peer, other, findings)
        peers.append(peer)
    return found


def selects(spec: BGPPeerSpec, node: NodeIdentity) -> bool:
    """Whether a node is meant: by name, by its labels, or because all are."""
    if spec.node:
        return spec.node == node.name
    return spec.node_selector is None or spec.node_selector.matches(node.labels)


def _peer(
    entry: Entry[BGPPeer],
    objects: Objects,
    networks: dict[str, Entry[ExternalNetwork]],
    node: NodeIdentity,
    findings: Findings,
) -> PeerIntent | None:
    spec = entry.model.spec
    if not spec.external_network:
        text = "It has no externalNetwork, so it gets no session: name the network that it belongs to."
        findings.tell(entry.notice(Reason.NO_EFFECT, text, "spec"))
        return None
    network = networks.get(spec.external_network)
    if network is None:
        text = f"There is no ExternalNetwork {spec.external_network}: add it, or correct externalNetwork."
        findings.tell(entry.degraded(Reason.MISSING_NETWORK, text, "spec", "externalNetwork"))
        return None
    if spec.peer_ip is None:
        text = "It has no peerIP, so there is nobody to hold a session with: give the router's address."
        findings.tell(entry.degraded(Reason.WRONG_TYPE, text, "spec", "peerIP"))
        return None
    reasons = degrading(entry.broken)
    told = [*_unusable(entry, network, objects, findings)]
    address = spec.peer_ip.address
    source, source_address = _source(entry, node, address, findings)
    password = _password(entry, objects, told)
    known = {found.name: found.model for found in objects.filters if not found.broken}
    for problem in told:
        findings.tell(problem)
    return PeerIntent(
        id=PeerId(spec.external_network, address, spec.peer_ip.port or 179),
        name=entry.name,
        peer_as=spec.as_number,
        local_as=spec.local_as_number or node.as_number,
        router_id=node.router_id,
        source=source,
        source_address=source_address,
        source_interface=spec.source_interface or spec.peer_ip.zone or None,
        reachable_by=spec.reachable_by,
        families=frozenset(Family[name.upper()] for name in spec.families) or frozenset({Family.of(address)}),
        other_address=node.addresses.get(_other(address)) if source is SourceMode.NODE else None,
        hold_time=_hold_time(spec),
        keepalive_time=spec.keepalive_time,
        restart_time=_restart_time(spec),
        password=password,
        ttl_security=spec.ttl_security,
        listen_port=node.listen_port if spec.passive else None,
        next_hop_mode=_next_hop_mode(spec),
        allowed_local_as=spec.num_allowed_local_as_numbers,
        filters=filters_of(known[name] for name in spec.filters if name in known),
        max_prefixes=_prefix_limit(spec),
        degraded=(*reasons, *told),
    )


def _unusable(
    entry: Entry[BGPPeer], network: Entry[ExternalNetwork], objects: Objects, findings: Findings
) -> Iterator[Problem]:
    """Why no session can be held that does what the user asked for."""
    if not entry.model.spec.as_number:
        text = "It has no asNumber: give the peer's AS."
        yield entry.degraded(Reason.MISSING_AS, text, "spec", "asNumber")
    filters = {found.name for found in objects.filters if not found.broken}
    for index, name in enumerate(entry.model.spec.filters):
        if name not in filters:
            text = f"There is no BGPFilter {name}: add it, or take it out of filters."
            yield entry.degraded(Reason.MISSING_FILTER, text, "spec", "filters", index)
    for owner in (entry, network):
        for field in neglected(owner.model.spec):
            if field.limits:
                why = f": {field.remark}" if field.remark else ""
                text = (
                    f"{field.path[0]} is not acted on yet{why}. "
                    "Without it more would be let through, so there is no session: remove it to have one."
                )
                yield owner.degraded(Reason.NOT_ACTED_ON, text, "spec", *field.path)


def _source(
    entry: Entry[BGPPeer], node: NodeIdentity, peer: IPAddress, findings: Findings
) -> tuple[SourceMode, IPAddress | None]:
    spec = entry.model.spec
    if spec.source_ip is not None:
        return SourceMode.EXPLICIT, spec.source_ip
    if spec.source_address == "None":
        return SourceMode.UPLINK, None
    address = node.addresses.get(Family.of(peer))
    if address is None:
        text = (
            f"No IPv{peer.version} address of node {node.name} is known, so the source is the uplink's: "
            "give the Node an address, or set sourceAddress: None."
        )
        findings.tell(entry.notice(Reason.NO_SOURCE, text, "spec", "sourceAddress"))
        return SourceMode.UPLINK, None
    return SourceMode.NODE, address


def _other(address: IPAddress) -> Family:
    return Family.IPV6 if address.version == 4 else Family.IPV4


def _password(entry: Entry[BGPPeer], objects: Objects, told: list[Problem]) -> str | None:
    wanted = entry.model.spec.password
    if wanted is None:
        return None
    path = ("spec", "password", "secretKeyRef")
    if wanted.secret_key_ref is None:
        text = "password has no secretKeyRef, so there is no session: name a Secret and its key."
        told.append(entry.degraded(Reason.MISSING_SECRET, text, *path))
        return None
    password, why = password_of(objects, wanted.secret_key_ref)
    if password is None:
        text = f"{why[:1].upper()}{why[1:]}. There is no session without the password."
        told.append(entry.degraded(Reason.MISSING_SECRET, text, *path))
    return password


def _prefix_limit(spec: BGPPeerSpec) -> PrefixLimit | None:
    limit = spec.max_prefixes
    return PrefixLimit(limit.limit, LimitAction(limit.action), limit.restart_after) if limit else None


def _hold_time(spec: BGPPeerSpec) -> int:
    """A keepalive time that leaves no room in the default takes it along, as BIRD's default would have."""
    if spec.hold_time is not None:
        return spec.hold_time
    return max(_HOLD_TIME, 3 * (spec.keepalive_time or 0))


def _restart_time(spec: BGPPeerSpec) -> int:
    """With LongLivedGracefulRestart maxRestartTime is another time, that of stale routes."""
    if spec.restart_mode != "GracefulRestart" or spec.max_restart_time is None:
        return _CALLERS_RESTART_TIME if spec.passive else _RESTART_TIME
    return spec.max_restart_time


def _next_hop_mode(spec: BGPPeerSpec) -> NextHopMode:
    if spec.next_hop_mode is None:
        return NextHopMode.KEEP if spec.keep_original_next_hop else NextHopMode.AUTO
    return NextHopMode(spec.next_hop_mode)


def _indistinct(one: PeerIntent, other: PeerIntent) -> bool:
    """Whether both are called from one address: they do so from any port."""
    return one.id.address == other.id.address and None not in (one.listen_port, other.listen_port)


def _second(entry: Entry[BGPPeer], peer: PeerIntent, first: PeerIntent, findings: Findings) -> PeerIntent:
    text = (
        f"Network {peer.id.network} has a passive session with {first.id.address} already (BGPPeer "
        f"{first.name}), and a router's call does not tell which of two it is for: make one of them active, "
        "or give it another address or network."
    )
    problem = entry.degraded(Reason.DUPLICATE_NAME, text, "spec", "passive")
    findings.tell(problem)
    return replace(peer, degraded=(*peer.degraded, problem))


def _single(group: list[tuple[Entry[BGPPeer], PeerIntent]], findings: Findings) -> PeerIntent:
    """One session has one BGPPeer; of several, none is used."""
    _, peer = group[0]
    if len(group) == 1:
        return peer
    names = ", ".join(entry.name for entry, _ in group)
    reasons = list(peer.degraded)
    for entry, _ in group:
        text = f"BGPPeers {names} are for the same session of network {peer.id.network}: keep one of them."
        problem = entry.degraded(Reason.DUPLICATE_NAME, text, "spec", "peerIP")
        reasons.append(problem if entry.broken else findings.exclude(problem))
    return PeerIntent(
        **{name: getattr(peer, name) for name in PeerIntent.__slots__} | {"degraded": tuple(reasons)}
    )
