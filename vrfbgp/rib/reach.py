"""Next hop resolution: from a BGP next hop to a gateway on a device of the network's own.

A next hop is looked up in what the network's table holds apart from learned routes: bootstrap routes and
the user's own. Only where none of these covers it, it is looked up among the learned routes, the longest
prefix first that has a path whose own next hop needs no learned route (RFC 4271 5.1.3, a route reflector's
third-party next hops). One such step is all: routes that resolve by each other could take each other away
for ever, and the answer here depends on what the peers announce alone, never on an answer given before.
A default route resolves nothing, and a device that is no uplink of the network is never the answer: what
a peer makes up cannot lead into another network, or to main.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
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
    """Prefixes that a learned route does not replace: those of bootstrap routes, and any that would lead
    packets for a peer another way than these."""
    local: frozenset[IPAddress] = frozenset()
    """The node's own addresses."""
    refused: frozenset[tuple[IPAddress, int]] = frozenset()
    """Gateways, with their devices, that the kernel would not have for a next hop."""


Resolution = tuple[Hop, ...] | Refusal
Learned = Callable[[Family, Nlri], Resolution | None]
"""The way of a learned prefix by those of its paths that need no other; None if nobody announces it."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The answer, and whether learned routes had, or would have, a part in it."""

    hops: Resolution
    learned: bool


def resolve(address: IPAddress, reach: Reach, learned: Learned) -> Resolved:
    """Where packets for `address` go, in this network."""
    found = directly(address, reach)
    if found is not None:
        return Resolved(found, False)
    refusal = Refusal.NEXT_HOP_UNRESOLVED
    for nlri in covering(address):
        match learned(Family.of(address), nlri):
            case Refusal() as refusal:
                pass
            case tuple() as hops:
                return Resolved(hops, True)
    return Resolved(refusal, True)


def directly(address: IPAddress, reach: Reach) -> Resolution | None:
    """Where they go by what is not learned; None if that does not cover the address."""
    if address in reach.local:
        return Refusal.NEXT_HOP_LOCAL
    ways = reach.ways.get(Family.of(address), {})
    # Mostly they are a few: what else covers the address need not be made up.
    few = len(ways) <= address.max_prefixlen
    lengths = sorted({nlri[0] for nlri in ways} - {0}, reverse=True) if few else None
    for nlri in covering(address, lengths):
        if nlri in ways:
            return _through(nlri, ways[nlri], address, reach)
    return None


def _through(nlri: Nlri, ways: tuple[Way, ...], address: IPAddress, reach: Reach) -> Resolution:
    own = [way for way in ways if way.ifindex in reach.uplinks]
    if not own:
        return Refusal.NEXT_HOP_OFF_UPLINK
    usable = [way for way in own if way.ifindex in reach.running]
    if not usable:
        return Refusal.NEXT_HOP_LINK_DOWN
    if any(way.gateway is None for way in usable) and _is_no_host(address, nlri[0]):
        return Refusal.NEXT_HOP_NO_HOST
    hops = tuple(Hop(way.gateway or address, way.ifindex) for way in usable)
    return tuple(hop for hop in hops if (hop.gateway, hop.ifindex) not in reach.refused) or (
        Refusal.NEXT_HOP_REFUSED
    )


def _is_no_host(address: IPAddress, length: int) -> bool:
    """Whether it is the network or the broadcast address of its subnet (RFC 1122 3.2.1.3, RFC 3021)."""
    host_bits = 32 - length
    if address.version != 4 or host_bits < 2:
        return False
    return int(address) & ((1 << host_bits) - 1) in (0, (1 << host_bits) - 1)


def covering(address: IPAddress, lengths: Iterable[int] | None = None) -> list[Nlri]:
    """The prefixes that cover an address, the longest first, without the default route.

    Of `lengths` alone, in their order, if these are given.
    """
    bits = address.max_prefixlen
    number = int(address)
    found = []
    for length in range(bits, 0, -1) if lengths is None else lengths:
        masked = number >> (bits - length) << (bits - length)
        found.append(bytes((length,)) + masked.to_bytes(bits // 8, "big")[: (length + 7) // 8])
    return found
