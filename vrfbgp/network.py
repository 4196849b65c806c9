"""One external network at work: its peers' sessions, what they announced, and whether that is all.

A network is *in sync* once each of its peers has said End-of-RIB in every family, or has used up its time
(`SYNC_TIME` from its session's start, or from the network's if there is no session). Only then may
anything be deleted from its table that an earlier life of ours left there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv4Address
from math import inf

from vrfbgp import limits, replay
from vrfbgp.events import (
    DownCause,
    DownKind,
    Refresh,
    RefreshPhase,
    SessionDown,
    SessionUp,
    Updates,
)
from vrfbgp.intent import LimitAction, NetworkIntent, Problem
from vrfbgp.limits import Level
from vrfbgp.model import Family, Nlri, PeerId
from vrfbgp.requests import RequestRefresh, ResetSession, SessionConfig
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.best import Decision
from vrfbgp.rib.decode import Decoder
from vrfbgp.rib.errors import Fault, SessionError
from vrfbgp.rib.loc import LocRib
from vrfbgp.rib.paths import Paths
from vrfbgp.rib.table import UNLIMITED
from vrfbgp.rib.update import Update
from vrfbgp.session import Session, import_policy
from vrfbgp.uplinks import Uplinks

SYNC_TIME = 60.0
"""Seconds that a peer has for its End-of-RIB before the network counts as in sync without it."""

MAX_PREFIXES = 6, 1
"""Cease, Maximum Number of Prefixes Reached (RFC 4486)."""
LOST = DownCause(DownKind.UPLINK_LOST, text="its device, or the address it speaks from, is gone or down")
_RETAINING = frozenset({DownKind.CONNECTION_LOST, DownKind.HOLD_TIMER})
"""Ends of a session that a gracefully restarting peer may cause (RFC 4724 4.2)."""


class Network:
    """The state of one ExternalNetwork from its first to its last config."""

    def __init__(self, intent: NetworkIntent, now: float) -> None:
        self.intent = intent
        self.sessions: dict[PeerId, Session] = {}
        self.loc = LocRib(_decision(intent), backups=intent.backup_routes)
        self.uplinks = Uplinks()
        self.in_sync = False
        self._since = now
        self.configured: tuple[SessionConfig, ...] = ()
        """What the speaker was last told."""
        self.speaking = False
        """The speaker runs and takes announcements."""
        self._levels: dict[PeerId | None, Level] = {}
        """How near the limits are that there are, the network's own under None."""
        self.limits_changed = False
        """Something is to be told of a limit, or a session is to rest, or to rest no longer."""
        self._dead: list[PeerId] = []
        self._mourned: list[PeerId] = []
        self.configure(intent, now)

    def configure(self, intent: NetworkIntent, now: float) -> None:
        """Take over a new config: peers that are gone lose their paths, changed policies are applied."""
        edit, self.intent = replay.Edit(self.intent, intent), intent
        self.loc.configure(_decision(intent), intent.backup_routes, intent.max_routes or UNLIMITED)
        wanted = {peer.id: peer for peer in intent.peers if not peer.degraded}
        for gone in self.sessions.keys() - wanted.keys():
            self._end(gone)
        for peer_id, peer in wanted.items():
            session = self.sessions.get(peer_id)
            if session is None:
                policy = import_policy(intent, peer)
                self.sessions[peer_id] = Session(peer_id, peer, policy, now + SYNC_TIME, since=now)
                continue
            if session.intent != peer:
                session.beyond, session.rests_until = False, None
            missing = edit.gives_room(session.intent, peer, self._adjs(session))
            session.intent = peer
            self.limits_changed |= replay.wish(session, missing)
            self._apply_policy(session, session.policy.subject.device)
            self._measure(session)

    def attach(self, uplinks: Uplinks) -> None:
        """Links, addresses or the user's own routes changed."""
        self.uplinks = uplinks
        self.loc.set_reach(uplinks.reach)
        for peer, attachment in uplinks.attachments.items():
            if peer in self.sessions:
                self._apply_policy(self.sessions[peer], attachment.device)

    def _apply_policy(self, session: Session, device: str | None) -> None:
        policy = import_policy(self.intent, session.intent, device)
        if policy != session.policy:
            session.policy = policy
            forgotten = [adj for adj in self._adjs(session) if adj.forgot]
            self.loc.reconsider(session.peer, policy)
            replay.wish(session, forgotten)
            session.misses |= session.up and any(adj.forgot for adj in forgotten)

    def _adjs(self, session: Session) -> Collection[AdjRibIn]:
        return self.loc.adj_in.get(session.peer, {}).values()

    def take_refreshes(self) -> list[RequestRefresh]:
        """What peers are to be asked to send again since the last call."""
        return replay.take(self.sessions.values())

    def rests(self, peer: PeerId) -> bool:
        """Whether the peer announced more than it may, and is to have no session for a while."""
        session = self.sessions.get(peer)
        return session is not None and session.rests_until is not None

    # -- what the speaker says --

    def session_up(self, event: SessionUp, now: float) -> bool:
        """A session reached Established; whether it is one that we want."""
        session = self.sessions.get(event.peer)
        if session is None:
            return False
        self._bury(event.peer)
        session.epoch, session.negotiated, session.state = event.epoch, event.negotiated, "established"
        internal = session.intent.internal
        session.decoder = Decoder(event.negotiated, internal)
        session.paths = Paths(session.peer, internal, int(IPv4Address(event.negotiated.router_id)))
        session.since, session.deadline = now, now + SYNC_TIME
        session.ended, session.end_of_rib_due = set(), True
        session.faults_told = 0
        for adj in self._adjs(session):
            adj.complete()
        self.limits_changed |= session.misses
        session.misses = False
        self._measure(session)
        for family in set(Family) - event.negotiated.families:
            self.loc.forget(event.peer, family)
        if session.stale_until is not None:
            session.stale_until = now + SYNC_TIME
            restart = event.negotiated.restart
            if session.peer_restarts and (restart is None or restart.restarting):
                for family in set(Family) - (restart.forwarding if restart else frozenset()):
                    self.loc.forget(event.peer, family)
        return True

    def updates(self, event: Updates, now: float) -> list[ResetSession]:
        """UPDATEs of a session, applied in order; those of an ended session are not."""
        session = self.sessions.get(event.peer)
        if session is None or session.epoch != event.epoch:
            return []
        decoder, paths = session.decoder, session.paths
        if decoder is None or paths is None:
            return []
        resets: list[ResetSession] = []
        gone: dict[Family, list[Nlri]] = {}
        timed = session.heard(now)
        for found in decoder.block(event.block):
            if isinstance(found, SessionError):
                resets.append(ResetSession(event.peer, found.code, found.subcode))
                break
            session.updates += found.messages
            if timed:
                session.arrivals.note(found, now)
            if not found.announced and found.end_of_rib is None:
                # Mostly one prefix in each of very many UPDATEs: they are withdrawn together.
                for family, nlri, _ in found.withdrawn:
                    gone.setdefault(family, []).extend(nlri)
                continue
            if gone:
                self._withdraw(session, gone)
            self._apply(session, paths, found)
        self._withdraw(session, gone)
        session.heard(now)
        if self._look_at_limits(session):
            resets.append(ResetSession(event.peer, *MAX_PREFIXES))
        return resets

    def new_faults(self, peer: PeerId) -> list[Fault]:
        """Kinds of malformed UPDATEs that are new in this session (RFC 7606 8 wants them told)."""
        session = self.sessions.get(peer)
        if session is None or session.decoder is None:
            return []
        kinds = len(session.decoder.faults)
        if kinds == session.faults_told:
            return []
        new = list(session.decoder.faults)[session.faults_told :]
        session.faults_told = kinds
        return new

    def refresh(self, event: Refresh, now: float) -> None:
        """The peer sends all it has once more (RFC 7313 4.2); what it then leaves out is gone."""
        session = self.sessions.get(event.peer)
        if session is None or session.epoch != event.epoch:
            return
        if event.phase is RefreshPhase.BEGIN:
            replay.begun(session, self.loc.adj(session.peer, event.family), now)
        else:
            self.loc.sweep(session.peer, event.family)
            self._measure(session)

    def session_down(self, event: SessionDown, now: float) -> bool:
        """A session ended, or could not come up; whether one that was up ended."""
        session = self.sessions.get(event.peer)
        if session is None or event.epoch not in (0, session.epoch):
            return False
        configured = event.cause.kind is DownKind.CONFIGURED
        if configured and not event.epoch and not self._holds(event.peer):
            return False  # We called the try off, and know why.
        session.last_error = event.cause
        if not event.epoch:
            return False
        if session.beyond and session.rests_until is None and session.intent.max_prefixes is not None:
            rest = session.intent.max_prefixes.restart_after
            session.rests_until = inf if rest is None else now + rest
            self.limits_changed = True
        negotiated = session.negotiated
        restart = negotiated.restart if negotiated else None
        if restart is not None and negotiated is not None and not restart.families & negotiated.families:
            restart = None  # It only asks for End-of-RIB (RFC 4724 3): none of its paths is kept.
        if session.unreached:
            self._dead.append(event.peer)
            session.stale_until = None
        elif (
            event.cause.kind is DownKind.SPEAKER_ENDED
            or session.renewing
            or (configured and self._holds(event.peer))
        ):
            # Of our own making: the peer forwards on, and sends all it has to the session that follows.
            self.loc.retain(event.peer)
            session.peer_restarts = False
            session.stale_until = now + self.intent.stale_time
        elif restart is not None and restart.time and event.cause.kind in _RETAINING:
            if session.stale_until is not None:
                # What it had not sent again since the restart before (RFC 4724 4.2).
                self._sweep(event.peer)
            self.loc.retain(event.peer)
            for family in set(Family) - restart.families:
                self.loc.forget(event.peer, family)
            session.peer_restarts = True
            session.stale_until = now + min(restart.time, self.intent.stale_time)
        else:
            self._dead.append(event.peer)
            session.stale_until = None
        session.epoch, session.negotiated, session.decoder, session.paths = 0, None, None, None
        session.since, session.state, session.renewing = now, "idle", False
        session.refreshes.clear()
        return True

    def failed_by(self, peer: PeerId, cause: DownCause) -> bool:
        """Whether this is how the peer's last session, or try, ended."""
        return peer in self.sessions and self.sessions[peer].last_error == cause

    def reached(self, peer: PeerId, unreached: bool, now: float) -> bool:
        """What a session stands on is lost, or back; whether that is news of a session that is up."""
        session = self.sessions[peer]
        if session.unreached == unreached:
            return False
        session.unreached = unreached
        if session.up:
            session.since = now
            session.last_error = LOST if unreached else session.last_error
        return session.up

    def moved(self, peer: PeerId, ifindex: int) -> bool:
        """The peer is reached by this device; whether that is another than its session was begun on.

        A connection is bound to its device. One that was deleted, and made anew under its name, is another.
        """
        session = self.sessions[peer]
        before, session.ifindex = session.ifindex, ifindex
        session.renewing |= session.up and before not in (None, ifindex)
        return session.up and before not in (None, ifindex)

    def speaker_exited(self, cause: DownCause, now: float) -> list[PeerId]:
        """All sessions ended with their process; the peers that were up. Their paths stay."""
        self.speaking = False
        up = [peer for peer, session in self.sessions.items() if session.up]
        for peer in up:
            self.session_down(SessionDown(peer, self.sessions[peer].epoch, cause), now)
        return up

    def told(self, sessions: tuple[SessionConfig, ...], now: float) -> None:
        """The speaker is told to hold just these sessions: the others end, whatever it still says of them."""
        held = {session.peer for session in sessions}
        before, self.configured = self.configured, sessions
        for session in before:
            state = self.sessions.get(session.peer)
            if session.peer not in held and state is not None:
                cause = DownCause(DownKind.CONFIGURED, text="the session can't be held any more")
                self.session_down(SessionDown(session.peer, state.epoch, cause), now)
        self.speaking = self.speaking and bool(sessions)

    def _holds(self, peer: PeerId) -> bool:
        """Whether the speaker is to have a session with a peer."""
        return any(session.peer == peer for session in self.configured)

    # -- time --

    def tick(self, now: float) -> bool:
        """Let what is overdue happen; whether the network just came in sync."""
        for peer, session in self.sessions.items():
            if session.next_refresh <= now and replay.wish(session, self._room_again(session)):
                session.next_refresh = now + replay.PAUSE
                self.limits_changed = True
            if session.rests_until is not None and session.rests_until <= now:
                session.beyond, session.rests_until = False, None
                self._at(peer, Level.BELOW)
                self.limits_changed = True
            if session.stale_until is not None and session.stale_until <= now:
                session.stale_until = None
                if session.up:
                    self._sweep(peer)
                else:
                    self._dead.append(peer)
        if self.in_sync or not all(session.told_all(now) for session in self.sessions.values()):
            return False
        if self.lacks_sessions and now < self._since + SYNC_TIME:
            return False
        self.in_sync = True
        return True

    def take_dead(self) -> list[PeerId]:
        """Peers that were given up since the last call, and whose next hops may go at once.

        Their paths are still there: to forget half a million takes longer than what has to happen first.
        Without backups nothing may go: routes that lead elsewhere are replaced, never missing in between.
        """
        dead, self._dead = self._dead, []
        self._mourned += dead
        return dead if self.intent.backup_routes else []

    @property
    def has_dead(self) -> bool:
        """Whether a peer was given up since the last `take_dead`."""
        return bool(self._dead)

    def bury(self) -> None:
        """Forget the paths of all peers that were given up."""
        for peer in self._mourned + self._dead:
            self._bury(peer)

    def _bury(self, peer: PeerId) -> None:
        if peer in self._mourned or peer in self._dead:
            self.loc.forget(peer)
            self._at(peer, Level.BELOW)
            self._at(None, self._network_level())
            self._mourned = [other for other in self._mourned if other != peer]
            self._dead = [other for other in self._dead if other != peer]

    def deadlines(self) -> list[float]:
        """Times at which `tick` has, or had, something to do."""
        times = [s.stale_until for s in self.sessions.values() if s.stale_until is not None]
        times += [s.rests_until for s in self.sessions.values() if s.rests_until not in (None, inf)]
        times += [s.next_refresh for s in self.sessions.values() if self._room_again(s)]
        if not self.in_sync:
            times += [s.deadline for s in self.sessions.values()]
            times += [self._since + SYNC_TIME] * self.lacks_sessions
        return times

    @property
    def lacks_sessions(self) -> bool:
        """Whether a peer can't have a session as the config stands: its Secret is not mounted yet, say."""
        return any(peer.degraded for peer in self.intent.peers)

    def limit_problems(self) -> Iterator[Problem]:
        """What is to be told of limits, and from now on is."""
        self.limits_changed = False
        for peer, session in self.sessions.items():
            found = self._levels.get(peer, Level.BELOW)
            resting = session.rests_until is not None
            deaf = session.negotiated is not None and not session.negotiated.route_refresh
            yield from limits.peer_problem(session.intent, found, resting=resting, deaf=deaf)
            yield from replay.problem(session)
        yield from limits.network_problem(self.intent, self._levels.get(None, Level.BELOW))

    def _look_at_limits(self, session: Session) -> bool:
        """See how near the limits are; whether the session is to end for it."""
        limit = session.intent.max_prefixes
        if limit is None and self.intent.max_routes is None:
            return False
        found = self._measure(session)
        if found is not Level.BEYOND or session.beyond or limit is None:
            return False
        session.beyond = limit.action is LimitAction.RESTART
        return session.beyond

    def _measure(self, session: Session) -> Level:
        """How near its limit the peer is; the network's is looked at, too."""
        levels = (limits.peer_level(session.intent, adj) for adj in self._adjs(session))
        found = max(levels, default=Level.BELOW)
        self._at(session.peer, found)
        self._at(None, self._network_level())
        return found

    def _at(self, peer: PeerId | None, found: Level) -> None:
        self.limits_changed |= found is not self._levels.get(peer, Level.BELOW)
        self._levels[peer] = found

    def _room_again(self, session: Session) -> list[AdjRibIn]:
        return replay.room_again(session, self._adjs(session), self.intent, self.loc.tables)

    def _network_level(self) -> Level:
        # Also when there is room again: what was left out is missing until it is announced once more.
        missing = any(adj.over_network for of in self.loc.adj_in.values() for adj in of.values())
        tables = self.loc.tables.values()
        return max(limits.level(len(table), self.intent.max_routes, dropped=missing) for table in tables)

    def _withdraw(self, session: Session, gone: dict[Family, list[Nlri]]) -> None:
        for family, nlris in gone.items():
            self.loc.withdraw(session.peer, family, nlris)
        gone.clear()

    def _apply(self, session: Session, paths: Paths, update: Update) -> None:
        peer = session.peer
        for withdrawn in update.withdrawn:
            self.loc.withdraw(peer, withdrawn.family, withdrawn.nlri)
        for announced in update.announced:
            path = paths.path(announced.attributes)
            self.loc.announce(peer, announced.family, announced.nlri, path, session.policy)
        if update.end_of_rib is not None:
            session.ended.add(update.end_of_rib)
            if session.stale_until is not None:
                self.loc.sweep(peer, update.end_of_rib)
                if session.complete:
                    session.stale_until = None

    def _sweep(self, peer: PeerId) -> None:
        for family in Family:
            self.loc.sweep(peer, family)
        self._measure(self.sessions[peer])

    def _end(self, peer: PeerId) -> None:
        del self.sessions[peer]
        self._bury(peer)
        self.loc.forget(peer)
        self._levels.pop(peer, None)
        self._at(None, self._network_level())


def _decision(intent: NetworkIntent) -> Decision:
    return Decision(intent.max_paths, intent.always_compare_med, intent.multipath_relax)
