"""From the config and the node to desired state: uplinks, bootstrap routes, rules, sessions.

Planning is done anew, whole, whenever the config or the node changed; it is cheap, since it never looks
at learned routes, and a plan that equals the one before changes nothing. A network's routes follow in
`place`, which takes only what its Loc-RIB says came out different.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import replace
from itertools import chain

from vrfbgp.fib.draft import FOREIGN
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.routes import Place, Routes
from vrfbgp.fib.rules import steers
from vrfbgp.footing import Footings
from vrfbgp.host import STATIC_PROTOCOLS, Host
from vrfbgp.intent import Intent, Problem, Reason, Severity
from vrfbgp.masquerade import Masquerading
from vrfbgp.model import Inline, IPAddress, PeerId, Rule
from vrfbgp.network import LOST, Network
from vrfbgp.notes import Code, Note
from vrfbgp.notification import describe
from vrfbgp.operations import AddRoute, AddRule, DeleteRule, ReplaceRoute, Step
from vrfbgp.preflight import findings, rules_ahead
from vrfbgp.requests import ConfigureSpeaker, ResetSession, SessionConfig, SpeakerRequest
from vrfbgp.session import session_config
from vrfbgp.steering import gateway_rules, session_rule
from vrfbgp.uplinks import attach


class Planner:
    """Keeps the reconciler's desired state, and the speakers' sessions, what config and node make them."""

    def __init__(self, host: Host, reconciler: Reconciler) -> None:
        self.problems: tuple[Problem, ...] = ()
        """What the last plan found wrong."""
        self.routes = Routes(reconciler)
        self.places: dict[str, Place] = {}
        """Where the routes of each network are; a network without a place has none (yet)."""
        self._owners: dict[int, str] = {}
        """The network that each table was last given to, in this life of ours."""
        self._masquerading = Masquerading()
        self._host = host
        self._reconciler = reconciler
        self._sessions: dict[str, dict[SessionConfig, Rule]] = {}
        self.footings = Footings(host)
        self._serial = 0
        self._deleting = 0

    def plan(
        self, intent: Intent, networks: dict[str, Network], now: float, *, steering: bool = True
    ) -> None:
        """Bring desired state up to date. Without `steering` no gateway is led into a table (`drain`)."""
        problems: list[Problem] = []
        for network in networks.values():
            network.attach(attach(network.intent, self._host))
            self.place(network)
            problems += network.uplinks.problems
        undecided = self._plan_places(networks, problems)
        for name, place in self.places.items():
            for family, routes in networks[name].uplinks.bootstrap.items():
                self.routes.bootstrap(place, family, routes)
            problems += self._obstacles(name, place, networks[name].uplinks.reach.uplinks)
            problems += networks[name].limit_problems()
        self._plan_sessions(intent, networks, problems, now)
        tables = {name: place.table for name, place in self.places.items()}
        rules = set(gateway_rules(intent, tables)) if intent.enabled else set()
        held_back = frozenset() if steering else frozenset(filter(steers, rules))
        rules -= held_back
        rules.update(rule for sessions in self._sessions.values() for rule in sessions.values())
        self._want_rules(rules)
        self._reconciler.drained = None if steering else held_back
        self._reconciler.hold_rules = undecided or intent.partial
        self._reconciler.keep_left = intent.partial
        self._reconciler.tables = frozenset(tables.values())
        self._reconciler.guarded = {
            network.intent.table: self._barred(network)
            for network in networks.values()
            if not network.in_sync
        }
        self.problems = (*self._preflight(intent, networks), *problems)

    def _preflight(self, intent: Intent, networks: Mapping[str, Network]) -> Iterator[Problem]:
        """What on the node stands in the way."""
        around = self._host.surroundings
        uplinks = {
            name: {self._host.name(index): index for index in network.uplinks.reach.uplinks}
            for name, network in networks.items()
        }
        routes = sum(len(delta.desired) for delta in self._reconciler.slices.values())
        yield from findings(around, intent, frozenset(chain.from_iterable(uplinks.values())), routes)
        yield from self._masquerading.problems(around.nat, intent, uplinks)
        if intent.enabled:
            yield from rules_ahead(chain.from_iterable(self._host.rules.values()), intent)

    def place(self, network: Network) -> None:
        """Bring the network's desired routes up to date: before anybody compares them with the kernel's."""
        place = self.places.get(network.intent.name)
        if place is None:
            network.loc.discard_changes()
            return
        for change in network.loc.changes():
            self.routes.learned(place, change.family, change.nlris, change.before, change.now)

    def retire(self, network: Network, asked: list[SpeakerRequest]) -> None:
        """The network is gone from the config: its speaker ends, its routes are no longer wanted."""
        name = network.intent.name
        self._unplace(network)
        self._sessions.pop(name, None)
        if network.configured:
            asked.append(ConfigureSpeaker(name, ()))

    def moved(self, networks: Mapping[str, Network]) -> list[SpeakerRequest]:
        """End sessions whose peer is on another device now: Other Configuration Change (RFC 4486 4)."""
        return [
            ResetSession(peer, 6, 6)
            for network in networks.values()
            for peer in network.sessions
            if (device := self.footings.device(peer)) is not None and network.moved(peer, device)
        ]

    def unreached(self, networks: Mapping[str, Network], now: float) -> Iterator[Note]:
        """Take sessions whose device or address is gone for down, and for up when it is back."""
        for network in networks.values():
            for peer in network.sessions:
                lost = self.footings.is_lost(peer, now)
                if network.reached(peer, lost, now):
                    code = Code.PEER_DOWN if lost else Code.PEER_UP
                    text = describe(LOST) if lost else "it is reached again; the session goes on"
                    yield Note(code, f"peer {peer}", text, warning=lost)

    def note_batch(self, serial: int, operations: Iterable[Step]) -> None:
        """Remember the last batch that sessions and announcements must wait for, and a drain."""
        for operation in operations:
            match operation:
                case AddRule() | AddRoute(_, Inline()) | ReplaceRoute(_, Inline()):
                    self._serial = serial
                case DeleteRule():
                    self._deleting = serial

    def settled(self, acked: int) -> bool:
        """Whether the writer is through with all rules and bootstrap routes that were handed out."""
        return acked >= self._serial

    def deleted(self, acked: int) -> bool:
        """Whether the writer is through with all deletions of rules that were handed out."""
        return acked >= self._deleting

    def configure_speaker(self, network: Network, settled: bool, now: float) -> list[SpeakerRequest]:
        """Tell the speaker its sessions, if they changed: new ones only when rule and routes stand."""
        name = network.intent.name
        wanted = self._sessions.get(name, {})
        place = self.places.get(name)
        known = place is not None and self._reconciler.is_read(place.table)
        ready = settled and known and place is not None and self.routes.settled(place)
        held = {session.peer: session for session in network.configured}
        sessions: tuple[SessionConfig, ...] = ()
        for session, rule in wanted.items():
            if session in network.configured or (ready and self._reconciler.rules.settled((rule,))):
                sessions += (session,)
            elif session.peer in held:
                sessions += (held[session.peer],)
        if sessions == network.configured:
            return []
        network.told(sessions, now)
        return [ConfigureSpeaker(name, sessions)]

    def ready_gateways(self, intent: Intent) -> frozenset[str]:
        """The gateways whose rules all stand."""
        waiting = {rule.src for rule, desired, _ in self._reconciler.rules.pending() if desired}
        return frozenset(g.name for g in intent.gateways if not any(range_ in waiting for range_ in g.ranges))

    def _plan_sessions(
        self, intent: Intent, networks: dict[str, Network], problems: list[Problem], now: float
    ) -> None:
        placed = {name: network for name, network in sorted(networks.items()) if name in self.places}
        held = {session.peer for network in networks.values() for session in network.configured}
        self.footings.renew(
            (
                (peer, network.uplinks.attachments.get(peer.id))
                for network in placed.values()
                for peer in network.intent.peers
                if not peer.degraded and not network.rests(peer.id)
            ),
            held,
            now,
        )
        problems += self.footings.problems
        standing = [
            footing
            for network in placed.values()
            for peer in network.intent.peers
            if (footing := self.footings.of(peer.id)) is not None
        ]
        taken: dict[tuple[IPAddress, IPAddress, int], PeerId] = {}
        # A session that is held is not taken away for one that comes later.
        for footing in sorted(standing, key=lambda footing: footing.peer.id not in held):
            taken.setdefault(footing.attachment.pair, footing.peer.id)
        self._sessions = {name: {} for name in networks}
        for footing in standing:
            peer, attachment = footing.peer, footing.attachment
            if (other := taken[attachment.pair].network) != peer.id.network:
                text = (
                    f"{attachment.local} to {peer.id.address} is already the session of network {other}: "
                    "give one of them a source address of its own (sourceIP)"
                )
                problems.append(Problem(Severity.DEGRADED, Reason.NO_SOURCE, f"BGPPeer {peer.name}", text))
                continue
            rule = session_rule(
                intent.rule_priority, attachment.local, peer.id, self.places[peer.id.network].table
            )
            self._sessions[peer.id.network][session_config(peer, attachment)] = rule

    def _plan_places(self, networks: dict[str, Network], problems: list[Problem]) -> bool:
        """Give each network the place that its config asks for; whether one has to wait for its."""
        moving: dict[str, Place] = {}
        undecided = False
        for name, network in networks.items():
            place = Place(network.intent.table, network.intent.metric)
            if self.places.get(name) == place:
                continue
            self.routes.open(place)
            if not self._reconciler.is_read(place.table):
                undecided = True
            elif not self._was_ours(place.table) and (refusal := self._in_use(name, place.table)):
                problems.append(refusal)
                self._unplace(network)
            else:
                moving[name] = place
        while taken := [name for name, place in moving.items() if self._is_taken(place.table, moving)]:
            undecided = True
            for name in taken:
                del moving[name]
        # Two networks may exchange their tables: all leave before one arrives.
        for name, place in moving.items():
            if (before := self.places.get(name)) and before.table != place.table:
                self._reconciler.move(name, before.table, place.table)
            self._unplace(networks[name])
        for name, place in moving.items():
            self._reconciler.moves.taken(place.table)
            self._arrive(networks[name], place)
        return undecided

    def _is_taken(self, table: int, moving: Mapping[str, Place]) -> bool:
        """Whether a network that stays where it is has this table."""
        return any(place.table == table for name, place in self.places.items() if name not in moving)

    def _arrive(self, network: Network, place: Place) -> None:
        """Give the network its place; what it has learned goes along."""
        name = network.intent.name
        if self._owners.setdefault(place.table, name) != name:
            self._reconciler.hand_over(place.table, name)
            self._owners[place.table] = name
        self.places[name] = place
        self.routes.follow(place, network.loc.tables)
        network.loc.choose_again()
        self.place(network)

    def _unplace(self, network: Network) -> None:
        self.place(network)
        if place := self.places.pop(network.intent.name, None):
            self.routes.close(place)

    def _barred(self, network: Network) -> frozenset[int]:
        """The devices that no route of the network may leave by.

        Without any uplink these are all: what stands there may be left from the network whose table it was.
        Where a peer that can't have a session now was reached, its routes of before may lead as yet.
        """
        uplinks = network.uplinks.reach.uplinks
        if network.lacks_sessions:
            peers = tuple(replace(peer, degraded=()) for peer in network.intent.peers)
            uplinks = uplinks | attach(replace(network.intent, peers=peers), self._host).reach.uplinks
        return frozenset(self._host.links.keys() - uplinks)

    def _was_ours(self, table: int) -> bool:
        """Whether an earlier life of ours had this table: it is kept, whoever has come to use it besides."""
        if any(rule.table == table for rule, _ in self._reconciler.rules.actual_items()):
            return True
        return any(
            value is not FOREIGN
            for (of, _, _), delta in self._reconciler.slices.items()
            if of == table
            for _, value in delta.actual_items()
        )

    def _obstacles(self, name: str, place: Place, uplinks: Set[int]) -> Iterator[Problem]:
        """What somebody else has in a table in use, where it leads astray or has the place of ours."""
        if uplinks and (astray := self._astray(place.table, uplinks)):
            yield Problem(Severity.DEGRADED, Reason.FOREIGN_ROUTE, f"ExternalNetwork {name}", astray)
        if found := self._in_use(name, place.table):
            yield replace(found, severity=Severity.NOTICE)
        for route in self._host.foreign_routes(place.table):
            if route.key.metric == place.metric:
                text = (
                    f"a route of somebody else (protocol {route.protocol}) has the place of {route.key}: "
                    "what is learned for it is not installed; remove that route, or give it another metric"
                )
                yield Problem(Severity.NOTICE, Reason.FOREIGN_ROUTE, f"ExternalNetwork {name}", text)

    def _astray(self, table: int, uplinks: Set[int]) -> str:
        """What is told of routes of somebody else that leave by another device than the network does."""
        found = {
            route.key: self._host.name(ifindex)
            for route in self._host.foreign_routes(table)
            for _, ifindex in route.nexthops
            if ifindex not in uplinks
        }
        if not found:
            return ""
        key, device = next(iter(found.items()))
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return (
            f"a route of somebody else in its table, {key}{more}, leaves by {device}, which is no uplink of "
            "it: packets of its gateways go there; remove that route, or have it leave by an uplink"
        )

    def _in_use(self, name: str, table: int) -> Problem | None:
        """Why the network can't have a table that it does not have yet: somebody else works with it."""
        subject = f"ExternalNetwork {name}"
        if rules := self._host.foreign_rules(table):
            text = (
                f"table {table} is used by the rule '{rules[0]}'; take another routeTableIndex, or remove it"
            )
            return Problem(Severity.DEGRADED, Reason.TABLE_IN_USE, subject, text)
        learned = [r for r in self._host.foreign_routes(table) if r.protocol not in STATIC_PROTOCOLS]
        if learned:
            text = (
                f"table {table} holds routes of another routing program ({learned[0].key}, protocol "
                f"{learned[0].protocol}); take another routeTableIndex, or remove them"
            )
            return Problem(Severity.DEGRADED, Reason.TABLE_IN_USE, subject, text)
        return None

    def _want_rules(self, rules: set[Rule]) -> None:
        for rule in self._reconciler.rules.desired.keys() - rules:
            self._reconciler.rules.unwant(rule)
        for rule in rules - self._reconciler.rules.desired.keys():
            self._reconciler.rules.want(rule, True)
