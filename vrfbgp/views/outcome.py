"""`check`: what a config comes to on one node, without a daemon: its problems, and what it would do."""

from __future__ import annotations

from collections.abc import Sequence

from vrfbgp.intent import Intent, Problem, Severity
from vrfbgp.steering import is_open
from vrfbgp.views.words import Json, endpoint, prefixes, problem

_ORDER = list(Severity)


def outcome(node: str, intent: Intent | None, problems: Sequence[Problem]) -> Json:
    """What becomes of a config; `intent` is None if it is refused."""
    found = sorted(
        dict.fromkeys(problems), key=lambda p: (_ORDER.index(p.severity), p.place.file, p.place.line)
    )
    told: Json = {
        "verdict": _verdict(found),
        "node": node,
        "enabled": bool(intent and intent.enabled),
        "problems": [problem(one) for one in found],
        "networks": [],
        "gateways": [],
    }
    if intent is None:
        return told
    networks = {network.name: network for network in intent.networks}
    for network in intent.networks:
        peers = [
            {
                "name": peer.name,
                "address": str(peer.id.address),
                "endpoint": endpoint(peer.id),
                "as": peer.peer_as,
                "local_as": peer.local_as,
                "state": "degraded" if peer.degraded else "ok",
            }
            for peer in network.peers
        ]
        state = "degraded" if network.degraded else "ok"
        told["networks"].append(
            {"name": network.name, "table": network.table, "state": state, "peers": peers}
        )
    for gateway in intent.gateways:
        told["gateways"].append(
            {
                "name": gateway.name,
                "ranges": prefixes(gateway.ranges),
                "networks": list(gateway.networks),
                "missing": [name for name in gateway.networks if name not in networks],
                "closed": not is_open(gateway, networks),
                "state": _state(gateway.isolated, bool(gateway.degraded)),
            }
        )
    return told


def _state(isolated: bool, degraded: bool) -> str:
    if isolated:
        return "isolated"
    return "degraded" if degraded else "ok"


def _verdict(found: Sequence[Problem]) -> str:
    """The worst of the problems, or `ok`; a notice is none."""
    severities = {one.severity for one in found}
    for severity in (Severity.REFUSED, Severity.DEGRADED):
        if severity in severities:
            return severity.value
    return "ok"
