"""`purge` for people: what went, or would go, and what stays and why."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.tables import Page, count

Json = dict[str, Any]


def show_purge(page: Page, outcome: Json) -> None:
    """Print the outcome of `purge`."""
    found = outcome["found"]
    if outcome["dry_run"]:
        _found(page, found)
    else:
        page.line(f"Removed {_numbers(outcome['removed'])}.")
        if any(outcome["left"].values()):
            page.line(f"Left: {_numbers(outcome['left'])}.")
    if not any(found.values()):
        page.line("Nothing of vrfbgp's is in this network namespace: is it the one that the daemon ran in?")
    for kept in outcome["kept"]:
        page.line(f"next hop {kept['nexthop']} stays: it is used by {kept['user']}", indent=2)
    for failure in outcome["failures"]:
        page.line(f"refused: {failure}", indent=2)
    if outcome["failed"] > len(outcome["failures"]):
        page.line(f"and {outcome['failed'] - len(outcome['failures'])} more", indent=2)
    if outcome["failed"]:
        page.line("Rules that make gateways unreachable stay until the rest is gone: remove the cause, and")
        page.line("purge again.")


def _numbers(of: Json) -> str:
    rules, routes = count(of["rules"], "rule"), count(of["routes"], "route")
    return f"{rules}, {routes}, {count(of['nexthops'], 'next hop')}"


def _found(page: Page, found: Json) -> None:
    routes = sum(table["routes"] for table in found["tables"])
    page.line(
        f"{count(len(found['rules']), 'rule')}, {count(routes, 'route')},",
        f"{count(found['groups'], 'next hop group')} and {count(found['objects'], 'next hop object')}",
        "would be removed.",
    )
    for rule in found["rules"]:
        page.line(f"rule {rule}", indent=2)
    for table in found["tables"]:
        page.line(f"table {table['table']}, {table['family']}: {count(table['routes'], 'route')}", indent=2)
