"""The words of the scenario files: configs as a few lines of text, operations and requests in words.

A config is written one object a line; peers belong to the network above them:

    network red 500 dev eth1 [open] [max-paths=2] [backup-routes=off] [metric=30000]
         [bootstrap=10.0.0.0/8,172.16.1.1,eth1] [max-routes=4] [refuse=10.244.0.0/16,...] [no-default-route]
    peer 172.16.1.140 as 64501 [local-as=64512] [source=172.16.1.10] [interface=eth1] [reachable-by=A]
         [hold=30] [allow-own-as=1] [families=46] [no-secret] [drop-beyond=2] [reject=192.0.2.0/24,...]
    gateway red 10.50.0.2/31,2001:db8:50::/127 = red yellow [unexported] [isolated]
    cluster 10.244.0.0/16
    priority 200
    disabled

`dev` is the scenario's own knowledge of which devices lead to that network: what the invariants are
checked against.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address, ip_network

from tests.scenarios.fake_kernel import FakeKernel
from vrfbgp.filters import FilterRule, Operator, PrefixMatch
from vrfbgp.intent import (
    GatewayIntent,
    Intent,
    LimitAction,
    NetworkIntent,
    PeerFilters,
    PeerIntent,
    PrefixLimit,
    Problem,
    Reason,
    Severity,
    SourceMode,
    StaticBootstrap,
)
from vrfbgp.model import (
    METRIC,
    Family,
    Inline,
    KernelNexthop,
    KernelRoute,
    NexthopGroup,
    NexthopObject,
    PeerId,
    RouteKey,
    RouteValue,
    network_of,
)
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRule,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
)
from vrfbgp.requests import (
    Announce,
    ConfigureSpeaker,
    RequestRefresh,
    ResetSession,
    SendEndOfRib,
    SpeakerRequest,
    Withdraw,
)


@dataclass
class Config:
    """An intent, and the devices that the scenario says belong to each network."""

    intent: Intent
    devices: dict[str, set[str]] = field(default_factory=dict)


def config(lines: Iterable[str]) -> Config:
    """Read a config; ValueError for a line that is none."""
    made = Config(Intent("node1", True))
    for line in lines:
        kind, *words = line.split()
        options = {name: value for name, _, value in (word.partition("=") for word in words)}
        intent = made.intent
        match kind:
            case "network":
                made.devices[words[0]] = set(words[words.index("dev") + 1].split(","))
                made.intent = replace(intent, networks=(*intent.networks, _network(words, options)))
            case "peer":
                network = intent.networks[-1]
                peer = _peer(network.name, words, options)
                network = replace(network, peers=(*network.peers, peer))
                made.intent = replace(intent, networks=(*intent.networks[:-1], network))
            case "gateway":
                made.intent = replace(intent, gateways=(*intent.gateways, _gateway(words)))
            case "cluster":
                made.intent = replace(intent, cluster=tuple(map(ip_network, words)))
            case "priority":
                made.intent = replace(intent, rule_priority=int(words[0]))
            case "disabled":
                made.intent = replace(intent, enabled=False)
            case _:
                raise ValueError(f"no such thing in a config: {line}")
    return made


def _network(words: list[str], options: dict[str, str]) -> NetworkIntent:
    bootstrap = []
    if "bootstrap" in options:
        destination, gateway, interface = options["bootstrap"].split(",")
        via = ip_address(gateway) if gateway else None
        bootstrap.append(StaticBootstrap(ip_network(destination), via, interface or None))
    return NetworkIntent(
        name=words[0],
        table=int(words[1]),
        fail_open="open" in options,
        bootstrap_routes=tuple(bootstrap),
        max_paths=int(options.get("max-paths", 16)),
        backup_routes=options.get("backup-routes") != "off",
        metric=int(options.get("metric", METRIC)),
        max_routes=int(options["max-routes"]) if "max-routes" in options else None,
        refused_ranges=tuple(map(ip_network, filter(None, options.get("refuse", "").split(",")))),
        default_route="no-default-route" not in options,
    )


def _peer(network: str, words: list[str], options: dict[str, str]) -> PeerIntent:
    address, name = ip_address(words[0]), f"{network}-{words[0]}"
    problem = Problem(Severity.DEGRADED, Reason.MISSING_SECRET, f"BGPPeer {name}", "its Secret is missing")
    source = ip_address(options["source"]) if "source" in options else None
    both = {"4": Family.IPV4, "6": Family.IPV6}
    own = "4" if address.version == 4 else "6"
    return PeerIntent(
        id=PeerId(network, address),
        name=name,
        peer_as=int(words[2]),
        local_as=int(options.get("local-as", 64512)),
        router_id="10.0.0.1",
        source=SourceMode.EXPLICIT if source else SourceMode.UPLINK,
        source_address=source,
        source_interface=options.get("interface"),
        reachable_by=ip_address(options["reachable-by"]) if "reachable-by" in options else None,
        families=frozenset(both[digit] for digit in options.get("families", own)),
        hold_time=int(options.get("hold", 90)),
        allowed_local_as=int(options.get("allow-own-as", 0)),
        max_prefixes=PrefixLimit(int(options["drop-beyond"]), LimitAction.DROP)
        if "drop-beyond" in options
        else None,
        filters=_filters(options.get("reject", "")),
        degraded=(problem,) if "no-secret" in options else (),
    )


def _filters(rejected: str) -> PeerFilters:
    """Import filters that reject what is within these prefixes."""
    within = [ip_network(prefix) for prefix in rejected.split(",") if prefix]
    rules = [
        FilterRule(f"reject {n}", False, PrefixMatch(n, Operator.IN, 0, n.max_prefixlen)) for n in within
    ]
    both = [tuple(r for r, n in zip(rules, within, strict=True) if n.version == v) for v in (4, 6)]
    return PeerFilters(import_v4=both[0], import_v6=both[1])


def _gateway(words: list[str]) -> GatewayIntent:
    ranges = tuple(map(ip_network, words[1].split(",")))
    networks = tuple(word for word in words[3:] if word not in ("unexported", "isolated"))
    exported = () if "unexported" in words else ranges
    return GatewayIntent(words[0], ranges, networks, exported, isolated="isolated" in words)


# -- in words ------------------------------------------------------------------------------------


class Words:
    """Tells what happens in the words of the files: next hops by what they are, never by id."""

    def __init__(self, kernel: FakeKernel) -> None:
        self._kernel = kernel

    def operation(self, operation: Operation) -> str:
        match operation:
            case AddRoute(key, value):
                return f"+route {self.key(key)} {self.value(value)}"
            case ReplaceRoute(key, value):
                return f"~route {self.key(key)} {self.value(value)}"
            case DeleteRoute(key):
                return f"-route {self.key(key)}"
            case AddNexthop(_, nexthop):
                return f"+{self.nexthop(nexthop)}"
            case ReplaceNexthop(_, nexthop):
                return f"~{self.nexthop(nexthop)}"
            case DeleteNexthop(id_):
                standing = self._kernel.nexthops.get(id_)
                return f"-{self.nexthop(standing.value)}" if standing else "-nexthop that is gone"
            case AddRule(rule):
                return f"+rule {rule}"
            case DeleteRule(rule):
                return f"-rule {rule}"

    def route(self, route: KernelRoute) -> str:
        """A standing route, as the files write it."""
        value = route.value
        if value is None:
            return f"{self.key(route.key)} {route.kind}"
        return f"{self.key(route.key)} {self.value(value)}"

    def key(self, key: RouteKey) -> str:
        metric = "" if key.metric == METRIC else f" metric {key.metric}"
        return f"{network_of(key.family, key.nlri)} table {key.table}{metric}"

    def value(self, value: RouteValue) -> str:
        if isinstance(value, Inline):
            via = f"via {value.gateway} " if value.gateway else ""
            return f"{via}dev {self._device(value.ifindex)}"
        standing = self._kernel.nexthops.get(value)
        return " ".join(self._hops(standing)) if standing else f"nhid {value} (gone)"

    def nexthop(self, value: object) -> str:
        match value:
            case NexthopObject(gateway, ifindex):
                return f"nexthop via {gateway} dev {self._device(ifindex)}"
            case NexthopGroup(members):
                found = [self._kernel.nexthops.get(member) for member in members]
                return "group " + (
                    " ".join(sorted(word for one in found for word in self._hops(one))) or "of none"
                )
        return f"nexthop {value}"

    def _hops(self, nexthop: KernelNexthop | None) -> Iterator[str]:
        match nexthop:
            case KernelNexthop(value=NexthopObject(gateway, ifindex)):
                yield f"via {gateway} dev {self._device(ifindex)}"
            case KernelNexthop(value=NexthopGroup(members)):
                hops = [hop for one in members for hop in self._hops(self._kernel.nexthops.get(one))]
                yield from sorted(hops)

    def _device(self, ifindex: int) -> str:
        return self._kernel.links[ifindex].name if ifindex in self._kernel.links else f"#{ifindex}"


def request_in_words(request: SpeakerRequest) -> str:
    match request:
        case ConfigureSpeaker(network, sessions):
            held = [
                f"{s.peer.address} from {s.local_address}"
                + (f" dev {s.source_interface}" if s.source_interface else "")
                for s in sessions
            ]
            return f"speaker {network}: " + (", ".join(sorted(held)) or "ends")
        case Announce(peer, prefix, next_hop=next_hop):
            return f"announce {prefix} to {peer}" + (f" via {next_hop}" if next_hop is not None else "")
        case Withdraw(peer, prefix):
            return f"withdraw {prefix} from {peer}"
        case SendEndOfRib(peer, family):
            return f"end-of-rib {family.name.lower()} to {peer}"
        case RequestRefresh(peer, family):
            return f"refresh {family.name.lower()} of {peer}"
        case ResetSession(peer, code, subcode):
            return f"reset {peer} {code}/{subcode}"
