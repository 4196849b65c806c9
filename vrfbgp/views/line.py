"""The daemon in one line, and whether its config is in force: for who started it."""

from __future__ import annotations

from vrfbgp.core import Core
from vrfbgp.drain import DrainState
from vrfbgp.fib.rules import closes
from vrfbgp.intent import Severity
from vrfbgp.model import Family
from vrfbgp.views.words import places


def in_force(core: Core) -> bool:
    """Whether the first config is: the kernel has confirmed the rules that keep gateways' packets off main.

    What it refused counts as well, and is told as a problem; nothing here waits for peers.
    """
    if core.intent is None or not core.host.rules[Family.IPV4] or not core.planner.settled(core.acked):
        return False  # The kernel is never without any rule: they were not read yet.
    refused = core.reconciler.retry
    pending = core.reconciler.rules.pending()
    return not any(wanted and closes(rule) and rule not in refused for rule, wanted, _ in pending)


def line(core: Core) -> str:
    """How things are; numbers of networks, sessions, routes that were learned, and of what is wrong."""
    intent = core.intent
    if intent is None:
        return "reading the config"
    parts = []
    if core.refused:
        instead = "what can be understood of it runs" if intent.partial else "the one before runs"
        parts.append(f"the newest config is refused, {instead}")
    if core.drain.state is not DrainState.SERVING:
        parts.append(core.drain.state.value)
    if intent.enabled:
        peers = sum(len(network.peers) for network in intent.networks)
        up = sum(session.works for n in core.networks.values() for session in n.sessions.values())
        routes = sum(_learned(core, name) for name in core.networks)
        parts.append(f"networks: {len(intent.networks)}, sessions up: {up} of {peers}, routes: {routes}")
    else:
        parts.append("external networks are disabled (externalNetworkSupport)")
    wrong = sum(found.severity is Severity.DEGRADED for found in core.problems.standing)
    if wrong:
        parts.append(f"{wrong} degraded")
    if core.refused or wrong:
        parts.append("see `vrfbgp status`")
    return "; ".join(parts)


def _learned(core: Core, name: str) -> int:
    """How many prefixes have a route that was learned in a network, in both families."""
    place, network = places(core).get(name), core.networks[name]
    if place is None:
        return 0
    found = 0
    for family in Family:
        routes = core.reconciler.slices.get((place.table, family, place.metric))
        bootstrap = network.uplinks.bootstrap.get(family, {})
        found += 0 if routes is None else len(routes.desired) - len(bootstrap)
    return found
