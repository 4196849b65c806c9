"""Judges a node with a real kernel by the model: at rest every pair exactly, all the time every packet.

At rest the kernel's own answer for each source and destination is what `Truth` says, and a packet of each
pair comes out where that says, and nowhere else. Meanwhile a packet of a gateway may come out only by what
its own networks offer, by the facts that hold or held since the last rest; by main only if it is Open, or for
the cluster; everybody else's by main alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from labs.netns.waiting import NeverTrue, wait_for
from tests.isolation.real.arena import FABRIC, FABRIC6, FABRIC_DEVICE, OTHER_NODE, OTHER_NODE6, PLACES, WIRES
from tests.isolation.real.kernel import Kernel, Packet
from tests.isolation.real.plot import FAR, PREFIXES, RANGES, ROUTERS
from tests.isolation.real.wires import Pair, Wires
from tests.isolation.truth import MAIN, Facts, Fate, Hop, Host, Truth, longest

INSIDE = {ip_address(address): place.device for place in PLACES for address in place.addresses}
"""The device that each source is behind."""
HOSTS = {
    *((ip_address(plan.address), plan.device) for plan in ROUTERS.values()),
    *((ip_address(one), FABRIC_DEVICE) for one in (FABRIC, FABRIC6, OTHER_NODE, OTHER_NODE6)),
}
"""Who answers for itself on which wire, so that packets by it do come out."""
OWN = {ip_address(address.partition("/")[0]) for wire in WIRES for address in wire.addresses}


class Broken(Exception):
    """A promise was broken."""


@dataclass
class Count:
    """How much was judged."""

    exact: int = 0
    loose: int = 0
    asked: int = 0
    packets: int = 0


def destinations() -> list[Host]:
    """Two addresses of each prefix, and those beyond all."""
    found = set(map(ip_address, FAR))
    for prefix in map(ip_network, (*PREFIXES[4], *PREFIXES[6])):
        if prefix.prefixlen and not prefix.is_loopback:
            found |= {prefix[1], prefix[-2]}
    return sorted(found, key=lambda one: (one.version, int(one)))


class Judge:
    """Sees one node."""

    def __init__(self, kernel: Kernel, wires: Wires, facts: Callable[[], Facts]) -> None:
        self.count = Count()
        self._kernel, self._wires, self._facts = kernel, wires, facts
        self._destinations = destinations()
        self.suspect: Packet | None = None
        """What went where it must not, last."""
        self._since: list[Truth] = []
        """What held since the last rest, the newest last."""
        self._excused = self._gaps_excused = True
        """What came out, or did not, until the next rest is nobody's fault; nor is it before the first."""
        wires.aim(self._destinations)

    # -- what holds ----------------------------------------------------------------------------------

    def look(self) -> Truth:
        """Take the facts anew."""
        facts = self._facts()
        if not self._since or self._since[-1].facts != facts:
            self._since.append(Truth(facts))
        return self._since[-1]

    def excuse(self) -> None:
        """Somebody leads packets astray, who may: until all is put right, none is judged."""
        self._excused = self._gaps_excused = True

    def excuse_gaps(self) -> None:
        """Packets may be unreachable until the next rest, though their networks have a way."""
        self._gaps_excused = True

    # -- all the time ----------------------------------------------------------------------------------

    def judge_packets(self) -> None:
        """Every packet that came out since this was last done. Raises Broken."""
        seen = self._wires.taken()
        self.look()
        self.count.packets += seen.total()
        if self._excused:
            return
        for (wire, src, dst), times in seen.items():
            if wire not in (allowed := self._allowed(src, dst)):
                self.suspect = src, dst, INSIDE[src]
                raise Broken(
                    f"{src} to {dst}: {times} packets came out by {wire}, and only {sorted(allowed)} may be\n"
                    + "\n".join(f"  by facts {n}: {one.fate(src, dst)}" for n, one in enumerate(self._since))
                )

    def _allowed(self, src: Host, dst: Host) -> set[str]:
        """The devices by which a packet may have come out."""
        used = frozenset(name for one in self._since for name in one.used(src))
        found: set[str] = set()
        for one in self._since:
            found |= {device for _, device in one.ways(used, dst)}
            gateway = one.gateway(src)
            if one.fate(src, dst).kind == "main" or (gateway is not None and one.is_open(gateway)):
                found |= {device for _, device in by_main(one.facts, dst)}
        return found

    # -- at rest ---------------------------------------------------------------------------------------

    def differences(self) -> str:
        """The first pair of which the kernel says something else than the model; empty if none."""
        truth = self.look()
        tables = {network.table: network.name for network in truth.facts.networks}
        sessions, twins = truth.sessions()
        wanted: list[tuple[Packet, Fate]] = [
            ((src, dst, device), truth.fate(src, dst)) for src, dst, device in self._pairs()
        ]
        own = [address for address in OWN if self._is_there(truth, address)]
        wanted += [
            ((src, dst, ""), truth.fate(src, dst))
            for src in own
            for dst in self._destinations
            if src.version == dst.version and (src, dst) not in sessions and (src, dst) not in twins
        ]
        wanted += [((src, dst, ""), fate) for (src, dst), fate in sessions.items()]
        met = self._kernel.fates([packet for packet, _ in wanted], tables)
        self.count.asked += len(wanted)
        for ((src, dst, device), expected), found in zip(wanted, met, strict=True):
            if expected != found:
                self.suspect = src, dst, device
                return (
                    f"{src} to {dst}" + (f" iif {device}" if device else "") + f"\n"
                    f"  must meet: {expected}\n  but meets: {found}"
                )
        return ""

    def rested_for_now(self) -> None:
        """No daemon runs, or routes of an earlier one are in doubt: nothing is led astray. Raises Broken."""
        truth = self.look()
        self.count.loose += 1
        tables = {network.table: network.name for one in self._since for network in one.facts.networks}
        pairs = list(self._pairs())
        self.count.asked += len(pairs)
        if self._excused:
            return
        for (src, dst, device), met in zip(pairs, self._kernel.fates(pairs, tables), strict=True):
            hops = by_main(truth.facts, dst) if met.kind == "main" else met.hops
            if not {out for _, out in hops} <= (allowed := self._allowed(src, dst)):
                self.suspect = src, dst, device
                raise Broken(f"{src} to {dst} iif {device} may leave by {sorted(allowed)}, but meets: {met}")

    def rested(self) -> None:
        """All agrees: a packet of each pair is sent, and comes out where it must. Raises Broken."""
        truth = self.look()
        self.judge_packets()
        self._judge_losses()
        ways = {(src, dst): self._way(truth, src, dst) for src, dst, _ in self._pairs() if src in INSIDE}
        surely = {pair for pair, hops in ways.items() if _is_answered(hops, pair[1])}
        self.suspect = None
        self._since, self._excused, self._gaps_excused = [truth], False, False
        self._wires.begin()
        self._wires.fire(list(ways))
        self._await(surely, ways)
        self.judge_packets()
        self.count.exact += 1

    def _judge_losses(self) -> None:
        """Whose way was one and the same all the time, none of its packets is missing. Raises Broken."""
        self._wires.hold()
        try:
            if not self._gaps_excused and not self._is_handed_over():
                wait_for(self._all_but_unsteady_came, 3, interval=0.01)
        except NeverTrue as error:
            raise Broken(str(error)) from error
        finally:
            self._wires.resume()

    def _is_handed_over(self) -> bool:
        """Whether a table goes from one network to another: it has to be empty in between."""
        owners = {(one.table, one.name) for truth in self._since for one in truth.facts.networks}
        return len({table for table, _ in owners}) < len(owners)

    def _all_but_unsteady_came(self) -> bool:
        for (src, dst), times in self._wires.lost().items():
            fates = {one.fate(src, dst) for one in self._since}
            (fate, *others) = fates
            steady = not others and _is_answered(fate.hops, dst)
            assert not steady, f"{src} to {dst}: {times} packets lost, with {fate} all the time"
        return True

    def _await(self, surely: set[Pair], ways: dict[Pair, frozenset[Hop]]) -> None:
        fired = time.monotonic()

        def all_came() -> bool:
            nonlocal fired
            arrived = self._wires.arrived()
            missing = surely - {(src, dst) for _, src, dst in arrived}
            if missing and time.monotonic() > fired + 1:
                fired = time.monotonic()
                self._wires.fire(sorted(surely, key=str))  # neighbours hold back only a few
            for src, dst in sorted(missing, key=str):
                raise AssertionError(f"{src} to {dst}: no packet came out by {ways[src, dst]}")
            for wire, src, dst in arrived:
                if wire not in {device for _, device in ways[src, dst]}:
                    self.suspect = src, dst, INSIDE[src]
                    raise Broken(f"{src} to {dst}: a packet came out by {wire}, at rest")
            return True

        try:
            wait_for(all_came, 10, interval=0.01)
        except NeverTrue as error:
            raise Broken(str(error)) from error

    def _way(self, truth: Truth, src: Host, dst: Host) -> frozenset[Hop]:
        fate = truth.fate(src, dst)
        return by_main(truth.facts, dst) if fate.kind == "main" else fate.hops

    def _pairs(self) -> Iterable[Packet]:
        """Each source that is behind a device, and the last address of each gateway's range."""
        sources = dict(INSIDE)
        for name, ranges in RANGES.items():
            sources |= {ip_network(one)[-1]: f"cali-{name}" for one in ranges}
        for src, device in sources.items():
            for dst in self._destinations:
                if src.version == dst.version and dst not in sources:
                    yield src, dst, device

    def _is_there(self, truth: Truth, address: Host) -> bool:
        return any(address == one for device in truth.facts.devices.values() for one, _ in device.addresses)


def _is_answered(hops: frozenset[Hop], dst: Host) -> bool:
    """Whether somebody is there at the end of each of them."""
    return bool(hops) and all((gateway or dst, device) in HOSTS for gateway, device in hops)


def by_main(facts: Facts, dst: Host) -> frozenset[Hop]:
    """The next hops that table main has."""
    route = longest([route for route in facts.routes if route.table == MAIN], dst)
    return route.hops if route is not None else frozenset()
