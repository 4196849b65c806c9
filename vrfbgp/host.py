"""The node as the kernel describes it, apart from what is ours: links, addresses, foreign routes and rules.

Only facts that decide something are kept: of table main the routes without a gateway (connected networks,
host routes to workloads), of the networks' tables every foreign route, and all rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from errno import EINVAL

from vrfbgp.model import (
    MAIN_TABLE,
    Address,
    Family,
    IPAddress,
    IPNetwork,
    KernelRoute,
    Link,
    NexthopObject,
    RouteKey,
    Rule,
    network_of,
)
from vrfbgp.operations import AddNexthop, Failure
from vrfbgp.requests import ReadTable
from vrfbgp.surroundings import Surroundings

REFUSED_TIME = 60.0
"""Seconds after which the kernel is asked again for a next hop that it would not have."""
STATIC_PROTOCOLS = frozenset({0, 2, 3, 4})
"""unspec, kernel, boot, static (linux/rtnetlink.h): what an administrator or the kernel made."""


@dataclass(frozen=True, slots=True)
class Connected:
    """A directly attached network: the kernel's, or a device route that somebody made (`scope link`)."""

    prefix: IPNetwork
    ifindex: int
    prefsrc: IPAddress | None


class Host:
    """What the node looks like now."""

    def __init__(self) -> None:
        self.links: Mapping[int, Link] = {}
        self.addresses: tuple[Address, ...] = ()
        self.surroundings = Surroundings()
        self.rules: dict[Family, tuple[Rule, ...]] = dict.fromkeys(Family, ())
        self.refused_hops: dict[tuple[IPAddress, int], float] = {}
        """Gateways, with their devices, that the kernel would not have, each until when that is believed."""
        self.doubted: set[ReadTable] = set()
        """What must be read again, since events did not tell enough."""
        self._foreign: dict[int, dict[RouteKey, tuple[KernelRoute, ...]]] = {}
        """By table and key: the kernel may hold several of one key, on different devices."""

    # -- what the kernel says; each tells whether anything came out different --

    def links_read(
        self, links: Mapping[int, Link], addresses: tuple[Address, ...]
    ) -> tuple[frozenset[int], frozenset[int]]:
        """The devices that came, went or changed, in themselves or in their addresses; and those of them that
        lost something, so that the kernel may have dropped what stood on it."""
        before = {index: (link, _of(index, self.addresses)) for index, link in self.links.items()}
        now = {index: (link, _of(index, addresses)) for index, link in links.items()}
        self.links, self.addresses = links, addresses
        changed = frozenset(i for i in before.keys() | now.keys() if before.get(i) != now.get(i))
        return changed, frozenset(i for i in changed & before.keys() if _lost(before[i], now.get(i)))

    def table_read(self, table: int, family: Family, routes: Iterable[KernelRoute]) -> bool:
        held = self._foreign.setdefault(table, {})
        before = {key: of_key for key, of_key in held.items() if key.family is family}
        now: dict[RouteKey, tuple[KernelRoute, ...]] = {}
        for route in routes:
            if _matters(route):
                now[route.key] = (*now.get(route.key, ()), route)
        for key in before.keys() - now.keys():
            del held[key]
        held.update(now)
        return before != now

    def route_seen(self, route: KernelRoute) -> bool:
        held = self._foreign.setdefault(route.key.table, {})
        standing = held.get(route.key, ())
        if route in standing:
            return False
        if standing:
            # Beside the one that stands (two devices in one subnet), or in its place? The event does not say.
            self.doubted.add(ReadTable(route.key.table, route.key.family))
        if _matters(route):
            held[route.key] = (route,)
            return True
        return held.pop(route.key, None) is not None

    def route_gone(self, route: KernelRoute) -> bool:
        held = self._foreign.get(route.key.table, {})
        standing = held.get(route.key, ())
        left = tuple(r for r in standing if (r.protocol, r.nexthops) != (route.protocol, route.nexthops))
        if left == standing:
            return False
        if left:
            held[route.key] = left
        else:
            del held[route.key]
        return True

    def hops_refused(self, failures: Iterable[Failure], now: float) -> bool:
        """Whether next hops are among what the kernel refused. They are left out for a while: one path's must
        not spoil the group that other paths are in."""
        found = [
            (failure.operation.value.gateway, failure.operation.value.ifindex)
            for failure in failures
            if failure.errno == EINVAL
            and isinstance(failure.operation, AddNexthop)
            and isinstance(failure.operation.value, NexthopObject)
        ]
        self.refused_hops.update(dict.fromkeys(found, now + REFUSED_TIME))
        return bool(found)

    def forgive_hops(self, now: float) -> bool:
        """The kernel is asked again for next hops that it would not have; whether there are such."""
        before = len(self.refused_hops)
        self.refused_hops = {hop: until for hop, until in self.refused_hops.items() if until > now}
        return len(self.refused_hops) != before

    # -- what follows from it --

    @property
    def local(self) -> frozenset[IPAddress]:
        """The node's own addresses."""
        return frozenset(address.address for address in self.addresses)

    def device(self, name: str) -> Link | None:
        return next((link for link in self.links.values() if link.name == name), None)

    def name(self, ifindex: int) -> str:
        return self.links[ifindex].name if ifindex in self.links else f"#{ifindex}"

    def connected(self) -> Iterator[Connected]:
        """The directly attached networks of table main, default routes apart."""
        for route in self.foreign_routes(MAIN_TABLE):
            if route.key.nlri[0] and len(route.nexthops) == 1:
                prefix = network_of(route.key.family, route.key.nlri)
                yield Connected(prefix, route.nexthops[0][1], route.prefsrc)

    def covering(self, address: IPAddress, device: int | None = None) -> list[Connected]:
        """The most specific attached networks that hold the address; several if devices compete."""
        found = [
            connected
            for connected in self.connected()
            if address in connected.prefix and device in (None, connected.ifindex)
        ]
        longest = max((connected.prefix.prefixlen for connected in found), default=0)
        return [connected for connected in found if connected.prefix.prefixlen == longest]

    def foreign_routes(self, table: int) -> list[KernelRoute]:
        """What somebody else put into a table."""
        return [route for of_key in self._foreign.get(table, {}).values() for route in of_key]

    def foreign_rules(self, table: int) -> list[Rule]:
        """Rules of somebody else that look up this table."""
        return [r for rules in self.rules.values() for r in rules if r.table == table and not r.ours]


def _lost(before: tuple[Link, frozenset[Address]], now: tuple[Link, frozenset[Address]] | None) -> bool:
    """Whether a device is gone, does not run any more, or has an address less."""
    return now is None or (before[0].running and not now[0].running) or not before[1] <= now[1]


def _of(ifindex: int, addresses: Iterable[Address]) -> frozenset[Address]:
    return frozenset(address for address in addresses if address.ifindex == ifindex)


def _matters(route: KernelRoute) -> bool:
    if route.ours:
        return False
    if route.key.table != MAIN_TABLE:
        return True
    return route.kind == "unicast" and bool(route.nexthops) and all(gw is None for gw, _ in route.nexthops)
