"""Inside the preloaded process: forks a speaker for each order, and tells how it ended.

All that speakers have in common was loaded before, and is shared by the kernel until somebody writes to it.
Orders and answers are packets of the socket `control` (`wire.Answer`). Its end is the end of the daemon: the
brood is killed, whatever it is at, and the process ends. If the process itself is killed, the speakers go
on: they end with their channels.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import signal
import socket
from typing import Any, NamedTuple

from vrfbgp.speaker.wire import LONGEST_ORDER, Answer

CHANNEL, CALLS = 3, 4
"""The numbers of their descriptors in a speaker; behind them there is no other."""


class Order(NamedTuple):
    """What a speaker is told at its birth."""

    channel: int
    """Descriptor of its end of the channel."""
    calls: int
    """Descriptor of the socket by which the connections of passive sessions come (`wire.CALL`)."""
    epoch: int
    """The highest that was used before."""
    config: str
    """Path of ExaBGP's configuration."""


class Brood:
    """The speakers that were forked and not yet reaped."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poller = select.poll()
        self._pids: dict[int, int] = {}
        """By their pidfd (pidfd_open(2)), which is readable when the process has ended."""

    def serve(self) -> Order | None:
        """Take orders. Returns in each speaker, with its order; and, with None, when the daemon has ended."""
        self._poller.register(self._control, select.POLLIN)
        try:
            while True:
                for fd, _ in self._poller.poll():
                    if fd in self._pids:
                        self._reap(fd)
                    elif (order := self._take()) is not None:
                        return order
        except (EOFError, BrokenPipeError, ConnectionResetError):
            for pidfd in self._pids:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            return None

    def _take(self) -> Order | None:
        """Fork for the next order: the order in the speaker, None where it was forked."""
        packet, fds, _, _ = socket.recv_fds(self._control, LONGEST_ORDER, 3)
        if not packet:
            raise EOFError
        try:
            if len(fds) < 3:
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            pid = os.fork()
            if not pid:
                self._leave_the_nest(*fds)
                return Order(CHANNEL, CALLS, **json.loads(packet))
            self._follow(pid)
        except OSError as error:
            self._tell({Answer.FAILED: f"cannot fork a speaker: {error.strerror}"})
        for fd in fds:
            os.close(fd)
        return None

    def _follow(self, pid: int) -> None:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
        self._pids[pidfd] = pid
        self._poller.register(pidfd, select.POLLIN)
        self._tell({Answer.BORN: pid}, pidfd)

    def _leave_the_nest(self, *fds: int) -> None:
        """Be a process of its own: its session, its channel, its calls, its standard error, and nothing else
        open."""
        os.setsid()
        self._control.close()
        for pidfd in self._pids:
            os.close(pidfd)
        # Copied out of the way first: a number may be one that another is to get.
        held = [fcntl.fcntl(fd, fcntl.F_DUPFD, CALLS + 1) for fd in fds]
        for fd in fds:
            os.close(fd)
        for fd, number in zip(held, (CHANNEL, 2, CALLS), strict=True):
            os.dup2(fd, number)
            os.close(fd)

    def _reap(self, pidfd: int) -> None:
        self._poller.unregister(pidfd)
        os.close(pidfd)
        pid, status = os.waitpid(self._pids.pop(pidfd), 0)
        self._tell({Answer.ENDED: pid, Answer.STATUS: os.waitstatus_to_exitcode(status)})

    def _tell(self, words: dict[str, Any], *fds: int) -> None:
        socket.send_fds(self._control, [json.dumps(words).encode("ascii")], fds)
