"""A small kernel for tests of the core: it does to routes, next hops and rules what Linux does.

It has links, addresses, tables, next hop objects and groups, and rules in the kernel's order. Operations and
reads are answered as the real edge answers them; what somebody else changes is told as an event, what the
core changed never is. It forgets routes as silently as Linux does: with a link that goes down, with the last
address of a device, with the next hop they hang on.

Flags make it fail: the next operations of a kind are refused with an errno (`fail`), or the daemon dies
before its n-th operation (`crash_before`, which raises `Crash`).

It fails the test itself (`Violation`) where the core does what nobody may do: overwrite or delete what is
foreign, or put a route into a reserved table.
"""

from __future__ import annotations

import errno
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_interface
from itertools import chain

from vrfbgp.events import (
    Applied,
    KernelEvent,
    LinksRead,
    NexthopGone,
    NexthopSeen,
    NexthopsRead,
    RouteGone,
    RouteSeen,
    RulesRead,
    TableCounted,
    TableRead,
    TablesRead,
)
from vrfbgp.model import (
    MAIN_TABLE,
    PROTOCOL,
    RESERVED_TABLES,
    Address,
    Family,
    IPAddress,
    KernelNexthop,
    KernelRoute,
    Link,
    NexthopGroup,
    NexthopObject,
    RouteKey,
    RouteValue,
    Rule,
    network_of,
    nlri_of,
)
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
    Step,
    expanded,
)
from vrfbgp.requests import CountTable, ReadLinks, ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables

KERNEL = 2
"""RTPROT_KERNEL (linux/rtnetlink.h)."""
LINK_SCOPE = 253
LOCAL_TABLE, DEFAULT_TABLE = 255, 253


class Crash(Exception):
    """The daemon died; what it had asked for before is done, nothing after."""


class Violation(AssertionError):
    """The core did what it may never do."""


class Refused(Exception):
    """The kernel says no, with this errno."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.number = number


class FakeKernel:
    """The kernel of one network namespace."""

    def __init__(self) -> None:
        self.links: dict[int, Link] = {}
        self._last_index = 1
        """An index is not given out twice."""
        self.addresses: list[Address] = []
        self.routes: dict[RouteKey, KernelRoute] = {}
        self.nexthops: dict[int, KernelNexthop] = {}
        self.rules: list[Rule] = []
        for family in Family:
            for priority, table in ((0, LOCAL_TABLE), (32766, MAIN_TABLE), (32767, DEFAULT_TABLE)):
                self.rules.append(Rule(family, priority, table=table, protocol=KERNEL))
        self.told: deque[KernelEvent | ReadRequest] = deque()
        """What the watch has to tell; a request stands for a fresh read at the moment of telling."""
        self.record: list[tuple[Operation, str, int]] = []
        """All operations, in words and with the errno each was answered with."""
        self.crash_before: int | None = None
        """How many operations are still done before the daemon dies."""
        self.after_each: Callable[[Operation], None] = lambda operation: None
        self.in_words: Callable[[Operation], str] = repr
        self._failures: list[tuple[type, int, int, str]] = []
        self._lapsed: set[int] = set()

    # -- what the core asks for ------------------------------------------------------------------

    def apply(self, serial: int, steps: Iterable[Step]) -> Applied:
        """Do a batch in order, past what is refused."""
        failures = []
        for operation in chain.from_iterable(map(expanded, steps)):
            if self.crash_before is not None:
                if self.crash_before == 0:
                    raise Crash
                self.crash_before -= 1
            words, number = self.in_words(operation), 0
            try:
                self._fail(operation)
                self._do(operation)
            except Refused as refusal:
                number = refusal.number
            self.record.append((operation, words, number))
            gone = isinstance(operation, DeleteRoute | DeleteNexthop | DeleteRule)
            if number and not (gone and number in (errno.ESRCH, errno.ENOENT)):
                failures.append(Failure(operation, number))
            self.after_each(operation)
        return Applied(serial, tuple(failures))

    def read(self, request: ReadRequest) -> KernelEvent:
        """Answer a question."""
        match request:
            case ReadTable(table, family):
                found = (r for key, r in self.routes.items() if (key.table, key.family) == (table, family))
                return TableRead(table, family, tuple(self.shown(route) for route in found))
            case CountTable(table, family):
                found = (r for key, r in self.routes.items() if (key.table, key.family) == (table, family))
                ours = Counter((route.key.metric, route.value) for route in found if route.ours)
                return TableCounted(table, family, ours)
            case ReadTables():
                return TablesRead(frozenset((k.table, k.family) for k, r in self.routes.items() if r.ours))
            case ReadRules(family):
                return RulesRead(family, tuple(rule for rule in self.rules if rule.family is family))
            case ReadNexthops():
                return NexthopsRead(tuple(self.nexthops.values()))
            case ReadLinks():
                lapsed, self._lapsed = frozenset(self._lapsed), set()
                return LinksRead(dict(self.links), tuple(self.addresses), lapsed)

    def fail(self, kind: type, number: int, times: int, about: str = "") -> None:
        """Refuse the next so many operations of a kind; with `about`, only on routes of this prefix."""
        self._failures.append((kind, number, times, about))

    def forgive(self) -> None:
        """Refuse nothing any more, and let nobody die."""
        self._failures.clear()
        self.crash_before = None

    @property
    def failing(self) -> bool:
        """Whether operations are to be refused."""
        return bool(self._failures)

    def _fail(self, operation: Operation) -> None:
        for place, (kind, number, times, about) in enumerate(self._failures):
            if isinstance(operation, kind) and about in ("", _prefix(operation)):
                self._failures[place : place + 1] = [(kind, number, times - 1, about)] if times > 1 else []
                raise Refused(number)

    def _do(self, operation: Operation) -> None:
        match operation:
            case AddRoute(key, value):
                if key in self.routes:
                    raise Refused(errno.EEXIST)
                self.routes[key] = self._new_route(key, value)
            case ReplaceRoute(key, value):
                if key not in self.routes:
                    raise Refused(errno.ENOENT)
                if not self.routes[key].ours:
                    raise Violation(f"{operation} overwrites the foreign {self.routes[key]}")
                self.routes[key] = self._new_route(key, value)
            case DeleteRoute(key):
                if key not in self.routes or not self.routes[key].ours:
                    raise Refused(errno.ESRCH)
                del self.routes[key]
            case AddNexthop(id_, nexthop):
                if id_ in self.nexthops:
                    raise Refused(errno.EEXIST)
                self._check_nexthop(nexthop)
                self.nexthops[id_] = KernelNexthop(id_, PROTOCOL, nexthop)
            case ReplaceNexthop(id_, nexthop):
                self._replace_nexthop(id_, nexthop)
            case DeleteNexthop(id_):
                if id_ not in self.nexthops:
                    raise Refused(errno.ENOENT)
                if not self.nexthops[id_].ours:
                    raise Violation(f"{operation} deletes the foreign {self.nexthops[id_]}")
                self._drop_nexthops({id_})
            case AddRule(rule):
                if rule in self.rules:
                    raise Refused(errno.EEXIST)
                self._insert(rule)
            case DeleteRule(rule):
                if rule not in self.rules:
                    raise Refused(errno.ENOENT)
                if not rule.ours:
                    raise Violation(f"{operation} deletes a foreign rule")
                self.rules.remove(rule)

    def _new_route(self, key: RouteKey, value: RouteValue) -> KernelRoute:
        if key.table in RESERVED_TABLES:
            raise Violation(f"{key} is none of ours")
        if isinstance(value, int):
            if value not in self.nexthops:
                raise Refused(errno.EINVAL)
            return KernelRoute(key, PROTOCOL, nhid=value)
        self._check_device(value.ifindex, carrier=False)
        if value.prefsrc is not None and value.prefsrc not in {a.address for a in self.addresses}:
            raise Refused(errno.EINVAL)
        scope = 0 if value.gateway is not None else LINK_SCOPE
        nexthops = ((value.gateway, value.ifindex),)
        return KernelRoute(key, PROTOCOL, scope=scope, nexthops=nexthops, prefsrc=value.prefsrc)

    def _check_device(self, ifindex: int, carrier: bool) -> None:
        if ifindex not in self.links:
            raise Refused(errno.ENODEV)
        link = self.links[ifindex]
        if not link.up or (carrier and not link.running):
            raise Refused(errno.ENETDOWN)

    def _check_nexthop(self, value: object) -> None:
        match value:
            case NexthopObject(_, ifindex):
                self._check_device(ifindex, carrier=True)
            case NexthopGroup(members):
                for member in members:
                    if member not in self.nexthops or not isinstance(
                        self.nexthops[member].value, NexthopObject
                    ):
                        raise Refused(errno.EINVAL)

    def _replace_nexthop(self, id_: int, value: NexthopObject | NexthopGroup) -> None:
        if id_ not in self.nexthops:
            raise Refused(errno.ENOENT)
        standing = self.nexthops[id_]
        if not standing.ours:
            raise Violation(f"next hop {id_} is foreign and would be replaced")
        if type(standing.value) is not type(value):
            raise Refused(errno.EINVAL)
        self._check_nexthop(value)
        self.nexthops[id_] = KernelNexthop(id_, PROTOCOL, value)

    def _drop_nexthops(self, ids: set[int]) -> list[int]:
        """Delete objects or groups and what hangs on them; the groups that shrank."""
        shrunk = []
        for id_ in ids:
            del self.nexthops[id_]
        for group, nexthop in list(self.nexthops.items()):
            if isinstance(nexthop.value, NexthopGroup) and ids & set(nexthop.value.members):
                left = tuple(member for member in nexthop.value.members if member not in ids)
                if left:
                    self.nexthops[group] = replace(nexthop, value=NexthopGroup(left))
                    shrunk.append(group)
                else:
                    del self.nexthops[group]
        for key, route in list(self.routes.items()):
            if route.nhid is not None and route.nhid not in self.nexthops:
                del self.routes[key]
        return shrunk

    def _insert(self, rule: Rule) -> None:
        of_family = [(i, other) for i, other in enumerate(self.rules) if other.family is rule.family]
        later = (i for i, other in of_family if other.priority > rule.priority)
        self.rules.insert(next(later, len(self.rules)), rule)

    def shown(self, route: KernelRoute) -> KernelRoute:
        """As a dump shows it: a route on a next hop object with that object's gateways and devices."""
        hops = self._objects(route.nhid) if route.nhid is not None else route.nexthops
        return replace(route, nexthops=hops)

    def _objects(self, id_: int) -> tuple[tuple[IPAddress | None, int], ...]:
        value = self.nexthops[id_].value
        ids = value.members if isinstance(value, NexthopGroup) else (id_,)
        objects = [self.nexthops[one].value for one in ids]
        return tuple((o.gateway, o.ifindex) for o in objects if isinstance(o, NexthopObject))

    # -- what others do --------------------------------------------------------------------------

    def put_route(self, route: KernelRoute) -> None:
        """Somebody makes a route, or replaces one."""
        self.routes[route.key] = route
        self.told.append(RouteSeen(self.shown(route)))

    def drop_route(self, key: RouteKey) -> None:
        """Somebody deletes a route."""
        self.told.append(RouteGone(self.shown(self.routes.pop(key))))

    def put_rule(self, rule: Rule) -> None:
        self._insert(rule)
        self.told.append(ReadRules(rule.family))

    def drop_rule(self, rule: Rule) -> None:
        self.rules.remove(rule)
        self.told.append(ReadRules(rule.family))

    def put_nexthop(self, nexthop: KernelNexthop) -> None:
        self.nexthops[nexthop.id] = nexthop
        self.told.append(NexthopSeen(nexthop))

    def drop_nexthop(self, id_: int) -> None:
        """Somebody deletes a next hop: IPv6 tells of the routes that go with it, IPv4 does not."""
        before = dict(self.routes)
        shown = {key: self.shown(route) for key, route in before.items()}
        groups = {i for i, n in self.nexthops.items() if isinstance(n.value, NexthopGroup)}
        shrunk = self._drop_nexthops({id_})
        self.told.append(NexthopGone(id_))
        self.told.extend(NexthopGone(i) for i in groups - {id_} if i not in self.nexthops)
        self.told.extend(NexthopSeen(self.nexthops[i]) for i in shrunk)
        gone = [key for key in before if key not in self.routes and key.family is Family.IPV6]
        self.told.extend(RouteGone(shown[key]) for key in gone)

    # -- links and addresses ---------------------------------------------------------------------

    def index(self, name: str) -> int:
        return next(link.index for link in self.links.values() if link.name == name)

    def add_link(self, name: str) -> None:
        """A device appears, up and with a carrier."""
        self._last_index += 1
        index = self._last_index
        self.links[index] = Link(index, name, True, True)
        self.told.append(ReadLinks())

    def remove_link(self, name: str) -> None:
        index = self.index(name)
        self._silence(index)
        del self.links[index]
        self.addresses = [address for address in self.addresses if address.ifindex != index]
        self._lapsed.add(index)
        self.told.append(ReadLinks())

    def rename(self, name: str, new: str) -> None:
        index = self.index(name)
        self.links[index] = replace(self.links[index], name=new)
        self.told.append(ReadLinks())

    def add_address(self, name: str, text: str) -> None:
        """An address comes, and with it the connected route, unless it is a host's."""
        interface = ip_interface(text)
        address = Address(self.index(name), interface.ip, interface.network.prefixlen)
        self.addresses.append(address)
        self.told.append(ReadLinks())
        self._connect(address)

    def remove_address(self, name: str, text: str) -> None:
        """An address goes, its connected route with it; with the device's last, silently, all its routes."""
        interface = ip_interface(text)
        address = Address(self.index(name), interface.ip, interface.network.prefixlen)
        self.addresses.remove(address)
        key = RouteKey(MAIN_TABLE, Family.of(interface.ip), nlri_of(interface.network), 0)
        if key in self.routes and self.routes[key].nexthops == ((None, address.ifindex),):
            self.drop_route(key)
        for key, route in list(self.routes.items()):
            if route.prefsrc == interface.ip:
                del self.routes[key]
        if not any(a.ifindex == address.ifindex for a in self.addresses):
            self._silence(address.ifindex)
        self._lapsed.add(address.ifindex)
        self.told.append(ReadLinks())

    def set_up(self, name: str, up: bool) -> None:
        """Administratively up or down; down takes all that hangs on the device, next hops with a word."""
        index = self.index(name)
        self.links[index] = replace(self.links[index], up=up, running=up)
        if up:
            for address in self.addresses:
                if address.ifindex == index:
                    self._connect(address)
        else:
            self._lapsed.add(index)
            self._silence(index)
        self.told.append(ReadLinks())

    def set_carrier(self, name: str, carrier: bool) -> None:
        """Without a carrier next hop objects go, routes with a next hop of their own stay."""
        index = self.index(name)
        self.links[index] = replace(self.links[index], running=carrier)
        if not carrier:
            self._lapsed.add(index)
            self._flush_nexthops(index)
        self.told.append(ReadLinks())

    def _connect(self, address: Address) -> None:
        family = Family.of(address.address)
        if address.prefixlen == family.bits or not self.links[address.ifindex].up:
            return
        network = ip_interface(f"{address.address}/{address.prefixlen}").network
        key = RouteKey(MAIN_TABLE, family, nlri_of(network), 0)
        hops = ((None, address.ifindex),)
        if key in self.routes and self.routes[key].nexthops == hops:
            return  # a secondary address
        self.put_route(KernelRoute(key, KERNEL, scope=LINK_SCOPE, nexthops=hops, prefsrc=address.address))

    def _silence(self, index: int) -> None:
        self._flush_nexthops(index)
        for key, route in list(self.routes.items()):
            if any(device == index for _, device in route.nexthops):
                if key.family is Family.IPV6:
                    self.told.append(RouteGone(self.shown(route)))
                del self.routes[key]

    def _flush_nexthops(self, index: int) -> None:
        ids = {
            id_
            for id_, nexthop in self.nexthops.items()
            if isinstance(nexthop.value, NexthopObject) and nexthop.value.ifindex == index
        }
        stood = {key: self.shown(route) for key, route in self.routes.items() if key.family is Family.IPV6}
        self._drop_nexthops(ids)  # Linux 6: nexthop_flush_dev tells of no next hop, IPv6 of each route
        self.told.extend(RouteGone(route) for key, route in stood.items() if key not in self.routes)


def _prefix(operation: Operation) -> str:
    match operation:
        case AddRoute(key) | ReplaceRoute(key) | DeleteRoute(key):
            return str(network_of(key.family, key.nlri))
    return ""
