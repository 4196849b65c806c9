"""Questions to netfilter, which answers nobody without CAP_NET_ADMIN: asked through the process that writes.

They go by a channel of their own to `scribe`, and what the kernel says to each comes back whole.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable

from vrfbgp.kernel.netlink import HEADER
from vrfbgp.kernel.scribe import FRAME, REPLY
from vrfbgp.kernel.uapi import NLM_F_REQUEST


class Questions(asyncio.Protocol):
    """The daemon's end of the channel; for the event loop alone. `on_end` is called when it ends."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        self._transport: asyncio.WriteTransport | None = None
        self._read = bytearray()
        self._awaited: deque[asyncio.Future[bytes]] = deque()
        self._sequence = 0

    async def ask(self, kind: int, flags: int, body: bytes) -> bytes:
        """All messages that answer one request, the last of them included, which says how it went.

        The request must have a last one: NLM_F_DUMP or NLM_F_ACK. OSError if there is no answer.
        """
        if self._transport is None:
            raise ConnectionError("the process that writes to the kernel is not there")
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        header = HEADER.pack(HEADER.size + len(body), kind, NLM_F_REQUEST | flags, self._sequence, 0)
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._awaited.append(answer)
        self._transport.write(FRAME.pack(len(header) + len(body), self._sequence) + header + body)
        return await answer

    def itself(self) -> Questions:
        """The protocol that an event loop asks for when it takes the channel."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        for answer in self._awaited:
            if not answer.done():
                answer.set_exception(ConnectionError("the process that writes to the kernel has ended"))
        self._on_end()

    def data_received(self, octets: bytes) -> None:
        self._read += octets
        while len(self._read) >= REPLY.size:
            size, unsent, lost = REPLY.unpack_from(self._read)
            if len(self._read) < REPLY.size + size:
                return
            answers = bytes(self._read[REPLY.size : REPLY.size + size])
            del self._read[: REPLY.size + size]
            answer = self._awaited.popleft()
            if answer.done():
                continue  # Nobody waits for it any more.
            if number := unsent or lost:
                answer.set_exception(OSError(number, os.strerror(number)))
            else:
                answer.set_result(answers)
