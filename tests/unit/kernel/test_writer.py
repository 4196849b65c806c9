"""The writer and the process that writes, against answers that a kernel could give."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.unit.kernel.answers import answer
from vrfbgp.events import Applied
from vrfbgp.kernel import scribe, writer
from vrfbgp.kernel.batch import Encoder
from vrfbgp.kernel.chunk import Chunk
from vrfbgp.kernel.netlink import NetlinkSocket, messages
from vrfbgp.kernel.uapi import NLM_F_ACK, NLMSG_DONE
from vrfbgp.kernel.writer import Writer, refused
from vrfbgp.model import Family, RouteKey
from vrfbgp.operations import AddRoute, AddRoutes, DeleteNexthop, DeleteRoute, Failure, Operation

KEY = RouteKey(500, Family.IPV4, b"\x08\x0a")
ADD, DELETE = AddRoute(KEY, 7), DeleteRoute(KEY)
PATIENCE = 10.0

# -- answers -------------------------------------------------------------------------------------


def chunk_of(*operations: Operation) -> Chunk:
    [chunk] = Encoder().chunks(operations)
    return chunk


def test_all_done() -> None:
    assert list(refused(chunk_of(ADD, ADD, DELETE), answer(3))) == []


def test_refusals_are_matched_by_sequence_number() -> None:
    other = AddRoute(KEY, 8)
    answers = answer(2, errno.EINVAL, "Nexthop id does not exist") + answer(4, errno.EEXIST)
    assert list(refused(chunk_of(ADD, other, DELETE, ADD), answers)) == [
        Failure(other, errno.EINVAL, "Nexthop id does not exist"),
        Failure(ADD, errno.EEXIST, ""),
    ]


def test_what_is_gone_already_is_deleted() -> None:
    gone = answer(1, errno.ESRCH) + answer(2, errno.ENOENT)
    assert list(refused(chunk_of(DELETE, DeleteNexthop(7)), gone)) == []
    assert len(list(refused(chunk_of(DELETE), answer(1, errno.EPERM)))) == 1
    assert len(list(refused(chunk_of(ADD), answer(1, errno.ENOENT)))) == 1


def test_lost_answers_are_failures_of_all_that_is_not_known() -> None:
    failures = list(refused(chunk_of(ADD, DELETE, ADD), answer(1, errno.EEXIST), lost=errno.ENOBUFS))
    assert [failure.errno for failure in failures] == [errno.EEXIST, errno.ENOBUFS, errno.ENOBUFS]
    assert "answer was lost" in failures[1].text


def test_a_send_that_fails_fails_its_operations() -> None:
    failures = list(refused(chunk_of(ADD, DELETE), b"", unsent=errno.ENOMEM))
    assert [failure.errno for failure in failures] == [errno.ENOMEM] * 2


def test_answers_of_another_chunk_do_not_count() -> None:
    assert list(refused(chunk_of(ADD), answer(4711, errno.EPERM) + answer(1))) == []


# -- the process ---------------------------------------------------------------------------------


class Serving:
    """`scribe.serve` in a thread; the test is the daemon at one end and the kernel at the other."""

    def __init__(self) -> None:
        self.daemon, channel = socket.socketpair()
        self.kernel, netlink = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.daemon.settimeout(PATIENCE)
        self.kernel.settimeout(PATIENCE)
        self._sockets = self.daemon, channel, self.kernel, netlink
        self.thread = threading.Thread(target=self._serve, args=(channel.fileno(), netlink.fileno()))
        self.thread.start()

    def _serve(self, channel: int, netlink: int) -> None:
        with contextlib.suppress(ConnectionError):
            scribe.serve(channel, netlink)

    def put(self, octets: bytes, last: int) -> None:
        self.daemon.sendall(scribe.FRAME.pack(len(octets), last) + octets)

    def reply(self) -> tuple[bytes, int, int]:
        head = self.daemon.recv(scribe.REPLY.size, socket.MSG_WAITALL)
        size, unsent, lost = scribe.REPLY.unpack(head)
        return self.daemon.recv(size, socket.MSG_WAITALL) if size else b"", unsent, lost

    def close(self) -> None:
        self.daemon.close()
        self.kernel.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()
        for made in self._sockets:
            made.close()


@contextmanager
def serving() -> Iterator[Serving]:
    made = Serving()
    try:
        yield made
    finally:
        made.close()


def test_a_frame_goes_to_the_kernel_as_it_is_and_its_answers_come_back() -> None:
    with serving() as process:
        large = os.urandom(70_000)
        process.put(large, 9)
        process.put(b"next", 10)
        assert process.kernel.recv(1 << 20) == large
        process.kernel.send(answer(3, errno.EEXIST) + answer(5, errno.EINVAL))
        process.kernel.send(answer(9))
        assert process.reply() == (answer(3, errno.EEXIST) + answer(5, errno.EINVAL) + answer(9), 0, 0)
        assert process.kernel.recv(1 << 20) == b"next"
        process.kernel.send(answer(10))
        assert process.reply() == (answer(10), 0, 0)


def test_the_second_frame_is_not_sent_before_the_first_is_answered() -> None:
    with serving() as process:
        process.put(b"first", 1)
        process.put(b"second", 2)
        assert process.kernel.recv(100) == b"first"
        process.kernel.setblocking(False)
        with pytest.raises(BlockingIOError):
            process.kernel.recv(100)
        process.kernel.send(answer(1))
        process.kernel.settimeout(PATIENCE)
        assert process.kernel.recv(100) == b"second"
        process.kernel.send(answer(2))
        assert process.reply() == (answer(1), 0, 0)


def test_errors_of_the_socket_are_told() -> None:
    with serving() as process:
        process.put(b"a", 1)
        assert process.kernel.recv(100) == b"a"
        process.kernel.send(answer(7))
        process.kernel.send(b"\x10\0\0\0")  # Too short for a message.
        process.kernel.send(bytes(64))  # A length that leads nowhere.
        process.kernel.send(answer(1))
        assert process.reply()[1:] == (0, 0)
        process.kernel.close()
        process.put(b"b", 2)
        assert process.reply() == (b"", errno.EPIPE, 0)


def test_answers_that_are_lost_are_told() -> None:
    kernel, netlink = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, netlink:
        netlink.setblocking(False)
        kernel.send(answer(1, errno.EEXIST))
        assert scribe.answered(netlink.fileno(), 2) == (answer(1, errno.EEXIST), errno.EAGAIN)


def test_the_end_of_a_dump_is_the_last_answer() -> None:
    """It is one of another kind than those to a change; what comes behind it belongs to another question."""
    kernel, netlink = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, netlink:
        netlink.setblocking(False)
        part = struct.pack("=IHHIII", 20, 0xA03, 2, 7, 0, 0)
        end = struct.pack("=IHHIIi", 20, NLMSG_DONE, 2, 7, 0, 0)
        for datagram in (part, part + end, b"behind"):
            kernel.send(datagram)
        assert scribe.answered(netlink.fileno(), 7) == (part + part + end, 0)
        assert netlink.recv(10) == b"behind"


def test_what_a_dead_daemon_left_is_not_sent() -> None:
    with serving() as process:
        process.put(b"first", 1)
        process.put(b"second", 2)
        assert process.kernel.recv(100) == b"first"
        process.daemon.shutdown(socket.SHUT_RDWR)
        process.daemon.close()
        process.kernel.send(answer(1))
        process.thread.join(PATIENCE)
        process.kernel.setblocking(False)
        with pytest.raises(BlockingIOError):
            process.kernel.recv(100)


# -- the writer ----------------------------------------------------------------------------------


class Desk:
    """A writer on an event loop; the test is the process at the other end."""

    def __init__(self) -> None:
        self.applied: list[Applied] = []
        self.ends = 0
        limits = NetlinkSocket()
        self.writer = Writer(limits, self.applied.append, self._end)
        limits.close()
        self._ours, self._theirs = socket.socketpair()

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: self.writer, sock=self._ours)
        self.reader, self.stream = await asyncio.open_unix_connection(sock=self._theirs, limit=1 << 24)

    async def frame(self) -> tuple[bytes, int]:
        async with asyncio.timeout(PATIENCE):
            size, last = scribe.FRAME.unpack(await self.reader.readexactly(scribe.FRAME.size))
            return await self.reader.readexactly(size), last

    def reply(self, answers: bytes, unsent: int = 0, lost: int = 0) -> None:
        self.stream.write(scribe.REPLY.pack(len(answers), unsent, lost) + answers)

    async def told(self, count: int) -> list[Applied]:
        async with asyncio.timeout(PATIENCE):
            while len(self.applied) < count:
                await asyncio.sleep(0)
        return self.applied

    def _end(self) -> None:
        self.ends += 1


def at_a_desk(test: Callable[[Desk], Awaitable[None]]) -> Callable[[], None]:
    async def run() -> None:
        desk = Desk()
        await desk.connect()
        try:
            await test(desk)
        finally:
            desk.stream.close()
            async with asyncio.timeout(PATIENCE):
                while not desk.ends:
                    await asyncio.sleep(0)
            await asyncio.sleep(0)

    def whole() -> None:
        asyncio.run(run())

    whole.__name__ = test.__name__
    return whole


def sequences(octets: bytes) -> list[tuple[int, bool]]:
    return [(sequence, bool(flags & NLM_F_ACK)) for _, flags, sequence, _, _ in messages(octets)]


@at_a_desk
async def test_batches_are_under_way_together_and_told_in_order(desk: Desk) -> None:
    desk.writer.apply(1, [ADD, DELETE])
    desk.writer.apply(2, [])
    desk.writer.apply(3, [ADD])
    octets, last = await desk.frame()
    assert (sequences(octets), last) == ([(1, False), (2, True)], 2)
    octets, last = await desk.frame()
    assert (sequences(octets), last) == ([(3, True)], 3)
    assert desk.applied == []
    desk.reply(answer(1, errno.EEXIST) + answer(2))
    desk.reply(answer(3))
    assert await desk.told(3) == [Applied(1, (Failure(ADD, errno.EEXIST, ""),)), Applied(2), Applied(3)]


@at_a_desk
async def test_silence_is_how_long_an_answer_is_awaited(desk: Desk) -> None:
    loop = asyncio.get_running_loop()
    assert desk.writer.silence == 0
    before = loop.time()
    desk.writer.apply(1, [ADD])
    after = loop.time()
    await desk.frame()
    while loop.time() < after + 0.02:
        await asyncio.sleep(0)
    assert 0.02 <= desk.writer.silence <= loop.time() - before
    desk.reply(answer(1))
    await desk.told(1)
    assert desk.writer.silence == 0


@at_a_desk
async def test_a_reply_in_pieces(desk: Desk) -> None:
    desk.writer.apply(1, [ADD])
    await desk.frame()
    for octet in scribe.REPLY.pack(len(answer(1)), 0, 0) + answer(1):
        desk.stream.write(bytes((octet,)))
        await desk.stream.drain()
        await asyncio.sleep(0)
    assert await desk.told(1) == [Applied(1)]


@at_a_desk
async def test_no_more_is_made_than_the_process_is_to_be_ahead(desk: Desk) -> None:
    count = 200_000
    nlris = [b"\x18" + number.to_bytes(3, "big") for number in range(count)]
    desk.writer.apply(1, [AddRoutes(500, Family.IPV4, 20000, nlris, [7] * count)])
    desk.writer.apply(2, [DELETE])
    assert writer.AHEAD <= desk.writer._ahead < 2 * writer.AHEAD
    last = 0
    while last < count:
        _, last = await desk.frame()
        desk.reply(answer(last))
        assert desk.writer._ahead < 2 * writer.AHEAD
    assert await desk.told(1) == [Applied(1)]
    octets, last = await desk.frame()
    assert sequences(octets) == [(count + 1, True)]
    desk.reply(answer(last))
    assert await desk.told(2) == [Applied(1), Applied(2)]
    async with asyncio.timeout(PATIENCE):
        await desk.writer.idle()


@at_a_desk
async def test_a_route_of_another_table_passes_a_flood_and_is_told_behind_it(desk: Desk) -> None:
    count = 500_000
    nlris = [b"\x18" + number.to_bytes(3, "big") for number in range(count)]
    desk.writer.apply(1, [AddRoutes(500, Family.IPV4, 20000, nlris, [7] * count)])
    desk.writer.apply(2, [DeleteRoute(RouteKey(501, Family.IPV4, b"\x08\x0a"))])
    sizes = []
    for _ in range(count):
        octets, last = await desk.frame()
        desk.reply(answer(last))
        sizes.append(len(octets))
        if last == count + 1:
            break
    alone = sizes.index(min(sizes))
    assert sum(sizes[:alone]) < 2 * writer.AHEAD, "it waited for what was made before it came, no more"
    assert alone < len(sizes) - 1
    assert await desk.told(2) == [Applied(1), Applied(2)]


@at_a_desk
async def test_what_can_not_be_encoded_is_told_and_the_rest_is_written(desk: Desk) -> None:
    wrong = AddRoute(RouteKey(500, Family.IPV4, b"\x18\x01", 20000), 7)
    desk.writer.apply(1, [wrong])
    desk.writer.apply(2, [wrong, ADD])
    octets, last = await desk.frame()
    assert sequences(octets) == [(1, True)]
    desk.reply(answer(last))
    first, second = await desk.told(2)
    assert [failure.operation for failure in first.failures] == [wrong]
    assert [failure.operation for failure in second.failures] == [wrong]


@at_a_desk
async def test_an_error_of_ours_fails_its_batch_alone(desk: Desk) -> None:
    chunks = desk.writer._encoder.chunks

    def broken(_: object) -> Iterator[Chunk]:
        raise RuntimeError("broken")
        yield

    desk.writer._encoder.chunks = broken  # type: ignore[method-assign, assignment]
    desk.writer.apply(1, [ADD, DELETE])
    desk.writer._encoder.chunks = chunks  # type: ignore[method-assign]
    desk.writer.apply(2, [ADD])
    _, last = await desk.frame()
    desk.reply(answer(last))
    first, second = await desk.told(2)
    assert first.failures == (Failure(ADD, errno.EIO, "broken"), Failure(DELETE, errno.EIO, "broken"))
    assert second == Applied(2)


@at_a_desk
async def test_what_is_under_way_when_the_process_ends_is_not_told_as_done(desk: Desk) -> None:
    desk.writer.apply(1, [ADD])
    await desk.frame()
    desk.stream.close()
    async with asyncio.timeout(PATIENCE):
        while not desk.ends:
            await asyncio.sleep(0)
    desk.writer.apply(2, [ADD])
    await asyncio.sleep(0)
    assert desk.applied == []
