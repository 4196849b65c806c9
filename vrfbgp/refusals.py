"""Tells that prefixes of a peer are refused, when that begins and when it grows (`rib/refused.py`)."""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.model import network_of
from vrfbgp.notes import Code, Note
from vrfbgp.rib.loc import LocRib
from vrfbgp.rib.refusal import REMEDIES, Refusal


def refusals(locs: Iterable[LocRib]) -> list[Note]:
    """What is to be told since the last call."""
    return [
        Note(
            Code.REFUSED,
            f"peer {adj.peer}",
            f"{news.prefixes} {'prefix is' if news.prefixes == 1 else 'prefixes are'} refused: {news.reason}"
            f"{f' ({news.rule})' if news.rule else ''}, as {network_of(adj.family, news.nlri)} is; "
            f"{REMEDIES[news.reason]}",
            # Routers send back what we announced: nothing to act on.
            warning=news.reason is not Refusal.OWN_AS,
        )
        for loc in locs
        for adjs in loc.adj_in.values()
        for adj in adjs.values()
        for news in adj.refused.take_news()
    ]
