"""A world whose every packet is judged: the fake kernel's answers against the model's.

Once all has come to rest, each source and destination meets exactly what `Truth` says. Between any two
operations on the way there, a packet of a gateway leaves at most by what its own networks offer, by the facts
that hold or held since it was last quiet; and while one of them has a way all the time, it is never without.

Where exactness can't be asked for, only the latter is: while routes of an earlier life are in doubt, or
what the kernel refused waits to be tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from math import inf

from tests.isolation.ledger import RETURNED, Ledger
from tests.isolation.sight import Sight
from tests.isolation.truth import (
    MAIN,
    Announcement,
    Bootstrap,
    Device,
    Facts,
    Fate,
    Gateway,
    Hop,
    Host,
    Network,
    Peer,
    Route,
    Truth,
    Unmodelled,
)
from tests.scenarios.fake_kernel import Violation
from tests.scenarios.fate import Fate as Met
from tests.scenarios.world import World
from tests.unit.rib import wire
from vrfbgp.events import Event, SessionDown, SessionUp
from vrfbgp.intent import NetworkIntent, PeerIntent, SourceMode
from vrfbgp.model import Family, KernelRoute, PeerId, RouteKey, network_of
from vrfbgp.operations import AddRoute, DeleteNexthop, Operation

KERNEL = 2
LEARNED_BY_OTHERS = 186
"""RTPROT_BGP (linux/rtnetlink.h)."""
PATIENCE = 10.0
"""Seconds that a table which its network leaves serves on for what the kernel refuses in the new one."""
RETRIED = 130.0
"""Seconds after which what the kernel refused once must have been tried again."""
FAR = (ip_address("203.0.113.77"), ip_address("2001:db8:ffff::77"))


@dataclass
class Count:
    """How much was judged, so that a test can see that something was."""

    exact: int = 0
    loose: int = 0
    between: int = 0
    unmodelled: int = 0


class JudgedWorld(World):
    """The world of the scenarios, with a judge in it."""

    def __init__(self) -> None:
        self.ledger: Ledger[dict[str, object]] = Ledger()
        self.count = Count()
        self.destinations: set[Host] = set(FAR)
        self._now: Truth | None = None
        self._since: list[Truth] = []
        """What held since the last rest, the newest last."""
        self._served: dict[tuple[Host, Host], tuple[Hop, ...]] = {}
        """The way that a pair has, if it has one."""
        self._doubt_until = 0.0
        self._refused_at = -RETRIED
        self._lacking: dict[RouteKey, float] = {}
        """Routes that the kernel refuses, and since when."""
        self._drained_at = inf
        """When nothing is steered any more."""
        super().__init__()

    # -- what happens ------------------------------------------------------------------------------

    def start(self) -> None:
        super().start()
        self.ledger.forget()
        self._drained_at = self.now if self.drained else inf
        ours = any(route.ours for route in self.kernel.routes.values())
        self._doubt_until = self.now + RETURNED + 1 if ours else 0.0

    def drain(self, wait: float | None) -> None:
        already = self.drained
        super().drain(wait)
        if wait is None:
            self._drained_at = inf
        elif not already:
            self._drained_at = self.now + wait

    def post(self, event: Event) -> None:
        super().post(event)
        match event:
            case SessionUp(peer, _, negotiated):
                router, restart = self.routers[peer], negotiated.restart
                forgets = restart is not None and not restart.forwarding
                self.ledger.up(peer, router.announced, restart.time if restart else 0, forgets, self.now)
                if self._doubt_until:
                    self._doubt_until = self.now + RETURNED + 1
            case SessionDown(peer, _, cause):
                self.ledger.down(peer, cause.kind, self._is_reached(peer), self.now)

    def send(self, peer: PeerId, octets: bytes) -> None:
        super().send(peer, octets)
        if any(octets == wire.end_of_rib(family) for family in wire.AFI):
            self.ledger.end_of_rib(peer)

    def settle(self) -> None:
        self._look()
        super().settle()
        if self.alive and not self.paused:
            self.ledger.keep_only(self._peers())
        self._look()
        if self._at_rest():
            self._judge_rest()

    def _check(self, operation: Operation) -> None:
        super()._check(operation)
        _, words, number = self.kernel.record[-1]
        if number:
            self._refused_at = self.now
        if isinstance(operation, AddRoute) and number:
            self._lacking.setdefault(operation.key, self.now)
        elif isinstance(operation, AddRoute):
            self._lacking.pop(operation.key, None)
        self._judge_between(f"after {words}", isinstance(operation, DeleteNexthop))

    def _see_that_nothing_was_left_out(self) -> None:
        """As in any world; but to be woken in vain is no matter of isolation."""
        self.core.stir()
        more = self.core.effects(self.now)
        left_out = (*more.urgent, *more.speakers, *more.operations, *more.reads, *more.notes)
        assert not left_out, f"left out: {left_out}"

    # -- the facts ---------------------------------------------------------------------------------

    def _look(self) -> None:
        """Take the facts anew, and what is served by now."""
        for router in self.routers.values():
            for prefix in map(ip_network, router.announced):
                self.destinations |= {
                    prefix[0] + (prefix.num_addresses > 1),
                    prefix[-1] - (prefix.num_addresses > 2),
                }
        try:
            facts = self.facts()
            now = self._now if self._now is not None and self._now.facts == facts else Truth(facts)
        except Unmodelled:
            self.count.unmodelled += 1
            self._now = None
            return
        if now is not self._now:
            self._since.append(now)
        self._now = now
        self._served = {
            (src, dst): met.hops
            for src in self._sources()
            for dst, met in Sight(self.kernel).fates(src, self.destinations)
            if met.kind == "route" and met.table != MAIN
        }

    def _is_reached(self, peer: PeerId) -> bool:
        if self._now is None:
            return True
        table, network = self._now.tables.get(peer.network), self._now.networks.get(peer.network)
        if table is None or network is None:
            return True
        local = [table.local(one) for one in network.peers if one.address == peer.address]
        return table.reaches(peer.address) and local != [None]

    def facts(self) -> Facts:
        """As they are in this world; `Unmodelled` where the model knows no answer."""
        config = self.config
        if config is None:
            return Facts(False, (), (), (), self._devices(), ())
        intent, kernel = config.intent, self.kernel
        tables = {network.table for network in intent.networks}
        for rule in kernel.rules:
            if not rule.ours and rule.protocol != KERNEL and rule.table in tables:
                raise Unmodelled("somebody's rule leads into a table of ours")
        foreign = [route for route in kernel.routes.values() if not route.ours]
        if any(r.key.table in tables and r.protocol >= LEARNED_BY_OTHERS for r in foreign):
            raise Unmodelled("another routing program's routes are in a table of ours")
        return Facts(
            enabled=intent.enabled,
            networks=tuple(self._network(network) for network in intent.networks),
            gateways=tuple(Gateway(g.ranges, g.networks, g.isolated) for g in intent.gateways),
            cluster=intent.cluster,
            devices=self._devices(),
            routes=tuple(self._route(route) for route in foreign),
            steered=self.now < self._drained_at,
        )

    def _devices(self) -> dict[str, Device]:
        kernel = self.kernel
        return {
            link.name: Device(
                link.name,
                link.up,
                link.running,
                tuple((a.address, a.prefixlen) for a in kernel.addresses if a.ifindex == link.index),
            )
            for link in kernel.links.values()
        }

    def _route(self, route: KernelRoute) -> Route:
        key, links = route.key, self.kernel.links
        hops = frozenset((gateway, links[i].name) for gateway, i in self.kernel.shown(route).nexthops)
        return Route(key.table, network_of(key.family, key.nlri), key.metric, hops)

    def _network(self, network: NetworkIntent) -> Network:
        return Network(
            name=network.name,
            table=network.table,
            peers=tuple(self._peer(peer) for peer in network.peers),
            open=network.fail_open,
            bootstrap=tuple(
                Bootstrap(b.destination, b.gateway, b.interface) for b in network.bootstrap_routes
            ),
            max_paths=network.max_paths,
            metric=network.metric,
            refuses=network.refused_ranges,
            default_route=network.default_route,
            works=not network.degraded,
        )

    def _peer(self, peer: PeerIntent) -> Peer:
        account = self.ledger.accounts.get(peer.id)
        said = account.counting(self.now) if account else {}
        rules = (*peer.filters.import_v4, *peer.filters.import_v6)
        return Peer(
            address=peer.id.address,
            remote_as=peer.peer_as,
            local_as=peer.local_as,
            paths={ip_network(prefix): announcement(given) for prefix, given in said.items()},
            interface=peer.source_interface,
            source=peer.source_address if peer.source is not SourceMode.UPLINK else None,
            reachable_by=peer.reachable_by,
            own_as_allowed=peer.allowed_local_as,
            rejects=tuple(rule.prefix.network for rule in rules if rule.prefix and not rule.accept),
            families=frozenset({Family.IPV4: 4, Family.IPV6: 6}[family] for family in peer.families),
            works=not peer.degraded,
        )

    # -- the judgement -----------------------------------------------------------------------------

    def _sources(self) -> list[Host]:
        """One address of each range of each gateway."""
        gateways = self.config.intent.gateways if self.config is not None else ()
        return [r[0] for gateway in gateways for r in gateway.ranges]

    def _at_rest(self) -> bool:
        return self.alive and not self.paused and not self._kept and not self.kernel.told

    def _is_exact(self) -> bool:
        """Whether exactness may be asked for."""
        if self._doubt_until and (self.now >= self._doubt_until or self._all_heard()):
            self._doubt_until = 0.0
        draining = self.drained and self.now < self._drained_at
        return not self._doubt_until and not draining and self.now >= self._refused_at + RETRIED

    def _all_heard(self) -> bool:
        accounts = self.ledger.accounts
        return all(peer in accounts and accounts[peer].ended for peer in self._peers())

    def _peers(self) -> list[PeerId]:
        intent = self.config.intent if self.config is not None else None
        networks = intent.networks if intent is not None and intent.enabled else ()
        return [peer.id for network in networks for peer in network.peers]

    def _judge_rest(self) -> None:
        if self._now is None:
            return
        if not self._is_exact():
            self.count.loose += 1
            self._judge_between("at rest")
            return
        self.count.exact += 1
        truth, sight = self._now, Sight(self.kernel)
        tables = {network.table: network.name for network in truth.facts.networks}
        sessions, twins = truth.sessions()
        own = [a for device in truth.facts.devices.values() for a, _ in device.addresses]
        for src in (*self._sources(), *own):
            for dst, met in sight.fates(src, self.destinations):
                if (src, dst) not in sessions and (src, dst) not in twins and self._is_ours_to_say(src):
                    self._compare(src, dst, truth.fate(src, dst), told(met, tables))
        for (src, dst), fate in sessions.items():
            for _, met in sight.fates(src, [dst]):
                self._compare(src, dst, fate, told(met, tables))
        self._since = [truth]

    def _is_ours_to_say(self, src: Host) -> bool:
        """No rule of somebody else's catches the packet."""
        return not any(
            not rule.ours and rule.protocol != KERNEL and (rule.src is None or src in rule.src)
            for rule in self.kernel.rules
        )

    def _compare(self, src: Host, dst: Host, expected: Fate, met: Fate) -> None:
        if expected != met:
            raise Violation(f"{src} to {dst}\n  must meet: {expected}\n  but meets: {met}")

    def _judge_between(self, when: str, by_nexthop: bool = False) -> None:
        """What no packet may meet at any moment; `by_nexthop`: after a next hop was deleted."""
        truth = self._now
        if truth is None:
            return
        self.count.between += 1
        sight = Sight(self.kernel)
        for src in self._sources():
            if not self._is_ours_to_say(src):
                continue
            used = frozenset(name for one in self._since for name in one.used(src))
            for dst, met in sight.fates(src, self.destinations):
                pair = src, dst
                if met.kind == "route" and met.table != MAIN:
                    ways = frozenset(hop for one in self._since for hop in one.ways(used, dst))
                    users = sight.is_foreign(met.table, dst) and met.table in self._tables_of(src)
                    if not users and not ways.issuperset(met.hops):
                        raise Violation(f"{when}: {src} to {dst} leaves by {met}, none of its networks' ways")
                    self._served[pair] = met.hops
                elif pair in self._served and met.kind != "local":
                    had = self._served.pop(pair)
                    refused = self.now < self._refused_at + RETRIED
                    if (by_nexthop or refused) and truth.ways(truth.used(src), dst).isdisjoint(had):
                        continue  # the way that it had is dead, and what leads elsewhere can't stand yet
                    offers = [one.offers(src, dst) for one in self._since]
                    if frozenset.intersection(*offers) and not self._is_excused(src, dst):
                        raise Violation(f"{when}: {src} to {dst} had a way all the time, and meets {met}")

    def _tables_of(self, src: Host) -> set[int]:
        """The tables of the networks that a gateway has, or had since the last rest."""
        return {
            network.table
            for truth in self._since
            if (gateway := truth.gateway(src)) is not None
            for network in truth.facts.networks
            if network.name in gateway.networks
        }

    def _is_excused(self, src: Host, dst: Host) -> bool:
        """Where a way may be missing for a while, though the network has one all the time.

        While the node is drained. While a rule that somebody deleted is not repaired. For who uses a table
        that goes from one network to another: it has to be empty in between, since it can't be two networks'
        at once. What the kernel refuses for so long that a network which moves to another table does not wait
        for it.
        """
        if self.drained or self.promises.meddled:
            return True
        owners: dict[int, set[str]] = {}
        for truth in self._since:
            for network in truth.facts.networks:
                owners.setdefault(network.table, set()).add(network.name)
        handed = {table for table, names in owners.items() if len(names) > 1}
        if not handed.isdisjoint(self._tables_of(src)):
            return True
        lacking = (key for key, since in self._lacking.items() if self.now >= since + PATIENCE)
        return any(
            dst.version == prefix.version and dst in prefix
            for prefix in (network_of(key.family, key.nlri) for key in lacking)
        )


def announcement(given: dict[str, object]) -> Announcement:
    """As the scenarios' words for `wire.update` give it."""
    return Announcement(
        ip_address(str(given["next_hop"])),
        tuple(given.get("as_path", ())),  # type: ignore[arg-type]
        int(str(given.get("local_pref", 100))),
        int(str(given.get("med", 0))),
        int(str(given.get("origin", 0))),
    )


def told(met: Met, tables: dict[int, str]) -> Fate:
    """What the kernel does, in the model's words."""
    if met.kind == "none" or (met.kind == "route" and met.table == MAIN):
        return Fate("main")
    if met.kind == "route":
        return Fate("network", tables.get(met.table, f"table {met.table}"), frozenset(met.hops))
    return Fate(met.kind)
