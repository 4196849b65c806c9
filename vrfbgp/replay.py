"""When a peer is asked to send all it has again (ROUTE-REFRESH, RFC 2918).

Memory has bounds, so not all that a peer announces is kept: not what had no room under a limit, nor all of
what guards refuse. When there is room, or another policy, that is missing. Then the peer is asked for it,
once: at an edit that gives room or judges otherwise at once; where room came back by itself when a quarter of
the limit is free, and not more often than every `PAUSE`, as a table may go up and down around it. What the
peer then leaves out goes at the end of its refresh, if it marks that (RFC 7313); else nothing is swept.

A peer may begin a refresh whenever it likes, and to mark all that it has costs us more than it costs the
peer to say so. So one that begins while another is under way begins nothing, nor does one soon after.

A peer without the capability can't be asked. `status` says so, until its session begins again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from vrfbgp import limits
from vrfbgp.intent import NetworkIntent, PeerIntent, Problem, Reason, Severity
from vrfbgp.limits import Level
from vrfbgp.model import Family
from vrfbgp.requests import RequestRefresh
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.table import UNLIMITED, Table
from vrfbgp.session import Session

PAUSE = 60.0
"""Seconds between two wishes because of room that came back by itself."""

REFRESH_PAUSE = 10.0
"""Seconds from one beginning of a refresh to the next that counts, for a peer and family."""


class Edit:
    """What an edit of the config changes about limits."""

    def __init__(self, before: NetworkIntent, now: NetworkIntent) -> None:
        self._network_wider = (now.max_routes or UNLIMITED) > (before.max_routes or UNLIMITED)

    def gives_room(self, before: PeerIntent, now: PeerIntent, adjs: Iterable[AdjRibIn]) -> list[AdjRibIn]:
        """Those of a peer's Adj-RIBs-In that left something out which may be taken now."""
        wider = limits.most(now) > limits.most(before)
        return [a for a in adjs if (wider and a.over_limit) or (self._network_wider and a.over_network)]


def room_again(
    session: Session, adjs: Iterable[AdjRibIn], network: NetworkIntent, tables: Mapping[Family, Table]
) -> list[AdjRibIn]:
    """Those of a peer's Adj-RIBs-In that left something out for which there is room by now, and to spare."""
    found = []
    for adj in adjs:
        if (adj.over_limit or adj.over_network) and session.can_refresh(adj.family):
            own = limits.level(len(adj.paths), limits.most(session.intent))
            whole = limits.level(len(tables[adj.family]), network.max_routes)
            if (not adj.over_limit or own is Level.BELOW) and whole is Level.BELOW:
                found.append(adj)
    return found


def wish(session: Session, adjs: Iterable[AdjRibIn]) -> bool:
    """Have the peer asked for what is missing there; whether it can be."""
    found = [adj for adj in adjs if session.can_refresh(adj.family)]
    for adj in found:
        session.refreshes.add(adj.family)
        adj.complete()
    return bool(found)


def begun(session: Session, adj: AdjRibIn, now: float) -> None:
    """The peer says that it begins to send all it has (BoRR): what is here has to be said again to stay.

    Not while that holds already. Who begins ever anew and ends never would have all that is stale, which
    takes no room under a limit, heap up.
    """
    if not (adj.stale or adj.stale_refused) and session.next_begin.get(adj.family, now) <= now:
        session.next_begin[adj.family] = now + REFRESH_PAUSE
        adj.mark_stale()


def problem(session: Session) -> Iterator[Problem]:
    """What to tell of a peer that can't be asked for what guards refused, and did not keep."""
    if session.misses:
        text = (
            "Of what was refused before, not all was kept, and what was not is missing if it may be taken "
            "now. It has no route refresh (RFC 2918): begin its session anew on the router."
        )
        yield Problem(Severity.DEGRADED, Reason.NOT_KEPT, f"BGPPeer {session.intent.name}", text)


def take(sessions: Collection[Session]) -> list[RequestRefresh]:
    """What the peers are to be asked for, each of it once."""
    found = [RequestRefresh(one.peer, family) for one in sessions for family in sorted(one.refreshes)]
    for session in sessions:
        session.refreshes.clear()
    return found
