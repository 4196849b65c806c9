"""Writes batches of operations to the kernel, in order, and tells what it refused.

What is to be deleted and is not there any more counts as deleted. All else that the kernel refuses is a
`Failure`, and the operations behind it are still done.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence

from vrfbgp.events import Applied
from vrfbgp.kernel.batch import MAX_MESSAGES, MAX_OCTETS, Encoder
from vrfbgp.kernel.chunk import Chunk
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.operations import DeleteNexthop, DeleteRoute, DeleteRule, Failure, Operation, Step

_GONE = frozenset({errno.ESRCH, errno.ENOENT})
"""No route: ESRCH. No rule, no next hop object: ENOENT."""


class Writer:
    """Owns the one socket that changes anything."""

    def __init__(self, socket: NetlinkSocket) -> None:
        self._socket = socket
        self._encoder = Encoder(min(MAX_MESSAGES, socket.answer_limit), min(MAX_OCTETS, socket.send_limit))

    def apply(self, serial: int, operations: Sequence[Step]) -> Applied:
        """Do all of a batch that the kernel lets us do. Raises nothing."""
        failures: list[Failure] = []
        for chunk in self._encoder.chunks(operations):
            failures += chunk.refused
            if chunk.operations:
                failures += self._write(chunk)
        return Applied(serial, tuple(failures))

    def _write(self, chunk: Chunk) -> Iterator[Failure]:
        try:
            self._socket.send(chunk.octets)
        except OSError as error:
            # Nothing of the chunk was looked at: the kernel copies all of it before it begins.
            number = error.errno or errno.EIO
            yield from (Failure(op, number, f"not sent: {os.strerror(number)}") for op in chunk.operations)
            return
        answered = 0
        last = len(chunk.operations) - 1
        try:
            for sequence, number, text in self._socket.answers(chunk.first + last):
                place = sequence - chunk.first
                if not 0 <= place <= last:
                    continue
                answered = place + 1
                operation = chunk.operations[place]
                if number and not _already_gone(operation, number):
                    yield Failure(operation, number, text)
        except OSError as error:
            # Refusals between the last one that was read and the end are not known.
            number = error.errno or errno.EIO
            reason = f"the kernel's answer was lost: {os.strerror(number)}"
            yield from (Failure(op, number, reason) for op in chunk.operations.since(answered))


def _already_gone(operation: Operation, number: int) -> bool:
    return number in _GONE and isinstance(operation, DeleteRoute | DeleteNexthop | DeleteRule)
