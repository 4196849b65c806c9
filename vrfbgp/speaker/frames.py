"""The daemon's end of a channel: cuts what comes into frames, and gives each away as soon as it is whole.

Who takes a frame may return something to wait for. Until that is done nothing more is read, and the speaker
at the other end spools. No task has a turn for a frame: a frame may be one UPDATE, a thousand times a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from vrfbgp.speaker.report import read_header
from vrfbgp.speaker.wire import HEADER, Kind

Taker = Callable[[Kind, int, int, bytes], Awaitable[None] | None]
"""Takes a frame: kind, peer's index, epoch or number, payload."""


class Frames(asyncio.Protocol):
    """The frames of one stream, in order, to `take`."""

    def __init__(self, take: Taker) -> None:
        self._take = take
        self._unread = bytearray()
        self._awaited: asyncio.Future[None] | None = None
        self._lost = False
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def ended(self) -> None:
        """Wait until the stream has ended and its frames are taken. Raises ChannelBroken, and what `take`
        raises."""
        await self._ended

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if self._awaited is None:
            self._give()

    def connection_lost(self, error: Exception | None) -> None:
        self._lost = True
        if self._awaited is None:
            self._give()

    def _give(self) -> None:
        """Give away what is whole."""
        if self._ended.done():
            return
        try:
            awaited = self._next_awaited()
        except Exception as error:
            self._ended.set_exception(error)
            return
        if awaited is not None:
            self._transport.pause_reading()
            self._awaited = asyncio.ensure_future(awaited)
            self._awaited.add_done_callback(self._go_on)
        elif self._lost:
            self._ended.set_result(None)

    def _next_awaited(self) -> Awaitable[None] | None:
        unread, at, front = self._unread, 0, HEADER.size
        try:
            while len(unread) - at >= front:
                kind, index, number, length = read_header(bytes(unread[at : at + front]))
                end = at + front + length
                if end > len(unread):
                    break
                payload = bytes(unread[at + front : end])
                at = end
                awaited = self._take(kind, index, number, payload)
                if awaited is not None:
                    return awaited
            return None
        finally:
            del unread[:at]

    def _go_on(self, done: asyncio.Future[None]) -> None:
        self._awaited = None
        if self._ended.done():
            return
        try:
            done.result()
        except (Exception, asyncio.CancelledError) as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            self._ended.set_exception(ConnectionAbortedError("nobody takes frames") if cancelled else error)
            return
        self._transport.resume_reading()
        self._give()
