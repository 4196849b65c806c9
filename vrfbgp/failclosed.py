"""Tells that packets had no route where gateways fail closed, and which gateways lack something just then.

The kernel counts such packets for the whole namespace, and of IPv6 for the device they come in by; neither
for a rule nor for a gateway (`noroute.py`). So what is told is a count, and beside it what is known to be
amiss: somebody who is looking for lost packets has where to begin. IPv6 is counted on the gateways' devices
only, as the namespace's count has every multicast packet in it that nobody listens to.

Counters come in and notes go out; `now` is an argument, in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vrfbgp.core import Core
from vrfbgp.intent import GatewayIntent
from vrfbgp.notes import Code, Note
from vrfbgp.steering import is_open
from vrfbgp.views.flow import incoming
from vrfbgp.views.status import network_state
from vrfbgp.views.words import NetworkState

LOOK_EVERY = 5.0
"""Seconds from one look at the counters to the next."""
PAUSE = 30.0
"""Seconds until it is told again that it goes on; each time twice as many."""
LONGEST_PAUSE = 900.0
NAMED = 3
"""Gateways that are named in one event."""

Source = str
"""A device that IPv6 packets come in by, or all of IPv4."""
IPV4: Source = ""


@dataclass(frozen=True, slots=True)
class Hits:
    """Packets that had no route, by where they came in, in so many seconds."""

    packets: Mapping[Source, int]
    seconds: float


class Tally:
    """What the counters came to, told at once when it begins and ever more seldom while it goes on."""

    def __init__(self) -> None:
        self._before: Mapping[Source, int] = {}
        self._looked = 0.0
        self._untold: Counter[Source] = Counter()
        self._since = 0.0
        self._due = 0.0
        self._pause = PAUSE

    def look(self, counters: Mapping[Source, int], now: float) -> Hits | None:
        """The counters as they are now; what is to be told. One that is new counts from now on."""
        before, self._before = self._before, counters
        looked, self._looked = self._looked, now
        grown = {source: count - before.get(source, count) for source, count in counters.items()}
        # A device that was made anew under its name counts from 0.
        grown = {source: packets for source, packets in grown.items() if packets > 0}
        if not self._untold:
            self._since = looked
        self._untold.update(grown)
        if not self._untold:
            if now >= self._due:
                self._pause = PAUSE  # It was quiet for as long as it would have been held back.
            return None
        if now < self._due:
            return None
        hits = Hits(dict(self._untold), now - self._since)
        self._untold.clear()
        self._due = now + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        return hits


def devices(core: Core) -> frozenset[str]:
    """Those by which IPv6 packets of closed gateways come in."""
    found = {
        incoming(core, address)
        for gateway in _closed(core)
        for prefix in gateway.exported
        if prefix.version == 6
        for address in core.host.present(prefix)
    }
    return frozenset(core.host.name(ifindex) for ifindex in found if ifindex is not None)


def note(core: Core, hits: Hits) -> Note | None:
    """What is told of it; None if no gateway is closed here, and it can't have been ours."""
    closed = list(_closed(core))
    if not closed:
        return None
    words = [
        f"{packets} of IPv6 by {source}" if source else f"{packets} of IPv4"
        for source, packets in sorted(hits.packets.items())
    ]
    amiss = {gateway.name: why for gateway in closed if (why := list(_lacks(core, gateway)))}
    text = f"packets without a route in {hits.seconds:.0f} s, in this network namespace: {', '.join(words)}; "
    if amiss:
        told = [f"gateway {name} ({', '.join(why)})" for name, why in list(amiss.items())[:NAMED]]
        more = [f"{len(amiss) - NAMED} gateways more"] if len(amiss) > NAMED else []
        text += f"closed in whole or in part: {', '.join(told + more)}"
    else:
        text += "all networks of the gateways here work: somebody may want what none of them announces"
    return Note(Code.FAILCLOSED_HIT, "", text, warning=bool(amiss))


def _closed(core: Core) -> Iterator[GatewayIntent]:
    intent = core.intent
    if intent is None or not intent.enabled:
        return
    networks = {network.name: network for network in intent.networks}
    for gateway in intent.gateways:
        if not is_open(gateway, networks):
            yield gateway


def _lacks(core: Core, gateway: GatewayIntent) -> Iterator[str]:
    """Why some of a gateway's packets, or all, have no route."""
    assert core.intent is not None
    if gateway.isolated:
        yield "its ranges exclude another gateway's"
        return
    if not core.drain.steers:
        yield "the node is drained"
        return
    known = {network.name for network in core.intent.networks}
    for name in gateway.networks:
        network = core.networks.get(name)
        state = network_state(core, name) if name in known else None
        if state is None:
            yield f"network {name} is missing"
        elif state in (NetworkState.DEGRADED, NetworkState.DOWN):
            yield f"network {name} is {state.value}"
        elif network is not None and not any(network.loc.tables.values()):
            yield f"network {name} has learned nothing"
