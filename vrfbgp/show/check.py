"""`check` for people: what the config would do on this node, then its problems, the verdict last."""

from __future__ import annotations

from typing import Any

from vrfbgp.show.problems import show_problems
from vrfbgp.show.tables import Page, count

_HEADINGS = {
    "refused": "Refused: the whole config stays out until this is right",
    "degraded": "Degraded: these do not work, the rest does",
    "notice": "Notices",
}
_VERDICTS = {
    "refused": "This config is refused: a running daemon keeps the one before.",
    "degraded": "This config is taken, but some of it does not work.",
    "ok": "This config is good.",
}


def show_check(page: Page, outcome: dict[str, Any]) -> None:
    """Print what `views.outcome` found."""
    if outcome["verdict"] != "refused":
        _effect(page, outcome)
    for severity, heading in _HEADINGS.items():
        of_severity = [problem for problem in outcome["problems"] if problem["severity"] == severity]
        show_problems(page, of_severity, heading)
    page.gap()
    page.line(_VERDICTS[outcome["verdict"]])


def _effect(page: Page, outcome: dict[str, Any]) -> None:
    networks, gateways = outcome["networks"], outcome["gateways"]
    sessions = sum(len(network["peers"]) for network in networks)
    page.line(
        f"On node {outcome['node']}:",
        f"{count(len(networks), 'network')}, {count(sessions, 'session')}, {count(len(gateways), 'gateway')}",
        "" if outcome["enabled"] else "(disabled: nothing of it is done)",
    )
    if networks:
        page.gap()
        page.table(
            ("NETWORK", "STATE", "TABLE#", "PEER", "ADDRESS@", "AS#", "LOCAL AS#", "SESSION"),
            (row for network in networks for row in _rows(network)),
        )
    if gateways:
        page.gap()
        page.table(
            ("GATEWAY", "STATE", "RANGES@", "NETWORKS", "ELSE"),
            (
                (
                    gateway["name"],
                    gateway["state"],
                    ", ".join(gateway["ranges"]),
                    ", ".join(gateway["networks"]),
                    "unreachable" if gateway["closed"] else "main",
                )
                for gateway in gateways
            ),
        )


def _rows(network: dict[str, Any]) -> list[tuple[object, ...]]:
    head = network["name"], network["state"], network["table"]
    peers = [
        (peer["name"], peer["endpoint"], peer["as"], peer["local_as"], peer["state"])
        for peer in network["peers"]
    ]
    return [(*head, *peer) for peer in peers] or [(*head, None, None, None, None, None)]
