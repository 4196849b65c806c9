"""Runs a network's speaker: starts it, configures it, carries requests to it and its events to the core.

The process ends when the daemon does, as its end of the channel is then closed, and another is forked when it
dies. Events come in the order of the channel. While `on_event` has something
to wait for, nothing more is read: the speaker spools, and at last its peers have to wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from vrfbgp.events import DownCause, DownKind, SessionDown, SpeakerEvent, SpeakerExited, SpeakerStarted
from vrfbgp.model import IPNetwork, PeerId
from vrfbgp.requests import (
    Announce,
    RequestRefresh,
    ResetSession,
    SendEndOfRib,
    SessionConfig,
    Withdraw,
)
from vrfbgp.speaker import command, render
from vrfbgp.speaker.frames import Frames
from vrfbgp.speaker.listen import Listeners
from vrfbgp.speaker.listener import SILENCE
from vrfbgp.speaker.nursery import LAST_LINES, PATIENCE, Child, NoSpeaker, Nursery, read_lines
from vrfbgp.speaker.report import ChannelBroken, Reports
from vrfbgp.speaker.wire import ACCEPT, CALL, CLOSE, RELOAD, Kind

log = logging.getLogger(__name__)

Consumer = Callable[[SpeakerEvent], Awaitable[None] | None]
"""Takes an event. If it returns an awaitable, the next event comes when that is done."""
SpeakerCommand = Announce | Withdraw | SendEndOfRib | RequestRefresh | ResetSession

FIRST_PAUSE, LONGEST_PAUSE, LONG_LIFE = 0.2, 30.0, 60.0
"""Seconds before a speaker that died is started again, doubled each time; a life after which it begins
anew."""
EXIT_NOT_STARTED = 127


class Speaker:
    """The speaker of one network. All methods are to be called in the event loop.

    `run_dir` is made if it isn't there (0700) and gets the ExaBGP configuration (0600: it has passwords).
    The processes come from `nursery`, the calls of passive sessions' peers from `listeners`.
    """

    def __init__(
        self,
        network: str,
        run_dir: Path,
        on_event: Consumer,
        nursery: Nursery,
        listeners: Listeners | None = None,
    ) -> None:
        self.network = network
        self._run_dir = run_dir
        self._on_event = on_event
        self._nursery = nursery
        self._listeners = listeners or Listeners()
        self._config = run_dir / f"exabgp-{re.sub(r'[^A-Za-z0-9._-]', '_', network)}.conf"
        self._sessions: dict[PeerId, SessionConfig] = {}
        self._announced: dict[tuple[PeerId, IPNetwork], Announce] = {}
        self._epoch = 0
        self._number = 0
        self._asked: dict[int, str] = {}
        self._writer: asyncio.WriteTransport | None = None
        self._calls: socket.socket | None = None
        self._unheard: dict[PeerId, socket.socket] = {}
        """Who called while there is no process; of each the last call."""
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()
        self._settled = asyncio.Event()
        self._leaving = False
        self._outdated = False
        self._greeted = False
        self._established: Mapping[PeerId, int] = {}
        self._silent_until = 0.0
        self._refusals: set[asyncio.Future[None]] = set()

    # -- what the core asks ----------------------------------------------------------------------

    def configure(self, sessions: Sequence[SessionConfig]) -> None:
        """Hold these sessions from now on, and none: say farewell to the peers and end.

        Sessions whose configuration did not change stay as they are. One that can't be had is refused with a
        `SessionDown`, and does not hold up the others.
        """
        accepted, refused = render.accept(sessions)
        if accepted:
            try:
                self._write_config(render.render(accepted))
            except OSError as error:
                reason = f"cannot write {self._config}: {error.strerror}; the sessions stay as they were"
                log.error("speaker %s: %s", self.network, reason)
                for session in accepted:
                    self._refuse(session.peer, reason)
                return
        before, self._sessions = self._sessions, {session.peer: session for session in accepted}
        for peer in [peer for peer in self._unheard if before.get(peer) != self._sessions.get(peer)]:
            self._unheard.pop(peer).close()
        self._announced = {key: route for key, route in self._announced.items() if key[0] in self._sessions}
        self._settled.clear()
        if accepted:
            self._wanted.set()
            if self._task is None:
                self._task = asyncio.create_task(self._supervise(), name=f"speaker {self.network}")
                self._task.add_done_callback(self._ended)
            elif self._writer is None:
                self._outdated = True
            elif not self._leaving:
                self._ask(RELOAD)
                self._announce_again(
                    [peer for peer, new in self._sessions.items() if before.get(peer) != new]
                )
        else:
            self._wanted.clear()
            if self._writer is None:
                # A process that is just being made is told when it says hello.
                self._settled.set()
            elif not self._leaving:
                self._leave()
        # Behind the command that makes them known: what they answer is behind it, too.
        self._listeners.expect(self.network, accepted, self._called, self._not_called)
        for refusal in refused:
            log.error("%s", refusal)
            self._refuse(refusal.session.peer, refusal.reason)

    def send(self, request: SpeakerCommand) -> None:
        """Carry a request to the speaker; dropped while there is none, as `SpeakerStarted` asks for all
        again."""
        session = self._sessions.get(request.peer)
        if session is None or self._writer is None or self._leaving:
            log.debug("speaker %s: no session with %s for %s", self.network, request.peer, request)
            return
        if isinstance(request, Announce):
            self._announced[request.peer, request.prefix] = request
            self._ask(command.announce(request, session))
        elif isinstance(request, Withdraw):
            self._announced.pop((request.peer, request.prefix), None)
            self._ask(command.withdraw(request))
        elif isinstance(request, SendEndOfRib):
            self._ask(command.end_of_rib(request))
        elif isinstance(request, RequestRefresh):
            self._ask(command.refresh(request))
        else:
            self._ask(command.reset(request))

    async def settled(self) -> None:
        """Wait until the last configuration is in force."""
        await self._settled.wait()

    async def stop(self) -> None:
        """End the process without a word to the peers: their graceful restart covers the gap."""
        self._wanted.clear()
        self._listeners.forget(self.network)
        while self._unheard:
            self._unheard.popitem()[1].close()
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        return self._child.pid if self._child is not None else None

    # -- the process -----------------------------------------------------------------------------

    async def _supervise(self) -> None:
        pause = FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        while True:
            await self._wanted.wait()
            begun = clock()
            reports = Reports(self.network)
            self._established = reports.established
            status: int | None
            try:
                status, text = await self._life(reports)
            except OSError as error:
                status, text = EXIT_NOT_STARTED, str(error)
                if isinstance(error, NoSpeaker) and error.status is not None:
                    status = error.status
            for peer, epoch in reports.established.items():
                cause = DownCause(DownKind.SPEAKER_ENDED, text="the speaker ended")
                await self._emit(SessionDown(peer, epoch, cause))
            if self._leaving:
                if not self._wanted.is_set():
                    self._settled.set()
                continue
            log.error(
                "speaker %s ended with status %s: %s",
                self.network,
                "unknown" if status is None else status,
                text or "no last words",
            )
            await self._emit(SpeakerExited(self.network, status, text))
            if clock() - begun > LONG_LIFE:
                pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _life(self, reports: Reports) -> tuple[int | None, str]:
        """One process, from its start to its end: its exit status and last words."""
        self._leaving = self._outdated = self._greeted = False
        lines: deque[str] = deque(maxlen=LAST_LINES)
        ours, theirs = socket.socketpair()
        calling, called = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, calling:
            with theirs, called:
                said, saying = os.pipe()
                listening = asyncio.create_task(self._listen(said, lines))
                fds = theirs.fileno(), saying, called.fileno()
                try:
                    child = await self._nursery.start(*fds, self._epoch, self._config)
                finally:
                    os.close(saying)
            self._child = child
            calling.setblocking(False)
            self._calls = calling
            try:
                frames = Frames(partial(self._take, reports))
                loop = asyncio.get_running_loop()
                self._writer, _ = await loop.create_unix_connection(lambda: frames, sock=ours)
                await frames.ended()
            except ChannelBroken as error:
                lines.append(str(error))
            finally:
                status = await self._end(child)
                await listening
        return status, "; ".join(lines)

    def _take(
        self, reports: Reports, kind: Kind, index: int, number: int, payload: bytes
    ) -> Awaitable[None] | None:
        if kind is Kind.ANSWER:
            self._answered(number, payload.decode())
            return None
        if kind is Kind.HELLO:
            self._greeted = True
            if not self._sessions:
                self._leave()
                return None
            if self._outdated:
                self._ask(RELOAD)
            self._settle()
            while self._unheard:
                self._put_through(*self._unheard.popitem())
            return self._on_event(SpeakerStarted(self.network))
        event = reports.event(kind, index, number, payload)
        self._epoch = max(self._epoch, number)
        return None if event is None else self._on_event(event)

    async def _end(self, child: Child) -> int | None:
        """Close the channel, which ends the process; see that it is gone. Its exit status."""
        writer, self._writer = self._writer, None
        self._child = self._calls = None
        self._greeted = False
        self._announced.clear()
        self._asked.clear()
        if writer is not None:
            writer.abort()
        # Not asyncio.timeout: before Python 3.11.3 it does not work while a task is being cancelled.
        ended = asyncio.ensure_future(child.wait())
        try:
            done, _ = await asyncio.wait({ended}, timeout=PATIENCE)
            if not done:
                child.kill()
            return await ended
        finally:
            ended.cancel()
            child.forget()

    async def _listen(self, said: int, lines: deque[str]) -> None:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        pipe = os.fdopen(said, "rb", buffering=0)
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
        try:
            await read_lines(reader, f"speaker {self.network}", lines)
        finally:
            transport.close()

    # -- passive sessions ------------------------------------------------------------------------

    def _called(self, session: SessionConfig, io: socket.socket) -> None:
        """Take over the connection that a peer has made."""
        if self._greeted and not self._leaving:
            self._put_through(session.peer, io)
            return
        if before := self._unheard.pop(session.peer, None):
            before.close()
        self._unheard[session.peer] = io

    def _not_called(self, peer: PeerId, reason: str) -> None:
        """Tell why a peer does not get through, unless it has."""
        if peer not in self._established:
            self._refuse(peer, reason)

    def _put_through(self, peer: PeerId, io: socket.socket) -> None:
        assert self._calls is not None
        with io:
            try:
                socket.send_fds(self._calls, [CALL], [io.fileno()])
            except OSError as error:
                self._turned_away(f"{peer} called, but that can't be passed on: {error.strerror}")
                return
        self._ask(command.accept(peer))

    def _turned_away(self, reason: str) -> None:
        """A peer may call as often as it likes, but not fill the log."""
        now = asyncio.get_running_loop().time()
        if reason and now >= self._silent_until:
            self._silent_until = now + SILENCE
            log.warning("speaker %s turned a call away: %s", self.network, reason)

    # -- the channel -----------------------------------------------------------------------------

    def _ask(self, line: str) -> None:
        assert self._writer is not None
        self._number += 1
        self._asked[self._number] = line
        self._writer.write(f"{self._number} {line}\n".encode("ascii"))

    def _answered(self, number: int, failure: str) -> None:
        line = self._asked.pop(number, "?")
        if line.startswith(ACCEPT):
            self._turned_away(failure)
        elif failure:
            log.error("speaker %s refused %r: %s", self.network, line, failure)
        if line == RELOAD:
            self._settle()

    def _leave(self) -> None:
        self._leaving = True
        self._ask(CLOSE)

    def _settle(self) -> None:
        if RELOAD not in self._asked.values():
            self._settled.set()

    def _announce_again(self, peers: Sequence[PeerId]) -> None:
        """ExaBGP forgets what was announced to a peer whose addresses, AS numbers or router id changed."""
        for (peer, _), route in self._announced.items():
            if peer in peers:
                self._ask(command.announce(route, self._sessions[peer]))

    async def _emit(self, event: SpeakerEvent) -> None:
        waiting = self._on_event(event)
        if waiting is not None:
            await waiting

    def _refuse(self, peer: PeerId, reason: str) -> None:
        cause = DownCause(DownKind.CONNECT_FAILED, text=reason)
        telling = asyncio.ensure_future(self._emit(SessionDown(peer, 0, cause)))
        self._refusals.add(telling)
        telling.add_done_callback(self._refusals.discard)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            context = {"message": f"speaker {self.network} is no longer supervised", "exception": error}
            task.get_loop().call_exception_handler(context)

    def _write_config(self, text: str) -> None:
        self._run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, name = tempfile.mkstemp(prefix=f".{self._config.name}.", dir=self._run_dir)
        with os.fdopen(fd, "w") as file:
            file.write(text)
        os.replace(name, self._config)
