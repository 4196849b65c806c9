"""Where peers of passive sessions call, and to whose network a call belongs.

The daemon listens, not the speakers: they may bind no port below 1024, and two networks may listen on one
address. A listening socket is for one local address, port and device, so a call by another network's wire
does not reach it, though it be for the right addresses; of those that do, the peer's address decides. What
is accepted goes to the network's speaker at once: nothing of what a peer says is read here.

TCP MD5 keys (RFC 2385) and TTL security (RFC 5082) hold from the first segment on.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from vrfbgp.model import IPAddress, PeerId
from vrfbgp.requests import SessionConfig
from vrfbgp.speaker import tcp

log = logging.getLogger(__name__)

UNSIGNED = (
    "not heard yet; but somebody calls with another TCP MD5 password, or none: do both sides have the same?"
)
RETRY = 5.0
"""Seconds until a socket that could not be had is tried again."""
CALLS_AT_ONCE = 16
REST = 0.05
"""Seconds without looking after so many calls: who calls like mad keeps nobody from his work."""
SILENCE = 60.0
"""Seconds for which no other stranger is worth a line in the log."""

LOOK = 5.0
"""Seconds between two looks at what the kernel dropped for its signature."""

Taken = Callable[[SessionConfig, socket.socket], None]
"""Takes over the connection that a peer has made."""
Refused = Callable[[PeerId, str], None]
"""Is told why a peer can't be waited for, or is not let in."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a listening socket is bound to."""

    local: IPAddress
    ifindex: int
    port: int


@dataclass(frozen=True, slots=True)
class Expected:
    """A session whose peer is to call, and who wants to know."""

    session: SessionConfig
    taken: Taken
    refused: Refused


class Listeners:
    """All listening sockets of the daemon. All methods are to be called in the event loop."""

    def __init__(self) -> None:
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
                    self._listeners[place] = Listener(place)
                failed = self._listeners[place].expect(callers)
            except OSError as error:
                failed = dict.fromkeys(callers, _why(error, place))
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


class Listener:
    """One listening socket; OSError if it can't be had."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._socket = tcp.listening(place.local, place.ifindex, place.port)
        self._listens = False
        self._callers: Mapping[IPAddress, Expected] = {}
        self._keys: dict[IPAddress, str | None] = {}
        self._least_ttl = 0
        self._silent_until = 0.0
        self._resting: asyncio.TimerHandle | None = None

    def expect(self, callers: Mapping[IPAddress, Expected]) -> dict[IPAddress, str]:
        """Take the calls of these peers from now on; why some can't be taken. Raises OSError."""
        failed: dict[IPAddress, str] = {}
        fresh = self._key(callers, failed)
        self._callers = {address: one for address, one in callers.items() if address not in failed}
        self._least_ttl = min((one.session.least_ttl for one in self._callers.values()), default=0)
        tcp.demand_ttl(self._socket, self._least_ttl)
        if not self._listens:
            self._socket.listen(tcp.BACKLOG)
            self._listens = True
            self._look()
        elif fresh:
            # They called under another key, or none.
            self._take(refused=fresh)
        return failed

    def close(self) -> None:
        """Listen no more; who has called and was not taken in is turned away by the kernel."""
        self._look_away()
        self._socket.close()

    def _key(self, callers: Mapping[IPAddress, Expected], failed: dict[IPAddress, str]) -> set[IPAddress]:
        """Demand the peers' passwords; whose is another than before."""
        fresh: set[IPAddress] = set()
        for address in self._keys.keys() - callers.keys():
            del self._keys[address]
            tcp.demand_key(self._socket, address, None)
        for address, expected in callers.items():
            password = expected.session.password
            if self._keys.get(address) != password:
                fresh.add(address)
                try:
                    tcp.demand_key(self._socket, address, password)
                except OSError as error:
                    # Without its key the session is none: whoever calls is turned away.
                    failed[address] = f"its TCP MD5 password can't be set: {error.strerror}"
                    self._keys.pop(address, None)
                    continue
            self._keys[address] = password
        return fresh

    # -- calls -----------------------------------------------------------------------------------

    def _look(self) -> None:
        self._resting = None
        asyncio.get_running_loop().add_reader(self._socket, self._calls)

    def _look_away(self, pause: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._socket)
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        if pause:
            self._resting = loop.call_later(pause, self._look)

    def _calls(self) -> None:
        if self._take(CALLS_AT_ONCE) == CALLS_AT_ONCE:
            self._look_away(REST)

    def _take(self, most: int = tcp.BACKLOG + 1, refused: set[IPAddress] | None = None) -> int:
        """Take in who has called, but not these; how many it were."""
        for count in range(most):
            try:
                io, (address, *_) = self._socket.accept()
            except BlockingIOError:
                return count
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.error("listener %s: can't take a call: %s", self._place, error.strerror)
                    self._look_away(1.0)
                    return count
                continue
            caller = ip_address(address.partition("%")[0])
            if refused and caller in refused:
                tcp.turn_away(io)
                continue
            # The peer may have hung up again.
            with suppress(OSError):
                self._admit(io, caller)
        return most

    def _admit(self, io: socket.socket, caller: IPAddress) -> None:
        expected = self._callers.get(caller)
        if expected is None:
            self._stranger(io, caller)
            return
        session = expected.session
        ttl = tcp.ttl_of_call(io) if session.least_ttl > self._least_ttl else None
        if session.least_ttl > (self._least_ttl if ttl is None else ttl):
            tcp.turn_away(io)
            came = "nobody knows what TTL" if ttl is None else f"a TTL of {ttl}"
            reason = f"its call came with {came}; ttlSecurity asks for {session.least_ttl} (RFC 5082)"
            expected.refused(session.peer, reason)
            return
        tcp.demand_ttl(io, session.least_ttl)
        tcp.send_with(io, session.sent_ttl)
        io.setblocking(False)
        expected.taken(session, io)

    def _stranger(self, io: socket.socket, caller: IPAddress) -> None:
        now = time.monotonic()
        if now >= self._silent_until:
            self._silent_until = now + SILENCE
            log.warning(
                "%s called %s port %d by %s and is turned away: no passive peer there has that address",
                caller,
                self._place.local,
                self._place.port,
                _name(self._place.ifindex),
            )
        tcp.turn_away(io)


def _name(ifindex: int) -> str:
    try:
        return socket.if_indextoname(ifindex)
    except OSError:
        return f"device {ifindex}"


def _why(error: OSError, place: Place) -> str:
    hint = {
        errno.EACCES: ": the daemon needs CAP_NET_BIND_SERVICE, or a listenPort from 1024 on",
        errno.EPERM: ": a device can be named without CAP_NET_RAW from Linux 5.7 on",
        errno.EADDRINUSE: ": another program listens on it; end that, or set listenPort in the "
        "BGPConfiguration and the same port in the router",
    }.get(error.errno or 0, "")
    at = f"{place.local} port {place.port} on {_name(place.ifindex)}"
    return f"listening at {at} failed: {error.strerror}{hint}"
