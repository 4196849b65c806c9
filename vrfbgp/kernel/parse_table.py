"""Whole tables, fast: most of a table's routes differ in nothing but their prefix.

What stands around the prefix in a route's message is parsed once, the slow way, and remembered for the
next route with the same octets. Whatever does not have the usual form is parsed the slow way too, so that the
outcome never differs.
"""

from __future__ import annotations

from struct import Struct

from vrfbgp.kernel.attributes import walk
from vrfbgp.kernel.parse import nlri_from, route
from vrfbgp.kernel.uapi import RTA_DST, RTA_TABLE
from vrfbgp.model import KernelRoute, RouteKey

_USUAL = Struct("=HHIHH")
"""Behind the `struct rtmsg`: an RTA_TABLE, and the head of an RTA_DST."""
_USUAL_AT = 12
_DST_AT = _USUAL_AT + _USUAL.size
_REMEMBERED = 4096


class TableParser:
    """Parses the messages of one dump."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], KernelRoute | None] = {}

    def __call__(self, message: bytes, start: int, end: int) -> KernelRoute | None:
        """As `parse.route`."""
        first = start + _DST_AT
        if first > end:
            return route(message, start, end)
        table_size, table_kind, _, size, kind = _USUAL.unpack_from(message, start + _USUAL_AT)
        rest = first + size - 4
        if table_kind != RTA_TABLE or table_size != 8 or kind != RTA_DST or size not in (8, 20) or rest > end:
            return route(message, start, end)
        around = message[start:first], message[rest:end]
        try:
            like = self._known[around]
        except KeyError:
            like = route(message, start, end)
            if any(kind == RTA_DST for kind, _, _ in walk(message, rest, end)):
                return like
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[around] = like
        if like is None:
            return None
        key = like.key
        nlri = nlri_from(message[start + 1], message[first:rest])
        if nlri is None:
            return None
        return KernelRoute(
            RouteKey(key.table, key.family, nlri, key.metric),
            like.protocol,
            like.kind,
            like.scope,
            like.nexthops,
            like.nhid,
            like.prefsrc,
        )
