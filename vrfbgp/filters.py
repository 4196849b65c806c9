"""Rules of BGPFilters as values: what a rule asks of a route, and what it does with one.

The rules of all filters of a peer stand in one list, in order: the first whose every condition holds decides,
and a route that none matches is accepted. They are evaluated by `rib/route_filter.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from vrfbgp.model import IPNetwork

Community = tuple[int, ...]
"""Two numbers: a standard community (RFC 1997); three: a large one (RFC 8092)."""


class Operator(StrEnum):
    """`matchOperator`: how a prefix and the rule's `cidr` compare."""

    EQUAL = "Equal"
    NOT_EQUAL = "NotEqual"
    IN = "In"
    NOT_IN = "NotIn"


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """A condition on the prefix.

    The lengths are part of what `In` and `Equal` name, so their opposites hold wherever they do not: as in
    BIRD, where a length turns the CIDR into a set of prefixes.
    """

    network: IPNetwork
    operator: Operator
    shortest: int
    longest: int


@dataclass(frozen=True, slots=True)
class Operations:
    """What a rule changes about a route that it accepts, in this order."""

    communities: tuple[Community, ...] = ()
    """To be added, if they are not there."""
    prepend: tuple[int, ...] = ()
    """AS numbers that come to stand in front of the path, in the order given."""
    local_pref: int | None = None
    """LOCAL_PREF, instead of what it was; None: it stays."""
    med: int | None = None
    """MULTI_EXIT_DISC, likewise."""

    def __bool__(self) -> bool:
        return self != Operations()


@dataclass(frozen=True, slots=True)
class FilterRule:
    """One rule; a condition that is left out holds for all routes."""

    name: str
    """Filter, list and place in it, as the user knows them: `servers importV4[2]`."""
    accept: bool
    prefix: PrefixMatch | None = None
    internal: bool | None = None
    """`peerType`: whether the session's peer is in our own AS."""
    learned: bool = False
    """`source: RemotePeers`: the route was learned by BGP. None that we announce was."""
    interface: str = ""
    """A shell pattern for the device that the route leaves by."""
    communities: tuple[Community, ...] = ()
    """One of these is enough."""
    as_path_prefix: tuple[int, ...] = ()
    """The AS_PATH begins with these."""
    priority: int | None = None
    """The route's metric in the kernel."""
    operations: Operations = Operations()


Rules = tuple[FilterRule, ...]
