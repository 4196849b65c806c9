"""What peers may announce at most (`maxPrefixes`), and a network may learn (`maxRoutes`): where they stand.

The limits themselves are kept where paths are taken (`rib/adj_in.py`): what has no room is not kept, so
memory has a bound. Here is told how near they are, and what follows, which `Network` then sees to.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum

from vrfbgp.intent import LimitAction, NetworkIntent, PeerIntent, Problem, Reason, Severity
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.table import UNLIMITED

_WARNING = 0.75
"""Part of a limit from which people are told."""


class Level(IntEnum):
    """How a count and its limit stand to each other, the worst last."""

    BELOW = 0
    NEAR = 1
    BEYOND = 2


def level(count: int, limit: int | None, *, dropped: bool = False) -> Level:
    """`dropped`: something was left out for the sake of the limit."""
    if limit is None:
        return Level.BELOW
    if dropped or count > limit:
        return Level.BEYOND
    return Level.NEAR if count >= _WARNING * limit else Level.BELOW


def most(peer: PeerIntent) -> int:
    """Prefixes that are taken from the peer in each family."""
    limit = peer.max_prefixes
    return UNLIMITED if limit is None or limit.action is LimitAction.WARN else limit.limit


def peer_level(peer: PeerIntent, adj: AdjRibIn) -> Level:
    """Where a peer stands in one family."""
    limit = peer.max_prefixes
    announced = len(adj.paths) - len(adj.stale)
    return level(announced, limit.limit if limit else None, dropped=adj.over_limit)


def peer_problem(peer: PeerIntent, found: Level, *, resting: bool) -> Iterator[Problem]:
    """What to tell of a peer; `resting`: its session was ended for it."""
    limit = peer.max_prefixes
    if limit is None:
        return
    subject = f"BGPPeer {peer.name}"
    if resting:
        after = limit.restart_after
        until = "until its config changes" if after is None else f"for {after:.0f} s"
        text = f"It announced more than {limit.limit} prefixes (maxPrefixes), so there is no session {until}."
        yield Problem(Severity.DEGRADED, Reason.MAX_PREFIXES, subject, text)
    elif found is Level.BEYOND:
        what = {
            LimitAction.WARN: "all are taken",
            LimitAction.DROP: "the excess is not taken; it comes when the router sends it again",
            LimitAction.RESTART: "the session is ended",
        }[limit.action]
        text = f"It announces more than {limit.limit} prefixes (maxPrefixes): {what}."
        yield Problem(Severity.DEGRADED, Reason.MAX_PREFIXES, subject, text)
    elif found is Level.NEAR:
        text = f"It announces 75 % or more of the {limit.limit} prefixes that it may (maxPrefixes)."
        yield Problem(Severity.NOTICE, Reason.NEAR_LIMIT, subject, text)


def network_problem(network: NetworkIntent, found: Level) -> Iterator[Problem]:
    """What to tell of a network."""
    subject = f"ExternalNetwork {network.name}"
    if network.max_routes is None:
        return
    if found is Level.BEYOND:
        text = (
            f"Its peers announce more than {network.max_routes} prefixes (maxRoutes): the excess is not "
            "taken; it comes when the routers send it again."
        )
        yield Problem(Severity.DEGRADED, Reason.MAX_ROUTES, subject, text)
    elif found is Level.NEAR:
        text = f"It has learned 75 % or more of the {network.max_routes} prefixes that it may (maxRoutes)."
        yield Problem(Severity.NOTICE, Reason.NEAR_LIMIT, subject, text)
