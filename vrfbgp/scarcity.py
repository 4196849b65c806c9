"""How much a network may learn that has no limit of its own, where there is a limit of memory.

The kernel charges routes to the memory cgroup of who writes them. It refuses none when that is full: it ends
a process of the cgroup, and with it the daemon, for all networks. A table comes too fast to wait for that, so
the bound is there from the start: no network takes more than half of what there is.
"""

from __future__ import annotations

from dataclasses import replace

from vrfbgp.intent import NetworkIntent

ROUTE = 400
"""Octets of a route: 115 of the kernel's and as many of ours, and nearly twice that with a backup."""
REST = 100 << 20
"""Octets of all else: the processes with some networks and without a route, and what is on its way."""
FEW = 10_000
"""Prefixes that a network may have in any case."""


def is_bounded(network: NetworkIntent) -> bool:
    """Whether its config says how much it may learn."""
    limits = (peer.max_prefixes for peer in network.peers)
    return network.max_routes is not None or all(limit and limit.enforced for limit in limits)


def most(network: NetworkIntent, memory: int, networks: int) -> int:
    """Prefixes of each family for one of so many networks, where there are so many octets of memory."""
    routes = max(0, memory - REST) // ROUTE
    families = {family for peer in network.peers for family in peer.families}
    return max(FEW, (routes if networks == 1 else routes // 2) // max(1, len(families)))


def bounded(network: NetworkIntent, memory: int | None, networks: int) -> NetworkIntent:
    """Its config, with that as `maxRoutes` if it says nothing itself and there is a limit of memory."""
    if memory is None or is_bounded(network):
        return network
    return replace(network, max_routes=most(network, memory, networks))
