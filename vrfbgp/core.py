"""The heart: events in, effects out. No socket, no clock, no netlink; `now` is an argument.

The way of a route from the wire to the kernel, by names:

    speaker: UPDATE octets ──▶ Core.handle(Updates) ──▶ Network.updates ──▶ Decoder.block
      ──▶ LocRib.announce / withdraw (Adj-RIB-In, import policy) ──▶ Table.put / drop (best paths chosen)
      ──▶ LocRib.changes (from what was chosen to what is) ──▶ Routes.learned (group of next hops)
      ──▶ Delta.told (desired against actual) ──▶ Reconciler.operations ──▶ Effects ──▶ kernel writer

`handle` takes facts in. `effects` then does what follows, once, however many events there were: plan
(uplinks, bootstrap routes, rules, sessions), place what was chosen, reconcile, announce. What depends on
nothing that changed is left out: UPDATEs come a thousand times as often as all else.

What is asked for, in which order, keeps the promises: the rule and the routes that a session's own packets
need stand before the session is configured; a gateway's address is announced after its rules stand, and
withdrawn before they go.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from vrfbgp.announce import Announcements
from vrfbgp.drain import Drain
from vrfbgp.events import (
    Applied,
    ConfigLoaded,
    ConfigRefused,
    DownCause,
    DownKind,
    DrainAsked,
    DrainUndone,
    Event,
    LinksRead,
    NexthopGone,
    NexthopSeen,
    NexthopsRead,
    Overrun,
    Refresh,
    RouteGone,
    RouteSeen,
    RulesRead,
    SessionDown,
    SessionState,
    SessionUp,
    SpeakerExited,
    SpeakerStarted,
    SurroundingsRead,
    TableCounted,
    TableRead,
    TablesRead,
    Updates,
)
from vrfbgp.fib.draft import Key
from vrfbgp.fib.nexthops import FIRST_ID, LAST_ID
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.rounds import Rounds
from vrfbgp.host import Host
from vrfbgp.intent import Intent, Problem
from vrfbgp.model import MAIN_TABLE, Family, PeerId
from vrfbgp.network import Network
from vrfbgp.notes import Code, Note
from vrfbgp.notification import describe
from vrfbgp.operations import DeleteNexthop, RouteRun, Step
from vrfbgp.plan import Planner
from vrfbgp.problems import Problems
from vrfbgp.refusals import refusals
from vrfbgp.repairs import Repairs, told_refused
from vrfbgp.requests import (
    ReadLinks,
    ReadNexthops,
    ReadRequest,
    ReadRules,
    ReadTable,
    SpeakerRequest,
    Withdraw,
)
from vrfbgp.scarcity import bounded


@dataclass(frozen=True, slots=True)
class Effects:
    """What the edges are to do, in the order of the fields."""

    urgent: list[DeleteNexthop] = field(default_factory=list)
    """Next hops of dead peers, to be deleted ahead of whatever is being written. There is nothing else then,
    and `effects` is to be asked again before anything is handled: what follows may take its time."""
    speakers: list[SpeakerRequest] = field(default_factory=list)
    serial: int = 0
    """Names the batch of `operations` in the writer's answer."""
    operations: list[Step] = field(default_factory=list)
    reads: list[ReadRequest] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    wake: float | None = None
    """When to ask again if nothing happens."""


_HOST_READS: set[ReadRequest] = {ReadLinks(), *(ReadTable(MAIN_TABLE, family) for family in Family)}


class Core:
    """All state of one daemon; `compare_every`: seconds from one comparison with the kernel to the next."""

    def __init__(self, compare_every: float | None = None) -> None:
        self.intent: Intent | None = None
        self.host = Host()
        self.networks: dict[str, Network] = {}
        self.reconciler = Reconciler()
        self.problems = Problems()
        self.refused: tuple[Problem, ...] = ()
        """Why the newest config was refused; empty if the running one is the newest."""
        self.repairs = Repairs(self.reconciler, Rounds(compare_every))
        self.serial = 0
        self.acked = 0
        self.planner = Planner(self.host, self.reconciler)
        self.announcements = Announcements()
        self.drain = Drain()
        self._asked: list[SpeakerRequest] = []
        self._notes: list[Note] = []
        self._reads: set[ReadRequest] = set()
        self._host_reads: set[ReadRequest] = _HOST_READS.copy()
        """What must be known of the node before anything is decided."""
        self._replan = False
        self.stirred = True
        """Something was handled that may have effects."""
        self._asking = True
        """Something happened that sessions and announcements depend on."""
        self._delicate = 0
        """Serial of the last batch that more waits for than the next one."""
        self._due: float | None = None
        self._loaded: Intent | None = None
        """A config that is not acted on yet. Only the newest of a turn is: a peer that is gone and back in
        one turn would lose its state here, but keep its session in the speaker, which was told nothing."""
        self._heard = False
        """Peers said something since desired routes were brought up to date."""
        self._started = False
        self._overtaking: list[DeleteNexthop] = []
        """Urgent deletions, once more behind what they overtook: that may have made the next hops again."""

    # -- facts in --

    def handle(self, event: Event, now: float) -> None:
        """Take one fact in."""
        self._heard |= isinstance(event, Updates | SessionUp | SessionDown | Refresh | SpeakerExited)
        quiet = isinstance(event, Applied) and self._awaited_by_nobody(event)
        self.stirred |= not quiet
        self._asking |= not (quiet or isinstance(event, Updates))
        match event:
            case Updates():
                if network := self.networks.get(event.peer.network):
                    resets = network.updates(event, now)
                    self._asked += resets
                    for fault in network.new_faults(event.peer):
                        self._note(Code.MALFORMED, event.peer, f"{fault}; counted in status", warning=True)
                    for reset in resets:
                        self._note(Code.PEER_RESET, reset.peer, f"NOTIFICATION {reset.code}/{reset.subcode}")
            case SessionUp() | SessionDown() | SessionState() | Refresh():
                self._session(event, now)
            case SpeakerStarted(name):
                if network := self.networks.get(name):
                    network.speaking = True
                    self.announcements.forget(name)
            case SpeakerExited(name, status, text):
                self._speaker_exited(name, status, text, now)
            case ConfigLoaded(intent):
                self._loaded, self.refused = intent, ()
            case ConfigRefused(problems):
                self.refused = problems
                for problem in problems:
                    self._notes.append(Note(Code.CONFIG_REFUSED, "", str(problem), warning=True))
            case DrainAsked(wait):
                if self.drain.asked(wait):
                    text = f"nothing is announced any more; after {wait:g} s gateways are made unreachable"
                    self._notes.append(Note(Code.DRAINING, "", text, warning=True))
            case DrainUndone():
                if self.drain.undone():
                    self._replan = True
                    self._notes.append(Note(Code.SERVING, "", "gateways are steered and announced again"))
            case _:
                if self._heard:
                    self._place()
                self._kernel(event, now)

    def _awaited_by_nobody(self, applied: Applied) -> bool:
        """Whether it tells what was counted on, of nothing but learned routes."""
        at_rest = self.drain.announces and self.reconciler.at_rest
        return not applied.failures and self._delicate <= self.acked and at_rest

    def _session(self, event: SessionUp | SessionDown | SessionState | Refresh, now: float) -> None:
        network = self.networks.get(event.peer.network)
        if network is None:
            return
        match event:
            case SessionUp(peer, _, negotiated):
                if network.session_up(event, now):
                    self._note(Code.PEER_UP, peer, f"hold time {negotiated.hold_time} s")
            case SessionDown(peer, _, cause):
                failed_before = network.failed_by(peer, cause)
                if network.session_down(event, now):
                    self._note(Code.PEER_DOWN, peer, describe(cause), warning=True)
                elif not failed_before and network.failed_by(peer, cause):
                    self._note(Code.PEER_FAILED, peer, describe(cause), warning=True)
            case SessionState(peer, state):
                if peer in network.sessions:
                    network.sessions[peer].state = state
            case Refresh():
                network.refresh(event, now)

    def _speaker_exited(self, name: str, status: int | None, text: str, now: float) -> None:
        network = self.networks.get(name)
        if network is None:
            return
        last_words = text or f"exit status {'unknown' if status is None else status}"
        cause = DownCause(DownKind.SPEAKER_ENDED, text=last_words)
        lost = network.speaker_exited(cause, now)
        self.announcements.forget(name)
        if network.configured:
            gone = f"ended ({cause.text}) with {len(lost)} sessions; it is started again, routes stay"
            self._notes.append(Note(Code.SPEAKER_ENDED, f"network {name}", gone, warning=True))

    def _configure(self, intent: Intent, now: float) -> None:
        self.intent = intent
        running = [n for n in intent.networks if intent.enabled and not n.degraded]
        for name in self.networks.keys() - {network.name for network in running}:
            self._asked += self.announcements.withdraw_all(name)
            self.planner.retire(self.networks.pop(name), self._asked)
        memory = self.host.surroundings.memory_limit
        for wanted in (bounded(network, memory, len(intent.networks)) for network in running):
            network = self.networks.get(wanted.name)
            if network is None:
                self.networks[wanted.name] = Network(wanted, now)
            else:
                network.configure(wanted, now)
        self._replan = True
        self._notes.append(Note(Code.CONFIG_APPLIED, "", f"{len(running)} networks on node {intent.node}"))

    def _kernel(self, event: Event, now: float) -> None:
        reconciler = self.reconciler
        match event:
            case LinksRead(links, addresses, lapsed):
                self._host_reads.discard(ReadLinks())
                changed, lost = self.host.links_read(links, addresses)
                self.repairs.links_read(changed | lapsed, lost | lapsed, now)
                if changed or lapsed:
                    self._replan = True
                    self._doubt(lost | lapsed)
            case TableRead(table, family, routes, ours):
                self._host_reads.discard(ReadTable(table, family))
                self._reads.discard(ReadTable(table, family))
                if table != MAIN_TABLE:
                    wrong = reconciler.table_read(table, family, routes, ours)
                    self.repairs.read(ReadTable(table, family), wrong, now)
                self.host.table_read(table, family, routes)
                self._replan = True
            case TableCounted():
                self.repairs.counted(event, now)
            case TablesRead(tables):
                reconciler.tables_read(tables)
            case RouteSeen(route):
                if route.key.table != MAIN_TABLE and reconciler.route_seen(route):
                    self.repairs.undone(route.key, now)
                self._replan |= self.host.route_seen(route)
                self._read_doubted()
            case RouteGone(route):
                if route.key.table != MAIN_TABLE and (devices := reconciler.route_gone(route)) is not None:
                    self._went(route.key, devices)
                self._replan |= self.host.route_gone(route)
            case RulesRead(family, rules):
                if reconciler.is_asked(ReadRules(family)):
                    for rule in reconciler.rules_read(family, rules):
                        self.repairs.undone(rule, now)
                else:
                    # Told unasked: it may be older than what we have handed out since.
                    reconciler.read_again(ReadRules(family))
                self._replan |= self.host.rules[family] != rules
                self.host.rules[family] = rules
            case NexthopsRead(nexthops):
                wrong = reconciler.nexthops_read(nexthops)
                self.repairs.read(ReadNexthops(), wrong, now)
            case NexthopSeen(nexthop):
                if FIRST_ID <= nexthop.id <= LAST_ID:
                    reconciler.read_again(ReadNexthops())
            case NexthopGone(id_):
                if FIRST_ID <= id_ <= LAST_ID:
                    self._nexthop_gone(id_)
            case Applied(serial, failures):
                self.acked = serial
                self._replan |= self.host.hops_refused(failures, now)
                self._notes += told_refused(reconciler.applied(serial, failures, now))
            case SurroundingsRead(surroundings):
                self.host.surroundings = surroundings
                self._replan = True
            case Overrun():
                self._notes.append(Note(Code.KERNEL_OVERRUN, "", "events were lost, all is read again"))
                reconciler.read_all()
                self._reads |= _HOST_READS

    def _read_doubted(self) -> None:
        doubted, self.host.doubted = self.host.doubted, set()
        for request in doubted:
            if request.table == MAIN_TABLE:
                self._reads.add(request)
            else:
                self.reconciler.read_again(request)

    def _doubt(self, lost: frozenset[int]) -> None:
        """Devices changed; what stood on those that lost something, the kernel may have dropped silently."""
        self._reads |= {ReadTable(MAIN_TABLE, family) for family in Family}
        self.reconciler.retry.hasten()
        self.reconciler.read_again(*([ReadNexthops()] if lost else []))
        for network in self.networks.values():
            if network.uplinks.reach.uplinks & lost:
                self._read_network(network)

    def _nexthop_gone(self, id_: int) -> None:
        """A next hop of ours is gone, and with it, without a word, the routes that hung on it alone."""
        if self.reconciler.nexthops.delta.actual(id_) is None:
            return
        self.repairs.explain()
        self._went(id_, frozenset(self.reconciler.nexthops.devices(id_)))
        self.reconciler.read_again(ReadNexthops())
        for network in self.networks.values():
            self._read_network(network)

    def _read_network(self, network: Network) -> None:
        self.reconciler.read_again(*(ReadTable(network.intent.table, family) for family in Family))

    def _went(self, key: Key, devices: frozenset[int]) -> None:
        self.repairs.went(key, devices)
        self._reads.add(ReadLinks())

    def _note(self, code: Code, peer: PeerId, text: str, *, warning: bool = False) -> None:
        self._notes.append(Note(code, f"peer {peer}", text, warning))

    # -- effects out --

    def stir(self) -> None:
        """Have `effects` look at everything, whatever was handled."""
        self.stirred = self._asking = True

    def effects(self, now: float) -> Effects:
        """What is to be done because of all that was handled since."""
        if not self.stirred and (self._due is None or now < self._due):
            return Effects(serial=self.serial, wake=self._due)
        if self._loaded is not None:
            loaded, self._loaded = self._loaded, None
            self._configure(loaded, now)
        for name, network in self.networks.items():
            if network.tick(now):
                self._replan = True
                self._notes.append(Note(Code.IN_SYNC, f"network {name}", "routes that went are swept"))
            self._replan |= network.limits_changed
        self._replan |= self.host.forgive_hops(now)
        self.repairs.settle(now)
        self._replan |= self.drain.tick(now) | self.planner.footings.is_due(now)
        urgent = [
            deletion
            for network in self.networks.values()
            for peer in network.take_dead()
            for deletion in self.reconciler.lost(peer)
        ]
        if urgent:
            if self.acked < self.serial:
                self._overtaking += urgent
            return Effects(urgent, serial=self.serial, wake=now)
        for network in self.networks.values():
            network.bury()
        operations: list[Step] = []
        if self.intent is not None and not self._host_reads:
            if self.repairs.fights_changed(now) or self._replan:
                self._replan, self._asking = False, True
                self.planner.plan(self.intent, self.networks, now, steering=self.drain.steers)
                self._asked += self.planner.moved(self.networks)
                self._notes += self.planner.unreached(self.networks, now)
                found = self.intent.problems + self.planner.problems + tuple(self.repairs.problems(now))
                self._notes += self.problems.now(found)
            self._place()
            operations = self.reconciler.operations(now, self.serial + 1)
            operations[:0] = self._overtaking
            self._overtaking = []
            if operations:
                self.serial += 1
                self.planner.note_batch(self.serial, operations)
                self.repairs.rounds.wrote(operations)
                if not all(isinstance(step, RouteRun) for step in operations):
                    self._delicate = self.serial
            elif self.acked == self.serial:
                self._reads.update(self.repairs.compare(now))
            if self.drain.looked(self._may_steer):
                self._notes.append(Note(Code.DRAINED, "", "no gateway is steered into a network any more"))
            if self._asking:
                self._asking = False
                self._ask(now)
        speakers, self._asked = self._asked, []
        self._notes += refusals(network.loc for network in self.networks.values())
        notes, self._notes = self.repairs.notes() + self._notes, []
        self.stirred, self._due = False, self._wake(now)
        return Effects([], speakers, self.serial, operations, self._due_reads(), notes, self._due)

    def _place(self) -> None:
        """Bring desired routes up to date: only then can the kernel's be compared with them."""
        self._heard = False
        for network in self.networks.values():
            self.planner.place(network)

    def _ask(self, now: float) -> None:
        """Sessions whose rule and routes stand, then the announcements that may go."""
        assert self.intent is not None
        settled = self.planner.settled(self.acked)
        for network in self.networks.values():
            configured = self.planner.configure_speaker(network, settled, now)
            refreshes = network.take_refreshes()
            self._asked += [*configured, *refreshes]
            for asked in refreshes:
                text = f"it is asked to send all {asked.family.name.lower()} prefixes again"
                self._note(Code.PEER_REFRESH, asked.peer, text)
        ready = self.planner.ready_gateways(self.intent) if settled else frozenset()
        # A drained node announces as one does that has no gateway.
        intent = self.intent if self.drain.announces else replace(self.intent, gateways=())
        requests, notes = self.announcements.requests(intent, self.host, self.networks, ready)
        taken_back = sum(isinstance(request, Withdraw) for request in requests)
        self.drain.withdrawn(taken_back + self.announcements.mute, now)
        self._asked += requests
        self._notes += notes

    def _may_steer(self) -> bool:
        return self.reconciler.may_steer() or not self.planner.deleted(self.acked)

    def _due_reads(self) -> list[ReadRequest]:
        reads = [*self._reads, *self.reconciler.reads()]
        self._reads = set()
        if self.intent is not None and not self._started:
            self._started = True
            reads += self._host_reads
        return reads

    def _wake(self, now: float) -> float | None:
        times = [time for network in self.networks.values() for time in network.deadlines()]
        times += self.host.refused_hops.values()
        drained = self.drain.until is not None and self.drain.until <= now
        if drained or any(network.has_dead for network in self.networks.values()):
            return now
        others = [self.reconciler.retry.next(now), self.reconciler.contests.next(now)]
        others += [self.drain.until, self.planner.footings.deadline(), self.repairs.deadline(now)]
        others.append(self.reconciler.moves.deadline())
        return min((time for time in (*times, *others) if time is not None and time > now), default=None)
