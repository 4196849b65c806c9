"""`routes` for people: one line for each prefix and next hop."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.tables import Page, count

Json = dict[str, Any]


def show_routes(page: Page, found: Json) -> None:
    """Print the pages of `views.routes`, put together; `next` says that there are more."""
    rows = found["routes"]
    syncing = "" if found["in_sync"] else " (not in sync yet)"
    number = count(len(rows), "prefix", "prefixes")
    page.line(f"Network {found['network']}, table {found['table']}{syncing}: {number}")
    if rows:
        page.gap()
        page.table(
            ("PREFIX@", "STATE", "OWNER", "GATEWAY@", "DEVICE", "PEER", "REASON"),
            (line for row in rows for line in _lines(row)),
        )
    if found["next"] is not None:
        page.gap()
        page.line("There are more: ask with a higher --limit (0: all), --within PREFIX or --state STATE.")


def show_received(page: Page, found: Json) -> None:
    """Print the pages of `views.received`, put together."""
    rows = found["received"]
    page.line(f"Network {found['network']}: {count(len(rows), 'path', 'paths')} received")
    if rows:
        page.gap()
        page.table(
            ("PREFIX@", "PEER", "STATE", "REASON", "RULE", "NEXT HOP@", "AS PATH"),
            (
                (
                    row["prefix"],
                    row["peer"],
                    row["state"],
                    row["reason"] or "",
                    row["rule"] or "",
                    row["next_hop"],
                    row["as_path"],
                )
                for row in rows
            ),
        )
    if found["next"] is not None:
        page.gap()
        page.line("There are more: ask with a higher --limit (0: all), or --within PREFIX.")


def _lines(row: Json) -> list[tuple[object, ...]]:
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
