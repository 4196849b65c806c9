"""Writes batches of operations to the kernel, and tells in their order what it refused.

The messages go to the process that writes (`scribe`), which is given some chunks ahead, also across the
border of batches: the kernel works without a pause while the core chooses the next routes. A chunk is made
when there is room for it, so that a large batch is never in memory as octets all at once. Routes of
different tables take turns (`turns`); all else is written in the order in which it was asked for.

What is to be deleted and is not there any more counts as deleted. All else that the kernel refuses is a
`Failure`, and the operations behind it are still done.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from vrfbgp.events import Applied
from vrfbgp.kernel.batch import MAX_MESSAGES, MAX_OCTETS, Encoder
from vrfbgp.kernel.chunk import Chunk
from vrfbgp.kernel.netlink import NetlinkSocket, messages, refusal
from vrfbgp.kernel.scribe import FRAME, REPLY
from vrfbgp.kernel.turns import Part, Turns
from vrfbgp.kernel.uapi import NLMSG_ERROR
from vrfbgp.operations import DeleteNexthop, DeleteRoute, DeleteRule, Failure, Operation, Step, expanded

_log = logging.getLogger(__name__)

AHEAD = 4 << 20
"""Octets on their way to the kernel, about: what it works on for 0.1 s, longer than a turn of the core."""
_SMALL = 1 << 14
"""Octets that are copied faster than sent by a call of their own."""
_GONE = frozenset({errno.ESRCH, errno.ENOENT})
"""No route: ESRCH. No rule, no next hop object: ENOENT."""


class Batch:
    """Operations under way, and what became of them."""

    def __init__(self, serial: int) -> None:
        self.serial = serial
        self.failures: list[Failure] = []
        self.unmade = 0
        """Parts of it that are not all in chunks yet."""
        self._unanswered = 0

    @property
    def through(self) -> bool:
        """All of it was answered."""
        return not self.unmade and not self._unanswered

    def asked(self, chunk: Chunk) -> bool:
        """One more chunk; whether it has anything to send."""
        self.failures += chunk.refused
        self._unanswered += bool(chunk.operations)
        return bool(chunk.operations)

    def answered(self, failures: Iterator[Failure]) -> None:
        """One chunk is through."""
        self.failures += failures
        self._unanswered -= 1


class Writer(asyncio.Protocol):
    """The daemon's end of a channel to the process that writes; for the event loop alone.

    `on_applied` is told of each batch, in their order, later in the loop. The limits of a chunk are those of
    `socket`, which the process sends by. `on_end` is called when the channel ends, for whatever reason; what
    was under way then is never answered.
    """

    def __init__(
        self, socket: NetlinkSocket, on_applied: Callable[[Applied], None], on_end: Callable[[], None]
    ) -> None:
        self._on_applied = on_applied
        self._on_end = on_end
        self._encoder = Encoder(min(MAX_MESSAGES, socket.answer_limit), min(MAX_OCTETS, socket.send_limit))
        self._batches: deque[Batch] = deque()
        """Not told yet."""
        self._turns: Turns[Batch] = Turns(self._encoder)
        """What of them is not in chunks yet."""
        self._sent: deque[tuple[Batch, Chunk, int]] = deque()
        """What is not answered yet, and how many octets it was; the octets themselves are not kept."""
        self._ahead = 0
        self._read = bytearray()
        self._transport: asyncio.WriteTransport | None = None
        self._idle = asyncio.Event()
        self._idle.set()
        self._heard = 0.0

    def apply(self, serial: int, operations: Sequence[Step]) -> None:
        """Do all of a batch that the kernel lets us do. Raises nothing."""
        batch = Batch(serial)
        batch.unmade = self._turns.put(batch, operations, alone=not self._batches)
        self._batches.append(batch)
        self._idle.clear()
        self._proceed()

    @property
    def silence(self) -> float:
        """Seconds since the last answer, or since the first question after it; 0: none is awaited."""
        return asyncio.get_running_loop().time() - self._heard if self._sent else 0.0

    async def idle(self) -> None:
        """Wait until all that was asked for is through."""
        await self._idle.wait()

    def _made(self, part: Part[Batch]) -> Chunk | None:
        """The next chunk of a part; None if there is none left."""
        try:
            return part.next()
        except Exception as error:
            serial = part.batch.serial
            _log.error("batch %d was not written: %s", serial, error, exc_info=error)
            single = (operation for step in part.steps for operation in expanded(step))
            part.batch.failures += [Failure(operation, errno.EIO, str(error)) for operation in single]
            return None

    # -- the channel --

    def itself(self) -> Writer:
        """The protocol that an event loop asks for when it takes the channel."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._proceed()

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._on_end()

    def data_received(self, octets: bytes) -> None:
        self._heard = asyncio.get_running_loop().time()
        self._read += octets
        while len(self._read) >= REPLY.size:
            size, unsent, lost = REPLY.unpack_from(self._read)
            if len(self._read) < REPLY.size + size:
                break
            answers = bytes(self._read[REPLY.size : REPLY.size + size])
            del self._read[: REPLY.size + size]
            batch, chunk, count = self._sent.popleft()
            self._ahead -= count
            batch.answered(refused(chunk, answers, unsent, lost))
        self._proceed()

    def _proceed(self) -> None:
        """Keep the process ahead; tell of the batches that are through."""
        while self._ahead < AHEAD and self._transport is not None and (part := self._turns.first()):
            batch, chunk = part.batch, self._made(part)
            if chunk is None:
                self._turns.drop(part)
                batch.unmade -= 1
                continue
            if not batch.asked(chunk):
                continue
            octets, chunk.octets = chunk.octets, bytearray()
            frame = FRAME.pack(len(octets), chunk.first + len(chunk.operations) - 1)
            if len(octets) < _SMALL:
                self._transport.write(frame + octets)
            else:
                self._transport.write(frame)
                self._transport.write(octets)
            if not self._sent:
                self._heard = asyncio.get_running_loop().time()
            self._sent.append((batch, chunk, len(octets)))
            self._ahead += len(octets)
        while self._batches and self._batches[0].through:
            batch = self._batches.popleft()
            told = Applied(batch.serial, tuple(batch.failures))
            asyncio.get_running_loop().call_soon(self._on_applied, told)
        if not self._batches:
            self._idle.set()


def refused(chunk: Chunk, answers: bytes, unsent: int = 0, lost: int = 0) -> Iterator[Failure]:
    """What of a chunk the kernel refused, by its answers.

    `unsent` is the errno of the `send`, `lost` that of the `recv` before the last answer; 0: none.
    """
    if unsent:
        # Nothing of the chunk was looked at: the kernel copies all of it before it begins.
        yield from (Failure(op, unsent, f"not sent: {os.strerror(unsent)}") for op in chunk.operations)
        return
    after = 0
    for kind, flags, sequence, start, end in messages(answers):
        place = sequence - chunk.first
        if kind != NLMSG_ERROR or not 0 <= place < len(chunk.operations):
            continue
        after = place + 1
        operation = chunk.operations[place]
        number, text = refusal(answers, flags, start, end)
        if number and not _already_gone(operation, number):
            yield Failure(operation, number, text)
    if lost:
        # Refusals between the last one that was read and the end are not known.
        reason = f"the kernel's answer was lost: {os.strerror(lost)}"
        yield from (Failure(op, lost, reason) for op in chunk.operations.since(after))


def _already_gone(operation: Operation, number: int) -> bool:
    return number in _GONE and isinstance(operation, DeleteRoute | DeleteNexthop | DeleteRule)
