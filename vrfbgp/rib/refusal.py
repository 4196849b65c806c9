"""Why a path that a peer announced is not used: never "no" without one of these."""

from __future__ import annotations

from enum import StrEnum


class Refusal(StrEnum):
    """The value is stable: `status`, `routes`, `explain`, logs and tests show it."""

    __hash__ = str.__hash__
    """An enum's own is a function of Python; a million refused paths are counted by it."""

    NEXT_HOP_UNRESOLVED = "next-hop-unresolved"
    """Nothing in the network's table leads to the next hop; a default route never does."""
    NEXT_HOP_OFF_UPLINK = "next-hop-off-uplink"
    """What leads to the next hop leaves by a device that is no uplink of the network."""
    NEXT_HOP_LINK_DOWN = "next-hop-link-down"
    NEXT_HOP_LOOP = "next-hop-loop"
    """Only learned routes that need one themselves lead to the next hop; perhaps this very one."""
    NEXT_HOP_TOO_MANY = "next-hop-too-many"
    """Only a learned route could lead to the next hop, and too many others are of that kind."""
    NEXT_HOP_NO_HOST = "next-hop-no-host"
    """The next hop is the network or broadcast address of the subnet that it is in."""
    NEXT_HOP_REFUSED = "next-hop-refused"
    """The kernel would not have it; it is asked again later."""
    NEXT_HOP_LOCAL = "next-hop-local"
    """The next hop is an address of this node."""
    OWN_AS = "own-as"
    """Our AS number is in the AS_PATH more often than allowed (RFC 4271 9.1.2)."""
    OWN_ORIGINATOR = "own-originator"
    """We are the ORIGINATOR_ID: it comes back from a route reflector (RFC 4456 8)."""
    MARTIAN = "martian"
    """No destination of unicast traffic between networks (RFC 6890)."""
    FILTER = "filter"
    """A rule of a BGPFilter rejects it."""
    CLUSTER_PREFIX = "cluster-prefix"
    """It is within the cluster itself: pods, services or nodes."""
    DEFAULT_ROUTE = "default-route"
    """The network takes no default route."""
    BOOTSTRAP = "bootstrap-route"
    """The network's own connected or configured route has this prefix."""


REMEDIES = {
    Refusal.NEXT_HOP_UNRESOLVED: "let the peer announce itself as next hop, or add a route to it in the "
    "network's table (reachableBy, bootstrapRoutes)",
    Refusal.NEXT_HOP_OFF_UPLINK: "routes leave by the network's own uplinks only; check the peer's next hop",
    Refusal.NEXT_HOP_LINK_DOWN: "bring the link up; the route returns by itself",
    Refusal.NEXT_HOP_LOOP: "let the peer announce a next hop on an uplink, or a route to it whose own is",
    Refusal.NEXT_HOP_TOO_MANY: "let the peers announce themselves as next hop, or one on an uplink; there is "
    "room again when others go",
    Refusal.NEXT_HOP_NO_HOST: "let the peer announce the address of a router as next hop",
    Refusal.NEXT_HOP_REFUSED: "the log has the kernel's words (kernel.refused); check the peer's next hop",
    Refusal.NEXT_HOP_LOCAL: "the peer sends our own address as next hop; check its next-hop-self",
    Refusal.OWN_AS: "raise numAllowedLocalASNumbers of the BGPPeer if this is meant",
    Refusal.OWN_ORIGINATOR: "nothing to do: this is our own route",
    Refusal.MARTIAN: "the peer should not announce it",
    Refusal.FILTER: "change the filter if this is not meant; an edit applies to what was received already",
    Refusal.CLUSTER_PREFIX: "set clusterPrefixes: Accept in the ExternalNetwork if this is meant; packets to "
    "the cluster's own ranges never take the network's table",
    Refusal.DEFAULT_ROUTE: "set defaultRoute: Accept in the ExternalNetwork if this is meant",
    Refusal.BOOTSTRAP: "nothing to do: the connected route leads there",
}
"""What to do about each."""
