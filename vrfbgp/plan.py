"""From the config and the node to desired state: uplinks, bootstrap routes, rules, sessions.

Planning is done anew, whole, whenever the config or the node changed; it is cheap, since it never looks
at learned routes, and a plan that equals the one before changes nothing. A network's routes follow in
`place`, which takes only what its Loc-RIB says came out different.
"""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.routes import Place, Routes
from vrfbgp.host import STATIC_PROTOCOLS, Host
from vrfbgp.intent import Intent, Problem, Reason, Severity
from vrfbgp.model import Family, Inline, IPAddress, PeerId, Rule
from vrfbgp.network import Network, session_config
from vrfbgp.operations import AddRoute, AddRule, Operation, ReplaceRoute
from vrfbgp.requests import ConfigureSpeaker, SessionConfig, SpeakerRequest
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
        self._host = host
        self._reconciler = reconciler
        self._sessions: dict[str, dict[SessionConfig, Rule]] = {}
        self._serial = 0

    def plan(self, intent: Intent, networks: dict[str, Network]) -> None:
        """Bring desired state up to date."""
        problems: list[Problem] = []
        undecided = False
        for name, network in networks.items():
            place = Place(network.intent.table, network.intent.metric)
            network.attach(attach(network.intent, self._host))
            problems += network.uplinks.problems
            if self.places.get(name) == place:
                continue
            self.routes.open(place)
            if not self._reconciler.is_read(place.table):
                undecided = True
            elif refusal := self._in_use(network):
                problems.append(refusal)
                self._unplace(name, network)
            else:
                self._move(name, network, place)
        for name, place in self.places.items():
            for family, routes in networks[name].uplinks.bootstrap.items():
                self.routes.bootstrap(place, family, routes)
        self._plan_sessions(intent, networks, problems)
        rules = set(gateway_rules(intent, self.places.keys())) if intent.enabled else set()
        rules.update(rule for sessions in self._sessions.values() for rule in sessions.values())
        self._want_rules(rules)
        self._reconciler.hold_rules = undecided
        self._reconciler.guarded = frozenset(n.intent.table for n in networks.values() if not n.in_sync)
        self.problems = tuple(problems)

    def place(self, network: Network) -> None:
        """Bring the network's desired routes up to date."""
        place = self.places.get(network.intent.name)
        if place is None:
            return
        for change in network.loc.changes():
            self.routes.learned(place, change.family, change.nlri, change.members)

    def retire(self, network: Network, asked: list[SpeakerRequest]) -> None:
        """The network is gone from the config: its speaker ends, its routes are no longer wanted."""
        name = network.intent.name
        self._unplace(name, network)
        self._sessions.pop(name, None)
        if network.configured:
            asked.append(ConfigureSpeaker(name, ()))

    def note_batch(self, serial: int, operations: Iterable[Operation]) -> None:
        """Remember the last batch that sessions and announcements must wait for."""
        for operation in operations:
            match operation:
                case AddRule() | AddRoute(_, Inline()) | ReplaceRoute(_, Inline()):
                    self._serial = serial
                    return

    def settled(self, acked: int) -> bool:
        """Whether the writer is through with all rules and bootstrap routes that were handed out."""
        return acked >= self._serial

    def configure_speaker(self, network: Network, settled: bool, now: float) -> list[SpeakerRequest]:
        """Tell the speaker its sessions, if they changed: new ones only when rule and routes stand."""
        name = network.intent.name
        wanted = self._sessions.get(name, {})
        place = self.places.get(name)
        ready = settled and place is not None and self.routes.settled(place)
        sessions = tuple(
            session
            for session, rule in wanted.items()
            if session in network.configured or (ready and self._reconciler.rules.settled((rule,)))
        )
        if sessions == network.configured:
            return []
        network.told(sessions, now)
        return [ConfigureSpeaker(name, sessions)]

    def ready_gateways(self, intent: Intent) -> frozenset[str]:
        """The gateways whose rules all stand."""
        waiting = {rule.src for rule, desired, _ in self._reconciler.rules.pending() if desired}
        return frozenset(g.name for g in intent.gateways if not any(range_ in waiting for range_ in g.ranges))

    def _plan_sessions(self, intent: Intent, networks: dict[str, Network], problems: list[Problem]) -> None:
        taken: dict[tuple[IPAddress, IPAddress], PeerId] = {}
        self._sessions = {}
        for name, network in sorted(networks.items()):
            sessions = self._sessions.setdefault(name, {})
            if name not in self.places:
                continue
            for peer in network.intent.peers:
                attachment = network.uplinks.attachments.get(peer.id)
                if attachment is None:
                    continue
                pair = attachment.local, peer.id.address
                other = taken.setdefault(pair, peer.id)
                if other.network != name:
                    text = (
                        f"{pair[0]} to {pair[1]} is already the session of network {other.network}: "
                        "give one of them a source address of its own (sourceIP)"
                    )
                    problems.append(
                        Problem(Severity.DEGRADED, Reason.NO_SOURCE, f"BGPPeer {peer.name}", text)
                    )
                    continue
                device = self._host.name(attachment.ifindex)
                rule = session_rule(intent.rule_priority, attachment.local, peer.id, network.intent.table)
                sessions[session_config(peer, attachment, device)] = rule

    def _move(self, name: str, network: Network, place: Place) -> None:
        """Give the network its place; what it has learned goes along."""
        before = self.places.get(name)
        self.places[name] = place
        for family in Family:
            for nlri, members in network.loc.routes[family].items():
                self.routes.learned(place, family, nlri, members)
        if before is not None:
            self.routes.close(before)

    def _unplace(self, name: str, network: Network) -> None:
        if place := self.places.pop(name, None):
            self.routes.close(place)

    def _in_use(self, network: Network) -> Problem | None:
        """Why the network can't have its table: somebody else works with it."""
        table, subject = network.intent.table, f"ExternalNetwork {network.intent.name}"
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
