"""Next hop resolution: from a BGP next hop to a gateway on a device of the network's own.

A next hop is looked up in what the network's table holds apart from learned routes: bootstrap routes and
the user's own. Only where none of these covers it, it is looked up among the learned routes, and the next
hops of what is found are resolved in turn (RFC 4271 5.1.3, a route reflector's third-party next hops).
A default route resolves nothing, and a device that is no uplink of the network is never the answer: what
a peer makes up cannot lead into another network, or to main.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vrfbgp.model import Family, IPAddress, Nlri
from vrfbgp.rib.refusal import Refusal


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a packet is handed to: `gateway` is on-link on device `ifindex`."""

    gateway: IPAddress
    ifindex: int


@dataclass(frozen=True, slots=True)
class Way:
    """A route that resolves: through a gateway, or (None) straight on the device."""

    gateway: IPAddress | None
    ifindex: int


@dataclass(frozen=True, slots=True)
class Reach:
    """What a network can reach before anything is learned."""

    uplinks: frozenset[int] = frozenset()
    """Indexes of the network's devices."""
    running: frozenset[int] = frozenset()
    """Those of them that are up and have a carrier."""
    ways: Mapping[Family, Mapping[Nlri, tuple[Way, ...]]] = field(default_factory=dict)
    bootstrap: Mapping[Family, frozenset[Nlri]] = field(default_factory=dict)
    """Prefixes that a learned route does not replace."""
    local: frozenset[IPAddress] = frozenset()
    """The node's own addresses."""


Resolution = tuple[Hop, ...] | Refusal
Learned = Callable[[Family, Nlri], tuple[IPAddress, ...]]
"""The next hops of the best paths of a learned prefix; none if it is not in the Loc-RIB."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer, and whether learned routes had, or would have, a part in it."""

    hops: Resolution
    learned: bool


def resolve(address: IPAddress, reach: Reach, learned: Learned) -> Resolved:
    """Where packets for `address` go, in this network."""
    return _resolve(address, reach, learned, frozenset())


def _resolve(address: IPAddress, reach: Reach, learned: Learned, above: frozenset[IPAddress]) -> Resolved:
    if address in reach.local:
        return Resolved(Refusal.NEXT_HOP_LOCAL, False)
    family = Family.of(address)
    ways = reach.ways.get(family, {})
    for nlri in covering(address):
        if nlri in ways:
            return Resolved(_through(ways[nlri], address, reach), False)
    if address in above:
        return Resolved(Refusal.NEXT_HOP_LOOP, True)
    for nlri in covering(address):
        if next_hops := learned(family, nlri):
            hops: dict[Hop, None] = {}
            refusal = Refusal.NEXT_HOP_UNRESOLVED
            for next_hop in next_hops:
                answer = _resolve(next_hop, reach, learned, above | {address}).hops
                if isinstance(answer, Refusal):
                    refusal = answer
                else:
                    hops.update(dict.fromkeys(answer))
            return Resolved(tuple(hops) or refusal, True)
    return Resolved(Refusal.NEXT_HOP_UNRESOLVED, True)


def _through(ways: tuple[Way, ...], address: IPAddress, reach: Reach) -> Resolution:
    own = [way for way in ways if way.ifindex in reach.uplinks]
    if not own:
        return Refusal.NEXT_HOP_OFF_UPLINK
    usable = [way for way in own if way.ifindex in reach.running]
    return tuple(Hop(way.gateway or address, way.ifindex) for way in usable) or Refusal.NEXT_HOP_LINK_DOWN


def covering(address: IPAddress) -> list[Nlri]:
    """The prefixes that cover an address, the longest first, without the default route."""
    packed, bits = address.packed, address.max_prefixlen
    number = int.from_bytes(packed, "big")
    found = []
    for length in range(bits, 0, -1):
        masked = number >> (bits - length) << (bits - length)
        found.append(bytes((length,)) + masked.to_bytes(bits // 8, "big")[: (length + 7) // 8])
    return found
