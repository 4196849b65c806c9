"""A TCP connection that writes in order and keeps the peer's last words, called (`Wire`) or accepted
(`Accepted`).

ExaBGP takes a refused connect for a connected one (it asks `SO_ERROR` once, and the second time it reads
0); it may put a KEEPALIVE into the middle of a half-written UPDATE when the socket is full; and when a
write fails it closes the socket together with the NOTIFICATION that says why. These three are done
otherwise here, and a socket that can't be had is told with its reason. Its own listener is not used: who may
call, and by which device, is decided in the daemon (`listen`).
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Iterator
from typing import Any

from exabgp.reactor.network.error import LostConnection, NetworkError, NotConnected
from exabgp.reactor.network.incoming import Incoming
from exabgp.reactor.network.outgoing import Outgoing

CONNECT_TIMEOUT = 10.0
"""Seconds; the kernel's own limit is two minutes (tcp_syn_retries)."""


class Stream:
    """What both kinds have in common; goes before ExaBGP's class."""

    io: Any
    peer: str

    last_words = b""
    """What was unread when the connection was closed."""
    _unsent = bytearray()

    @property
    def stuck(self) -> bool:
        """Messages wait for the socket to become writable."""
        return self.io is not None and bool(self._unsent)

    def writer(self, data: bytes) -> Iterator[bool]:
        """Send a message behind all that were given before: yields False until the socket has taken it,
        then True."""
        if self.io is None:
            yield True
            return
        self._unsent += data
        while not self._flushed():
            yield False
        yield True

    def _flushed(self) -> bool:
        while self._unsent and self.io is not None:
            try:
                sent = self.io.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                self.close()
                raise LostConnection(f"write to {self.peer}: {error.strerror}") from None
            del self._unsent[:sent]
        return True

    def farewell(self, message: bytes) -> None:
        """Send a last message, if the socket takes it now."""
        try:
            for _ in self.writer(message):
                return
        except NetworkError:
            return

    def close(self) -> None:
        """Close the socket. What the peer said before is in `last_words`."""
        if self.io is not None and not self.last_words:
            try:
                self.last_words = self.io.recv(1 << 18)
            except OSError:
                self.last_words = b""
        super().close()  # type: ignore[misc]

    def hung_up(self) -> bool:
        """There is something to be read, if only the end of the stream."""
        if self.io is None:
            return True
        poller = select.poll()
        poller.register(self.io, select.POLLIN)
        return bool(poller.poll(0))


class Wire(Stream, Outgoing):  # type: ignore[misc]
    """One try to reach a peer, and the session that comes of it."""

    def _setup(self) -> Exception | None:
        problem: Exception | None
        try:
            if self.interface:
                socket.if_nametoindex(self.interface)
            problem = super()._setup()
        except OSError:
            problem = NotConnected(f"there is no device {self.interface}")
        except AttributeError as error:
            # ExaBGP closes even the socket that it could not make.
            if self.io is not None or not isinstance(error.__context__, NetworkError):
                raise
            problem = error.__context__
        return problem

    def establish(self) -> Iterator[bool]:
        """Connect: yields False until it is done, then True. Raises `NotConnected` with the kernel's
        reason."""
        problem = self._setup() or self._connect()
        if problem is not None:
            raise NotConnected(str(problem))
        until = time.monotonic() + CONNECT_TIMEOUT
        while not self.writing():
            if time.monotonic() > until:
                self.close()
                hint = " (do both sides have the same TCP MD5 password?)" if self.md5 else ""
                raise NotConnected(f"connect to {self.peer} port {self.port}: timed out{hint}")
            yield False
        number = self.io.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self.close()
            raise NotConnected(f"connect to {self.peer} port {self.port}: {os.strerror(number)}")
        self.io.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.success()
        self._unsent = bytearray()
        yield True


class Accepted(Stream, Incoming):  # type: ignore[misc]
    """A call of a passive session's peer."""

    def __init__(self, neighbor: Any, io: socket.socket) -> None:
        address = neighbor["peer-address"]
        super().__init__(address.afi, address.top(), neighbor["local-address"].top(), io)
        self._unsent = bytearray()

    def refuse(self, message: bytes) -> None:
        """Say why there is no session, and close."""
        self.farewell(message)
        self.close()
