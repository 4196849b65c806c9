"""Writes to the kernel from where it is called, and waits for the answers: what has no daemon (`purge`)."""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.kernel.batch import MAX_MESSAGES, MAX_OCTETS, Encoder
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.scribe import answered
from vrfbgp.kernel.writer import refused
from vrfbgp.operations import Failure, Step


def write(socket: NetlinkSocket, operations: Iterable[Step]) -> list[Failure]:
    """Do the operations in order; what the kernel refused. OSError if nothing can be sent.

    The socket is good for nothing else afterwards.
    """
    socket.hand_over()
    failures: list[Failure] = []
    encoder = Encoder(min(MAX_MESSAGES, socket.answer_limit), min(MAX_OCTETS, socket.send_limit))
    for chunk in encoder.chunks(operations):
        failures += chunk.refused
        if not chunk.operations:
            continue
        socket.send(chunk.octets)
        answers, lost = answered(socket.fileno(), chunk.first + len(chunk.operations) - 1)
        failures += refused(chunk, answers, lost=lost)
    return failures
