"""What the metrics are now. Everything is a count that is kept: a scrape looks at no route.

Samples are taken on the event loop (0.4 ms for one network however many routes it has, 8 ms for 50 networks);
`exposition.py` makes text of them beside it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import islice

from vrfbgp import __version__
from vrfbgp.core import Core
from vrfbgp.drain import DrainState
from vrfbgp.fib.delta import Delta
from vrfbgp.fib.draft import FOREIGN, Slot
from vrfbgp.intent import Intent, PeerIntent, Severity
from vrfbgp.journal import Journal
from vrfbgp.model import Family, Nlri
from vrfbgp.network import Network
from vrfbgp.notes import Code
from vrfbgp.observe import names
from vrfbgp.observe.names import Metric
from vrfbgp.steering import addresses_here
from vrfbgp.views.status import gateway_state, network_state
from vrfbgp.views.words import GatewayState, NetworkState, announced, places

LOOKED_AT = 5000
"""Differences of a table that are looked at one by one; beyond them, they are only counted."""

Samples = dict[Metric, list[tuple[tuple[str, ...], float]]]
"""Values with those of the labels, in their order."""


class Sampling:
    """One look at everything."""

    def __init__(self, now: float) -> None:
        self.samples: Samples = defaultdict(list)
        self._now = now
        self._networks: frozenset[str] = frozenset()

    def core(self, core: Core) -> None:
        """All that the core knows."""
        intent = core.intent
        self._put(names.BUILD, 1, __version__)
        self._put(names.ENABLED, bool(intent and intent.enabled))
        self._put(names.CONFIG_REFUSED, bool(core.refused))
        severities = Counter(problem.severity for problem in core.problems.standing)
        for severity in (Severity.DEGRADED, Severity.NOTICE):
            self._put(names.PROBLEMS, severities[severity], severity.value)
        self._one_of(names.DRAIN, DrainState, core.drain.state)
        self._kernel(core)
        if intent is None:
            return
        self._networks = frozenset(network.name for network in intent.networks)
        for network in intent.networks:
            self._network(core, network.name)
            told = Counter(sent.peer for sent in announced(core, network.name))
            for peer in network.peers:
                self._peer(core.networks.get(network.name), peer, told[peer.id])
        self._gateways(core, intent)

    def events(self, journal: Journal) -> None:
        for code in Code:
            self._put(names.EVENTS, journal.counts[code.value], code.value)
        if applied := journal.latest.get(Code.CONFIG_APPLIED):
            self._put(names.CONFIG_APPLIED, applied.time)

    def edges(self, silence: float, backlog: Mapping[str, int], no_route: Mapping[Family, int]) -> None:
        """What the edges know: seconds without an answer of the kernel, octets that wait for the core."""
        self._put(names.KERNEL_SILENCE, silence)
        for network in sorted(self._networks):
            self._put(names.BACKLOG, backlog.get(network, 0), network)
        for family, packets in no_route.items():
            self._put(names.NO_ROUTE, packets, family.name.lower())

    # -- the parts -------------------------------------------------------------------------------

    def _kernel(self, core: Core) -> None:
        reconciler, repairs = core.reconciler, core.repairs
        self._put(names.KERNEL_PENDING, len(reconciler.rules), "rules")
        self._put(names.KERNEL_PENDING, len(reconciler.nexthops.delta), "next hops")
        self._put(names.KERNEL_FAILED, len(reconciler.retry))
        self._put(names.CONTESTED, sum(1 for _ in reconciler.contests.fights(self._now)))
        for kind in ("routes", "rules", "next hops"):
            self._put(names.REPAIRS, repairs.found[kind], kind)
        self._put(names.MISSED, repairs.missed)
        self._put(names.COMPARISONS, repairs.rounds.compared)

    def _network(self, core: Core, name: str) -> None:
        network = core.networks.get(name)
        self._one_of(names.NETWORK_STATE, NetworkState, network_state(core, name), name)
        self._put(names.IN_SYNC, network is not None and network.in_sync, name)
        self._put(names.SPEAKER, network is not None and network.speaking, name)
        if network is None:
            return
        reach = network.uplinks.reach
        for ifindex in reach.uplinks:
            self._put(names.UPLINK, ifindex in reach.running, name, core.host.name(ifindex))
        place = places(core).get(name)
        if place is None:
            return
        for family in Family:
            metrics = (place.metric, place.metric + 1)
            found = [core.reconciler.slices.get((place.table, family, metric)) for metric in metrics]
            if found[0] is None:
                continue
            bootstrap = len(network.uplinks.bootstrap.get(family, ()))
            labels = name, family.name.lower()
            self._put(names.ROUTES, max(0, len(found[0].desired) - bootstrap), *labels)
            self._put(names.PENDING, sum(_pending(delta) for delta in found if delta is not None), *labels)

    def _peer(self, network: Network | None, peer: PeerIntent, told: int) -> None:
        session = network.sessions.get(peer.id) if network else None
        labels = peer.id.network, peer.name, str(peer.id.address)
        self._put(names.PEER_UP, session is not None and session.works, *labels)
        self._put(names.ANNOUNCED, told, *labels)
        if network is None or session is None:
            return
        self._put(names.PEER_SINCE, self._now - session.since, *labels)
        self._put(names.UPDATES, session.updates, *labels)
        self._put(names.MALFORMED, sum(session.decoder.faults.values()) if session.decoder else 0, *labels)
        for family in sorted(peer.families):
            adj = network.loc.adj_in.get(peer.id, {}).get(family)
            of_family = *labels, family.name.lower()
            self._put(names.RECEIVED, len(adj) if adj else 0, *of_family)
            self._put(names.ACCEPTED, len(adj.paths) if adj else 0, *of_family)
            self._put(names.STALE, len(adj.stale) if adj else 0, *of_family)
            for reason, number in (adj.refused.counts if adj else {}).items():
                self._put(names.REFUSED, number, *of_family, reason.value)
            if peer.max_prefixes is not None:
                self._put(names.LIMIT, peer.max_prefixes.limit, *of_family)

    def _gateways(self, core: Core, intent: Intent) -> None:
        for gateway in intent.gateways:
            state = gateway_state(core, intent, gateway)
            self._one_of(names.GATEWAY_STATE, GatewayState, state, gateway.name)
            here = sum(1 for _ in addresses_here(gateway, core.host))
            self._put(names.GATEWAY_ADDRESSES, here, gateway.name)

    def _put(self, metric: Metric, value: float, *labels: str) -> None:
        self.samples[metric].append((labels, value))

    def _one_of(self, metric: Metric, states: Iterable[StrEnum], now: StrEnum, *labels: str) -> None:
        """A series for each state, so that one which ends is 0 and not forgotten."""
        for state in states:
            self._put(metric, state is now, *labels, state.value)


def _pending(delta: Delta[Nlri, Slot]) -> int:
    """How many differ, but for the routes of others, which are nothing of ours to be put right."""
    differing = len(delta)
    if differing > LOOKED_AT:
        # Bulk is under way: to look at each would take long, and undo the runs that it is kept in.
        return differing - sum(actual is FOREIGN for _, _, actual in islice(delta.left(), LOOKED_AT))
    return sum(wanted is not None or actual is not FOREIGN for _, wanted, actual in delta.pending())
