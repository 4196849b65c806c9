"""Where peers of passive sessions call, and to whose network a call belongs.

The daemon listens, not the speakers, as two networks may listen on one address; ports below 1024 are bound
for it by the one process that may (`kernel/ports.py`). A listening socket is for one local address, port and
device (`listener`), so a call by another network's wire does not reach it, though it be for the right
addresses; of those that do, the peer's address decides. What is accepted goes to the network's speaker at
once: nothing of what a peer says is read here.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence

from vrfbgp.model import IPAddress, PeerId
from vrfbgp.requests import SessionConfig
from vrfbgp.speaker import tcp
from vrfbgp.speaker.listener import Expected, Listener, Place, Refused, Taken

log = logging.getLogger(__name__)

UNSIGNED = (
    "not heard yet; but somebody calls with another TCP MD5 password, or none: do both sides have the same?"
)
RETRY = 5.0
"""Seconds until a socket that could not be had is tried again."""
LOOK = 5.0
"""Seconds between two looks at what the kernel dropped for its signature."""


class Listeners:
    """All listening sockets of the daemon. All methods are to be called in the event loop."""

    def __init__(self, bind: tcp.Bind = socket.socket.bind) -> None:
        self._bind = bind
        self._expected: dict[str, list[tuple[Place, Expected]]] = {}
        self._listeners: dict[Place, Listener] = {}
        self._told: dict[PeerId, str] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._unsigned = 0

    def expect(self, network: str, sessions: Sequence[SessionConfig], taken: Taken, refused: Refused) -> None:
        """Wait for the peers of these sessions of a network, as far as they are passive, and for no others.

        A socket that can't be had is told to `refused`, and tried again.
        """
        self._expected[network] = [
            (Place(session.local_address, listen.ifindex, listen.port), Expected(session, taken, refused))
            for session in sessions
            if (listen := session.listen) is not None
        ]
        self._told = {peer: reason for peer, reason in self._told.items() if peer.network != network}
        self._bring_up()

    def forget(self, network: str) -> None:
        """Wait for no peer of a network any more."""
        if self._expected.pop(network, None):
            self._bring_up()

    def _bring_up(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        wanted: dict[Place, dict[IPAddress, Expected]] = {}
        for expectations in self._expected.values():
            for place, expected in expectations:
                address = expected.session.peer.address
                first = wanted.setdefault(place, {}).setdefault(address, expected)
                if first is not expected:
                    self._tell(expected, f"{first.session.peer} is called from this address already")
        for place in self._listeners.keys() - wanted.keys():
            self._listeners.pop(place).close()
        for place, callers in wanted.items():
            try:
                if place not in self._listeners:
                    self._listeners[place] = Listener(place, self._bind)
                failed = self._listeners[place].expect(callers)
            except OSError as error:
                failed = dict.fromkeys(callers, place.why_not(error))
                if listener := self._listeners.pop(place, None):
                    listener.close()
            for address, reason in failed.items():
                self._tell(callers[address], f"can't be called: {reason}")
            if failed and self._retry is None:
                self._retry = asyncio.get_running_loop().call_later(RETRY, self._bring_up)
        self._look_for_unsigned()

    def _look_for_unsigned(self) -> None:
        """Begin, or cease, to look at what never reaches us."""
        keyed = any(expected.session.password for found in self._expected.values() for _, expected in found)
        if not keyed and self._looking is not None:
            self._looking.cancel()
            self._looking = None
        elif keyed and self._looking is None:
            self._unsigned = tcp.unsigned_segments()
            self._looking = asyncio.get_running_loop().call_later(LOOK, self._tell_unsigned)

    def _tell_unsigned(self) -> None:
        """A call without the right password is dropped by the kernel; that is all that can be known of it."""
        self._looking = None
        before = self._unsigned
        self._look_for_unsigned()
        if self._unsigned <= before:
            return
        for found in self._expected.values():
            for _, expected in found:
                if expected.session.password:
                    expected.refused(expected.session.peer, UNSIGNED)

    def _tell(self, expected: Expected, reason: str) -> None:
        peer = expected.session.peer
        if self._told.get(peer) != reason:
            self._told[peer] = reason
            log.error("peer %s: %s", peer, reason)
            expected.refused(peer, reason)
