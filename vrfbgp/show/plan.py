"""`plan` for people: what would change, sessions first, since they cost most."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.problems import show_problems
from vrfbgp.show.tables import Page

Json = dict[str, Any]


def show_plan(page: Page, found: Json, verbose: bool) -> None:
    """Print what `plan` found; `verbose`: with each operation on the kernel."""
    if found["refused"]:
        show_problems(page, found["refused"], "Refused: nothing would change until this is right")
        return
    if found["empty"]:
        page.line("Nothing would change.")
    else:
        _sessions(page, found["sessions"])
        _rules(page, found["rules"])
        _tables(page, found["tables"])
        _announcements(page, found["announcements"])
        for one in found["refreshes"]:
            page.gap()
            page.line(f"{one['network']}/{one['peer']} is asked to send all {one['family']} routes again.")
        if verbose:
            _operations(page, found)
    show_problems(page, found["problems"], "New problems")
    if not found["settled"]:
        page.gap()
        page.line("The daemon is busy: what it waits for may be missing here. Ask again when it is done.")


_CAUSES = {
    "peer_as": "its AS",
    "local_as": "our AS",
    "restart_time": "graceful restart time",
    "listen": "passive",
}


def _sessions(page: Page, sessions: Json) -> None:
    def causes(one: Json) -> str:
        return ", ".join(_CAUSES.get(name, name.replace("_", " ")) for name in one.get("changed", ()))

    rows = [
        (word, one["network"], one["peer"], one["as"], causes(one))
        for word, key in (("ends", "end"), ("restarts", "restart"), ("begins", "begin"))
        for one in sessions[key]
    ]
    page.heading(f"Sessions: {len(rows)} change, {sessions['stay']} stay as they are")
    if rows:
        page.table(("SESSION", "NETWORK", "PEER@", "AS#", "BECAUSE OF"), rows, indent=2)


def _rules(page: Page, rules: Json) -> None:
    if rules["add"] or rules["delete"]:
        page.gap()
        page.heading("Rules")
        for sign, key in (("+", "add"), ("-", "delete")):
            for rule in rules[key]:
                page.line(sign, rule, indent=2)


def _tables(page: Page, tables: list[Json]) -> None:
    if tables:
        page.gap()
        page.heading("Routes")
        rows = ((t["table"], t["family"], t["network"], t["add"], t["replace"], t["delete"]) for t in tables)
        page.table(("TABLE#", "FAMILY", "NETWORK", "ADD#", "REPLACE#", "DELETE#"), rows, indent=2)


def _announcements(page: Page, announcements: Json) -> None:
    rows = [
        (word, one["network"], one["peer"], one["prefix"])
        for word, key in (("withdraw", "withdraw"), ("announce", "announce"))
        for one in announcements[key]
    ]
    if rows:
        page.gap()
        page.heading("Announcements")
        page.table(("", "NETWORK", "PEER@", "PREFIX@"), rows, indent=2)


def _operations(page: Page, found: Json) -> None:
    page.gap()
    page.heading("Operations on the kernel, in this order")
    for operation in found["operations"] or ["none"]:
        page.line(operation, indent=2)
    if found["left_off"]:
        page.line(f"and {found['left_off']} more", indent=2)
