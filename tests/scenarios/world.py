"""One daemon's world: the core, the fake kernel, its speakers and routers, and a clock.

Effects are performed as the daemon performs them: speakers first, then operations, then reads. After every
single operation the promises that hold at any moment are checked (`Promises`).
"""

from __future__ import annotations

import errno
from collections import deque
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address

from tests.scenarios.fake_kernel import Crash, FakeKernel
from tests.scenarios.notation import Config, Words, request_in_words
from tests.scenarios.promises import Promises
from tests.unit.rib import wire
from vrfbgp.core import Core, Effects
from vrfbgp.events import (
    Applied,
    ConfigLoaded,
    DownCause,
    DownKind,
    DrainAsked,
    DrainUndone,
    Event,
    Negotiated,
    PeerRestart,
    Refresh,
    RefreshPhase,
    SessionDown,
    SessionUp,
    SpeakerExited,
    SpeakerStarted,
    Updates,
)
from vrfbgp.model import Family, PeerId
from vrfbgp.notes import Note
from vrfbgp.operations import Operation
from vrfbgp.requests import (
    Announce,
    ConfigureSpeaker,
    CountTable,
    ReadLinks,
    ReadNexthops,
    ReadRules,
    ReadTable,
    ReadTables,
    RequestRefresh,
    SessionConfig,
    SpeakerRequest,
    Withdraw,
)

_READS = (CountTable, ReadLinks, ReadNexthops, ReadRules, ReadTable, ReadTables)
ROUNDS = 200


@dataclass
class Router:
    """A peer: what it announces, as long as nobody takes it back."""

    restart_time: int = 0
    announced: dict[str, dict[str, object]] = field(default_factory=dict)
    """Attributes (as `wire.update` takes them) by prefix."""
    silent: bool = False
    """It sends no End-of-RIB by itself."""


@dataclass
class FakeSpeaker:
    """What a network's speaker was told, and its sessions that are up."""

    sessions: dict[PeerId, SessionConfig] = field(default_factory=dict)
    up: dict[PeerId, int] = field(default_factory=dict)
    announced: set[tuple[PeerId, str]] = field(default_factory=set)
    """What it announces, whenever the session is up."""


class World:
    """Everything around one core; `start` gives it a new one on the same kernel."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.kernel = FakeKernel()
        self.words = Words(self.kernel)
        self.kernel.in_words = self.words.operation
        self.kernel.after_each = self._check
        self.config: Config | None = None
        self.routers: dict[PeerId, Router] = {}
        self.asked: list[str] = []
        """Requests to speakers since a step looked."""
        self.looked = 0
        """How much of the kernel's record a step has looked at."""
        self.notes: list[Note] = []
        self.paused = False
        self.answering = True
        """The kernel's writer answers; else `Applied` is kept back."""
        self.drained = False
        """The operator's word, which the daemon finds at its start."""
        self.promises = Promises(self)
        self._epoch = 0
        self.alive = False
        self.compare_every: float | None = None
        self._reset()

    def _reset(self) -> None:
        self.core = Core(self.compare_every)
        self.speakers: dict[str, FakeSpeaker] = {}
        self._events: deque[Event] = deque()
        self._kept: list[Applied] = []
        self._wake: float | None = None
        self.kernel.told.clear()

    # -- what a scenario does --------------------------------------------------------------------

    def start(self) -> None:
        """The daemon starts, on the kernel as it is, with the config as it is."""
        self._reset()
        self.alive = True
        if self.drained:
            self._events.append(DrainAsked(0.0))
        if self.config is not None:
            self._events.append(ConfigLoaded(self.config.intent))

    def load(self, config: Config) -> None:
        """The config files are saved."""
        self.promises.config(self.config, config)
        self.config = config
        self.post(ConfigLoaded(config.intent))

    def post(self, event: Event) -> None:
        """An event, if there is a daemon to hear it."""
        if self.alive:
            self._events.append(event)

    def drain(self, wait: float | None) -> None:
        """The operator's word; None: taken back. It reaches a daemon that runs."""
        self.drained = wait is not None
        self.post(DrainUndone() if wait is None else DrainAsked(wait))

    def establish(self, peer: PeerId, restarting: bool = False, preserved: bool = True) -> None:
        """The session comes up."""
        speaker = self.speakers.get(peer.network)
        if speaker is None or peer not in speaker.sessions:
            raise AssertionError(f"no session with {peer} is configured: it can't come up")
        router, session = self.routers.setdefault(peer, Router()), speaker.sessions[peer]
        self._epoch += 1
        speaker.up[peer] = self._epoch
        kept = session.families if preserved else frozenset()
        graceful = PeerRestart(router.restart_time, restarting, kept) if router.restart_time else None
        negotiated = Negotiated(
            peer_as=session.peer_as,
            router_id=str(IPv4Address(int(peer.address) & 0xFFFFFFFF)),
            local_address=session.local_address,
            hold_time=session.hold_time,
            families=session.families,
            extended_next_hop=session.families == frozenset(Family) and peer.address.version == 6,
            restart=graceful,
            route_refresh=True,
            enhanced_refresh=True,
        )
        self.post(SessionUp(peer, self._epoch, negotiated))
        for prefix, attributes in router.announced.items():
            self.send(peer, wire.update([prefix], **attributes))  # type: ignore[arg-type]
        if not router.silent:
            for family in session.families:
                self.send(peer, wire.end_of_rib(family))

    def send(self, peer: PeerId, octets: bytes) -> None:
        """The peer sends UPDATEs, if its session is up."""
        speaker = self.speakers.get(peer.network)
        if speaker is not None and peer in speaker.up:
            self.post(Updates(peer, speaker.up[peer], octets))

    def fall(self, peer: PeerId, cause: DownCause) -> None:
        """The session ends; with epoch 0 if it was not up."""
        speaker = self.speakers[peer.network]
        epoch = speaker.up.pop(peer, 0)
        self.post(SessionDown(peer, epoch, cause))

    def routers_return(self) -> None:
        """Every configured session comes up, and each router sends all it has."""
        for speaker in list(self.speakers.values()):
            for peer in list(speaker.sessions):
                if peer not in speaker.up:
                    self.establish(peer)

    def speaker_dies(self, network: str) -> None:
        """The process is killed; its supervisor starts another with the same config."""
        speaker = self.speakers[network]
        speaker.announced.clear()
        ended = DownCause(DownKind.SPEAKER_ENDED, text="the speaker ended")
        for peer in list(speaker.up):
            self.fall(peer, ended)
        self.post(SpeakerExited(network, 9))
        self.post(SpeakerStarted(network))

    def kill(self) -> None:
        """The daemon and its speakers are gone; the kernel stays."""
        self.alive = False
        self._reset()

    def pass_time(self, seconds: float) -> None:
        """Let time pass, waking the core whenever it asked to be woken."""
        end = self.now + seconds
        while True:
            self.settle()
            wake = self._wake
            if wake is None or wake > end or self.paused:
                break
            self.now = max(self.now, wake)
        self.now = end
        self.settle()

    def answer(self) -> None:
        """The writer answers again, and first for what it kept back."""
        self.answering = True
        self._events.extend(self._kept)
        self._kept.clear()

    # -- the loop of the daemon ------------------------------------------------------------------

    def settle(self) -> None:
        """Go on until nothing more happens without time."""
        if self.paused or not self.alive:
            return
        try:
            for _ in range(ROUNDS):
                while self.kernel.told:
                    told = self.kernel.told.popleft()
                    self._events.append(self.kernel.read(told) if isinstance(told, _READS) else told)
                while self._events:
                    self.core.handle(self._events.popleft(), self.now)
                while (effects := self.core.effects(self.now)).urgent:
                    self.kernel.apply(0, effects.urgent)
                self._wake = effects.wake
                due = effects.wake is not None and effects.wake <= self.now
                if not self._perform(effects) and not self._events and not self.kernel.told and not due:
                    self._see_that_nothing_was_left_out()
                    if not self._kept and not len(self.core.reconciler.retry):
                        self.promises.quiet()
                    return
        except Crash:
            self.kernel.crash_before = None
            self.kill()
            return
        raise AssertionError(f"the core does not come to rest: {effects}")

    def _see_that_nothing_was_left_out(self) -> None:
        """A turn that does only what depends on what changed comes to the same as one that does all."""
        self.core.stir()
        more = self.core.effects(self.now)
        left_out = (*more.urgent, *more.speakers, *more.operations, *more.reads, *more.notes)
        assert not left_out, f"left out: {left_out}"
        assert more.wake == self._wake

    def _perform(self, effects: Effects) -> bool:
        self.notes += effects.notes
        for request in effects.speakers:
            self.asked.append(request_in_words(request))
            self._ask(request)
        if effects.operations:
            applied = self.kernel.apply(effects.serial, effects.operations)
            if self.answering:
                self._events.append(applied)
            else:
                self._kept.append(applied)
        for read in effects.reads:
            self._events.append(self.kernel.read(read))
        return bool(effects.speakers or effects.operations or effects.reads)

    def _ask(self, request: SpeakerRequest) -> None:
        match request:
            case ConfigureSpeaker(network, sessions):
                self._configure(network, sessions)
            case Announce(peer, prefix) if peer in self._sessions(peer):
                self.speakers[peer.network].announced.add((peer, str(prefix)))
            case Withdraw(peer, prefix) if peer in self._sessions(peer):
                self.speakers[peer.network].announced.discard((peer, str(prefix)))
            case RequestRefresh(peer, family):
                self._refresh(peer, family)
        self.promises.check()

    def _refresh(self, peer: PeerId, family: Family) -> None:
        """The router sends all it has again, and says where that begins and ends (RFC 7313)."""
        epoch = self.speakers[peer.network].up.get(peer, 0)
        self.post(Refresh(peer, epoch, family, RefreshPhase.BEGIN))
        for prefix, attributes in self.routers[peer].announced.items():
            if self.family(prefix) is family:
                self.send(peer, wire.update([prefix], **attributes))  # type: ignore[arg-type]
        self.post(Refresh(peer, epoch, family, RefreshPhase.END))

    def _sessions(self, peer: PeerId) -> dict[PeerId, SessionConfig]:
        speaker = self.speakers.get(peer.network)
        return speaker.sessions if speaker else {}

    def _configure(self, network: str, sessions: tuple[SessionConfig, ...]) -> None:
        speaker = self.speakers.setdefault(network, FakeSpeaker())
        began = not speaker.sessions and sessions
        before, speaker.sessions = speaker.sessions, {session.peer: session for session in sessions}
        for peer, session in before.items():
            now = speaker.sessions.get(peer)
            # The device takes effect at the next connect, a description never.
            same = now is not None and replace(now, source_interface=session.source_interface) == session
            if not same and peer in speaker.up:
                self.fall(peer, DownCause(DownKind.CONFIGURED, text="the configuration changed"))
        speaker.announced = {one for one in speaker.announced if one[0] in speaker.sessions}
        for session in sessions:
            if before.get(session.peer) != session:
                self.promises.session(session)
        if began:
            self.post(SpeakerStarted(network))

    def _check(self, operation: Operation) -> None:
        self.promises.check()

    # -- what a scenario looks at ----------------------------------------------------------------

    def operations(self) -> list[str]:
        """Operations since the last look, in words; a refused one with its errno."""
        found = self.kernel.record[self.looked :]
        self.looked = len(self.kernel.record)
        return [words if not number else f"{words} !{errno.errorcode[number]}" for _, words, number in found]

    def peer(self, text: str) -> PeerId:
        """`red/172.16.1.140`, or `red` if it has one peer."""
        assert self.config is not None
        known = [p.id for network in self.config.intent.networks for p in network.peers]
        known += self.routers
        for peer in known:
            if text in (str(peer), peer.network):
                return peer
        raise AssertionError(f"no such peer: {text}")

    def family(self, prefix: str) -> Family:
        return Family.IPV6 if ":" in prefix else Family.IPV4
