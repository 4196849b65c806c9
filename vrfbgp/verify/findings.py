"""What can be wrong with a node's isolation: a name for each flaw, how grave it is, what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How grave a flaw is."""

    LEAK = "leak"
    """A packet can go where it must not."""
    DEFECT = "defect"
    """It is not as the config wants it, but no packet goes to a wrong place for it."""
    NOTICE = "notice"
    """Worth a look; nothing is wrong."""


class Flaw(StrEnum):
    """Stable names of what is found; scripts and tests rely on them."""

    # -- rules of gateways
    NOT_CLOSED = "not-closed"
    """What a gateway's networks have no route for goes on to other tables."""
    DIVERTED = "diverted"
    """Somebody else's rule, or route in table local, takes a gateway's packets before ours do."""
    MAY_DIVERT = "may-divert"
    """So may a rule that depends on a mark or the like, or whose table is empty."""
    WRONG_NETWORK = "wrong-network"
    """A gateway's packets are led into the table of a network that is none of its own."""
    WRONG_ORDER = "wrong-order"
    """A gateway's networks are asked in another order than that of its list."""
    NOT_STEERED = "not-steered"
    """A gateway's packets do not get into the table of one of its networks."""
    EXEMPTION_TOO_WIDE = "exemption-too-wide"
    """More destinations than those of the cluster are reached by main."""
    EXEMPTION_MISSING = "exemption-missing"
    """A part of the cluster is not reached by main."""
    # -- other rules
    STRANGER_STEERED = "stranger-steered"
    """Packets that are no gateway's of a network are led into its table."""
    RULE_LEFT = "rule-left"
    """A rule of ours that nothing asks for."""
    SESSION_RULE_MISSING = "session-rule-missing"
    """A session's own packets do not look up their network's table."""
    SESSION_DIVERTED = "session-diverted"
    """A rule ahead of a session's own takes its packets elsewhere."""
    # -- routes
    WRONG_UPLINK = "wrong-uplink"
    """Routes of ours in a network's table leave by a device that is no uplink of it."""
    UNKNOWN_NEXTHOP = "unknown-next-hop"
    """Where a route of ours leads can't be told: its next hop is none of the kind that we make."""
    FOREIGN_ROUTE_ASTRAY = "foreign-route-astray"
    """Somebody else's route in a network's table leaves by a device that is no uplink of it."""
    SHARED_NEXTHOP = "shared-next-hop"
    """Two networks' tables use one next hop group: routes of one are in the other's table."""
    ROUTE_OUTSIDE = "route-outside"
    """A route of ours is in main, local or default."""
    ROUTE_LEFT = "route-left"
    """Routes of ours that no network wants: in another table, or of another metric."""
    BOOTSTRAP_MISSING = "bootstrap-missing"
    """A network's table lacks a route that leads to its peers."""
    TABLE_IN_USE = "table-in-use"
    """Somebody else works with a network's table."""
    # -- next hops
    NEXTHOP_ASTRAY = "next-hop-astray"
    """A next hop of ours leads by a device that is no network's uplink."""
    NEXTHOP_UNUSED = "next-hop-unused"
    """Nothing uses a next hop of ours."""
    NEXTHOP_FOREIGN = "next-hop-foreign"
    """Somebody else's next hop has an id of our range."""
    NEXTHOP_BORROWED = "next-hop-borrowed"
    """Somebody else's route or group uses a next hop of ours."""
    # -- and the whole
    KERNEL_DISAGREES = "kernel-disagrees"
    """Asked for a packet of a gateway (as by `ip route get`), the kernel says another way than it must go."""
    DAEMON_DIFFERS = "daemon-differs"
    """What the daemon says it does is not what config and kernel come to."""
    CONFIG_REFUSED = "config-refused"
    """The files as they are now are not what was compared with."""
    NOT_READ = "not-read"
    """Something in the kernel can't be understood, so nothing is proved of it."""
    NO_UPLINK = "no-uplink"
    """It is not known by which device a peer is reached, so a route that leads to it counts as astray."""


_DEFECTS = frozenset(
    {
        Flaw.NOT_STEERED,
        Flaw.EXEMPTION_MISSING,
        Flaw.RULE_LEFT,
        Flaw.SESSION_RULE_MISSING,
        Flaw.ROUTE_LEFT,
        Flaw.BOOTSTRAP_MISSING,
        Flaw.TABLE_IN_USE,
        Flaw.NEXTHOP_ASTRAY,
        Flaw.NEXTHOP_FOREIGN,
        Flaw.NEXTHOP_BORROWED,
        Flaw.DAEMON_DIFFERS,
        Flaw.NOT_READ,
    }
)
_NOTICES = frozenset({Flaw.MAY_DIVERT, Flaw.NEXTHOP_UNUSED, Flaw.CONFIG_REFUSED, Flaw.NO_UPLINK})


@dataclass(frozen=True, slots=True)
class Finding:
    """One flaw of one object."""

    flaw: Flaw
    subject: str
    """The object: a rule, a route, a next hop, or the kind and name of one of the config's."""
    text: str
    """What is wrong with it, and what comes of that."""
    remedy: str

    @property
    def weight(self) -> Weight:
        if self.flaw in _NOTICES:
            return Weight.NOTICE
        return Weight.DEFECT if self.flaw in _DEFECTS else Weight.LEAK


REPAIR = (
    "a running vrfbgp repairs it within a second: start it, or see `vrfbgp status` for what holds it back"
)
"""The remedy where something of ours is not as it should be."""
