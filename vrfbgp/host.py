"""The node as the kernel describes it, apart from what is ours: links, addresses, foreign routes and rules.

Only facts that decide something are kept: of table main the routes without a gateway (connected networks,
host routes to workloads), of the networks' tables every foreign route, and all rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vrfbgp.model import (
    MAIN_TABLE,
    Address,
    Family,
    IPAddress,
    IPNetwork,
    KernelRoute,
    Link,
    RouteKey,
    Rule,
    network_of,
)

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
        self.rules: dict[Family, tuple[Rule, ...]] = dict.fromkeys(Family, ())
        self._foreign: dict[int, dict[RouteKey, KernelRoute]] = {}

    # -- what the kernel says; each tells whether anything came out different --

    def links_read(self, links: Mapping[int, Link], addresses: tuple[Address, ...]) -> frozenset[int]:
        """The devices that came, went or changed, in themselves or in their addresses."""
        before = {index: (link, _of(index, self.addresses)) for index, link in self.links.items()}
        now = {index: (link, _of(index, addresses)) for index, link in links.items()}
        self.links, self.addresses = links, addresses
        return frozenset(i for i in before.keys() | now.keys() if before.get(i) != now.get(i))

    def table_read(self, table: int, family: Family, routes: Iterable[KernelRoute]) -> bool:
        held = self._foreign.setdefault(table, {})
        before = {key: route for key, route in held.items() if key.family is family}
        now = {route.key: route for route in routes if _matters(route)}
        for key in before.keys() - now.keys():
            del held[key]
        held.update(now)
        return before != now

    def route_seen(self, route: KernelRoute) -> bool:
        if not _matters(route):
            return self.route_gone(route)
        held = self._foreign.setdefault(route.key.table, {})
        changed = held.get(route.key) != route
        held[route.key] = route
        return changed

    def route_gone(self, route: KernelRoute) -> bool:
        held = self._foreign.get(route.key.table, {})
        standing = held.get(route.key)
        if standing is None or standing.protocol != route.protocol:
            return False
        del held[route.key]
        return True

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
        for key, route in self._foreign.get(MAIN_TABLE, {}).items():
            if key.nlri[0] and len(route.nexthops) == 1:
                yield Connected(network_of(key.family, key.nlri), route.nexthops[0][1], route.prefsrc)

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
        """What somebody else put into a network's table."""
        return list(self._foreign.get(table, {}).values())

    def foreign_rules(self, table: int) -> list[Rule]:
        """Rules of somebody else that look up this table."""
        return [r for rules in self.rules.values() for r in rules if r.table == table and not r.ours]


def _of(ifindex: int, addresses: Iterable[Address]) -> frozenset[Address]:
    return frozenset(address for address in addresses if address.ifindex == ifindex)


def _matters(route: KernelRoute) -> bool:
    if route.ours:
        return False
    if route.key.table != MAIN_TABLE:
        return True
    return route.kind == "unicast" and bool(route.nexthops) and all(gw is None for gw, _ in route.nexthops)
