"""What must hold on this node: the config, and what links, addresses and main make of it.

Uplinks and bootstrap routes follow from the config and the kernel by `uplinks.attach`, as they do in the
daemon, but from what was just read. What the rules must do is not taken from there: that is judged by walking
them as the kernel does (`walk`), not by comparing them with those that the daemon would make.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from vrfbgp.host import Connected, Host
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent, Problem
from vrfbgp.model import Family, IPAddress, IPNetwork, PeerId, Rule, table_word
from vrfbgp.steering import gateway_rules, host_prefix, session_rule
from vrfbgp.uplinks import Uplinks, attach
from vrfbgp.verify.nest import Nest
from vrfbgp.verify.sight import Sight


@dataclass(frozen=True, slots=True)
class Session:
    """A session that the config wants and the node can hold, and the rule for its packets."""

    peer: PeerId
    local: IPAddress
    rule: Rule


@dataclass(frozen=True, slots=True)
class Network:
    """One network that is to work here."""

    intent: NetworkIntent
    attached: Uplinks
    sessions: tuple[Session, ...]

    @property
    def name(self) -> str:
        return self.intent.name

    @property
    def table(self) -> int:
        return self.intent.table

    @property
    def uplinks(self) -> frozenset[int]:
        """Indexes of the devices that its routes may leave by."""
        return self.attached.reach.uplinks

    @property
    def metrics(self) -> frozenset[int]:
        """Of its routes, and of their backups."""
        return frozenset({self.intent.metric, self.intent.metric + 1})


@dataclass(frozen=True, slots=True)
class Ground:
    """What must hold."""

    intent: Intent
    host: Host
    networks: Mapping[str, Network]
    """Those that are to work, by name."""
    rules: frozenset[Rule]
    """All that may be there of ours."""
    drained: bool = False
    """Gateways are not to be steered now."""
    tables: Mapping[int, str] = field(default_factory=dict)
    """Network by table."""
    sessions: frozenset[Rule] = frozenset()
    """The rules of sessions among those."""
    connected: Nest[Connected] = field(default_factory=Nest)
    """The directly attached networks of main."""
    local: Nest[IPAddress] = field(default_factory=Nest)
    """The node's own addresses."""
    cluster: frozenset[IPNetwork] = frozenset()

    @property
    def gateways(self) -> tuple[GatewayIntent, ...]:
        """Those whose packets are to be steered, or closed."""
        return self.intent.gateways if self.intent.enabled else ()

    def problems(self) -> Iterator[Problem]:
        """Why a peer's uplink is not known."""
        for network in self.networks.values():
            yield from network.attached.problems

    def tables_of(self, gateway: GatewayIntent) -> list[int]:
        """The tables that a gateway's packets may look up, in its order."""
        if gateway.isolated:
            return []
        return [self.networks[name].table for name in gateway.networks if name in self.networks]

    def uplink_of(self, ifindex: int) -> list[str]:
        """The networks that have a device for an uplink."""
        return [name for name, network in self.networks.items() if ifindex in network.uplinks]

    def in_cluster(self, destination: IPNetwork | None) -> bool:
        """Whether all of it is within one range of the cluster."""
        if destination is None or destination in self.cluster:
            return destination is not None
        return any(within(destination, range_) for range_ in self.cluster)


def ground_of(intent: Intent, sight: Sight, *, drained: bool = False) -> Ground:
    """What the config comes to on the node as it was seen."""
    host = _host(sight)
    wanted = [n for n in intent.networks if intent.enabled and not n.degraded]
    networks = {n.name: _network(intent, n, host) for n in wanted}
    tables = {network.table: name for name, network in networks.items()}
    steering = (
        gateway_rules(intent, {name: n.table for name, n in networks.items()}) if intent.enabled else ()
    )
    sessions = frozenset(s.rule for network in networks.values() for s in network.sessions)
    return Ground(
        intent,
        host,
        networks,
        frozenset(steering) | sessions,
        drained,
        tables,
        sessions,
        Nest((connected.prefix, connected) for connected in host.connected()),
        Nest((host_prefix(address), address) for address in host.local),
        frozenset(intent.cluster),
    )


def _host(sight: Sight) -> Host:
    host = Host()
    host.links_read(sight.links.links, sight.links.addresses)
    host.rules.update(sight.rules)
    for (table, family), survey in sight.tables.items():
        host.table_read(table, family, survey.routes)
    return host


def _network(intent: Intent, network: NetworkIntent, host: Host) -> Network:
    attached = attach(network, host)
    sessions = tuple(
        Session(peer, a.local, session_rule(intent.rule_priority, a.local, peer, network.table))
        for peer, a in attached.attachments.items()
    )
    return Network(network, attached, sessions)


def within(inner: IPNetwork, outer: IPNetwork) -> bool:
    """Whether all addresses of one are in the other; never of two families."""
    if inner.version != outer.version or inner.prefixlen < outer.prefixlen:
        return False
    return inner.network_address in outer


def table_name(ground: Ground, table: int) -> str:
    """`main`, `500 (network red)`, `77`."""
    if table in ground.tables:
        return f"{table} (network {ground.tables[table]})"
    return table_word(table)


FAMILY_WORDS = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
