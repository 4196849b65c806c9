"""What of ours went, until it is known whether a device took it along or somebody deleted it.

With a device that goes down, or loses its carrier, the kernel drops the next hops and the routes on it. Of
IPv6 it tells route by route (RTM_DELROUTE), and before it tells of the device (RTM_NEWLINK). That is nobody's
deed, however often a link flaps; so what went waits here until links were read. A flushed table may hold a
million routes: all are counted, but only `NAMED` are known by name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from vrfbgp.fib.contests import REMEMBERED
from vrfbgp.fib.draft import Key

NAMED = REMEMBERED
LATE = 5.0
"""Seconds after a device lost something in which it may still be told what went with it: the event may have
waited behind a dump of its table, or be one of very many."""


class Missing:
    """The objects whose fate is not known yet."""

    def __init__(self) -> None:
        self._named: dict[Key, frozenset[int]] = {}
        """The devices that each led to. What goes twice before links are read counts once."""
        self._unnamed: Counter[tuple[str, frozenset[int]]] = Counter()
        """How many more there are, by kind and devices."""
        self._took: dict[int, float] = {}
        """When devices lost something."""

    def put(self, key: Key, kind: str, devices: frozenset[int]) -> None:
        """An object went, that led to these devices (by index)."""
        if len(self._named) < NAMED or key in self._named:
            self._named[key] = devices
        else:
            self._unnamed[kind, devices] += 1

    def links_read(self, changed: Set[int], lost: Set[int], now: float) -> tuple[list[Key], Counter[str]]:
        """What somebody deleted, since none of its devices changed: by name, and how many more by kind.

        `lost`: those of the devices that may have taken something along.
        """
        self._took = {device: when for device, when in self._took.items() if when + LATE > now}
        self._took.update(dict.fromkeys(lost, now))
        innocent = changed | self._took.keys()
        named = [key for key, devices in self._named.items() if innocent.isdisjoint(devices)]
        more: Counter[str] = Counter()
        for (kind, devices), times in self._unnamed.items():
            if innocent.isdisjoint(devices):
                more[kind] += times
        self._named, self._unnamed = {}, Counter()
        return named, more
