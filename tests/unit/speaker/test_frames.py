"""The daemon's end of the channel: every frame, whole and in order, and no more than are welcome."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vrfbgp.speaker.frames import Frames
from vrfbgp.speaker.report import ChannelBroken
from vrfbgp.speaker.wire import HEADER, Kind, frame

Taken = tuple[Kind, int, int, bytes]
SOME = [(Kind.UPDATES, 1, 7, b"a" * 50), (Kind.STATE, 2, 0, b""), (Kind.DOWN, 1, 7, b"{}")]
OCTETS = b"".join(frame(*one) for one in SOME)


class Transport(asyncio.Transport):
    """Counts pauses."""

    def __init__(self) -> None:
        super().__init__()
        self.reading = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def made(take: Callable[[Taken], Awaitable[None] | None]) -> tuple[Frames, Transport]:
    frames, transport = Frames(lambda *one: take(one)), Transport()
    frames.connection_made(transport)
    return frames, transport


@settings(deadline=None)
@given(st.lists(st.integers(0, len(OCTETS)), max_size=6))
def test_every_cut_gives_the_same(cuts: list[int]) -> None:
    async def scenario() -> None:
        found: list[Taken] = []
        frames, _ = made(lambda one: found.append(one))
        places = [0, *sorted(cuts), len(OCTETS)]
        for begin, end in itertools.pairwise(places):
            frames.data_received(OCTETS[begin:end])
        assert found == SOME
        frames.connection_lost(None)
        await frames.ended()

    asyncio.run(scenario())


def test_nothing_is_taken_nor_read_before_the_next_is_welcome_and_nothing_is_lost_at_the_end() -> None:
    async def scenario() -> None:
        found: list[Taken] = []
        rooms: list[asyncio.Future[None]] = []

        def take(one: Taken) -> asyncio.Future[None]:
            found.append(one)
            rooms.append(asyncio.get_running_loop().create_future())
            return rooms[-1]

        frames, transport = made(take)
        frames.data_received(OCTETS)
        frames.connection_lost(None)
        ended = asyncio.create_task(frames.ended())
        for count in range(1, len(SOME) + 1):
            assert found == SOME[:count]
            assert not transport.reading
            assert not ended.done()
            rooms[-1].set_result(None)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await ended
        assert transport.reading

    asyncio.run(scenario())


def test_a_coroutine_is_waited_for_too() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        found: list[Taken] = []

        async def take(one: Taken) -> None:
            await gate.wait()
            found.append(one)

        frames, _ = made(take)
        frames.data_received(OCTETS)
        frames.connection_lost(None)
        gate.set()
        await frames.ended()
        assert found == SOME

    asyncio.run(scenario())


def test_what_is_no_frame_ends_it_behind_what_was_good() -> None:
    async def scenario() -> None:
        found: list[Taken] = []
        frames, _ = made(lambda one: found.append(one))
        frames.data_received(OCTETS + b"\xee" * HEADER.size + OCTETS)
        with pytest.raises(ChannelBroken):
            await frames.ended()
        frames.data_received(OCTETS)
        assert found == SOME

    asyncio.run(scenario())


def test_an_error_of_who_takes_frames_is_told_to_who_waits_for_the_end() -> None:
    async def scenario() -> None:
        async def fail(_: Taken) -> None:
            raise ZeroDivisionError

        frames, _ = made(fail)
        frames.data_received(OCTETS)
        with pytest.raises(ZeroDivisionError):
            await frames.ended()

    asyncio.run(scenario())


def test_over_a_socket() -> None:
    async def scenario() -> None:
        found: list[Taken] = []
        ours, theirs = socket.socketpair()
        with ours, theirs:
            frames = Frames(lambda *one: found.append(one))
            await asyncio.get_running_loop().create_unix_connection(lambda: frames, sock=ours)
            theirs.sendall(OCTETS)
            theirs.close()
            await frames.ended()
        assert found == SOME

    asyncio.run(scenario())
