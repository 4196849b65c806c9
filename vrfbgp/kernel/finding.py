"""Which tables hold routes of ours: asked of every route of ours there is, at a start and by `purge`.

A dump names tables one after the other, some 300 routes a datagram. Where the octets that tell the table are
the same in all messages of a datagram, one of them is looked at and the others are passed over.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from vrfbgp.kernel.netlink import HEADER
from vrfbgp.kernel.parse import own_table
from vrfbgp.kernel.uapi import NLM_F_DUMP_INTR, RTA_TABLE, RTM_NEWROUTE
from vrfbgp.model import Family

_TELLING: Final = (*range(12), 16, 20, 21, *range(28, 36))
"""Where length, type, flags and sequence number of a message are, and family, table and protocol of its
route: in `struct rtmsg`, and in the RTA_TABLE that the kernel lays behind it."""
_SHORTEST: Final = 36
_TABLE_AT: Final = 28
_TABLE: Final = Struct("=HH").pack(8, RTA_TABLE)


class TableFinder:
    """Takes in the datagrams of dumps of our protocol's routes."""

    def __init__(self) -> None:
        self.tables: set[tuple[int, Family]] = set()

    def begin(self) -> None:
        """A dump begins; what others found holds."""

    def take(self, datagram: bytes, sequence: int) -> bytes:
        """Take in what is the same throughout; the messages that are left (`NetlinkSocket.dump`)."""
        size = len(datagram)
        step, kind, flags, number, _ = HEADER.unpack_from(datagram) if size >= HEADER.size else (0,) * 5
        if step < _SHORTEST or step % 4 or size % step:
            return datagram
        if kind != RTM_NEWROUTE or flags & NLM_F_DUMP_INTR or number != sequence:
            return datagram
        if datagram[_TABLE_AT : _TABLE_AT + len(_TABLE)] != _TABLE:
            return datagram
        count = size // step
        if any(datagram[octet::step] != datagram[octet : octet + 1] * count for octet in _TELLING):
            return datagram
        self.see(datagram, HEADER.size, step)
        return b""

    def see(self, message: bytes, start: int, end: int) -> None:
        """Take in one route."""
        if (table := own_table(message, start, end)) is not None:
            self.tables.add(table)
