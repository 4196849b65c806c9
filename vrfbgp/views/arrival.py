"""When a path came, and who withdrew what is missing, as far as it is known (`rib/arrivals.py`).

Times are told in seconds ago: the core knows no others.
"""

from __future__ import annotations

from collections.abc import Set

from vrfbgp.model import Family, Nlri, network_of
from vrfbgp.network import Network
from vrfbgp.session import Session
from vrfbgp.views.words import Json, endpoint


def came(session: Session | None, family: Family, nlri: Nlri, *, stale: bool, now: float) -> Json | None:
    """When a path that the peer announces came; None if there is no such session any more."""
    if session is None:
        return None
    arrivals = session.arrivals
    if stale:
        found = arrivals.came_earlier(family, nlri, session.epoch, session.since)
    else:
        found = arrivals.came(family, nlri, session.deadline if session.deadline <= now else None)
    return {"how": found.how.value, "since": _ago(found.since, now), "until": _ago(found.until, now)}


def withdrawn(network: Network, family: Family, nlris: Set[Nlri], now: float) -> list[Json]:
    """Peers that announced one of these prefixes once and have withdrawn it since, the last one first."""
    found = []
    for peer, session in network.sessions.items():
        last = session.arrivals.withdrew(family, nlris)
        if last is None:
            continue
        nlri, time = last
        adj = network.loc.adj_in.get(peer, {}).get(family)
        if adj is not None and (nlri in adj.paths or nlri in adj.refused):
            continue
        told = {
            "peer": session.intent.name,
            "address": endpoint(peer),
            "prefix": str(network_of(family, nlri)),
            "ago": _ago(time, now),
        }
        found.append((time, told))
    return [told for _, told in sorted(found, key=lambda one: -one[0])]


def _ago(time: float | None, now: float) -> float | None:
    return None if time is None else round(max(0.0, now - time), 1)
