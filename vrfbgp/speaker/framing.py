"""Cuts a stream of BGP into messages (RFC 4271 4.1) and checks every header. No input or output here.

UPDATEs are the mass: neighbouring ones stay together as one run of octets and are never looked into. All
other messages come out one by one. Checks are those of RFC 4271 6.1, with the lengths of RFC 8654 (extended
messages) and RFC 2918 (ROUTE-REFRESH).
"""

from __future__ import annotations

MARKER = b"\xff" * 16
HEADER_LENGTH = 19

OPEN, UPDATE, NOTIFICATION, KEEPALIVE, ROUTE_REFRESH = 1, 2, 3, 4, 5

STANDARD_LIMIT = 4096
EXTENDED_LIMIT = 65535
"""RFC 8654; never for OPEN and KEEPALIVE."""

_SHORTEST = {OPEN: 29, UPDATE: 23, NOTIFICATION: 21, KEEPALIVE: 19, ROUTE_REFRESH: 23}
_LONGEST = {OPEN: STANDARD_LIMIT, KEEPALIVE: 19}


class HeaderFault(Exception):
    """A header that ends the session: the NOTIFICATION to send for it (RFC 4271 6.1)."""

    def __init__(self, subcode: int, data: bytes, text: str) -> None:
        super().__init__(text)
        self.code = 1
        self.subcode = subcode
        self.data = data


class Framer:
    """The reading end of one session.

    `limit` is the longest message allowed: `STANDARD_LIMIT`, or `EXTENDED_LIMIT` where both sides announced
    it.
    """

    def __init__(self, limit: int = STANDARD_LIMIT) -> None:
        self.limit = limit
        self.fault: HeaderFault | None = None
        """Set by the first bad header. What was whole before it has been handed out; nothing comes after."""
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """What `data` completes, in order: (message type, octets with header); of type UPDATE whole runs."""
        if self.fault is not None:
            return []
        buffer = self._rest + data if self._rest else data
        size = len(buffer)
        found: list[tuple[int, bytes]] = []
        run = at = 0
        limit = self.limit
        while size - at >= HEADER_LENGTH:
            length = buffer[at + 16] << 8 | buffer[at + 17]
            kind = buffer[at + 18]
            if kind != UPDATE or not 23 <= length <= limit or not buffer.startswith(MARKER, at):
                self.fault = self._check(buffer[at : at + HEADER_LENGTH], length, kind)
                if self.fault is not None:
                    break
                if size - at < length:
                    break
                if run < at:
                    found.append((UPDATE, buffer[run:at]))
                found.append((kind, buffer[at : at + length]))
                at = run = at + length
                continue
            if size - at < length:
                break
            at += length
        if run < at:
            found.append((UPDATE, buffer[run:at]))
        self._rest = buffer[at:]
        return found

    def _check(self, header: bytes, length: int, kind: int) -> HeaderFault | None:
        if not header.startswith(MARKER):
            return HeaderFault(1, b"", f"marker {header[:16].hex()} instead of all ones")
        in_bounds = HEADER_LENGTH <= length <= self.limit
        if in_bounds and kind not in _SHORTEST:
            return HeaderFault(3, header[18:19], f"message of type {kind}")
        if not in_bounds or not _SHORTEST[kind] <= length <= _LONGEST.get(kind, self.limit):
            return HeaderFault(2, header[16:18], f"message of type {kind} with a length of {length}")
        return None
