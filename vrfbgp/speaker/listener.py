"""One listening socket for passive sessions: takes the calls of the peers it knows, and turns others away.

TCP MD5 keys (RFC 2385) and TTL security (RFC 5082) hold from the first segment on: the keys of all its peers
are on it, and what its peers have in common of the TTL; the rest of that is told by the SYN that it keeps.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from vrfbgp.model import IPAddress, PeerId
from vrfbgp.requests import SessionConfig
from vrfbgp.speaker import tcp

log = logging.getLogger(__name__)

CALLS_AT_ONCE = 16
REST = 0.05
"""Seconds without looking after so many calls: who calls like mad keeps nobody from his work."""
SILENCE = 60.0
"""Seconds for which no other stranger is worth a line in the log."""

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

    def __str__(self) -> str:
        return f"{self.local} port {self.port} on {self.device}"

    @property
    def device(self) -> str:
        """The name of the device, as far as it has one now."""
        try:
            return socket.if_indextoname(self.ifindex)
        except OSError:
            return f"device {self.ifindex}"

    def why_not(self, error: OSError) -> str:
        """Why nobody can be waited for here, and what to do."""
        hint = {
            errno.EACCES: ": grant CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities= and "
            "CapabilityBoundingSet=, Kubernetes: securityContext.capabilities.add), or set listenPort "
            "in the BGPConfiguration to 1024 or more, and the same port in the router",
            errno.EPERM: ": a device can be named without CAP_NET_RAW from Linux 5.7 on",
            errno.EADDRINUSE: ": another program listens on it; end that, or set listenPort in the "
            "BGPConfiguration and the same port in the router",
        }.get(error.errno or 0, "")
        return f"listening at {self} failed: {error.strerror}{hint}"


@dataclass(frozen=True, slots=True)
class Expected:
    """A session whose peer is to call, and who wants to know."""

    session: SessionConfig
    taken: Taken
    refused: Refused


class Listener:
    """One listening socket; OSError if it can't be had."""

    def __init__(self, place: Place, bind: tcp.Bind) -> None:
        self._place = place
        self._socket = tcp.listening(place.local, place.ifindex, place.port, bind)
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
                    log.error("can't take a call of %s: %s", self._place, error.strerror)
                    self._look_away(1.0)
                    return count
                continue
            caller = ip_address(address.partition("%")[0])
            if refused and caller in refused:
                tcp.turn_away(io)
                continue
            try:
                self._admit(io, caller)
            except OSError:
                # It may have hung up again.
                io.close()
        return most

    def _admit(self, io: socket.socket, caller: IPAddress) -> None:
        expected = self._callers.get(caller)
        if expected is None:
            self._stranger(io, caller)
            return
        session = expected.session
        ttl = tcp.ttl_of_call(io) if session.least_ttl else None
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
                "%s called %s and is turned away: no passive peer there has that address", caller, self._place
            )
        tcp.turn_away(io)
