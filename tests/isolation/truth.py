"""Where a packet must go: a model of what is promised, which shares nothing with the code that keeps it.

From what the config says, what the peers have announced, and what is on the node, `Truth` says for a source
and a destination whether the packet is the node's own (`local`), goes by main, is unreachable, or leaves by
an external network, and then by which gateways on which devices. It is written from the documents
(docs/architecture.md, docs/configuration.md) and RFC 4271, as plainly as can be, with no thought of speed.

What it does not know, it says (`Unmodelled`), and nobody is to judge by it then: link-local peers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Host = IPv4Address | IPv6Address
Net = IPv4Network | IPv6Network
Hop = tuple[Host | None, str]
"""A gateway, None for the destination itself, on a device."""

MAIN = 254


class Unmodelled(Exception):
    """The model has no opinion of this."""


@dataclass(frozen=True)
class Route:
    """A route in a table; without hops it says unreachable."""

    table: int
    prefix: Net
    metric: int
    hops: frozenset[Hop]


@dataclass(frozen=True)
class Announcement:
    """A path as its peer sends it."""

    next_hop: Host
    as_path: tuple[int, ...] = ()
    local_pref: int = 100
    med: int = 0
    origin: int = 0


@dataclass(frozen=True)
class Peer:
    """A router, and what counts of all that it ever announced."""

    address: Host
    remote_as: int
    local_as: int
    paths: Mapping[Net, Announcement] = field(default_factory=dict)
    interface: str | None = None
    source: Host | None = None
    reachable_by: Host | None = None
    own_as_allowed: int = 0
    rejects: tuple[Net, ...] = ()
    """Its import filter: nothing within these."""
    families: frozenset[int] = frozenset()
    """IP versions that its session carries; that of its address always."""
    works: bool = True

    @property
    def internal(self) -> bool:
        return self.remote_as == self.local_as


@dataclass(frozen=True)
class Bootstrap:
    """A route that the user asks for in the network's table."""

    destination: Net
    gateway: Host | None
    interface: str | None


@dataclass(frozen=True)
class Network:
    name: str
    table: int
    peers: tuple[Peer, ...] = ()
    open: bool = False
    bootstrap: tuple[Bootstrap, ...] = ()
    max_paths: int = 16
    metric: int = 20000
    refuses: tuple[Net, ...] = ()
    """Nothing within these is learned: the cluster."""
    default_route: bool = True
    works: bool = True


@dataclass(frozen=True)
class Gateway:
    ranges: tuple[Net, ...]
    networks: tuple[str, ...]
    isolated: bool = False


@dataclass(frozen=True)
class Device:
    """A link; `carries` with a carrier. Addresses with the length of their subnet."""

    name: str
    up: bool
    carries: bool
    addresses: tuple[tuple[Host, int], ...]


@dataclass(frozen=True)
class Facts:
    """All that decides. `routes` are those of everybody but us, in all tables."""

    enabled: bool
    networks: tuple[Network, ...]
    gateways: tuple[Gateway, ...]
    cluster: tuple[Net, ...]
    devices: Mapping[str, Device]
    routes: tuple[Route, ...]
    steered: bool = True
    """False: the node is drained."""


@dataclass(frozen=True)
class Fate:
    """`local`, `main`, `unreachable`, or `network`: by that network's hops."""

    kind: str
    network: str = ""
    hops: frozenset[Hop] = frozenset()

    def __str__(self) -> str:
        found = sorted(f"via {gateway} dev {dev}" if gateway else f"dev {dev}" for gateway, dev in self.hops)
        return " ".join([self.kind, self.network, *found]).strip()


def longest(routes: Iterable[Route], dst: Host) -> Route | None:
    """What a table says: the longest prefix, of these the lowest metric."""
    covering = [r for r in routes if r.prefix.version == dst.version and dst in r.prefix]
    return max(covering, key=lambda r: (r.prefix.prefixlen, -r.metric), default=None)


class Truth:
    """The answers to one set of facts."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._own = {address for device in facts.devices.values() for address, _ in device.addresses}
        self.networks = {n.name: n for n in facts.networks if n.works and facts.enabled}
        self.tables = {name: Table(facts, n, self._own) for name, n in self.networks.items()}
        self.fate = cache(self._fate)
        self.ways = cache(self._ways)
        self.offers = cache(self._offers)

    def _fate(self, src: Host, dst: Host) -> Fate:
        """What must become of a packet of a gateway, or of any other source."""
        if dst in self._own:
            return Fate("local")
        gateway = self.gateway(src)
        if gateway is None:
            return Fate("main")
        if any(dst in prefix for prefix in self.facts.cluster):
            node = longest([route for route in self.facts.routes if route.table == MAIN], dst)
            if node is not None:
                return Fate("main") if node.hops else Fate("unreachable")
        for name in self._asked(gateway):
            route = longest(self.tables[name].routes, dst)
            if route is not None:
                return Fate("network", name, route.hops) if route.hops else Fate("unreachable")
        return Fate("main") if self.is_open(gateway) else Fate("unreachable")

    def gateway(self, src: Host) -> Gateway | None:
        if not self.facts.enabled:
            return None
        return next((g for g in self.facts.gateways if any(src in r for r in g.ranges)), None)

    def is_open(self, gateway: Gateway) -> bool:
        """It may fall through: all of its networks are there, and Open."""
        named = {n.name: n for n in self.facts.networks}
        return not gateway.isolated and all(n in named and named[n].open for n in gateway.networks)

    def _asked(self, gateway: Gateway) -> list[str]:
        if gateway.isolated or not self.facts.steered:
            return []
        return [name for name in gateway.networks if name in self.networks]

    def used(self, src: Host) -> frozenset[str]:
        """The networks that a gateway asks."""
        gateway = self.gateway(src)
        return frozenset(self._asked(gateway) if gateway is not None else ())

    def _ways(self, networks: frozenset[str], dst: Host) -> frozenset[Hop]:
        """By what a packet may leave in these networks, while things change: any way they have to `dst`."""
        return frozenset(
            hop
            for name in networks & self.tables.keys()
            for prefix, hops in self.tables[name].conceivable
            if dst.version == prefix.version and dst in prefix
            for hop in hops
        )

    def _offers(self, src: Host, dst: Host) -> frozenset[str]:
        """The networks of a gateway that have a way for the packet."""
        if self.fate(src, dst).kind != "network":
            return frozenset()
        gateway = self.gateway(src)
        return frozenset(
            name
            for name in (self._asked(gateway) if gateway is not None else ())
            if (route := longest(self.tables[name].routes, dst)) is not None and route.hops
        )

    def sessions(self) -> tuple[dict[tuple[Host, Host], Fate], set[tuple[Host, Host]]]:
        """Where each session's own packets go: in its network's own table.

        Those of two sessions with the same two addresses can't be told apart, and over a link without a
        carrier there is no session. They are in the second answer: the model says nothing of them.
        """
        found: dict[tuple[Host, Host], list[Fate]] = {}
        for name, table in self.tables.items():
            for peer in self.networks[name].peers:
                local = table.local(peer)
                route = longest(table.routes, peer.address)
                if local is not None and route is not None:
                    hops = route.hops if table.reaches(peer.address) else frozenset()
                    found.setdefault((local, peer.address), []).append(Fate("network", name, hops))
        alone = {pair: fates[0] for pair, fates in found.items() if len(fates) == 1 and fates[0].hops}
        return alone, found.keys() - alone.keys()


class Table:
    """What one network's table must hold."""

    def __init__(self, facts: Facts, network: Network, own: set[Host]) -> None:
        self._facts, self._network, self._own = facts, network, own
        users = [r for r in facts.routes if r.table == network.table]
        self._users = users
        self._leads: dict[Host, tuple[str, Host]] = {}
        """By peer: the device it is reached over, and the next hop on it."""
        bootstrap = self._attach()
        self.ground = [*users, *bootstrap]
        self.uplinks = {device for device, _ in self._leads.values()}
        taken = {r.prefix for r in bootstrap}
        barred = [(z, r.prefix) for z in self._leads if (r := longest(self.ground, z)) is not None]
        offered: dict[Net, list[tuple[Peer, Announcement]]] = {}
        for peer in network.peers:
            for prefix, path in peer.paths.items() if peer.works else ():
                drawn = any(z in prefix and prefix.prefixlen >= lead.prefixlen for z, lead in barred)
                if prefix not in taken and not drawn and self._accepts(peer, prefix, path):
                    offered.setdefault(prefix, []).append((peer, path))
        direct = self._choose(offered, [])
        learned = self._choose(offered, direct)
        # who has the place of a route of ours, whatever his is, keeps it: his stands before ours here
        self.routes = [*self.ground, *learned]
        self.conceivable = [(r.prefix, r.hops) for r in (*self.ground, *direct, *learned)]
        self.conceivable += [
            (prefix, frozenset({hop}))
            for prefix, paths in offered.items()
            for _, path in paths
            for hop in self._resolve(path.next_hop, direct)
        ]

    # -- what is there before anything is learned --------------------------------------------------

    def _attach(self) -> list[Route]:
        """Finds the way to each peer; the bootstrap routes that it takes."""
        network, made = self._network, {}
        for asked in network.bootstrap:
            connected = self._connected(asked.gateway, asked.interface) if asked.gateway else None
            device = asked.interface or (connected and _device(connected))
            if not device or not self._is_up(device):
                continue
            made[asked.destination] = frozenset({(asked.gateway, device)})
            if connected is not None:
                made[connected.prefix] = connected.hops
        for peer in network.peers:
            if peer.address.is_link_local:
                raise Unmodelled(f"the link-local peer {peer.address}")
            if not peer.works:
                continue
            connected = self._connected(peer.address, peer.interface)
            if connected is not None:
                made[connected.prefix] = connected.hops
                self._leads[peer.address] = _device(connected), peer.address
                made.update(self._other_subnets(peer, _device(connected)))
                continue
            users = longest([r for r in self._users if r.prefix.prefixlen], peer.address)
            if users is not None and users.hops:
                ((gateway, device), *_) = users.hops
                self._leads[peer.address] = device, gateway or peer.address
            elif peer.reachable_by is not None and (by := self._connected(peer.reachable_by, peer.interface)):
                made[by.prefix] = by.hops
                made[ip_network(peer.address)] = frozenset({(peer.reachable_by, _device(by))})
                self._leads[peer.address] = _device(by), peer.reachable_by
            else:
                given = [Route(0, prefix, 0, hops) for prefix, hops in made.items()]
                asked_for = {b.destination for b in network.bootstrap}
                found = longest([r for r in given if r.prefix in asked_for], peer.address)
                if found is not None:
                    ((gateway, device),) = found.hops
                    self._leads[peer.address] = device, gateway or peer.address
        return [Route(network.table, prefix, network.metric, hops) for prefix, hops in made.items()]

    def _connected(self, address: Host, interface: str | None) -> Route | None:
        """The connected route of main that covers an address; None if none does, or several devices' do."""
        found = [
            route
            for route in self._facts.routes
            if route.table == MAIN
            and route.prefix.version == address.version
            and address in route.prefix
            and all(gateway is None for gateway, _ in route.hops)
            and len(route.hops) == 1
            and interface in (None, _device(route))
            and self._is_up(_device(route))
        ]
        return None if len({_device(route) for route in found}) > 1 else longest(found, address)

    def _other_subnets(self, peer: Peer, device: str) -> dict[Net, frozenset[Hop]]:
        """For the next hops in another family that a session carries: the uplink's subnets in it."""
        others = peer.families - {peer.address.version}
        routes = [r for r in self._facts.routes if r.table == MAIN and r.prefix.version in others]
        return {r.prefix: r.hops for r in routes if r.hops == {(None, device)} and self._is_up(device)}

    def _is_up(self, device: str) -> bool:
        return device in self._facts.devices and self._facts.devices[device].up

    def local(self, peer: Peer) -> Host | None:
        """Where a session with this peer comes from; None if it can't be held."""
        if peer.address not in self._leads:
            return None
        device, by = self._leads[peer.address]
        addresses = self._facts.devices[device].addresses
        if peer.source is not None:
            return peer.source if peer.source in self._own else None
        family = [(a, length) for a, length in addresses if a.version == by.version]
        shared = [a for a, length in family if by in ip_network(f"{a}/{length}", strict=False)]
        return (shared or [a for a, _ in family] or [None])[0]

    def reaches(self, peer: Host) -> bool:
        """Whether the link that leads to a peer is there, and carries."""
        lead = self._leads.get(peer)
        return lead is not None and self._facts.devices[lead[0]].carries

    # -- what is learned -----------------------------------------------------------------------------

    def _accepts(self, peer: Peer, prefix: Net, path: Announcement) -> bool:
        """Whether anything of the config, or common sense, is against this path."""
        network = self._network
        within = (*peer.rejects, *network.refuses)
        return not (
            path.as_path.count(peer.local_as) > peer.own_as_allowed
            or (prefix.prefixlen == 0 and not network.default_route)
            or (prefix.prefixlen and (prefix[0].is_loopback or prefix[0].is_multicast))
            or any(r.version == prefix.version and prefix.subnet_of(r) for r in within)  # type: ignore[arg-type]
        )

    def _resolve(self, next_hop: Host, learned: list[Route]) -> frozenset[Hop]:
        """How a next hop is reached: by the ground, else by one learned route; never by a default."""
        if next_hop in self._own:
            return frozenset()
        ground = [r for r in self.ground if r.prefix.prefixlen and r.prefix.version == next_hop.version]
        route = longest(ground, next_hop)
        if route is None:
            route = longest([r for r in learned if r.prefix.prefixlen], next_hop)
            return route.hops if route is not None else frozenset()
        subnet, on_link = route.prefix, all(gateway is None for gateway, _ in route.hops)
        ends = {subnet[0], subnet[-1]} if subnet.prefixlen < 31 and subnet.version == 4 else set()
        if on_link and next_hop in ends:
            return frozenset()
        return frozenset(
            (gateway or next_hop, device)
            for gateway, device in route.hops
            if device in self.uplinks and self._facts.devices[device].carries
        )

    def _choose(
        self, offered: Mapping[Net, list[tuple[Peer, Announcement]]], learned: list[Route]
    ) -> list[Route]:
        """The route for each prefix: all equally good paths of those whose next hop is reached."""
        routes = []
        for prefix, paths in offered.items():
            reached = [(peer, path, self._resolve(path.next_hop, learned)) for peer, path in paths]
            left = _best([(peer, path) for peer, path, hops in reached if hops], self._network.max_paths)
            hops = frozenset(hop for peer, path, found in reached if (peer, path) in left for hop in found)
            if hops:
                routes.append(Route(self._network.table, prefix, self._network.metric, hops))
        return routes


def _device(route: Route) -> str:
    ((_, device),) = route.hops
    return device


def _best(paths: list[tuple[Peer, Announcement]], most: int) -> list[tuple[Peer, Announcement]]:
    """RFC 4271 9.1.1 and 9.1.2.2, with all that are equal after step d), whatever their AS."""

    def keep(rank: Mapping[int, object]) -> None:
        nonlocal paths
        best = min(rank.values(), default=None)  # type: ignore[type-var]
        paths = [one for place, one in enumerate(paths) if rank[place] == best]

    keep({i: -(path.local_pref if peer.internal else 100) for i, (peer, path) in enumerate(paths)})
    keep({i: len(path.as_path) for i, (_, path) in enumerate(paths)})
    keep({i: path.origin for i, (_, path) in enumerate(paths)})
    paths = [
        (peer, path)
        for peer, path in paths
        if not any(other.as_path[:1] == path.as_path[:1] and other.med < path.med for _, other in paths)
    ]
    keep({i: peer.internal for i, (peer, _) in enumerate(paths)})
    return sorted(paths, key=lambda one: (int(one[0].address) & 0xFFFFFFFF, int(one[0].address)))[:most]
