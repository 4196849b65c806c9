"""ExternalNetworks, and the routing tables that they may or may not have."""

from __future__ import annotations

from vrfbgp.config.findings import Findings, degrading
from vrfbgp.config.node import NodeIdentity
from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.schema.network import ExternalNetwork
from vrfbgp.config.switches import Switches
from vrfbgp.intent import NetworkIntent, PeerIntent, Problem, Reason, StaticBootstrap
from vrfbgp.model import RESERVED_TABLES, IPNetwork

_PATH = ("spec", "routeTableIndex")


def networks_of(
    objects: Objects,
    node: NodeIdentity,
    switches: Switches,
    peers: dict[str, list[PeerIntent]],
    cluster: tuple[IPNetwork, ...],
    findings: Findings,
) -> tuple[NetworkIntent, ...]:
    """All networks, sorted by name; one without a peer on this node is degraded."""
    found: dict[str, NetworkIntent] = {}
    by_table: dict[int, list[str]] = {}
    for entry in objects.networks:
        names = by_table.setdefault(entry.model.spec.route_table_index, [])
        if entry.name not in names:
            names.append(entry.name)
    for entry in objects.networks:
        if entry.name in found:
            continue
        spec = entry.model.spec
        reasons = [*degrading(entry.broken), *_table_problems(entry, by_table, switches, findings)]
        mine = tuple(peers.get(entry.name, ()))
        if not mine:
            reasons.append(findings.tell(_no_peer(entry, node)))
        found[entry.name] = NetworkIntent(
            name=entry.name,
            table=spec.route_table_index,
            peers=mine,
            fail_open=spec.failure_mode == "Open",
            bootstrap_routes=tuple(
                sorted(
                    {
                        StaticBootstrap(route.destination, route.gateway, route.interface or None)
                        for route in spec.bootstrap_routes
                    },
                    key=str,
                )
            ),
            max_paths=spec.max_paths,
            always_compare_med=spec.always_compare_med == "Enabled",
            multipath_relax=spec.multipath_relax == "Enabled",
            metric=spec.metric,
            backup_routes=spec.backup_routes == "Enabled",
            stale_time=spec.stale_time,
            refused_ranges=() if spec.cluster_prefixes == "Accept" else cluster,
            default_route=spec.default_route == "Accept",
            max_routes=spec.max_routes,
            degraded=tuple(reasons),
        )
    return tuple(found.values())


def _table_problems(
    entry: Entry[ExternalNetwork], by_table: dict[int, list[str]], switches: Switches, findings: Findings
) -> list[Problem]:
    table = entry.model.spec.route_table_index
    if table in RESERVED_TABLES:
        text = f"Table {table} is the kernel's own: choose another routeTableIndex."
        return [findings.exclude(entry.degraded(Reason.TABLE_RESERVED, text, *_PATH))]
    reasons = []
    others = [name for name in by_table[table] if name != entry.name]
    if others:
        text = f"Table {table} is also that of network {', '.join(others)}: choose another for one of them."
        reasons.append(findings.exclude(entry.degraded(Reason.TABLE_SHARED, text, *_PATH)))
    for low, high in switches.tables:
        if not low <= table <= high:
            continue
        if switches.tables_are_default:
            text = f"Felix takes tables {low} to {high} unless routeTableRanges says otherwise: avoid them."
            findings.tell(entry.notice(Reason.TABLE_RESERVED, text, *_PATH))
            continue
        text = f"Table {table} is in routeTableRanges, {low} to {high}, and so Felix's: choose another."
        reasons.append(findings.exclude(entry.degraded(Reason.TABLE_RESERVED, text, *_PATH)))
    return reasons


def _no_peer(entry: Entry[ExternalNetwork], node: NodeIdentity) -> Problem:
    text = (
        f"No BGPPeer with externalNetwork {entry.name} is for node {node.name}: add one, or correct its "
        "node or nodeSelector, or the labels of the node. Until then gateways reach nothing through it."
    )
    return entry.degraded(Reason.NO_PEER, text, "metadata", "name")
