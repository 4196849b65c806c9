"""`explain NETWORK PREFIX`: every path to a prefix, which are used, and why each other one is not."""

from __future__ import annotations

from vrfbgp.core import Core
from vrfbgp.model import Family, IPNetwork, Nlri, Path, PeerId, nlri_of
from vrfbgp.rib.best import Verdict
from vrfbgp.rib.policy import Altered
from vrfbgp.rib.refusal import REMEDIES, Refusal
from vrfbgp.views.arrival import came, withdrawn
from vrfbgp.views.table import Hop, Owner, RouteState, Table
from vrfbgp.views.words import Json, attributes, endpoint, kernel_words, peer_name

WHY = {
    Verdict.BEST: "the best path",
    Verdict.MULTIPATH: "as good as the best: used beside it",
    Verdict.LOCAL_PREF: "another path has a higher local preference",
    Verdict.AS_PATH_LENGTH: "another path has a shorter AS path",
    Verdict.ORIGIN: "another path has a better origin (igp before egp before incomplete)",
    Verdict.MED: "another path that it compares with has a lower MED",
    Verdict.EXTERNAL_PREFERRED: "another path was learned by eBGP, this one by iBGP",
    Verdict.ROUTER_ID: "another path is from a lower router id",
    Verdict.CLUSTER_LIST: "another path has a shorter cluster list",
    Verdict.PEER_ADDRESS: "another path is from a lower peer address",
    Verdict.AS_PATH: "as good as the best, but by another AS path (multipathRelax: Disabled)",
    Verdict.MAX_PATHS: "as good as those in use, which are as many as maxPaths allows",
}
STATES = {
    RouteState.INSTALLED: "in the kernel",
    RouteState.PENDING: "on its way into the kernel",
    RouteState.FAILED: "refused by the kernel, and tried again",
    RouteState.BLOCKED: "not installed: a route that is not ours has its place, and is left alone",
    RouteState.LEAVING: "no longer wanted: it goes when the network is in sync",
    RouteState.UNUSED: "not installed: none of its paths can be used",
    None: "not announced by any peer",
}


def explain_prefix(core: Core, network: str, prefix: IPNetwork, now: float) -> Json:
    """All that is known of a prefix. KeyError for a network that does not run here."""
    table = Table(core, network)
    family, nlri = Family.of(prefix), nlri_of(prefix)
    state, entry = table.state(family, nlri), table.entry(family, nlri)
    failure = table.failure(family, nlri)
    instead = None if entry else table.longest(prefix.network_address)
    return {
        "network": network,
        "table": table.number,
        "prefix": str(prefix),
        "state": state.value if state else "unknown",
        "text": _text(table, state, entry.owner if entry else None),
        "kernel": None if failure is None else kernel_words(failure.failure),
        "route": entry.told(core) if entry else None,
        "instead": instead.told(core) if instead else None,
        "paths": paths(table, family, nlri, now),
        "withdrawn": withdrawn(table.network, family, {nlri}, now),
    }


def _text(table: Table, state: RouteState | None, owner: Owner | None) -> str:
    if table.place is None and state is RouteState.UNUSED:
        return f"not installed: the network may not use table {table.number}; vrfbgp status says why"
    if owner is Owner.BOOTSTRAP:
        return "in the kernel, as a bootstrap route: the peers are reached by it"
    if owner is Owner.FOREIGN and state is RouteState.INSTALLED:
        return "in the kernel; it is not ours, and is left alone"
    return STATES[state]


def paths(table: Table, family: Family, nlri: Nlri, now: float, *, used_only: bool = False) -> list[Json]:
    """The paths to a prefix, those in use first."""
    loc = table.network.loc
    selection = loc.select(family, nlri)
    standing = set(table.backup(family, nlri))
    found: list[tuple[int, Json]] = []
    for peer, held in loc.adj_in.items():
        adj = held.get(family)
        if adj is None:
            continue
        if nlri in adj.refused:
            path, refusal, rule = adj.refused[nlri]
            stale = nlri in adj.stale_refused
            told = _path(table, peer, path, None, refusal, stale=stale, backup=False) | {"rule": rule}
            rank = 2
        elif nlri in adj.paths:
            path = adj.paths[nlri]
            unusable = loc.ineligible(family, nlri, path)
            verdict = None if unusable else selection.why_not(path)
            rank = 2 if verdict is None else _rank(verdict)
            ready = rank == 1 and not standing.isdisjoint(_ways(table, path))
            stale = nlri in adj.stale
            told = _path(table, peer, path, verdict, unusable, stale=stale, backup=ready)
        else:
            continue
        session = table.network.sessions.get(peer)
        found.append((rank, told | {"came": came(session, family, nlri, stale=stale, now=now)}))
    found.sort(key=lambda ranked: ranked[0])
    return [told for rank, told in found if not used_only or rank < 1]


def _ways(table: Table, path: Path) -> set[Hop]:
    """What the path has a route lead to."""
    hops = table.network.loc.hops(path)
    return set() if isinstance(hops, Refusal) else {Hop(h.gateway, h.ifindex, path.peer) for h in hops}


def _rank(verdict: Verdict) -> int:
    return {Verdict.BEST: -1, Verdict.MULTIPATH: 0}.get(verdict, 1)


def _path(
    table: Table,
    peer: PeerId,
    path: Path,
    verdict: Verdict | None,
    refusal: Refusal | None,
    *,
    stale: bool,
    backup: bool,
) -> Json:
    hops = table.network.loc.hops(path)
    session = table.network.sessions.get(peer)
    return {
        "peer": peer_name(table.core, peer),
        "address": endpoint(peer),
        "up": bool(session and session.works),
        "stale": stale,
        "backup": backup,
        "verdict": verdict.value if verdict else "refused",
        "reason": refusal.value if refusal else None,
        "rule": path.rule if isinstance(path, Altered) else None,
        "text": WHY[verdict] if verdict else _because(table, path, refusal),
        "remedy": REMEDIES[refusal] if refusal else None,
        "internal": path.internal,
        **attributes(path.attributes),
        "next_hops": []
        if isinstance(hops, Refusal)
        else [{"gateway": str(hop.gateway), "device": table.core.host.name(hop.ifindex)} for hop in hops],
    }


_TEXTS = {
    Refusal.NEXT_HOP_UNRESOLVED: "nothing in table {table} leads to its next hop {next_hop}",
    Refusal.NEXT_HOP_OFF_UPLINK: "its next hop {next_hop} is behind a device that is no uplink of {network}",
    Refusal.NEXT_HOP_LINK_DOWN: "the link to its next hop {next_hop} is down",
    Refusal.NEXT_HOP_LOOP: "only routes that need another learned route lead to its next hop {next_hop}",
    Refusal.NEXT_HOP_TOO_MANY: "only a learned route could lead to its next hop {next_hop}, as to too many",
    Refusal.NEXT_HOP_NO_HOST: "its next hop {next_hop} is the network or broadcast address of its subnet",
    Refusal.NEXT_HOP_REFUSED: "the kernel would not have its next hop {next_hop}",
    Refusal.NEXT_HOP_LOCAL: "its next hop {next_hop} is an address of this node",
    Refusal.OWN_AS: "our own AS is in its AS path ({as_path})",
    Refusal.OWN_ORIGINATOR: "we are its originator",
    Refusal.MARTIAN: "no unicast packet may be sent to such a prefix",
    Refusal.FILTER: "a rule of a BGPFilter rejects it",
    Refusal.CLUSTER_PREFIX: "it is within the cluster's own ranges: pods, services or nodes",
    Refusal.DEFAULT_ROUTE: "the network takes no default route",
    Refusal.BOOTSTRAP: "the network's own connected or configured route has this prefix",
}


def _because(table: Table, path: Path, refusal: Refusal | None) -> str:
    if refusal is None:
        return "not chosen yet"
    told = attributes(path.attributes)
    return _TEXTS[refusal].format(table=table.number, network=table.name, **told)
