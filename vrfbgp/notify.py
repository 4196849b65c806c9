"""Tells the service manager that started the daemon how it is: the protocol of sd_notify(3).

READY=1 once the first config is in force, RELOADING=1 while the config is read because somebody asked for
it, STOPPING=1, and a line for `systemctl status`. WATCHDOG=1 goes from the loop around the core and from
nowhere else: were it to come from a timer, a loop that is stuck would be taken for alive. Started by somebody
else, who sets no NOTIFY_SOCKET, nothing is told.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping

log = logging.getLogger(__name__)

PERIOD = 5.0
"""Seconds between two lines of status, at least."""
LONGEST_QUEUE = 16
"""What is kept for a service manager that is busy; the newest counts."""
_SOCKET, _USEC, _PID = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"


class Notify:
    """The daemon's side. Takes its variables out of the environment: no child speaks for the daemon."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        given, usec, pid = (environment.pop(name, "") for name in (_SOCKET, _USEC, _PID))
        self._address = _address(given)
        self._socket: socket.socket | None = None
        if self._address:
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.setblocking(False)
        self.watchdog = _seconds(usec) if pid in ("", str(os.getpid())) else None
        """Seconds of silence after which we count as hung; None: nobody waits for us."""
        self._period = min(PERIOD, self.watchdog / 2) if self.watchdog else PERIOD
        self._due = 0.0
        self._ready = self._deaf = False
        self._line = ""
        self._unsent: deque[bytes] = deque(maxlen=LONGEST_QUEUE)

    def turned(self, now: float, in_force: Callable[[], bool], line: Callable[[], str]) -> None:
        """The loop around the core has come round, at this time (s); called in each turn.

        `in_force`: whether the first config is; `line`: how things are. They are asked when it is due.
        """
        if self._socket is None or (self._ready and now < self._due):
            return
        words = []
        if not self._ready and in_force():
            self._ready = True
            words.append("READY=1")
        elif now < self._due:
            return
        self._due = now + self._period
        self._tell()
        if self._unsent and not words:
            return  # It is busy; what is kept for it is worth more than one sign of life more.
        if self.watchdog:
            words.append("WATCHDOG=1")
        if (fresh := line()) != self._line:
            self._line = fresh
            words.append(f"STATUS={fresh}")
        self._tell(*words)

    def within(self, wait: float | None, now: float) -> float | None:
        """How long the loop may wait (s) if it has nothing to do for `wait` (None: for ever)."""
        if self._socket is None:
            return wait
        left = max(0.0, self._due - now)
        return left if wait is None else min(wait, left)

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """The config is being read because somebody asked for it."""
        if self._ready:
            self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            if self._ready:
                self._tell("READY=1")

    def stopping(self) -> None:
        """The end has begun, and nothing is told any more."""
        self._tell("STOPPING=1", "STATUS=stopping; routes and rules stay as they are")
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _tell(self, *words: str) -> None:
        if self._socket is None:
            return
        if words:
            self._unsent.append("\n".join(words).encode())
        try:
            while self._unsent:
                self._socket.sendto(self._unsent[0], self._address)
                self._unsent.popleft()
            self._deaf = False
        except BlockingIOError:
            pass  # Its queue is full; again in the next turn that is due.
        except OSError as error:
            if not self._deaf:
                log.warning("the service manager can't be told how we are: %s", error.strerror)
            self._deaf = True


def _address(given: str) -> str:
    """The address that NOTIFY_SOCKET names: a path, or with `@` an abstract one; empty: there is none."""
    if given.startswith("/"):
        return given
    if given.startswith("@"):
        return "\0" + given[1:]
    if given:
        log.warning("%s=%s is neither a path nor begins with @: nothing is told there", _SOCKET, given)
    return ""


def _seconds(usec: str) -> float | None:
    return int(usec) / 1e6 if usec.isdecimal() and int(usec) else None
