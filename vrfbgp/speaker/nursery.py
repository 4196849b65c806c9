"""The daemon's side of the process that speakers are forked from (`entry`, `brood`).

It is started for the first speaker, and anew for the next one after it died; the speakers that it forked
outlive it. A speaker is followed by its pidfd: a process id could by then be another's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from vrfbgp import itself
from vrfbgp.speaker.wire import LONGEST_ORDER, Answer

log = logging.getLogger(__name__)

PROGRAM = itself.program("vrfbgp.speaker.entry")
LAST_LINES = 10
BIRTH_PATIENCE = 30.0
"""Seconds until a speaker is forked, at most; the first waits for ExaBGP to be loaded."""
STATUS_PATIENCE = 1.0
"""Seconds between the end of a speaker and the news of its exit status, at most."""
PATIENCE = 3.0
"""Seconds that a process has to end by itself."""
AT_ONCE = 16
"""Orders under way: their descriptors count against RLIMIT_NOFILE of the user (unix(7), ETOOMANYREFS)."""


GIVE_BACK = {"MALLOC_MMAP_THRESHOLD_": str(1 << 16)}
"""Environment (mallopt(3)): blocks of so many octets are the kernel's again when they are free. By default
the C library learns from the first of them to keep such blocks: what a speaker spools of a full table (14 MB)
would stay there until all of it is through, when the daemon needs the most."""


class NoSpeaker(OSError):
    """A speaker was not born; says why, and the exit status of the process that should have forked it."""

    def __init__(self, reason: str, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


class Child:
    """A speaker's process."""

    def __init__(self, pid: int, pidfd: int) -> None:
        self.pid = pid
        self.status: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._pidfd = pidfd

    async def wait(self) -> int | None:
        """Wait for its end: its exit status (negative: the signal); None: unknown, who reaps it is gone."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(self._pidfd, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(self._pidfd)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STATUS_PATIENCE):
                return await asyncio.shield(self.status)
        return None

    def kill(self) -> None:
        """SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def forget(self) -> None:
        """It has ended, or is nobody's any more."""
        os.close(self._pidfd)


class Nursery:
    """Where speakers come from. All methods are to be called in the event loop.

    `program` starts the process; the number of a descriptor is added to it.
    """

    def __init__(self, program: Sequence[str] = PROGRAM) -> None:
        self._program = tuple(program)
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._starting = asyncio.Lock()
        self._life: Life | None = None

    @property
    def pid(self) -> int | None:
        """The process that forks, while there is one."""
        return self._life.process.pid if self._life is not None and self._life.takes_orders else None

    async def start(self, channel: int, errors: int, calls: int, epoch: int, config: Path) -> Child:
        """Fork a speaker with these descriptors: its end of the channel, its standard error, its end of the
        socket for calls. Raises NoSpeaker."""
        order = json.dumps({"epoch": epoch, "config": str(config.absolute())}).encode("ascii")
        async with self._turns:
            async with self._starting:
                if self._life is None or not self._life.takes_orders:
                    self._life = await Life.begin(self._program)
                life = self._life
            birth = life.order(order, channel, errors, calls)
            try:
                # Not wait_for: in Python 3.11 it may swallow a cancellation.
                async with asyncio.timeout(BIRTH_PATIENCE):
                    return await birth
            except TimeoutError:
                life.process.kill()
                raise NoSpeaker(f"no speaker was forked in {BIRTH_PATIENCE:g} s") from None
            except asyncio.CancelledError:
                birth.add_done_callback(_forget)
                raise

    async def close(self) -> None:
        """End the process, and with it the speakers that are left."""
        life, self._life = self._life, None
        if life is not None:
            await life.end()


def _forget(birth: asyncio.Future[Child]) -> None:
    """Nobody waits for it any more; without its channel it ends by itself."""
    if not birth.cancelled() and birth.exception() is None:
        birth.result().forget()


class Life:
    """One life of the process that forks."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self.process = process
        self.takes_orders = True
        self._control = control
        self._births: deque[asyncio.Future[Child]] = deque()
        """Orders are answered in turn."""
        self._children: dict[int, Child] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(control, self._hear)
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._ended = asyncio.create_task(self._follow(), name="nursery")

    @classmethod
    async def begin(cls, program: Sequence[str]) -> Life:
        """Start the process. Raises NoSpeaker."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs, contextlib.ExitStack() as unless_begun:
            unless_begun.callback(ours.close)
            try:
                process = await asyncio.create_subprocess_exec(
                    *program,
                    str(theirs.fileno()),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    env=itself.environment() | GIVE_BACK,
                    start_new_session=True,
                )
            except OSError as error:
                raise NoSpeaker(f"cannot start {program[0]}: {error}") from error
            unless_begun.pop_all()
            return cls(process, ours)

    def order(self, packet: bytes, *fds: int) -> asyncio.Future[Child]:
        """Ask for a speaker. Raises NoSpeaker, also by what it returns."""
        try:
            socket.send_fds(self._control, [packet], fds)
        except (BrokenPipeError, ConnectionResetError):
            log.debug("the process that forks speakers just ended; its last words are the answer")
        except OSError as error:
            raise NoSpeaker(f"the process that forks speakers takes no orders: {error.strerror}") from error
        birth: asyncio.Future[Child] = self._loop.create_future()
        self._births.append(birth)
        return birth

    async def end(self) -> None:
        """Close the control socket, which ends the process; see that it is gone."""
        self._hang_up()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(self._ended)
        except TimeoutError:
            self.process.kill()
            await self._ended

    def _hear(self) -> bool:
        """Take one packet; whether there was one."""
        try:
            packet, fds, _, _ = socket.recv_fds(self._control, LONGEST_ORDER, 1)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            packet, fds = b"", []
        if not packet:
            self._hang_up()
            return False
        words = json.loads(packet)
        if Answer.ENDED in words:
            if child := self._children.pop(words[Answer.ENDED], None):
                child.status.set_result(words[Answer.STATUS])
            return True
        birth = self._births.popleft()
        if Answer.BORN in words and fds:
            child = self._children[words[Answer.BORN]] = Child(words[Answer.BORN], fds[0])
            if birth.done():
                child.forget()
            else:
                birth.set_result(child)
        elif not birth.done():
            birth.set_exception(NoSpeaker(words.get(Answer.FAILED, "no descriptor is left for a speaker")))
        return True

    def _hang_up(self) -> None:
        if self.takes_orders:
            self.takes_orders = False
            self._loop.remove_reader(self._control)
            self._control.close()

    async def _follow(self) -> None:
        """Until the process ends: what it says, and what its end means to those who wait for it."""
        assert self.process.stderr is not None
        await read_lines(self.process.stderr, "the process that forks speakers", self._lines)
        status = await self.process.wait()
        while self.takes_orders and self._hear():
            pass
        self._hang_up()
        said = "; ".join(self._lines) or "no last words"
        for birth in self._births:
            if not birth.done():
                reason = f"the process that forks speakers ended with status {status}: {said}"
                birth.set_exception(NoSpeaker(reason, status))
        for child in self._children.values():
            child.status.set_result(None)


async def read_lines(stream: asyncio.StreamReader, name: str, last: deque[str]) -> None:
    """Log what a process writes to its standard error until that ends, and keep the last lines."""
    async for octets in stream:
        line = octets.decode(errors="replace").rstrip()
        if line:
            last.append(line)
            log.warning("%s: %s", name, line)
