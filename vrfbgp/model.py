"""Frozen values that every layer speaks: prefixes, peers, paths, and what the kernel holds.

A *prefix* travels as the bytes it has on the wire (RFC 4271 4.3, "NLRI"): one octet of length, then
as many octets as the length needs, every bit behind the length zero. Such bytes are hashed and compared
at C speed and are encoded into netlink messages without being taken apart. The address family is never
in them: whoever holds prefixes holds them by family.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
Nlri = bytes

PROTOCOL = 179
"""Our mark on routes, next hops and rules (rtm_protocol, nh_protocol, FRA_PROTOCOL)."""
METRIC = 20000
"""Priority of our routes; a user's own route of the same prefix has a lower one and so wins."""

MAIN_TABLE = 254
"""RT_TABLE_MAIN (linux/rtnetlink.h)."""
RESERVED_TABLES = frozenset({0, 253, 254, 255})
"""unspec, default, main, local (linux/rtnetlink.h)."""
_TABLE_WORDS = {253: "default", 254: "main", 255: "local"}


class Family(IntEnum):
    """Address family, by the kernel's number (AF_INET, AF_INET6)."""

    IPV4 = 2
    IPV6 = 10

    @classmethod
    def of(cls, value: IPAddress | IPNetwork) -> Family:
        return cls.IPV4 if value.version == 4 else cls.IPV6

    @property
    def bits(self) -> int:
        return 32 if self is Family.IPV4 else 128


def nlri_of(network: IPNetwork) -> Nlri:
    """The wire form of a prefix."""
    length = network.prefixlen
    return bytes((length,)) + network.network_address.packed[: (length + 7) // 8]


def network_of(family: Family, nlri: Nlri) -> IPNetwork:
    """The printable form of a wire prefix."""
    packed = nlri[1:].ljust(family.bits // 8, b"\0")
    return ip_network((packed, nlri[0]))


def table_word(table: int) -> str:
    """A table as `ip rule` and `ip route` call it, whatever names the user gave to others."""
    return _TABLE_WORDS.get(table, str(table))


@dataclass(frozen=True, slots=True)
class PeerId:
    """A peer is known by its network, address and port: two networks may have the same address."""

    network: str
    address: IPAddress
    port: int = 179

    def __hash__(self) -> int:
        # an address's own hash formats a string, and peers are looked up for every UPDATE
        return hash((self.network, int(self.address), self.port))

    @property
    def rank(self) -> tuple[str, int, int, int]:
        """An order over peers of both families, which addresses alone don't have."""
        return self.network, self.address.version, int(self.address), self.port

    def __lt__(self, other: PeerId) -> bool:
        return self.rank < other.rank

    def __str__(self) -> str:
        address = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        at = str(self.address) if self.port == 179 else f"{address}:{self.port}"
        return f"{self.network}/{at}"


class Origin(IntEnum):
    """RFC 4271 5.1.1; the lower is preferred."""

    IGP = 0
    EGP = 1
    INCOMPLETE = 2


@dataclass(frozen=True, slots=True)
class Attributes:
    """The path attributes of one UPDATE that best path, filters and `explain` look at (RFC 4271 5).

    `as_path` is the AS_PATH with AS4_PATH merged in (RFC 6793): segments of (type, AS numbers);
    type 2 is AS_SEQUENCE, 1 AS_SET, 3 and 4 the confederation kinds (RFC 5065).
    """

    next_hop: IPAddress
    origin: Origin = Origin.IGP
    as_path: tuple[tuple[int, tuple[int, ...]], ...] = ()
    med: int | None = None
    local_pref: int | None = None
    communities: tuple[tuple[int, int], ...] = ()
    large_communities: tuple[tuple[int, int, int], ...] = ()
    originator_id: IPv4Address | None = None
    cluster_list: tuple[IPv4Address, ...] = ()

    @property
    def as_path_length(self) -> int:
        """Hops as RFC 4271 9.1.2.2 a) and RFC 5065 5.3 count them: a set is one, a confederation none."""
        return sum(len(asns) if kind == 2 else int(kind == 1) for kind, asns in self.as_path)

    @property
    def neighbor_as(self) -> int | None:
        """The leftmost AS, whose MEDs compare with each other; None inside the own AS."""
        for kind, asns in self.as_path:
            if kind == 2 and asns:
                return asns[0]
            if kind == 1:
                return None
        return None


@dataclass(frozen=True, slots=True)
class Path:
    """One way to a prefix: what one peer announced, and what best path needs to know of that peer."""

    peer: PeerId
    attributes: Attributes
    internal: bool
    """Learned by iBGP."""
    router_id: int
    """The peer's BGP identifier, as a number."""

    @property
    def next_hop(self) -> IPAddress:
        return self.attributes.next_hop


@dataclass(frozen=True, slots=True)
class Member:
    """One way out of the node: towards `gateway` on device `ifindex`, because of `peer`."""

    peer: PeerId
    gateway: IPAddress
    ifindex: int

    def __lt__(self, other: Member) -> bool:
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[tuple[str, int, int, int], int, int, int]:
        return self.peer.rank, self.gateway.version, int(self.gateway), self.ifindex


Members = tuple[Member, ...]
"""Sorted, without repetition."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What was chosen for a prefix: the members of its route; none if it is to have no route."""

    members: Members = ()
    backup: Members = ()
    """The next best ones, which take over when all of the members are gone."""
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # one of these stands for a million prefixes, and is looked up for each
        object.__setattr__(self, "_hash", hash((self.members, self.backup)))

    def __hash__(self) -> int:
        return self._hash


NO_ROUTE = Chosen()


@dataclass(frozen=True, slots=True)
class Link:
    """A network device as the kernel reports it. `running`: administratively up and has a carrier."""

    index: int
    name: str
    up: bool
    running: bool


@dataclass(frozen=True, slots=True)
class Address:
    """An address of an interface, with the length of its subnet."""

    ifindex: int
    address: IPAddress
    prefixlen: int


@dataclass(frozen=True, slots=True)
class Inline:
    """A route that carries its own next hop: bootstrap routes. No gateway: scope link."""

    ifindex: int
    gateway: IPAddress | None = None
    prefsrc: IPAddress | None = None


RouteValue = Inline | int
"""What a route of ours leads to: the id of a next hop group, or an inline next hop."""


@dataclass(frozen=True, slots=True)
class RouteKey:
    """The kernel's own key of a route (fib_trie: table, prefix, priority; TOS is always 0 here)."""

    table: int
    family: Family
    nlri: Nlri
    metric: int = METRIC

    def __str__(self) -> str:
        return f"{network_of(self.family, self.nlri)} table {table_word(self.table)} metric {self.metric}"


@dataclass(frozen=True, slots=True)
class KernelRoute:
    """A route as read from the kernel, ours or foreign.

    `nexthops` holds (gateway, ifindex) of each next hop, empty for types without one; `nhid` the id of
    a next hop object. With `nexthop_compat_mode` 0 a dump has only the latter. `kind` is the
    kernel's word for the type (`unicast`, `unreachable`, `blackhole`, `local`, …).
    """

    key: RouteKey
    protocol: int
    kind: str = "unicast"
    scope: int = 0
    nexthops: tuple[tuple[IPAddress | None, int], ...] = ()
    nhid: int | None = None
    prefsrc: IPAddress | None = None

    @property
    def ours(self) -> bool:
        return self.protocol == PROTOCOL

    @property
    def value(self) -> RouteValue | None:
        """The route as one of ours would be described; None if ours never look like this."""
        if self.kind != "unicast":
            return None
        if self.nhid is not None:
            return self.nhid
        if len(self.nexthops) != 1:
            return None
        gateway, ifindex = self.nexthops[0]
        return Inline(ifindex, gateway, self.prefsrc)


@dataclass(frozen=True, slots=True)
class NexthopObject:
    """A single next hop object (linux/nexthop.h); always made with `onlink`, we resolved it ourselves."""

    gateway: IPAddress
    ifindex: int


@dataclass(frozen=True, slots=True)
class NexthopGroup:
    """A hash-threshold group of equal weights; `members` are the ids, ascending."""

    members: tuple[int, ...]


NexthopValue = NexthopObject | NexthopGroup


@dataclass(frozen=True, slots=True)
class KernelNexthop:
    """A next hop object or group as read from the kernel; `value` is None for a kind we never make."""

    id: int
    protocol: int
    value: NexthopValue | None

    @property
    def ours(self) -> bool:
        return self.protocol == PROTOCOL


class Action(StrEnum):
    """What a rule does with a packet that matches."""

    LOOKUP = "lookup"
    UNREACHABLE = "unreachable"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Rule:
    """A policy rule. All of it is its key: the kernel has no other.

    `others` holds the selectors that ours never have (fwmark, iif, …), printable; ours leave it empty.
    """

    family: Family
    priority: int
    src: IPNetwork | None = None
    dst: IPNetwork | None = None
    action: Action = Action.LOOKUP
    table: int = 0
    protocol: int = PROTOCOL
    others: tuple[str, ...] = ()

    @property
    def ours(self) -> bool:
        return self.protocol == PROTOCOL

    def __str__(self) -> str:
        words = [f"{self.priority}: from {self.src or 'all'}"]
        if self.dst is not None:
            words.append(f"to {self.dst}")
        words += self.others
        words.append(
            f"lookup {table_word(self.table)}" if self.action is Action.LOOKUP else self.action.value
        )
        return " ".join(words)
