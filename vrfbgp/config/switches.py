"""FelixConfiguration as it holds for one node: `default`, overridden field by field by `node.NAME`."""

from __future__ import annotations

from dataclasses import dataclass

from vrfbgp.config.findings import Findings
from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.schema.felix import FelixConfiguration
from vrfbgp.intent import Problem, Reason, Severity

DEFAULT_PRIORITY = 102
"""Calico's default for externalNetworkRoutingRulePriority."""
HIGHEST_PRIORITY = 32765
"""The kernel's own rules for main and default stand at 32766 and 32767."""
FELIX_TABLES = (1, 250)
"""The tables that Felix takes if it is not told which."""


@dataclass(frozen=True, slots=True)
class Switches:
    """`tables` are ranges of routing tables that are Felix's, both ends included."""

    enabled: bool
    priority: int
    tables: tuple[tuple[int, int], ...]
    tables_are_default: bool


def switches(objects: Objects, node: str, longest_list: int, findings: Findings) -> Switches:
    """What holds on this node; `longest_list` is the count of networks of the gateway that has most."""
    by_name = {entry.name: entry for entry in reversed(objects.felix)}
    scopes = [by_name[name] for name in (f"node.{node}", "default") if name in by_name]
    for entry in objects.felix:
        if entry.name != "default" and not entry.name.startswith("node."):
            text = "Only the names default and node.NAME have a meaning: rename it, or remove it."
            findings.tell(entry.notice(Reason.NO_EFFECT, text, "metadata", "name"))
    support = next((e for e in scopes if e.model.spec.external_network_support), None)
    enabled = support is not None and support.model.spec.external_network_support == "Enabled"
    if not enabled and objects.networks:
        findings.tell(_not_enabled(support or next(iter(scopes), None)))
    ranges = next(
        (
            spec.route_table_ranges if spec.route_table_ranges is not None else (spec.route_table_range,)
            for spec in (entry.model.spec for entry in scopes)
            if spec.route_table_ranges is not None or spec.route_table_range is not None
        ),
        None,
    )
    return Switches(
        enabled=enabled,
        priority=_priority(scopes, longest_list, findings),
        tables=tuple(sorted((span.min, span.max) for span in ranges if span)) if ranges else (FELIX_TABLES,),
        tables_are_default=not ranges,
    )


def _priority(scopes: list[Entry[FelixConfiguration]], longest_list: int, findings: Findings) -> int:
    """The base B: sessions and cluster at B-1, the networks from B on, `unreachable` after the last."""
    for entry in scopes:
        base = entry.model.spec.external_network_routing_rule_priority
        if base is None:
            continue
        if base - 1 >= 1 and base + longest_list <= HIGHEST_PRIORITY:
            return int(base)
        text = (
            f"externalNetworkRoutingRulePriority {base} leaves no room for the rules, which take {base - 1} "
            f"to {base + longest_list}: choose one from 2 to {HIGHEST_PRIORITY - longest_list}."
        )
        path = ("spec", "externalNetworkRoutingRulePriority")
        findings.exclude(entry.degraded(Reason.RULES_DO_NOT_FIT, text, *path))
    return DEFAULT_PRIORITY


def _not_enabled(entry: Entry[FelixConfiguration] | None) -> Problem:
    text = (
        "External networks are not enabled, so there are no rules, routes and sessions: "
        "set externalNetworkSupport: Enabled in the FelixConfiguration default."
    )
    if entry is None:
        return Problem(Severity.NOTICE, Reason.NOT_ENABLED, "FelixConfiguration default", text)
    return entry.notice(Reason.NOT_ENABLED, text, "spec", "externalNetworkSupport")
