"""The node as the kernel describes it, apart from what is ours: links, addresses, foreign routes and rules.

Only facts that decide something are kept: of table main the routes without a gateway (connected networks,
host routes to workloads), of the networks' tables every foreign route, and all rules.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from errno import EINVAL
from itertools import chain

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


_Attached = dict[tuple[Family, int, int], list[Connected]]
"""By family, length and first address."""


class Host:
    """What the node looks like now."""

    def __init__(self) -> None:
        self.links: Mapping[int, Link] = {}
        self.addresses: tuple[Address, ...] = ()
        self.local: frozenset[IPAddress] = frozenset()
        """The node's own addresses."""
        self.surroundings = Surroundings()
        self.rules: dict[Family, tuple[Rule, ...]] = dict.fromkeys(Family, ())
        self.refused_hops: dict[tuple[IPAddress, int], float] = {}
        """Gateways, with their devices, that the kernel would not have, each until when that is believed."""
        self.doubted: set[ReadTable] = set()
        """What must be read again, since events did not tell enough."""
        self._foreign: dict[int, dict[RouteKey, tuple[KernelRoute, ...]]] = {}
        """By table and key: the kernel may hold several of one key, on different devices."""
        self._by_prefix: _Attached | None = None
        """What they come to in table main; None: not known, since they changed. A plan asks for every peer of
        every network, and there is a route for each pod."""
        self._present: dict[Family, tuple[list[int], list[IPAddress]]] | None = None
        """Addresses on this node, in order; None: not known. It is asked for every gateway at every turn of a
        session."""

    # -- what the kernel says; each tells whether anything came out different --

    def links_read(
        self, links: Mapping[int, Link], addresses: tuple[Address, ...]
    ) -> tuple[frozenset[int], frozenset[int]]:
        """The devices that came, went or changed, in themselves or in their addresses; and those of them that
        lost something, so that the kernel may have dropped what stood on it."""
        before, now = _by_index(self.links, self.addresses), _by_index(links, addresses)
        self.links, self.addresses = links, addresses
        self.local = frozenset(address.address for address in addresses)
        self._present = None
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
        self._by_prefix = self._present = None
        return before != now

    def route_seen(self, route: KernelRoute) -> bool:
        held = self._foreign.setdefault(route.key.table, {})
        standing = held.get(route.key, ())
        if route in standing:
            return False
        if standing:
            # Beside the one that stands (two devices in one subnet), or in its place? The event does not say.
            # Until that is read both count: without the other its network would lose the ground it stands on.
            self.doubted.add(ReadTable(route.key.table, route.key.family))
        if not _matters(route):
            return False
        self._by_prefix = self._present = None
        held[route.key] = (*standing, route)
        return True

    def route_gone(self, route: KernelRoute) -> bool:
        held = self._foreign.get(route.key.table, {})
        standing = held.get(route.key, ())
        left = tuple(r for r in standing if (r.protocol, r.nexthops) != (route.protocol, route.nexthops))
        if left == standing:
            return False
        self._by_prefix = self._present = None
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

    def device(self, name: str) -> Link | None:
        return next((link for link in self.links.values() if link.name == name), None)

    def name(self, ifindex: int) -> str:
        return self.links[ifindex].name if ifindex in self.links else f"#{ifindex}"

    def connected(self) -> Iterator[Connected]:
        """The directly attached networks of table main, default routes apart."""
        return chain.from_iterable(self._attached().values())

    def covering(self, address: IPAddress, device: int | None = None) -> list[Connected]:
        """The most specific attached networks that hold the address; several if devices compete."""
        attached, bits, number = self._attached(), address.max_prefixlen, int(address)
        for length in range(bits, 0, -1):
            start = number >> (bits - length) << (bits - length)
            found = attached.get((Family.of(address), length, start), ())
            if those := [connected for connected in found if device in (None, connected.ifindex)]:
                return those
        return []

    def present(self, prefix: IPNetwork) -> list[IPAddress]:
        """The addresses in a prefix on this node, of an interface or behind a host route; ascending."""
        if self._present is None:
            found = set(self.local)
            for (family, length, _), attached in self._attached().items():
                if length == family.bits:
                    found.add(attached[0].prefix.network_address)
            self._present = {}
            for family in Family:
                of_family = sorted((a for a in found if Family.of(a) is family), key=int)
                self._present[family] = list(map(int, of_family)), of_family
        numbers, addresses = self._present[Family.of(prefix)]
        first = bisect_left(numbers, int(prefix.network_address))
        return addresses[first : bisect_right(numbers, int(prefix.broadcast_address), first)]

    def _attached(self) -> _Attached:
        if self._by_prefix is None:
            self._by_prefix = {}
            for route in self.foreign_routes(MAIN_TABLE):
                if route.key.nlri[0] and len(route.nexthops) == 1:
                    prefix = network_of(route.key.family, route.key.nlri)
                    key = route.key.family, prefix.prefixlen, int(prefix.network_address)
                    connected = Connected(prefix, route.nexthops[0][1], route.prefsrc)
                    self._by_prefix.setdefault(key, []).append(connected)
        return self._by_prefix

    def foreign_routes(self, table: int) -> list[KernelRoute]:
        """What somebody else put into a table."""
        return [route for of_key in self._foreign.get(table, {}).values() for route in of_key]

    def foreign_rules(self, table: int) -> list[Rule]:
        """Rules of somebody else that look up this table."""
        return [r for rules in self.rules.values() for r in rules if r.table == table and not r.ours]


def _lost(before: tuple[Link, frozenset[Address]], now: tuple[Link, frozenset[Address]] | None) -> bool:
    """Whether a device is gone, does not run any more, or has an address less."""
    return now is None or (before[0].running and not now[0].running) or not before[1] <= now[1]


def _by_index(
    links: Mapping[int, Link], addresses: Iterable[Address]
) -> dict[int, tuple[Link, frozenset[Address]]]:
    """The devices, each with its addresses. A node may have thousands of both (pods, IPVS)."""
    found: dict[int, set[Address]] = {index: set() for index in links}
    for address in addresses:
        if address.ifindex in found:
            found[address.ifindex].add(address)
    return {index: (link, frozenset(found[index])) for index, link in links.items()}


def _matters(route: KernelRoute) -> bool:
    if route.ours:
        return False
    if route.key.table != MAIN_TABLE:
        return True
    return route.kind == "unicast" and bool(route.nexthops) and all(gw is None for gw, _ in route.nexthops)
