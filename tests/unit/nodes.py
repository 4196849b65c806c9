"""A node for tests: a core that was told everything, and a kernel that does all it is asked to.

Two networks, red (table 500 on red0) and yellow (501 on yellow0), as in the acceptance scenarios; each test
says what differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address, ip_address, ip_network

from tests.unit.rib import wire
from vrfbgp.core import Core, Effects
from vrfbgp.events import (
    Applied,
    ConfigLoaded,
    DownCause,
    LinksRead,
    Negotiated,
    NexthopsRead,
    RulesRead,
    SessionDown,
    SessionUp,
    SpeakerStarted,
    TableRead,
    TablesRead,
    Updates,
)
from vrfbgp.fib.draft import Key, key_of
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent, PeerIntent, SourceMode
from vrfbgp.model import (
    PROTOCOL,
    Address,
    Family,
    Inline,
    KernelNexthop,
    KernelRoute,
    Link,
    PeerId,
    RouteKey,
    Rule,
    nlri_of,
)
from vrfbgp.notes import Note
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRule,
    Failure,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
    expanded,
)
from vrfbgp.requests import ReadLinks, ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables

LINKS = {
    1: Link(1, "lo", True, True),
    2: Link(2, "red0", True, True),
    3: Link(3, "yellow0", True, True),
    4: Link(4, "gw-red", True, True),
}
ADDRESSES = (
    Address(2, ip_address("172.16.1.1"), 24),
    Address(3, ip_address("172.16.2.1"), 24),
)
MAIN_RULES = (
    Rule(Family.IPV4, 0, table=255, protocol=2),
    Rule(Family.IPV4, 32766, table=254, protocol=2),
    Rule(Family.IPV4, 32767, table=253, protocol=2),
)


def peer(name: str, network: str, address: str, asn: int = 64512, **changes: object) -> PeerIntent:
    """A peer that is on its network's uplink; `changes` are fields of PeerIntent."""
    made = PeerIntent(
        PeerId(network, ip_address(address)), name, asn, 64512, "10.0.0.1", source=SourceMode.UPLINK
    )
    return replace(made, **changes)  # type: ignore[arg-type]


RED = peer("red-1", "red", "172.16.1.140")
YELLOW = peer("yellow-1", "yellow", "172.16.2.140", 63400)


def gateway(name: str, source: str, *networks: str, **changes: object) -> GatewayIntent:
    """A gateway; `source` is its range."""
    ranges = (ip_network(source),)
    return replace(GatewayIntent(name, ranges, networks, ranges), **changes)  # type: ignore[arg-type]


def intent(**changes: object) -> Intent:
    """What the config wants, if a test says nothing else."""
    made = Intent(
        "node-1",
        enabled=True,
        networks=(NetworkIntent("red", 500, (RED,)), NetworkIntent("yellow", 501, (YELLOW,))),
        gateways=(
            gateway("default/red", "10.50.0.2/32", "red"),
            gateway("default/yellow", "10.50.0.4/32", "yellow"),
        ),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def route(prefix: str, table: int, ifindex: int, protocol: int = 2, **changes: object) -> KernelRoute:
    """A route of somebody else on a device."""
    network = ip_network(prefix)
    key = RouteKey(table, Family.of(network), nlri_of(network), 0)
    made = KernelRoute(key, protocol, scope=253, nexthops=((None, ifindex),))
    return replace(made, **changes)  # type: ignore[arg-type]


MAIN = (
    route("172.16.1.0/24", 254, 2, prefsrc=ip_address("172.16.1.1")),
    route("172.16.2.0/24", 254, 3, prefsrc=ip_address("172.16.2.1")),
    route("10.50.0.2/32", 254, 4),
)


class Node:
    """A core and what is around it."""

    def __init__(
        self,
        wanted: Intent | None = None,
        *,
        foreign: Iterable[KernelRoute] = (),
        refuses: Mapping[Key, int] | None = None,
    ) -> None:
        self.core = Core()
        self.now = 1000.0
        self.links = dict(LINKS)
        self.addresses = ADDRESSES
        self.routes = (*MAIN, *foreign)
        self.rules = MAIN_RULES
        self.ours: dict[RouteKey, KernelRoute] = {}
        self.nexthops: dict[int, KernelNexthop] = {}
        self.refuses: dict[Key, int] = dict(refuses or {})
        """Route keys, rules or next hop ids that the kernel says no to, with the errno."""
        self.notes: list[Note] = []
        """All that was told."""
        self._epoch = 0
        self.core.handle(ConfigLoaded(wanted or intent()), self.now)
        self.settle()

    def settle(self) -> Effects:
        """Let the core do all it wants, and answer all it asks."""
        while True:
            while (effects := self.core.effects(self.now)).urgent:
                for deletion in effects.urgent:
                    self._apply(deletion)
            self.notes += effects.notes
            if effects.operations:
                single = (op for step in effects.operations for op in expanded(step))
                failures = tuple(failure for op in single if (failure := self._apply(op)))
                self.core.handle(Applied(effects.serial, failures), self.now)
            for request in effects.reads:
                self._read(request)
            if not effects.reads and not effects.operations:
                return effects

    def up(self, of: PeerIntent, router_id: str = "172.16.1.140") -> None:
        """The peer's session reaches Established."""
        self._epoch += 1
        negotiated = Negotiated(
            peer_as=of.peer_as,
            router_id=router_id,
            local_address=IPv4Address("172.16.1.1"),
            hold_time=90,
            families=of.families,
        )
        self.core.handle(SpeakerStarted(of.id.network), self.now)
        self.core.handle(SessionUp(of.id, self._epoch, negotiated), self.now)
        self.settle()

    def down(self, of: PeerIntent, cause: DownCause, *, failed: bool = False) -> None:
        """The session ends; or (`failed`) does not come up."""
        session = self.core.networks[of.id.network].sessions[of.id]
        self.core.handle(SessionDown(of.id, 0 if failed else session.epoch, cause), self.now)
        self.settle()

    def hears(self, of: PeerIntent, *blocks: bytes) -> None:
        """The peer sends UPDATEs."""
        session = self.core.networks[of.id.network].sessions[of.id]
        self.core.handle(Updates(of.id, session.epoch, b"".join(blocks)), self.now)
        self.settle()

    def learns(self, of: PeerIntent, *prefixes: str, next_hop: str | None = None, **words: object) -> None:
        """The peer announces prefixes, with itself as next hop if nothing else is said."""
        made = wire.update(list(prefixes), next_hop=next_hop or str(of.id.address), **words)  # type: ignore[arg-type]
        self.hears(of, made)

    def _apply(self, operation: Operation) -> Failure | None:
        key = key_of(operation)
        if key in self.refuses:
            return Failure(operation, self.refuses[key])
        match operation:
            case AddRoute(where, int(group)) | ReplaceRoute(where, int(group)):
                self.ours[where] = KernelRoute(where, PROTOCOL, nhid=group)
            case AddRoute(where, Inline(ifindex, gateway, prefsrc)) | ReplaceRoute(
                where, Inline(ifindex, gateway, prefsrc)
            ):
                hops = ((gateway, ifindex),)
                self.ours[where] = KernelRoute(where, PROTOCOL, nexthops=hops, prefsrc=prefsrc)
            case DeleteRoute(where):
                del self.ours[where]
            case AddNexthop(id_, value) | ReplaceNexthop(id_, value):
                self.nexthops[id_] = KernelNexthop(id_, PROTOCOL, value)
            case DeleteNexthop(id_):
                del self.nexthops[id_]
            case AddRule(rule):
                self.rules = tuple(sorted((*self.rules, rule), key=lambda r: r.priority))
            case DeleteRule(rule):
                self.rules = tuple(r for r in self.rules if r != rule)
        return None

    def _read(self, request: ReadRequest) -> None:
        match request:
            case ReadLinks():
                self.core.handle(LinksRead(dict(self.links), self.addresses), self.now)
            case ReadTable(table, family):
                held = (*self.routes, *self.ours.values())
                mine = (r for r in held if (r.key.table, r.key.family) == (table, family))
                self.core.handle(TableRead(table, family, tuple(mine)), self.now)
            case ReadTables():
                self.core.handle(TablesRead(frozenset()), self.now)
            case ReadRules(family):
                rules = tuple(rule for rule in self.rules if rule.family is family)
                self.core.handle(RulesRead(family, rules), self.now)
            case ReadNexthops():
                self.core.handle(NexthopsRead(tuple(self.nexthops.values())), self.now)
