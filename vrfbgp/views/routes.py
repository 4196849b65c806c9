"""`routes`: what a network's peers announced and what became of it, prefix by prefix, a page at a time.

A network may have a million prefixes. A page is bounded in what it holds and in what it looks at, so that
the daemon is never kept from its work: who wants all asks for page after page.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from vrfbgp.core import Core
from vrfbgp.model import Family, IPNetwork, Nlri, nlri_of
from vrfbgp.rib.refusal import Refusal
from vrfbgp.views.table import Owner, RouteState, Table, hop_told
from vrfbgp.views.words import Json, kernel_words, prefix_text

PAGE = 1000
LARGEST_PAGE = 5000
"""Rows."""
SCAN = 50_000
"""Prefixes that one page looks at."""
SORTED = 20_000
"""Up to so many prefixes, a network's are told by address; more are told as they arrived."""

Sources = list[tuple[Family, Collection[Nlri]]]


def routes(
    core: Core,
    network: str,
    *,
    limit: int = PAGE,
    offset: int = 0,
    within: IPNetwork | None = None,
    prefix: IPNetwork | None = None,
    state: RouteState | None = None,
) -> Json:
    """One page: prefixes (of `within`, or just `prefix`; in `state`) from place `offset` on.

    `next` is where to go on, or null.

    KeyError for a network that does not run here.
    """
    table = Table(core, network)
    rows: list[Json] = []
    limit = max(1, min(limit, LARGEST_PAGE))
    at, ended = offset, False
    sources = table.sources()
    if prefix is not None:
        sources = _only(sources, prefix)
    for at, family, nlri in _from(sources, offset):
        if at == offset + SCAN or len(rows) == limit:
            break
        if nlri is None or (within is not None and not is_within(family, nlri, within)):
            continue
        found = table.state(family, nlri)
        if found is not None and state in (None, found):
            rows.append(_row(table, family, nlri, found))
    else:
        ended = True
    return {
        "network": network,
        "table": table.number,
        "in_sync": table.network.in_sync,
        "routes": rows,
        "next": None if ended else at,
    }


def _only(sources: Sources, prefix: IPNetwork) -> Sources:
    """What there is of one prefix: looked up, not looked for."""
    of, nlri = Family.of(prefix), nlri_of(prefix)
    return [(family, (nlri,)) for family, held in sources if family is of and nlri in held]


def _from(sources: Sources, offset: int) -> Iterator[tuple[int, Family, Nlri | None]]:
    """Places from `offset` on with their prefixes; None for one that had a place before."""
    if sum(len(held) for _, held in sources) <= SORTED:
        every = {(family, nlri) for family, held in sources for nlri in held}
        ordered = sorted(every, key=lambda one: (one[0], one[1][1:], one[1][0]))
        for place, (family, nlri) in enumerate(ordered[offset:], offset):
            yield place, family, nlri
        return
    start = 0
    for number, (family, held) in enumerate(sources):
        before = [other for of, other in sources[:number] if of is family]
        skipped = max(0, offset - start)
        for place, nlri in enumerate(islice(held, skipped, None), start + skipped):
            yield place, family, None if any(nlri in other for other in before) else nlri
        start += len(held)


def is_within(family: Family, nlri: Nlri, within: IPNetwork) -> bool:
    """Whether `within` covers a prefix."""
    if Family.of(within) is not family or nlri[0] < within.prefixlen:
        return False
    beyond = family.bits - within.prefixlen
    address = int.from_bytes(nlri[1:].ljust(family.bits // 8, b"\0"), "big")
    return address >> beyond == int(within.network_address) >> beyond


def _row(table: Table, family: Family, nlri: Nlri, state: RouteState) -> Json:
    entry = table.entry(family, nlri)
    hops = entry.hops if entry else table.wanted(family, nlri)
    return {
        "prefix": prefix_text(family, nlri),
        "state": state.value,
        "owner": entry.owner.value if entry else Owner.LEARNED.value,
        "next_hops": [hop_told(table.core, hop) for hop in hops],
        "backup": [hop_told(table.core, hop) for hop in table.backup(family, nlri)],
        "peers": sum(1 for _ in table.received(family, nlri)),
        "reason": _reason(table, family, nlri, state),
    }


def _reason(table: Table, family: Family, nlri: Nlri, state: RouteState) -> str | None:
    """Why it is not installed, in a word."""
    if state is RouteState.FAILED and (refused := table.failure(family, nlri)):
        return kernel_words(refused.failure)
    if state is RouteState.UNUSED and table.place is None:
        return "no-table"
    if state is RouteState.UNUSED:
        return next((refusal.value for _, refusal in refusals(table, family, nlri)), None)
    return None


def refusals(table: Table, family: Family, nlri: Nlri) -> list[tuple[str, Refusal]]:
    """Peers whose path is not used, each with the reason."""
    loc = table.network.loc
    found = []
    for peer, held in loc.adj_in.items():
        adj = held.get(family)
        if adj is None:
            continue
        if nlri in adj.refused:
            found.append((str(peer.address), adj.refused[nlri][1]))
        elif nlri in adj.paths and (refusal := loc.ineligible(family, nlri, adj.paths[nlri])):
            found.append((str(peer.address), refusal))
    return found
