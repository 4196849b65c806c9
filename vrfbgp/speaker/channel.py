"""The speaker's end of the channel, in the place of ExaBGP's API processes: no child, no pipes, no JSON of
routes.

Writing never blocks, as a blocked reactor sends no keepalives: what the socket does not take is spooled.
Past `spool_limit` the channel is `full` and the lanes stop reading their peers; the little that is then
still written (ends of sessions, answers) may grow by `SPOOL_MARGIN`, where the process gives up rather than
the machine's memory.

The end of the channel is the end of the daemon, and the process goes at once and without a word to the
peers: their graceful restart covers the gap (RFC 4724).
"""

from __future__ import annotations

import json
import os
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

from exabgp.reactor.api.processes import Processes

from vrfbgp.speaker.wire import CALL, HEADER, Kind

SPOOL_LIMIT = 64 << 20
SPOOL_MARGIN = 1 << 20
COMMANDS_AT_ONCE = 1 << 14
EXIT_SPOOL = 75
"""EX_TEMPFAIL (sysexits.h)."""


class Channel(Processes):  # type: ignore[misc]
    """Takes commands from the daemon, and tells it everything in one order.

    `epoch` is the highest number of a session so far, `spool_limit` in octets.
    """

    def __init__(self, io: socket.socket, epoch: int, version: str, spool_limit: int = SPOOL_LIMIT) -> None:
        super().__init__()
        io.setblocking(False)
        self.io = io
        self.calls: socket.socket | None = None
        """By which the connections of passive sessions come."""
        self.failure = ""
        """Why the command at hand failed; read and emptied by the next answer."""
        self._version = version
        self._epoch = epoch
        self._spool_limit = spool_limit
        self._spool: deque[memoryview] = deque()
        self._spooled = 0
        self._unread = b""
        self._indexes: dict[tuple[str, int], int] = {}
        self._greeted = False

    # -- telling the daemon ----------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """The daemon is far behind: no more UPDATEs, please."""
        return self._spooled >= self._spool_limit

    @property
    def waiting(self) -> bool:
        """Something is to be flushed when the socket is writable."""
        return bool(self._spool)

    def index(self, address: str, port: int) -> int:
        """The index of a peer on this channel; the same one for as long as the process lives."""
        known = self._indexes.get((address, port))
        if known is None:
            known = self._indexes[address, port] = len(self._indexes) + 1
            self.tell(Kind.PEER, known, 0, {"address": address, "port": port})
        return known

    def next_epoch(self) -> int:
        """A number for a new session, higher than all before."""
        self._epoch += 1
        return self._epoch

    def tell(self, kind: Kind, peer: int, number: int, content: dict[str, Any]) -> None:
        """Send a frame with a JSON payload."""
        self.post(kind, peer, number, json.dumps(content).encode("ascii"))

    def post(self, kind: Kind, peer: int, number: int, payload: bytes) -> None:
        """Send a frame, or spool what of it can not be sent now."""
        self._queue(HEADER.pack(kind, peer, number, len(payload)) + payload)

    def _queue(self, octets: bytes) -> None:
        self._spool.append(memoryview(octets))
        self._spooled += len(octets)
        self.flush()
        if self._spooled > self._spool_limit + SPOOL_MARGIN:
            os._exit(EXIT_SPOOL)

    def flush(self) -> None:
        """Send what is spooled, as far as the socket takes it."""
        spool = self._spool
        try:
            while spool:
                sent = self.io.send(spool[0])
                self._spooled -= sent
                if sent == len(spool[0]):
                    spool.popleft()
                else:
                    spool[0] = spool[0][sent:]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            os._exit(0)

    def call(self) -> socket.socket | None:
        """The connection that the command at hand is about; None: there was no descriptor left for it."""
        if self.calls is None:
            return None
        _, fds, _, _ = socket.recv_fds(self.calls, len(CALL), 1, socket.MSG_DONTWAIT)
        return socket.socket(fileno=fds[0]) if fds else None

    # -- what ExaBGP asks of its processes -------------------------------------------------------

    def start(self, configuration: Any, restart: bool = False) -> None:
        """Called when the configuration is loaded: from now on commands are taken."""
        if not self._greeted:
            self._greeted = True
            self.tell(Kind.HELLO, 0, 0, {"version": self._version})

    def terminate(self) -> None:
        """Nothing to end; a last try to get rid of what is spooled."""
        self.flush()

    def broken(self, neighbor: Any) -> bool:
        """A broken channel ends the process, so none that asks has one."""
        return False

    def received(self) -> Iterator[tuple[str, str]]:
        """The commands that have arrived: (the number that the answer is asked for by, command)."""
        self.flush()
        try:
            octets = self.io.recv(COMMANDS_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            octets = b""
        if not octets:
            os._exit(0)
        *lines, self._unread = (self._unread + octets).split(b"\n")
        for line in lines:
            number, _, command = line.decode("ascii", "replace").partition(" ")
            yield number, command

    def write(self, process: str, string: str | None, neighbor: Any = None) -> bool:
        """The lengthy answers of ExaBGP's `show` commands; nobody here asks for them."""
        return True

    def answer_done(self, service: str, force: bool = False) -> None:
        """The command was carried out."""
        self._answer(service, "")

    def answer_error(self, service: str) -> None:
        """The command failed, for the reason in `failure`."""
        failure, self.failure = self.failure, ""
        self._answer(service, failure or "not understood")

    def _answer(self, service: str, string: str, force: bool = False) -> None:
        self.failure = ""
        self.post(Kind.ANSWER, 0, int(service) if service.isdecimal() else 0, string.encode())
