"""Questions that go through the process that writes: each gets its own answer, or an error."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from vrfbgp.kernel.netlink import HEADER
from vrfbgp.kernel.questions import Questions
from vrfbgp.kernel.scribe import FRAME, REPLY
from vrfbgp.kernel.uapi import NLM_F_ACK, NLM_F_REQUEST


class Scribe:
    """The other end of the channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def asked(self) -> tuple[int, int, int, bytes]:
        """Type, flags, sequence number and body of the next question."""
        size, last = FRAME.unpack(await self._reader.readexactly(FRAME.size))
        octets = await self._reader.readexactly(size)
        length, kind, flags, sequence, _ = HEADER.unpack_from(octets)
        assert (length, sequence) == (size, last)
        return kind, flags, sequence, octets[HEADER.size :]

    def answer(self, answers: bytes, unsent: int = 0, lost: int = 0) -> None:
        self.writer.write(REPLY.pack(len(answers), unsent, lost) + answers)


@asynccontextmanager
async def channel(on_end: Callable[[], None] = lambda: None) -> AsyncIterator[tuple[Questions, Scribe]]:
    ours, theirs = socket.socketpair()
    questions = Questions(on_end)
    transport, _ = await asyncio.get_running_loop().create_unix_connection(questions.itself, sock=ours)
    scribe = Scribe(*await asyncio.open_unix_connection(sock=theirs))
    try:
        yield questions, scribe
    finally:
        transport.close()
        scribe.writer.close()


def test_each_question_gets_its_own_answer() -> None:
    async def run() -> None:
        async with channel() as (questions, scribe):
            first = asyncio.ensure_future(questions.ask(1, NLM_F_ACK, b"one."))
            second = asyncio.ensure_future(questions.ask(2, 0, b"two."))
            third = asyncio.ensure_future(questions.ask(3, 0, b""))
            assert await scribe.asked() == (1, NLM_F_REQUEST | NLM_F_ACK, 1, b"one.")
            assert await scribe.asked() == (2, NLM_F_REQUEST, 2, b"two.")
            second.cancel()
            scribe.answer(b"first" * 10_000)
            scribe.answer(b"nobody waits for it")
            scribe.answer(b"third")
            assert await first == b"first" * 10_000
            assert await third == b"third"

    asyncio.run(run())


@pytest.mark.parametrize(("unsent", "lost"), [(errno.EPERM, 0), (0, errno.EAGAIN)])
def test_what_the_kernel_does_not_take_or_answer_is_an_error(unsent: int, lost: int) -> None:
    async def run() -> None:
        async with channel() as (questions, scribe):
            question = asyncio.ensure_future(questions.ask(1, 0, b""))
            await scribe.asked()
            scribe.answer(b"", unsent, lost)
            with pytest.raises(OSError, match=os.strerror(unsent or lost)):
                await question

    asyncio.run(run())


def test_nobody_waits_for_ever_when_the_channel_ends() -> None:
    async def run() -> None:
        ended = asyncio.Event()
        async with channel(ended.set) as (questions, scribe):
            question = asyncio.ensure_future(questions.ask(1, 0, b""))
            await scribe.asked()
            scribe.writer.close()
            with pytest.raises(ConnectionError):
                await question
            assert ended.is_set()
            with pytest.raises(ConnectionError):
                await questions.ask(1, 0, b"")

    asyncio.run(run())
