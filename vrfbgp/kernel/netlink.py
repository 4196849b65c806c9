"""A netlink socket: requests and dumps with errors as exceptions, and many messages per send.

Its methods block, and belong into a thread (`worker`) or, for the few octets of a watch, on a socket that
does not block. Every answer is matched by its sequence number; whatever else lies in the socket, the
rest of a dump that was given up for instance, is passed over.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Final

from vrfbgp.kernel import bpf
from vrfbgp.kernel.attributes import attributes, text
from vrfbgp.kernel.uapi import (
    NETLINK_ADD_MEMBERSHIP,
    NETLINK_CAP_ACK,
    NETLINK_EXT_ACK,
    NETLINK_GET_STRICT_CHK,
    NETLINK_ROUTE,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLM_F_REQUEST,
    NLMSG_DONE,
    NLMSG_ERROR,
    NLMSGERR_ATTR_MSG,
    SO_RCVBUFFORCE,
    SO_SNDBUFFORCE,
    SOL_NETLINK,
)

HEADER: Final = Struct("=IHHII")
"""struct nlmsghdr: length, type, flags, sequence number, port id."""
RECEIVE_OCTETS: Final = 1 << 18
"""Larger than any datagram of the kernel (32 KiB for a dump)."""
BUFFER_OCTETS: Final = 16 << 20
ANSWER_SECONDS: Final = 30.0
_ERROR = Struct("=i")
_TIMEVAL = Struct("@ll")


class DumpInterrupted(OSError):
    """What was dumped changed meanwhile (NLM_F_DUMP_INTR): it is not one state of the kernel."""

    def __init__(self) -> None:
        super().__init__(errno.EINTR, "the dump was interrupted by a change")


class NetlinkSocket:
    """One socket, in the network namespace of the thread that makes it."""

    def __init__(self, blocking: bool = True, protocol: int = NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        try:
            self._enlarge(SO_SNDBUFFORCE, socket.SO_SNDBUF)
            self._enlarge(SO_RCVBUFFORCE, socket.SO_RCVBUF)
            self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            self._socket.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
            self._socket.bind((0, 0))
            self._socket.settimeout(ANSWER_SECONDS if blocking else 0)
        except BaseException:
            self._socket.close()
            raise
        self._sequence = 0

    def _enlarge(self, force: int, plain: int) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, force, BUFFER_OCTETS)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, plain, BUFFER_OCTETS)

    @property
    def port_id(self) -> int:
        """By which the kernel marks the notifications that this socket's requests cause (nlmsg_pid)."""
        return int(self._socket.getsockname()[0])

    @property
    def send_limit(self) -> int:
        """Octets that one `send` may have."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 64

    @property
    def answer_limit(self) -> int:
        """Refused messages whose answers fit the receive buffer, at the 2 KiB an answer may take."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2048

    def hand_over(self) -> None:
        """Make it fit for a process that knows it by its number: it blocks, for `ANSWER_SECONDS` at most
        (EAGAIN then), and takes in nothing but the kernel's."""
        self._socket.setblocking(True)
        timeout = _TIMEVAL.pack(int(ANSWER_SECONDS), 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, timeout)
        self._socket.connect((0, 0))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def listen(self, groups: Iterable[int], ignored_port_ids: Iterable[int]) -> None:
        """Receive the notifications of these groups, but for those that these port ids caused; OSError."""
        bpf.attach(self._socket, bpf.without_senders(ignored_port_ids))
        for group in groups:
            self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)

    def send(self, octets: bytes | bytearray) -> None:
        """Give messages to the kernel, which is through with them when this returns."""
        self._socket.send(octets)

    def receive(self) -> bytes:
        """One datagram of the kernel's; OSError, ENOBUFS if some were lost before it."""
        while True:
            octets, _, flags, sender = self._socket.recvmsg(RECEIVE_OCTETS)
            if sender[0] != 0:
                continue  # Only port id 0 is the kernel.
            if flags & socket.MSG_TRUNC:
                raise OSError(errno.ENOBUFS, "a datagram of the kernel was truncated")
            return octets

    def request(self, kind: int, body: bytes, flags: int = 0) -> tuple[bytes, int, int]:
        """The one answer to a request, as (octets, start, end); OSError with the kernel's text."""
        sequence = self._ask(kind, body, NLM_F_REQUEST | flags)
        while True:
            octets = self.receive()
            for answer, answer_flags, number, start, end in messages(octets):
                if number != sequence:
                    continue
                if answer == NLMSG_ERROR:
                    _raise(*refusal(octets, answer_flags, start, end))
                return octets, start, end

    def dump(
        self, kind: int, body: bytes, take: Callable[[bytes, int], bytes] | None = None
    ) -> Iterator[tuple[bytes, int, int, int]]:
        """All objects of a kind: (octets, message type, start, end) of each.

        `take` is given each datagram and the dump's sequence number first, and returns the messages that
        it leaves. It must leave what is no object, and what says that the dump was interrupted.
        OSError with the kernel's text; DumpInterrupted, at the end, if what came is not of one state.
        """
        sequence = self._ask(kind, body, NLM_F_REQUEST | NLM_F_DUMP)
        interrupted = False
        while True:
            octets = self.receive()
            if take is not None:
                octets = take(octets, sequence)
            for answer, flags, number, start, end in messages(octets):
                if number != sequence:
                    continue
                interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
                if answer == NLMSG_ERROR:
                    _raise(*refusal(octets, flags, start, end))
                if answer == NLMSG_DONE:
                    # The error of a dump that failed at its first step is in its end (af_netlink.c).
                    if end - start >= 4 and (failed := -_ERROR.unpack_from(octets, start)[0]) > 0:
                        found = attributes(octets, start + 4, end) if flags & NLM_F_ACK_TLVS else {}
                        _raise(failed, text(found.get(NLMSGERR_ATTR_MSG)))
                    if interrupted:
                        raise DumpInterrupted
                    return
                yield octets, answer, start, end

    def _ask(self, kind: int, body: bytes, flags: int) -> int:
        self._sequence = self._sequence % 0x7FFFFFFF + 1
        self.send(HEADER.pack(HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        return self._sequence


def messages(octets: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """(type, flags, sequence number, start, end) of each message; what is truncated ends the walk."""
    at, size = 0, len(octets)
    while at + 16 <= size:
        length, kind, flags, sequence, _ = HEADER.unpack_from(octets, at)
        end = at + length
        if length < 16 or end > size:
            return
        yield kind, flags, sequence, at + 16, end
        at += (length + 3) & ~3


def refusal(octets: bytes, flags: int, start: int, end: int) -> tuple[int, str]:
    """The errno (0: done) and the text of an NLMSG_ERROR (`struct nlmsgerr`)."""
    if end - start < 4 + HEADER.size:
        return errno.EBADMSG, "the kernel's answer is truncated"
    number = -_ERROR.unpack_from(octets, start)[0]
    if not flags & NLM_F_ACK_TLVS:
        return number, ""
    copied = (
        HEADER.size if flags & NLM_F_CAPPED else max(HEADER.unpack_from(octets, start + 4)[0], HEADER.size)
    )
    found = attributes(octets, start + 4 + ((copied + 3) & ~3), end)
    return number, text(found.get(NLMSGERR_ATTR_MSG))


def _raise(number: int, reason: str) -> None:
    raise OSError(number, reason or os.strerror(number))
