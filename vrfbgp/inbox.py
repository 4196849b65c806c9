"""Events on their way to the core: in order for each source, the kernel's first, the networks' in turn.

A network that sends a full table must not delay another's, nor what the kernel says about links; so the
core takes a bounded number of octets from each network in a round. A network that is too far ahead is made
to wait: its speaker then spools, and at last its peers do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator

from vrfbgp.events import Event, SpeakerEvent, Updates

ROUND = 1 << 20
"""Octets of UPDATEs that one network has in a round."""
FULL = 8 << 20
"""Octets that wait for the core before the network's speaker is not read any more."""


class Inbox:
    """All queues of one event loop; not for other threads."""

    def __init__(self) -> None:
        self._first: deque[Event] = deque()
        self._networks: dict[str, deque[SpeakerEvent]] = {}
        self._octets: dict[str, int] = {}
        self._room: dict[str, asyncio.Event] = {}
        self._something = asyncio.Event()

    def put(self, event: Event) -> None:
        """An event of the kernel or of the config."""
        self._first.append(event)
        self._something.set()

    async def put_from(self, network: str, event: SpeakerEvent) -> None:
        """An event of a network's speaker; returns when the next is welcome."""
        self._networks.setdefault(network, deque()).append(event)
        self._something.set()
        if isinstance(event, Updates):
            octets = self._octets[network] = self._octets.get(network, 0) + len(event.block)
            if octets > FULL:
                room = self._room[network] = asyncio.Event()
                await room.wait()

    async def wait(self, timeout: float | None) -> None:
        """Until there is something to take, or the time (seconds) is over."""
        if self._first or any(self._networks.values()):
            # Let the sources in between two rounds of a long queue.
            await asyncio.sleep(0)
            return
        self._something.clear()
        try:
            await asyncio.wait_for(self._something.wait(), timeout)
        except TimeoutError:
            return

    def take(self) -> Iterator[Event]:
        """One round."""
        while self._first:
            yield self._first.popleft()
        for network, queue in self._networks.items():
            octets = 0
            while queue and octets < ROUND:
                event = queue.popleft()
                if isinstance(event, Updates):
                    octets += len(event.block)
                yield event
            if octets:
                self._octets[network] -= octets
                if self._octets[network] <= FULL and network in self._room:
                    self._room.pop(network).set()
