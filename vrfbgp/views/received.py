"""`routes --received`: what each peer announced, what became of it, and by which rule; a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain, islice

from vrfbgp.core import Core
from vrfbgp.model import Family, IPNetwork, Nlri, Path, PeerId, nlri_of
from vrfbgp.network import Network
from vrfbgp.rib.policy import Altered, Refused
from vrfbgp.rib.refusal import Refusal
from vrfbgp.views.routes import LARGEST_PAGE, PAGE, SCAN, is_within
from vrfbgp.views.words import Json, attributes, peer_name, prefix_text


class PathState(StrEnum):
    """What became of a path."""

    BEST = "best"
    """It is used, alone or with others (multipath)."""
    BACKUP = "backup"
    """It stands ready in the kernel."""
    ACCEPTED = "accepted"
    """Others are better; `explain` says why."""
    UNUSABLE = "unusable"
    """It passed the filters, and can't be used: its next hop, say, is not found."""
    REFUSED = "refused"
    """A filter, a guard or a limit refused it."""


Announced = tuple[PeerId, Family, Nlri, Path | Refused]


def received(
    core: Core,
    network: str,
    *,
    limit: int = PAGE,
    offset: int = 0,
    within: IPNetwork | None = None,
    prefix: IPNetwork | None = None,
    state: PathState | None = None,
) -> Json:
    """One page, of `within`, or just `prefix`, in `state`, from place `offset`; `next` is where to go on, or
    null. KeyError: it does not run here."""
    found = core.networks[network]
    every = _all(found) if prefix is None else _of(found, prefix)
    rows: list[Json] = []
    limit = max(1, min(limit, LARGEST_PAGE))
    at, ended = offset, False
    for at, (peer, family, nlri, what) in enumerate(islice(every, offset, None), offset):
        if at == offset + SCAN or len(rows) == limit:
            break
        if within is not None and not is_within(family, nlri, within):
            continue
        what_came = _state(found, peer, family, nlri, what)
        if state in (None, what_came):
            rows.append(_row(core, found, peer, family, nlri, what, what_came))
    else:
        ended = True
    return {"network": network, "received": rows, "next": None if ended else at}


def _all(network: Network) -> Iterator[Announced]:
    for peer, families in network.loc.adj_in.items():
        for family, adj in families.items():
            taken: Iterator[tuple[Nlri, Path | Refused]] = adj.paths.pairs()
            for nlri, what in chain(taken, adj.refused.items()):
                yield peer, family, nlri, what


def _of(network: Network, prefix: IPNetwork) -> Iterator[Announced]:
    """What is said of one prefix: looked up, not looked for."""
    family, nlri = Family.of(prefix), nlri_of(prefix)
    for peer, families in network.loc.adj_in.items():
        if (adj := families.get(family)) is None:
            continue
        if nlri in adj.refused:
            yield peer, family, nlri, adj.refused[nlri]
        elif nlri in adj.paths:
            yield peer, family, nlri, adj.paths[nlri]


def _state(network: Network, peer: PeerId, family: Family, nlri: Nlri, what: Path | Refused) -> PathState:
    if isinstance(what, Refused):
        return PathState.REFUSED
    chosen = network.loc.tables[family].get(nlri)
    if chosen is not None and any(member.peer == peer for member in chosen.members):
        return PathState.BEST
    if chosen is not None and any(member.peer == peer for member in chosen.backup):
        return PathState.BACKUP
    return PathState.UNUSABLE if network.loc.ineligible(family, nlri, what) else PathState.ACCEPTED


def _row(
    core: Core,
    network: Network,
    peer: PeerId,
    family: Family,
    nlri: Nlri,
    what: Path | Refused,
    state: PathState,
) -> Json:
    refusal: Refusal | None
    if isinstance(what, Refused):
        path, refusal, rule = what
    else:
        path, refusal = what, network.loc.ineligible(family, nlri, what)
        rule = what.rule if isinstance(what, Altered) else ""
    return {
        "prefix": prefix_text(family, nlri),
        "peer": peer_name(core, peer),
        "state": state.value,
        "reason": refusal.value if refusal else None,
        "rule": rule or None,
        **attributes(path.attributes),
    }
