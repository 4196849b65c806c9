"""`status`: the state of everything at a glance, from the core's point of view."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from vrfbgp.core import Core
from vrfbgp.fib.draft import FOREIGN, blocked
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent, Problem, Severity
from vrfbgp.model import Family, Inline, IPNetwork, Rule
from vrfbgp.network import Network
from vrfbgp.repairs import name
from vrfbgp.steering import addresses_here, is_open
from vrfbgp.views.drain import drain_state
from vrfbgp.views.overlap import overlaps
from vrfbgp.views.peers import peer_status
from vrfbgp.views.words import (
    GatewayState,
    Json,
    NetworkState,
    about,
    announced,
    endpoint,
    kernel_words,
    places,
    prefixes,
    problem,
)

SHOWN = 10
"""How many of the kernel's refusals, and of the routes that are in our way, are told one by one."""


def status(core: Core, now: float) -> Json:
    """Everything; times in seconds."""
    intent = core.intent
    standing = _problems(core)
    rules = _rules(core)
    return {
        "node": intent.node if intent else None,
        "enabled": bool(intent and intent.enabled),
        "drain": drain_state(core, now),
        "networks": [_network(core, intent, n, standing, now) for n in intent.networks] if intent else [],
        "gateways": [_gateway(core, intent, g, rules, standing) for g in intent.gateways] if intent else [],
        "overlaps": overlaps(core),
        "problems": [problem(found) for found in standing],
        "config": {"refused": [problem(found) for found in core.refused]},
        "kernel": _kernel(core, now),
    }


def _problems(core: Core) -> tuple[Problem, ...]:
    """The worst first; of one object together, in the order of finding."""
    found = core.problems.standing or (core.intent.problems if core.intent else ())
    order = list(Severity)
    return tuple(sorted(found, key=lambda p: (order.index(p.severity), p.subject)))


# -- networks --------------------------------------------------------------------------------------


def _network(
    core: Core, intent: Intent, wanted: NetworkIntent, standing: tuple[Problem, ...], now: float
) -> Json:
    network = core.networks.get(wanted.name)
    peers = [peer_status(core, intent, network, peer, standing, now) for peer in wanted.peers]
    return {
        "name": wanted.name,
        "table": wanted.table,
        "state": network_state(core, wanted.name).value,
        "in_sync": network is not None and network.in_sync,
        "fail_open": wanted.fail_open,
        **_route_counts(core, wanted.name),
        "uplinks": _uplinks(core, network),
        "peers": peers,
        "problems": about(f"ExternalNetwork {wanted.name}", standing),
    }


def network_state(core: Core, name: str) -> NetworkState:
    """The state of a network that the config has."""
    if core.intent is None or not core.intent.enabled:
        return NetworkState.DISABLED
    network = core.networks.get(name)
    refused = any(p.severity is Severity.DEGRADED for p in core.problems.about(f"ExternalNetwork {name}"))
    if network is None or (refused and name not in places(core)):
        return NetworkState.DEGRADED
    up = sum(session.works for session in network.sessions.values())
    if not up and not network.uplinks.attachments:
        return NetworkState.DEGRADED
    if not up:
        return NetworkState.DOWN
    if up < len(network.intent.peers):
        return NetworkState.PARTIAL
    return NetworkState.OK if network.in_sync else NetworkState.SYNCING


def _route_counts(core: Core, name: str) -> Json:
    """`routes`: learned routes that the kernel has; `pending`: what it has not got as it should be."""
    routes = pending = bootstrap = 0
    place = places(core).get(name)
    for family in Family:
        slice_ = core.reconciler.slices.get((place.table, family, place.metric)) if place else None
        if slice_ is None:
            continue
        inline = len(core.networks[name].uplinks.bootstrap.get(family, {}))
        missing = Counter(type(desired) for _, desired, _ in slice_.pending())
        routes += len(slice_.desired) - inline - missing[int]
        bootstrap += inline - missing[Inline]
        pending += sum(wanted is not None or actual is not FOREIGN for _, wanted, actual in slice_.pending())
    return {"routes": routes, "bootstrap_routes": bootstrap, "pending": pending}


def _uplinks(core: Core, network: Network | None) -> list[Json]:
    if network is None:
        return []
    reach = network.uplinks.reach
    found = [{"device": core.host.name(i), "running": i in reach.running} for i in reach.uplinks]
    return sorted(found, key=lambda uplink: str(uplink["device"]))


# -- gateways --------------------------------------------------------------------------------------


def _rules(core: Core) -> dict[IPNetwork, list[Rule]]:
    """All rules that are wanted, by source, in the kernel's order."""
    found: dict[IPNetwork, list[Rule]] = {}
    for rule in sorted(core.reconciler.rules.desired, key=lambda rule: rule.priority):
        if rule.src is not None:
            found.setdefault(rule.src, []).append(rule)
    return found


def _gateway(
    core: Core,
    intent: Intent,
    gateway: GatewayIntent,
    wanted: dict[IPNetwork, list[Rule]],
    standing: tuple[Problem, ...],
) -> Json:
    networks = {network.name: network for network in intent.networks}
    here = set(addresses_here(gateway, core.host))
    told = [
        {"address": str(sent.prefix.network_address), "network": name, "peer": endpoint(sent.peer)}
        for name in gateway.networks
        for sent in announced(core, name)
        if sent.prefix.network_address in here
    ]
    refused = [
        {
            "address": str(prefix.network_address),
            "network": peer.network,
            "peer": endpoint(peer),
            "rule": rule.name,
        }
        for (peer, prefix), rule in core.announcements.refused.items()
        if peer.network in gateway.networks and prefix.network_address in here
    ]
    return {
        "name": gateway.name,
        "ranges": prefixes(gateway.ranges),
        "networks": list(gateway.networks),
        "state": gateway_state(core, intent, gateway).value,
        "missing": [name for name in gateway.networks if name not in networks],
        "closed": not is_open(gateway, networks),
        "rules": [
            {"rule": str(rule), "stands": core.reconciler.rules.actual(rule) is not None}
            for range_ in gateway.ranges
            for rule in wanted.get(range_, ())
        ],
        "addresses": [str(address) for address in sorted(here, key=lambda a: (a.version, int(a)))],
        "announced": told,
        "refused": refused,
        "problems": about(f"EgressGateway {gateway.name}", standing),
    }


def gateway_state(core: Core, intent: Intent, gateway: GatewayIntent) -> GatewayState:
    """The state of a gateway of this node."""
    if not intent.enabled:
        return GatewayState.DISABLED
    if gateway.isolated:
        return GatewayState.ISOLATED
    waiting = {rule.src for rule, desired, _ in core.reconciler.rules.pending() if desired}
    if any(source in waiting for source in gateway.ranges):
        return GatewayState.WAITING
    if not core.drain.steers:
        return GatewayState.DRAINED
    stopped = (NetworkState.DEGRADED, NetworkState.DOWN)
    known = {network.name for network in intent.networks}
    gone = any(n not in known or network_state(core, n) in stopped for n in gateway.networks)
    if gateway.degraded or gone or f"EgressGateway {gateway.name}" in core.problems.degraded:
        return GatewayState.DEGRADED
    return GatewayState.OK


# -- the kernel ------------------------------------------------------------------------------------


def _kernel(core: Core, now: float) -> Json:
    reconciler = core.reconciler
    differing = Counter(
        FOREIGN if actual is FOREIGN else None
        for delta in reconciler.slices.values()
        for _, wanted, actual in delta.pending()
        if wanted is not None or actual is not FOREIGN
    )
    failures = [
        {
            "object": str(key) if not isinstance(key, int) else f"next hop {key}",
            "errno": refused.failure.errno,
            "text": kernel_words(refused.failure),
            "times": refused.times,
            "again": round(max(0.0, refused.again - now), 1),
        }
        for key, refused in islice(reconciler.retry.items(), SHOWN)
    ]
    return {
        "pending": differing.total() + len(reconciler.rules) + len(reconciler.nexthops.delta),
        "failed": len(reconciler.retry),
        "failures": failures,
        "repairs": core.repairs.total,
        "repaired": dict(core.repairs.found),
        "comparison": {
            "every": core.repairs.rounds.period,
            "compared": core.repairs.rounds.compared,
            "last": None if core.repairs.rounds.last is None else int(now - core.repairs.rounds.last),
            "missed": core.repairs.missed,
        },
        "contested": [
            {"object": name(key), "times": contest.times, "again": round(max(0.0, contest.again - now), 1)}
            for key, contest in islice(reconciler.contests.fights(now), SHOWN)
        ],
        "blocked": {
            "count": differing[FOREIGN],
            "first": [str(key) for key in islice(blocked(reconciler.slices), SHOWN)],
        },
    }
