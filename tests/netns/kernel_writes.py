"""Writes to the kernel at once and by hand, as another process would."""

from __future__ import annotations

from vrfbgp.kernel.batch import MAX_MESSAGES, MAX_OCTETS, Encoder
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.scribe import answered
from vrfbgp.kernel.writer import refused
from vrfbgp.operations import Failure, Step


def write(socket: NetlinkSocket, *operations: Step) -> list[Failure]:
    """Do the operations; what the kernel refused. The socket is good for nothing else then."""
    socket.hand_over()
    failures: list[Failure] = []
    encoder = Encoder(min(MAX_MESSAGES, socket.answer_limit), min(MAX_OCTETS, socket.send_limit))
    for chunk in encoder.chunks(operations):
        socket.send(chunk.octets)
        failures += refused(chunk, *answered_by(socket, chunk.first + len(chunk.operations) - 1))
    return failures


def answered_by(socket: NetlinkSocket, last: int) -> tuple[bytes, int, int]:
    """The answers up to that to a message, with the errno of the `send` and of the `recv`."""
    answers, lost = answered(socket.fileno(), last)
    return answers, 0, lost
