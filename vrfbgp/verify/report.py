"""What `verify` tells, as JSON: the verdict, what was looked at, and each finding with its remedy."""

from __future__ import annotations

from typing import Any

from vrfbgp.model import Action, Family
from vrfbgp.verify.checker import Checked
from vrfbgp.verify.findings import Finding, Weight
from vrfbgp.verify.gateways import Passage, passages
from vrfbgp.verify.ground import Network, table_name
from vrfbgp.verify.sight import LOCAL_TABLE, in_our_range
from vrfbgp.verify.source import Compared

Json = dict[str, Any]

SHOWN = 200
"""How many findings are told one by one."""


def report(found: Checked, compared: Compared, answered: bool, why_not: str, seconds: float) -> Json:
    """The outcome. `verdict` is `leak`, `defect` or `ok`."""
    weights = {finding.weight for finding in found.findings}
    verdict = next((w.value for w in (Weight.LEAK, Weight.DEFECT) if w in weights), "ok")
    return {
        "verdict": verdict,
        "node": compared.intent.node,
        "enabled": compared.intent.enabled,
        "drained": found.ground.drained,
        "config": {
            "paths": [str(path) for path in compared.paths],
            "last_good": compared.last_good,
            "partial": compared.intent.partial,
        },
        "daemon": {"answered": answered, "text": why_not},
        "anything": answered or _anything(found),
        "networks": [_network(found, network) for network in found.ground.networks.values()],
        "gateways": [_passage(found, passage) for passage in passages(found.ground, found.sight)],
        "looked_at": {
            "rules": sum(map(len, found.sight.rules.values())),
            "routes": sum(_routes(found, table) for table, _ in found.sight.tables.items()),
            "nexthops": len(found.sight.nexthops),
            "asked": found.opinion.asked,
            "unanswered": found.opinion.unanswered,
        },
        "seconds": round(seconds, 3),
        "findings": [_finding(finding) for finding in found.findings[:SHOWN]],
        "more": max(0, len(found.findings) - SHOWN),
    }


def _anything(found: Checked) -> bool:
    """Whether this looks like the network namespace that the config is meant for: something of ours is there,
    or a device of one of its networks. A command in the wrong one would else complain of everything."""
    ours = any(rule.ours for rule in found.sight.all_rules()) or any(map(in_our_range, found.sight.nexthops))
    networks = found.ground.networks.values()
    return ours or not networks or any(network.uplinks for network in networks)


def _finding(finding: Finding) -> Json:
    return {
        "weight": finding.weight.value,
        "flaw": finding.flaw.value,
        "subject": finding.subject,
        "text": finding.text,
        "remedy": finding.remedy,
    }


def _network(found: Checked, network: Network) -> Json:
    return {
        "name": network.name,
        "table": network.table,
        "uplinks": sorted(map(found.sight.device, network.uplinks)),
        "routes": sum(_routes(found, (network.table, family)) for family in Family),
    }


def _routes(found: Checked, of: tuple[int, Family]) -> int:
    survey = found.sight.tables.get(of)
    if survey is None:
        return 0
    return sum(bunch.routes for bunch in survey.bunches.values()) + len(survey.routes)


def _passage(found: Checked, passage: Passage) -> Json:
    """A gateway's range and, in order, the tables that its packets look up."""
    tables = [
        table_name(found.ground, rule.table)
        for rule in passage.rules
        if rule.action is Action.LOOKUP and rule.dst is None and rule.table != LOCAL_TABLE
    ]
    return {
        "name": passage.gateway,
        "range": str(passage.source),
        "tables": tables,
        "closed": passage.closed,
        "rules": [str(rule) for rule in passage.rules],
    }
