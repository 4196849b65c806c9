"""Events on their way to the core: in order for each source, the kernel's first, the networks' in turn.

A network that sends a full table must not delay another's, nor what the kernel says about links; so the
core takes a bounded number of octets from each network in a round. A network that is too far ahead, of the
core or of the kernel, is made to wait: its speaker then spools, and at last its peers do.
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
BLOCK, OTHER = 256, 4096
"""What a block of UPDATEs counts as beside its octets, and any other event of a network. A peer may flap,
begin one refresh after the other, or say each word by itself: little on the wire may be much here."""


def _weight(event: SpeakerEvent) -> int:
    return len(event.block) + BLOCK if isinstance(event, Updates) else OTHER


class Inbox:
    """All queues of one event loop; not for other threads."""

    def __init__(self) -> None:
        self._first: deque[Event] = deque()
        self._networks: dict[str, deque[SpeakerEvent]] = {}
        self._octets: dict[str, int] = {}
        self._room: dict[str, asyncio.Future[None]] = {}
        self._waiting: asyncio.Future[None] | None = None
        self._held: frozenset[str] = frozenset()

    def hold(self, networks: frozenset[str]) -> None:
        """Take nothing of these until they are held no more: the kernel is far behind with their routes."""
        if self._held - networks:
            self.wake()
        self._held = networks

    @property
    def holds_back(self) -> bool:
        """Whether any network is held."""
        return bool(self._held)

    def put(self, event: Event) -> None:
        """An event of the kernel or of the config."""
        self._first.append(event)
        self.wake()

    def put_from(self, network: str, event: SpeakerEvent) -> asyncio.Future[None] | None:
        """An event of a network's speaker; what to wait for, if the next is not welcome yet."""
        self._networks.setdefault(network, deque()).append(event)
        self.wake()
        octets = self._octets[network] = self._octets.get(network, 0) + _weight(event)
        if octets <= FULL:
            return None
        if network not in self._room:
            self._room[network] = asyncio.get_running_loop().create_future()
        return self._room[network]

    async def wait(self, timeout: float | None) -> None:
        """Until there is something to take, or the time (seconds) is over."""
        if self._first or any(queue for name, queue in self._networks.items() if name not in self._held):
            # Let the sources in between two rounds of a long queue.
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = None if timeout is None else loop.call_later(timeout, self.wake)
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()

    @property
    def holds_first(self) -> bool:
        """Whether events of the kernel or of the config wait."""
        return bool(self._first)

    @property
    def backlog(self) -> dict[str, int]:
        """Octets of UPDATEs that wait, and what counts as such, by network."""
        return self._octets.copy()

    def wake(self) -> None:
        """End the waiting, if somebody waits."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def take(self) -> Iterator[Event]:
        """One round."""
        while self._first:
            yield self._first.popleft()
        for network, queue in self._networks.items():
            octets = 0
            while queue and octets < ROUND and network not in self._held:
                event = queue.popleft()
                octets += _weight(event)
                yield event
            if octets:
                self._octets[network] -= octets
                if self._octets[network] <= FULL and network in self._room:
                    room = self._room.pop(network)
                    if not room.done():
                        room.set_result(None)
