"""One network's table as the kernel has it: our routes, and those of others, by prefix and by address.

What the kernel does not have yet as it is wanted has a reason; it is one of `RouteState`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from vrfbgp.core import Core
from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import FOREIGN, Slot
from vrfbgp.fib.retry import Refused
from vrfbgp.fib.routes import Place
from vrfbgp.model import (
    Family,
    Inline,
    IPAddress,
    KernelRoute,
    NexthopGroup,
    NexthopObject,
    Nlri,
    PeerId,
    RouteKey,
    network_of,
)
from vrfbgp.rib.reach import covering
from vrfbgp.views.words import Json, peer_name, places

DEFAULT_ROUTE: Nlri = b"\0"


class RouteState(StrEnum):
    """What became of a prefix."""

    INSTALLED = "installed"
    PENDING = "pending"
    """The kernel was not asked yet, or has not answered."""
    FAILED = "failed"
    """The kernel refused it; it is tried again."""
    BLOCKED = "blocked"
    """A route that is not ours has its place."""
    LEAVING = "leaving"
    """Not wanted any more, or from an earlier life of ours; it goes when the network is in sync."""
    UNUSED = "unused"
    """There are paths, and none may be used."""


class Owner(StrEnum):
    """Where a route in a network's table comes from."""

    LEARNED = "learned"
    BOOTSTRAP = "bootstrap"
    FOREIGN = "foreign"
    """The user's own, or another program's."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A way out: `gateway` None is the destination itself, on the device."""

    gateway: IPAddress | None
    ifindex: int
    peer: PeerId | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A route that the kernel has in the table."""

    family: Family
    nlri: Nlri
    owner: Owner
    kind: str
    """The kernel's word: `unicast`, `unreachable`, …"""
    hops: tuple[Hop, ...]
    metric: int
    backup: tuple[Hop, ...] = ()
    """What takes over in the kernel when all of `hops` are gone: the route at metric + 1."""

    @property
    def prefix(self) -> str:
        return str(network_of(self.family, self.nlri))

    def told(self, core: Core) -> Json:
        """For JSON."""
        return {
            "prefix": self.prefix,
            "owner": self.owner.value,
            "kind": self.kind,
            "metric": self.metric,
            "next_hops": [hop_told(core, hop) for hop in self.hops],
            "backup": [hop_told(core, hop) for hop in self.backup],
        }


def hop_told(core: Core, hop: Hop) -> Json:
    """For JSON."""
    return {
        "gateway": None if hop.gateway is None else str(hop.gateway),
        "device": core.host.name(hop.ifindex),
        "peer": None if hop.peer is None else peer_name(core, hop.peer),
    }


class Table:
    """The table of a network that the core knows."""

    def __init__(self, core: Core, network: str) -> None:
        self.core = core
        self.name = network
        self.network = core.networks[network]
        self.place = places(core).get(network)
        self.number = self.network.intent.table
        self._foreign: dict[tuple[Family, Nlri], KernelRoute] = {}
        self._failures = core.reconciler.retry
        for route in core.host.foreign_routes(self.number):
            at = route.key.family, route.key.nlri
            held = self._foreign.get(at)
            if held is None or route.key.metric < held.key.metric:
                self._foreign[at] = route

    def sources(self) -> list[tuple[Family, Collection[Nlri]]]:
        """All prefixes that there is anything to tell of, as they are held; some are in several places."""
        found: list[tuple[Family, Collection[Nlri]]] = []
        for family in Family:
            slice_ = self._slice(family)
            few = dict.fromkeys(nlri for of, nlri in self._foreign if of is family)
            few |= dict.fromkeys(self.network.uplinks.bootstrap.get(family, {}))
            if slice_ is not None:
                few |= dict.fromkeys(nlri for nlri, wanted, _ in slice_.pending() if wanted is None)
            found += [(family, few), (family, self.network.loc.tables[family])]
            for held in self.network.loc.adj_in.values():
                if adj := held.get(family):
                    found.append((family, adj.refused))
        return found

    def state(self, family: Family, nlri: Nlri) -> RouteState | None:
        """What became of a prefix; None if there is nothing of it."""
        slice_ = self._slice(family)
        wanted = slice_.desired.get(nlri) if slice_ is not None else None
        if slice_ is None or wanted is None:
            if (family, nlri) in self._foreign:
                return RouteState.INSTALLED
            if slice_ is not None and slice_.actual(nlri) not in (None, FOREIGN):
                return RouteState.LEAVING
            return RouteState.UNUSED if any(True for _ in self.received(family, nlri)) else None
        actual = slice_.actual(nlri)
        if actual == wanted:
            return RouteState.FAILED if self.failure(family, nlri) else RouteState.INSTALLED
        if actual is FOREIGN:
            return RouteState.BLOCKED
        return RouteState.FAILED if self.failure(family, nlri) else RouteState.PENDING

    def received(self, family: Family, nlri: Nlri) -> Iterator[PeerId]:
        """The peers that announce a prefix."""
        for peer, held in self.network.loc.adj_in.items():
            adj = held.get(family)
            if adj is not None and (nlri in adj.paths or nlri in adj.refused):
                yield peer

    def failure(self, family: Family, nlri: Nlri) -> Refused | None:
        """How the kernel refused a route of ours, if it did."""
        if self.place is None:
            return None
        return self._failures.get(RouteKey(self.place.table, family, nlri, self.place.metric))

    def entry(self, family: Family, nlri: Nlri) -> Entry | None:
        """The route of a prefix that the kernel has; of several the one with the lowest metric."""
        foreign = self._foreign.get((family, nlri))
        slice_ = self._slice(family)
        actual = slice_.actual(nlri) if slice_ is not None else None
        if foreign is not None and (self.place is None or foreign.key.metric <= self.place.metric):
            return _foreign_entry(foreign)
        if self.place is None:
            return None
        backup = self.backup(family, nlri)
        if actual is None or actual is FOREIGN:
            if backup and (foreign is None or self.place.backup.metric < foreign.key.metric):
                return Entry(family, nlri, Owner.LEARNED, "unicast", backup, self.place.backup.metric)
            return _foreign_entry(foreign) if foreign else None
        owner = Owner.BOOTSTRAP if isinstance(actual, Inline) else Owner.LEARNED
        return Entry(family, nlri, owner, "unicast", self.hops(actual), self.place.metric, backup)

    def backup(self, family: Family, nlri: Nlri) -> tuple[Hop, ...]:
        """Where the backup route of a prefix leads that the kernel has; nowhere if there is none."""
        slice_ = self._slice(family, self.place.backup) if self.place is not None else None
        actual = slice_.actual(nlri) if slice_ is not None else None
        return () if actual is None else self.hops(actual)

    def wanted(self, family: Family, nlri: Nlri) -> tuple[Hop, ...]:
        """Where our route of a prefix leads, or is to lead."""
        slice_ = self._slice(family)
        wanted = slice_.desired.get(nlri) if slice_ is not None else None
        return self.hops(wanted) if wanted is not None else ()

    def longest(self, address: IPAddress) -> Entry | None:
        """The route that the kernel takes in this table: that of the longest prefix."""
        family = Family.of(address)
        for nlri in (*covering(address), DEFAULT_ROUTE):
            if found := self.entry(family, nlri):
                return found
        return None

    def hops(self, slot: Slot) -> tuple[Hop, ...]:
        """What a route of ours leads to."""
        if isinstance(slot, Inline):
            return (Hop(slot.gateway, slot.ifindex),)
        if not isinstance(slot, int):
            return ()
        nexthops = self.core.reconciler.nexthops
        if members := nexthops.members(slot):
            return tuple(Hop(member.gateway, member.ifindex, member.peer) for member in members)
        group = nexthops.delta.actual(slot)
        objects = (
            [nexthops.delta.actual(id_) for id_ in group.members] if isinstance(group, NexthopGroup) else []
        )
        return tuple(Hop(o.gateway, o.ifindex) for o in objects if isinstance(o, NexthopObject))

    def _slice(self, family: Family, place: Place | None = None) -> RouteDelta | None:
        place = place or self.place
        if place is None:
            return None
        return self.core.reconciler.slices.get((place.table, family, place.metric))


def _foreign_entry(route: KernelRoute) -> Entry:
    hops = tuple(Hop(gateway, ifindex) for gateway, ifindex in route.nexthops)
    return Entry(route.key.family, route.key.nlri, Owner.FOREIGN, route.kind, hops, route.key.metric)
