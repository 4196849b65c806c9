"""What `status` tells of one peer: its session, what it announced, and why it is not up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from vrfbgp.core import Core
from vrfbgp.intent import Intent, PeerIntent, Problem, Severity
from vrfbgp.model import Family
from vrfbgp.network import Network
from vrfbgp.notification import describe
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.loc import LocRib
from vrfbgp.rib.refusal import Refusal
from vrfbgp.session import Session
from vrfbgp.views.advice import advice
from vrfbgp.views.words import Json, PeerState, about, announced, endpoint, places


def peer_status(
    core: Core,
    intent: Intent,
    network: Network | None,
    peer: PeerIntent,
    standing: Iterable[Problem],
    now: float,
) -> Json:
    """One peer; times in seconds. `standing` are all problems that stand."""
    session = network.sessions.get(peer.id) if network else None
    negotiated = session.negotiated if session else None
    problems = about(f"BGPPeer {peer.name}", standing)
    return {
        "name": peer.name,
        "address": str(peer.id.address),
        "port": peer.id.port,
        "endpoint": endpoint(peer.id),
        "state": _peer_state(intent, network, peer, session, problems),
        "as": peer.peer_as,
        "local_as": peer.local_as,
        "internal": peer.internal,
        "families": _families(peer.families),
        "carried": _families(negotiated.families) if negotiated else None,
        "local_address": _local_address(network, peer),
        "router_id": negotiated.router_id if negotiated else None,
        "hold_time": negotiated.hold_time if negotiated else None,
        "uptime": int(now - session.since) if session and session.works else None,
        "down_for": int(now - session.since) if session and not session.works else None,
        **_counts(network.loc if network else None, peer),
        "in_use": _in_use(core, peer),
        "announced": sum(a.peer == peer.id for a in announced(core, peer.id.network)),
        "malformed": _faults(session),
        "last_error": describe(session.last_error) if session and session.last_error else None,
        "reason": _reason(session, problems),
        "advice": _advice(network, session),
        "problems": problems,
    }


def _families(families: Iterable[Family]) -> list[str]:
    return [family.name.lower() for family in sorted(families)]


def _faults(session: Session | None) -> Json:
    """What was malformed in this session's UPDATEs, and how often."""
    found = session.decoder.faults if session and session.decoder else {}
    return {str(fault): times for fault, times in found.items()}


def _peer_state(
    intent: Intent, network: Network | None, peer: PeerIntent, session: Session | None, problems: list[Json]
) -> str:
    if not intent.enabled:
        return PeerState.DISABLED
    if session is not None and session.works:
        return session.state
    if network is None or session is None or session.unreached:
        return PeerState.DEGRADED
    if peer.id not in network.uplinks.attachments:
        return PeerState.DEGRADED
    if all(config.peer != peer.id for config in network.configured):
        degraded = any(found["severity"] == Severity.DEGRADED for found in problems)
        return PeerState.DEGRADED if degraded else PeerState.WAITING
    return session.state


def _reason(session: Session | None, problems: list[Json]) -> str | None:
    """Why the session is not up."""
    if session is not None and session.works:
        return None
    if worse := [found for found in problems if found["severity"] != Severity.NOTICE]:
        return str(worse[0]["text"])
    return describe(session.last_error) if session and session.last_error else None


def _advice(network: Network | None, session: Session | None) -> str | None:
    if network is None or session is None or session.works:
        return None
    config = next((config for config in network.configured if config.peer == session.intent.id), None)
    return advice(session.last_error, config)


def _local_address(network: Network | None, peer: PeerIntent) -> str | None:
    attachment = network.uplinks.attachments.get(peer.id) if network else None
    return str(attachment.local) if attachment else None


def _counts(loc: LocRib | None, peer: PeerIntent) -> Json:
    """Prefixes received, accepted by import policy, refused by it; and of the accepted, the unusable."""
    adjs = list(loc.adj_in.get(peer.id, {}).values()) if loc else []
    refused = sum((adj.refused.counts for adj in adjs), Counter[Refusal]())
    unusable: Counter[str] = Counter()
    for adj in adjs:
        assert loc is not None
        unusable.update(_unusable(loc, adj))
    return {
        "received": sum(len(adj) for adj in adjs),
        "accepted": sum(len(adj.paths) for adj in adjs),
        "refused": {reason.value: number for reason, number in refused.items()},
        "unusable": dict(unusable),
        "stale": sum(len(adj.stale) + len(adj.stale_refused) for adj in adjs),
    }


def _in_use(core: Core, peer: PeerIntent) -> int:
    """Prefixes whose route, in the kernel or on its way there, leads to the peer; backups are not counted."""
    place = places(core).get(peer.id.network)
    slices = core.reconciler.slices
    found = (slices.get((place.table, family, place.metric)) for family in Family) if place else ()
    groups = (slice_.desired.groups for slice_ in found if slice_ is not None)
    return sum(of.by_peer()[peer.id] for of in groups if of is not None)


def _unusable(loc: LocRib, adj: AdjRibIn) -> Counter[str]:
    """Accepted paths that take no part in the choice, by reason."""
    found: Counter[str] = Counter()
    held = loc.tables[adj.family].held
    if standing := sum(nlri in adj.paths for nlri in held):
        found[Refusal.BOOTSTRAP.value] = standing
    # Mostly every next hop is resolved, and then nothing needs to be counted.
    if not loc.next_hops.refused:
        return found
    # The prefixes of one UPDATE share a path: it is looked at once, however many there are.
    paths = {id(path): path for _, path in adj.paths.pairs()}
    shared = Counter(id(path) for _, path in adj.paths.pairs())
    for path in paths.values():
        hops = loc.hops(path)
        if isinstance(hops, Refusal):
            found[hops.value] += shared[id(path)]
    return found
