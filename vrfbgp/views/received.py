"""`routes --received`: what each peer announced, taken or refused, and by which rule; a page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from vrfbgp.core import Core
from vrfbgp.model import Family, IPNetwork, Nlri, Path, PeerId, network_of
from vrfbgp.network import Network
from vrfbgp.rib.policy import Altered, Refused
from vrfbgp.rib.refusal import Refusal
from vrfbgp.views.routes import LARGEST_PAGE, PAGE, SCAN, is_within
from vrfbgp.views.words import Json, attributes, peer_name

Announced = tuple[PeerId, Family, Nlri, Path | Refused]


def received(
    core: Core,
    network: str,
    *,
    limit: int = PAGE,
    offset: int = 0,
    within: IPNetwork | None = None,
) -> Json:
    """One page, from place `offset`; `next` is where to go on, or null. KeyError: it does not run here."""
    found = core.networks[network]
    rows: list[Json] = []
    limit = max(1, min(limit, LARGEST_PAGE))
    at, ended = offset, False
    for at, (peer, family, nlri, what) in enumerate(islice(_all(found), offset, None), offset):
        if at == offset + SCAN or len(rows) == limit:
            break
        if within is None or is_within(family, nlri, within):
            rows.append(_row(core, found, peer, family, nlri, what))
    else:
        ended = True
    return {"network": network, "received": rows, "next": None if ended else at}


def _all(network: Network) -> Iterator[Announced]:
    for peer, families in network.loc.adj_in.items():
        for family, adj in families.items():
            taken: Iterator[tuple[Nlri, Path | Refused]] = adj.paths.pairs()
            for nlri, what in chain(taken, adj.refused.items()):
                yield peer, family, nlri, what


def _row(
    core: Core, network: Network, peer: PeerId, family: Family, nlri: Nlri, what: Path | Refused
) -> Json:
    refusal: Refusal | None
    if isinstance(what, Refused):
        path, refusal, rule = what
    else:
        path, refusal = what, network.loc.ineligible(family, nlri, what)
        rule = what.rule if isinstance(what, Altered) else ""
    return {
        "prefix": str(network_of(family, nlri)),
        "peer": peer_name(core, peer),
        "state": "refused" if isinstance(what, Refused) else "unusable" if refusal else "accepted",
        "reason": refusal.value if refusal else None,
        "rule": rule or None,
        **attributes(path.attributes),
    }
