"""Keeps notifications behind the dump they may contradict.

A dump is taken in a thread, and takes a while; notifications come by the event loop. One that tells of a
change behind the dump could be told before it, and the core, told of the dump last, would believe in a route
that is gone. So what concerns a table is held from the moment its dump begins until the dump has been told.
Told then, in order, it may repeat what the dump shows already, but never leads back behind it.
"""

from __future__ import annotations

from threading import Lock

from vrfbgp.events import KernelEvent, NexthopGone, NexthopSeen, RouteGone, RouteSeen
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadTable


class Hold:
    """Which dumps are under way, and what waits for their end."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[ReadRequest, int] = {}
        self._waiting: dict[ReadRequest, list[KernelEvent]] = {}

    def begin(self, request: ReadRequest) -> None:
        """Called by the thread that dumps, before it asks the kernel."""
        with self._lock:
            self._under_way[request] = self._under_way.get(request, 0) + 1

    def end(self, request: ReadRequest) -> list[KernelEvent]:
        """The dump has been told, or failed: what is to be told now, in order."""
        with self._lock:
            left = self._under_way.get(request, 0) - 1
            if left > 0:
                self._under_way[request] = left
                return []
            self._under_way.pop(request, None)
            return self._waiting.pop(request, [])

    def takes(self, event: KernelEvent) -> bool:
        """Whether the event is kept for later; if not, it is to be told now."""
        request = _dump_of(event)
        with self._lock:
            if request is None or request not in self._under_way:
                return False
            self._waiting.setdefault(request, []).append(event)
            return True


def _dump_of(event: KernelEvent) -> ReadRequest | None:
    if isinstance(event, RouteSeen | RouteGone):
        return ReadTable(event.route.key.table, event.route.key.family)
    if isinstance(event, NexthopSeen | NexthopGone):
        return ReadNexthops()
    return None
