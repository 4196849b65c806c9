"""What peers may announce at most (`maxPrefixes`), and a network may learn (`maxRoutes`): where they stand.

The limits themselves are kept where paths are taken (`rib/adj_in.py`): what has no room is not kept, so
memory has a bound. Here is told how near they are, and what follows, which `Network` then sees to; how what
had no room comes in the end, says `replay.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from vrfbgp.intent import LimitAction, NetworkIntent, PeerIntent, Problem, Reason, Severity
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.table import UNLIMITED

_WARNING = 0.75
"""Part of a limit from which people are told."""
_CURE = {
    False: "It is asked to send all again when the limit is raised, or a quarter of it is free.",
    True: "It has no route refresh (RFC 2918): raise the limit, then begin its session anew on the router.",
}
_CURE_NETWORK = (
    "The routers are asked to send all again when the limit is raised, or a quarter of it is free; one that "
    "knows no route refresh (RFC 2918) has to begin its session again."
)


class Level(IntEnum):
    """How a count and its limit stand to each other, the worst last."""

    BELOW = 0
    NEAR = 1
    MISSING = 2
    """There is room, but what had none before was not announced again since."""
    BEYOND = 3


def level(count: int, limit: int | None, *, dropped: bool = False) -> Level:
    """`dropped`: something was left out for the sake of the limit, or of one before it."""
    if limit is not None and (count > limit or (dropped and count == limit)):
        return Level.BEYOND
    if dropped:
        return Level.MISSING
    return Level.NEAR if limit is not None and count >= _WARNING * limit else Level.BELOW


def most(peer: PeerIntent) -> int:
    """Prefixes that are taken from the peer in each family."""
    limit = peer.max_prefixes
    return UNLIMITED if limit is None or limit.action is LimitAction.WARN else limit.limit


def peer_level(peer: PeerIntent, adj: AdjRibIn) -> Level:
    """Where a peer stands in one family."""
    limit = peer.max_prefixes
    announced = len(adj.paths) - len(adj.stale)
    return level(announced, limit.limit if limit else None, dropped=adj.over_limit)


def peer_problem(peer: PeerIntent, found: Level, *, resting: bool, deaf: bool = False) -> Iterator[Problem]:
    """What to tell of a peer; `resting`: its session was ended for it; `deaf`: it knows no route refresh."""
    limit = peer.max_prefixes
    subject = f"BGPPeer {peer.name}"
    if limit is not None and resting:
        after = limit.restart_after
        until = "until its config changes" if after is None else f"for {after:.0f} s"
        text = f"It announced more than {limit.limit} prefixes (maxPrefixes), so there is no session {until}."
        yield Problem(Severity.DEGRADED, Reason.MAX_PREFIXES, subject, text)
    elif found is Level.MISSING:
        text = f"Prefixes of it are missing that had no room (maxPrefixes). {_CURE[deaf]}"
        yield Problem(Severity.DEGRADED, Reason.MAX_PREFIXES, subject, text)
    elif limit is not None and found is Level.BEYOND:
        what = {
            LimitAction.WARN: "all are taken.",
            LimitAction.DROP: f"the excess is not taken. {_CURE[deaf]}",
            LimitAction.RESTART: "the session is ended.",
        }[limit.action]
        text = f"It announces more than {limit.limit} prefixes (maxPrefixes): {what}"
        yield Problem(Severity.DEGRADED, Reason.MAX_PREFIXES, subject, text)
    elif limit is not None and found is Level.NEAR:
        text = f"It announces 75 % or more of the {limit.limit} prefixes that it may (maxPrefixes)."
        yield Problem(Severity.NOTICE, Reason.NEAR_LIMIT, subject, text)


def network_problem(network: NetworkIntent, found: Level) -> Iterator[Problem]:
    """What to tell of a network."""
    subject = f"ExternalNetwork {network.name}"
    if found is Level.MISSING:
        text = f"Prefixes of its peers are missing that had no room (maxRoutes). {_CURE_NETWORK}"
        yield Problem(Severity.DEGRADED, Reason.MAX_ROUTES, subject, text)
    elif found is Level.BEYOND:
        text = (
            f"Its peers announce more than {network.max_routes} prefixes (maxRoutes): the excess is not "
            f"taken. {_CURE_NETWORK}"
        )
        yield Problem(Severity.DEGRADED, Reason.MAX_ROUTES, subject, text)
    elif found is Level.NEAR:
        text = f"It has learned 75 % or more of the {network.max_routes} prefixes that it may (maxRoutes)."
        yield Problem(Severity.NOTICE, Reason.NEAR_LIMIT, subject, text)
