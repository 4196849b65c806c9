"""`routes` for people: one line for each prefix and next hop; what is long is printed page after page."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Any

from vrfbgp.show.tables import Page, count

Json = dict[str, Any]
Rest = Iterable[Json]
"""The pages after the first one, as they come."""


@dataclass(frozen=True, slots=True)
class _Listing:
    """How one kind of answer is told."""

    rows: str
    """Their name in an answer."""
    number: Callable[[int], str]
    columns: tuple[str, ...]
    lines: Callable[[Json], Iterable[tuple[object, ...]]]
    """Those of one row."""
    narrower: str
    """What else can be asked for."""


def show_routes(page: Page, found: Json, rest: Rest = ()) -> None:
    """Print the pages of `views.routes`; the last one's `next` says that there are more."""
    syncing = "" if found["in_sync"] else " (not in sync yet)"
    _show(page, f"Network {found['network']}, table {found['table']}{syncing}", _ROUTES, found, rest)


def show_received(page: Page, found: Json, rest: Rest = ()) -> None:
    """Print the pages of `views.received`."""
    _show(page, f"Network {found['network']}", _RECEIVED, found, rest)


def _show(page: Page, head: str, listing: _Listing, found: Json, rest: Rest) -> None:
    """The number stands first where it is known first, else last."""
    pages = iter(rest)
    second = next(pages, None)
    number, begun, last = len(found[listing.rows]), False, found
    page.line(head if second else f"{head}: {listing.number(number)}")
    number = 0
    for last in chain([found], [second] if second else [], pages):
        number += len(last[listing.rows])
        if last[listing.rows]:
            if not begun:
                page.gap()
            lines = (line for row in last[listing.rows] for line in listing.lines(row))
            page.table(listing.columns, lines, header=not begun)
            begun = True
    if second:
        page.gap()
        page.line(listing.number(number))
    if last["next"] is not None:
        page.gap()
        page.line(f"There are more: ask with a higher --limit (0: all), {listing.narrower}.")


def _hops(row: Json) -> list[tuple[object, ...]]:
    """The first next hop beside the prefix, the others below, and then those that stand ready for them."""
    hops = row["next_hops"] or [{"gateway": "", "device": "", "peer": ""}]
    head: tuple[object, ...] = row["prefix"], row["state"], row["owner"]
    lines = []
    for hop in hops:
        gateway = hop["gateway"] if hop["gateway"] is not None else "on-link"
        lines.append((*head, gateway, hop["device"], hop["peer"], row["reason"] or ""))
        head = " ", " ", " "
    for hop in row["backup"]:
        lines.append((" ", "backup", " ", hop["gateway"], hop["device"], hop["peer"], ""))
    return lines


def _path(row: Json) -> list[tuple[object, ...]]:
    told = (row[name] or "" for name in ("reason", "rule"))
    return [(row["prefix"], row["peer"], row["state"], *told, row["next_hop"], row["as_path"])]


_ROUTES = _Listing(
    "routes",
    lambda number: count(number, "prefix", "prefixes"),
    ("PREFIX@", "STATE", "OWNER", "GATEWAY@", "DEVICE", "PEER", "REASON"),
    _hops,
    "--within PREFIX or --state STATE",
)
_RECEIVED = _Listing(
    "received",
    lambda number: f"{count(number, 'path')} received",
    ("PREFIX@", "PEER", "STATE", "REASON", "RULE", "NEXT HOP@", "AS PATH"),
    _path,
    "or --within PREFIX",
)
