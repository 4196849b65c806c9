"""How a network is attached to the node: which device leads to each peer, from which address, and which
bootstrap routes its table needs before anything can be learned.

An *uplink* is a device over which a peer is reached. A peer is *on-link* where a connected route of table
main covers it; one further away needs a route of the user's in the network's own table, `reachableBy` or
`bootstrapRoutes`. All of it follows the kernel: it is computed anew whenever links, addresses or such
routes change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from vrfbgp.host import Connected, Host
from vrfbgp.intent import NetworkIntent, PeerIntent, Problem, Reason, Severity, SourceMode
from vrfbgp.model import Family, Inline, IPAddress, Nlri, PeerId, network_of, nlri_of
from vrfbgp.rib.reach import Reach, Way, covering


@dataclass(frozen=True, slots=True)
class Attachment:
    """How one peer is reached."""

    peer: PeerId
    ifindex: int
    local: IPAddress
    on_link: bool
    device: str = ""
    """The name of the device."""
    other: IPAddress | None = None
    """An address of ours in the other family, for a session that carries both; None: there is none."""

    @property
    def pair(self) -> tuple[IPAddress, IPAddress, int]:
        """What tells its packets from those of other sessions: both addresses, and the zone of link-local
        IPv6 ones (RFC 4007), else 0."""
        zone = self.ifindex if self.local.version == 6 and self.local.is_link_local else 0
        return self.local, self.peer.address, zone


@dataclass(frozen=True, slots=True)
class Uplinks:
    """All that a network's own table needs to know about the node."""

    attachments: dict[PeerId, Attachment] = field(default_factory=dict)
    bootstrap: dict[Family, dict[Nlri, Inline]] = field(default_factory=dict)
    reach: Reach = field(default_factory=Reach)
    problems: tuple[Problem, ...] = ()
    """Why a peer of the network can't be reached."""


def attach(network: NetworkIntent, host: Host) -> Uplinks:
    """Find the uplinks of a network and what its table needs for them."""
    bootstrap: dict[Family, dict[Nlri, Inline]] = {family: {} for family in Family}
    attachments: dict[PeerId, Attachment] = {}
    problems: list[Problem] = []
    _add_static(network, host, bootstrap)
    for peer in network.peers:
        if peer.degraded:
            continue
        found = _attach_peer(network, peer, host, bootstrap)
        if isinstance(found, Attachment):
            attachments[peer.id] = _carrying(peer, found, host, bootstrap)
            problems += _uncarried(peer, attachments[peer.id])
        else:
            problems.append(found)
    uplinks = {attachment.ifindex for attachment in attachments.values()}
    uplinks |= {inline.ifindex for routes in bootstrap.values() for inline in routes.values()}
    peers = [attachment.peer.address for attachment in attachments.values()]
    reach = _reach(network.table, uplinks, bootstrap, host, peers)
    return Uplinks(attachments, bootstrap, reach, tuple(problems))


def _attach_peer(
    network: NetworkIntent, peer: PeerIntent, host: Host, bootstrap: dict[Family, dict[Nlri, Inline]]
) -> Attachment | Problem:
    device: int | None = None
    if peer.source_interface is not None:
        link = host.device(peer.source_interface)
        if link is None:
            return _unreachable(peer, f"its sourceInterface {peer.source_interface} does not exist")
        device = link.index
    attached = host.covering(peer.id.address, device)
    if len({connected.ifindex for connected in attached}) > 1:
        names = ", ".join(sorted(host.name(connected.ifindex) for connected in attached))
        text = f"{peer.id.address} is on {names} alike: name one of them by sourceInterface"
        return _problem(peer, Reason.AMBIGUOUS_UPLINK, text)
    if attached:
        local = _local_address(peer, host, attached[0].ifindex, attached[0])
        if isinstance(local, Problem):
            return local
        on = attached[0].ifindex
        if peer.id.address.version == 6 and peer.id.address.is_link_local:
            held = bootstrap[Family.IPV6].get(nlri_of(attached[0].prefix))
            if held is not None and held.ifindex != on:
                text = f"{peer.id.address} is on {host.name(on)}, another link-local peer of the network on "
                text += f"{host.name(held.ifindex)}: both have {attached[0].prefix}; use a global address"
                return _problem(peer, Reason.AMBIGUOUS_UPLINK, text)
            attached = _on_device(on, Family.IPV6, host)
        _add_connected(attached, bootstrap)
        return Attachment(peer.id, on, local, True, host.name(on))
    ifindex = _remote_device(network, peer, host, bootstrap)
    if ifindex is None or device not in (None, ifindex):
        return _unreachable(
            peer,
            "no connected route of table main covers it; add a route to it in table "
            f"{network.table}, or set reachableBy or bootstrapRoutes",
        )
    local = _local_address(peer, host, ifindex, None)
    if isinstance(local, Problem):
        return local
    return Attachment(peer.id, ifindex, local, False, host.name(ifindex))


def _carrying(
    peer: PeerIntent, attachment: Attachment, host: Host, bootstrap: dict[Family, dict[Nlri, Inline]]
) -> Attachment:
    """What a session needs that carries the other family, too: the subnets that the link has in it, where the
    peer's next hops are, and an address for ours. Link-local ones are left out: two links have the same."""
    ifindex = attachment.ifindex
    for family in peer.families - {Family.of(peer.id.address)}:
        subnets = [c for c in _on_device(ifindex, family, host) if not c.prefix.is_link_local]
        _add_connected(subnets, bootstrap)
        own = [a.address for a in host.addresses if a.ifindex == ifindex and Family.of(a.address) is family]
        own = sorted((a for a in own if not a.is_link_local), key=int)
        other = peer.other_address if peer.other_address in host.local else None
        attachment = replace(attachment, other=other or next(iter(own), None))
    return attachment


def _uncarried(peer: PeerIntent, attachment: Attachment) -> Iterator[Problem]:
    """Whether the session can't carry IPv6 in fact. IPv4 may have IPv6 next hops."""
    if peer.id.address.version == 4 and Family.IPV6 in peer.families and attachment.other is None:
        text = (
            f"its uplink {attachment.device} has no global IPv6 address, so no IPv6 prefix is announced over "
            "this session, and none that comes is usable: give it an address, or take IPv6 out of families"
        )
        yield Problem(Severity.NOTICE, Reason.NO_SOURCE, f"BGPPeer {peer.name}", text)


def _on_device(ifindex: int, family: Family, host: Host) -> list[Connected]:
    """The connected routes on a device: a link-local peer's next hops are global ones (RFC 2545 3), in any
    of the link's subnets."""
    return [c for c in host.connected() if c.ifindex == ifindex and Family.of(c.prefix) is family]


def _remote_device(
    network: NetworkIntent, peer: PeerIntent, host: Host, bootstrap: dict[Family, dict[Nlri, Inline]]
) -> int | None:
    """The device that leads to a peer that is further away."""
    address, family = peer.id.address, Family.of(peer.id.address)
    if peer.reachable_by is not None:
        towards = host.covering(peer.reachable_by)
        if len({connected.ifindex for connected in towards}) == 1:
            _add_connected(towards, bootstrap)
            host_route = bytes((family.bits,)) + address.packed
            inline = Inline(towards[0].ifindex, peer.reachable_by, towards[0].prefsrc)
            bootstrap[family].setdefault(host_route, inline)
    best: tuple[int, int] | None = None
    for nlri, ways in _own_ways(network.table, bootstrap, host)[family].items():
        if nlri[0] and ways and address in network_of(family, nlri) and (best is None or nlri[0] > best[0]):
            best = nlri[0], ways[0].ifindex
    return best[1] if best else None


def _local_address(
    peer: PeerIntent, host: Host, ifindex: int, attached: Connected | None
) -> IPAddress | Problem:
    if peer.source is not SourceMode.UPLINK:
        if peer.source_address is None:
            text = "the node has no known address: give Node.spec.bgp, or sourceAddress: None"
            return _problem(peer, Reason.NO_SOURCE, text)
        if peer.source_address not in host.local:
            text = f"its source address {peer.source_address} is on no interface of this node"
            return _problem(peer, Reason.NO_SOURCE, text)
        return peer.source_address
    if attached is not None and attached.prefsrc is not None:
        return attached.prefsrc
    own = [a for a in host.addresses if a.ifindex == ifindex and _alike(a.address, peer.id.address)]
    own.sort(key=lambda a: (a.address.is_link_local != peer.id.address.is_link_local, int(a.address)))
    if attached is not None:
        own = [a for a in own if a.address in attached.prefix] or own
    if not own:
        text = f"its uplink {host.name(ifindex)} has no address to speak from"
        return _problem(peer, Reason.NO_SOURCE, text)
    return own[0].address


def _alike(local: IPAddress, remote: IPAddress) -> bool:
    """Whether one may speak to the other; no address does for a global IPv6 one that is still tentative
    (RFC 4862 5.4), lest the session moves to it and back."""
    if local.version == remote.version == 6:
        return local.is_link_local == remote.is_link_local
    return local.version == remote.version


def _add_static(network: NetworkIntent, host: Host, bootstrap: dict[Family, dict[Nlri, Inline]]) -> None:
    """The user's `bootstrapRoutes`, as far as their devices are there."""
    for static in network.bootstrap_routes:
        link = host.device(static.interface) if static.interface else None
        towards = host.covering(static.gateway, link.index if link else None) if static.gateway else []
        devices = {connected.ifindex for connected in towards} or ({link.index} if link else set())
        if (static.interface and link is None) or len(devices) != 1:
            continue
        _add_connected(towards, bootstrap)
        prefsrc = towards[0].prefsrc if towards else None
        inline = Inline(devices.pop(), static.gateway, prefsrc)
        bootstrap[Family.of(static.destination)][nlri_of(static.destination)] = inline


def _add_connected(found: Iterable[Connected], bootstrap: dict[Family, dict[Nlri, Inline]]) -> None:
    for connected in found:
        inline = Inline(connected.ifindex, None, connected.prefsrc)
        bootstrap[Family.of(connected.prefix)][nlri_of(connected.prefix)] = inline


def _own_ways(
    table: int, bootstrap: dict[Family, dict[Nlri, Inline]], host: Host
) -> dict[Family, dict[Nlri, tuple[Way, ...]]]:
    """What the table holds apart from learned routes; the user's own goes before ours."""
    ways: dict[Family, dict[Nlri, tuple[Way, ...]]] = {
        family: {nlri: (Way(inline.gateway, inline.ifindex),) for nlri, inline in routes.items()}
        for family, routes in bootstrap.items()
    }
    for route in host.foreign_routes(table):
        if route.kind == "unicast" and route.nexthops:
            hops = tuple(Way(gateway, ifindex) for gateway, ifindex in route.nexthops)
            ways[route.key.family][route.key.nlri] = hops
    return ways


def _reach(
    table: int,
    uplinks: set[int],
    bootstrap: dict[Family, dict[Nlri, Inline]],
    host: Host,
    peers: Iterable[IPAddress],
) -> Reach:
    running = {index for index in uplinks if index in host.links and host.links[index].running}
    ways = _own_ways(table, bootstrap, host)
    held = {family: set(routes) for family, routes in bootstrap.items()}
    for peer in peers:
        held[Family.of(peer)].update(_capturing(peer, ways[Family.of(peer)]))
    return Reach(
        uplinks=frozenset(uplinks),
        running=frozenset(running),
        ways=ways,
        bootstrap={family: frozenset(prefixes) for family, prefixes in held.items()},
        local=host.local,
        refused=frozenset(host.refused_hops),
    )


def _capturing(peer: IPAddress, ways: dict[Nlri, tuple[Way, ...]]) -> list[Nlri]:
    """Prefixes that would lead a session's packets another way than the one that leads to the peer."""
    more_specific: list[Nlri] = []
    for nlri in covering(peer):
        if nlri in ways:
            return more_specific
        more_specific.append(nlri)
    return []


def _unreachable(peer: PeerIntent, text: str) -> Problem:
    return _problem(peer, Reason.NO_UPLINK, f"{peer.id.address} can't be reached: {text}")


def _problem(peer: PeerIntent, reason: Reason, text: str) -> Problem:
    return Problem(Severity.DEGRADED, reason, f"BGPPeer {peer.name}", text)
