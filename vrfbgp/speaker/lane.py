"""The fast lane: once a session is Established, UPDATEs go from the socket to the channel as they are.

ExaBGP's own reading costs about 140 µs for each UPDATE, ours less than one. Everything else stays with
ExaBGP: OPEN and all before Established, KEEPALIVE, NOTIFICATION, ROUTE-REFRESH requests, timers, reload,
and all that is sent. Its hold timer, which sees no UPDATE, is told of them.

ExaBGP reads exactly the octets of each message, so that nothing is in its hands when the lane begins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from struct import unpack
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import _NOP, Message, Notify, Update
from exabgp.bgp.message.direction import Direction
from exabgp.bgp.message.open.capability import Capability
from exabgp.bgp.message.open.capability.refresh import REFRESH
from exabgp.bgp.message.open.holdtime import HoldTime
from exabgp.protocol.family import AFI, SAFI
from exabgp.reactor.network.error import LostConnection, NotConnected
from exabgp.reactor.protocol import Protocol

from vrfbgp.speaker.framing import OPEN, ROUTE_REFRESH, UPDATE, Framer
from vrfbgp.speaker.rest import Rest
from vrfbgp.speaker.wire import Kind

READ_AT_FIRST, READ_AT_ONCE = 1 << 14, 1 << 18
"""Octets that room is made for: the second after a read that brought the first. Making it costs more than
reading little."""

FAMILIES = {(1, 1): "ipv4", (2, 1): "ipv6"}
"""AFI and SAFI of what we speak: unicast."""
IPV4_UNICAST = (AFI.ipv4, SAFI.unicast)
IPV6_NEXT_HOP = (AFI.ipv4, SAFI.unicast, AFI.ipv6)
"""Of IPv4 unicast, as the capability of RFC 8950 4 has it."""
PHASES = {1: "borr", 2: "eorr"}
"""Message subtypes of RFC 7313 3.2."""

_SOME_UPDATES = Update([], b"")


class KeepaliveTime(HoldTime):  # type: ignore[misc]
    """A hold time whose keepalives are sent more often than a third of it."""

    def __new__(cls, hold_time: int, keepalive_time: int) -> KeepaliveTime:
        self: KeepaliveTime = super().__new__(cls, hold_time)
        self.seconds = min(keepalive_time, int(hold_time) // 3)
        return self

    seconds: int

    def keepalive(self) -> int:
        return self.seconds


class Lane(Protocol):  # type: ignore[misc]
    """ExaBGP's protocol of one session, with another way to read."""

    reset: Notify | None = None
    """Asked for from outside: end the session with this NOTIFICATION."""

    def __init__(self, peer: Any) -> None:
        super().__init__(peer)
        self.framer: Framer | None = None
        self.rest = Rest()
        self._room = READ_AT_FIRST
        peer.trying(self)

    def validate_open(self) -> None:
        super().validate_open()
        agreed = self.negotiated
        if not agreed.received_open.capabilities.announced(Capability.CODE.MULTIPROTOCOL):
            # RFC 4760 8: who does not announce it speaks IPv4 unicast. ExaBGP would send nothing.
            agreed.families = [family for family in self.neighbor.families() if family == IPV4_UNICAST]
        if self.peer.keepalive_time and agreed.holdtime:
            agreed.holdtime = KeepaliveTime(agreed.holdtime, self.peer.keepalive_time)

    def new_notification(self, notification: Notify) -> Iterator[Notify]:
        """Send it if the socket takes it: ExaBGP waits for a peer that may never read again."""
        self.connection.farewell(notification.message())
        yield notification

    def read_message(self) -> Iterator[Any]:
        """One turn: yields what ExaBGP has to see, at least a NOP. Raises Notify, Notification or
        NetworkError."""
        if self.peer.fsm != FSM.ESTABLISHED:
            yield from super().read_message()
            return
        if self.reset is not None:
            raise self.reset
        if self.peer.channel.full:
            if self.connection.hung_up():
                # What the peer says waits in the kernel because of us: it is alive.
                self._alive()
            yield _NOP
            return
        if self.rest.left(time.monotonic()):
            yield _NOP
            return
        data = self._read()
        if not data:
            yield _NOP
            return
        if self.framer is None:
            self.framer = Framer(self.negotiated.msg_size)
        for kind, octets in self.framer.feed(data):
            if kind == UPDATE:
                self.peer.channel.post(Kind.UPDATES, self.peer.index, self.peer.epoch, octets)
                self.peer.stats["receive-update"] += 1
            elif kind == OPEN:
                raise Notify(5, 3)
            elif kind != ROUTE_REFRESH or not self._demarcation(octets):
                message = Message.unpack(kind, octets[19:], Direction.IN, self.negotiated)
                if isinstance(message, Exception):
                    raise message
                yield message
        fault = self.framer.fault
        if fault is not None:
            raise Notify(fault.code, fault.subcode, fault.data)
        # Also for a part of a message: a long one on a slow line is a sign of life.
        self._alive()
        yield _NOP

    def _alive(self) -> None:
        """What ExaBGP's hold timer would see in UPDATEs, without a turn of its loop for them."""
        self.peer.recv_timer.check_ka_timer(_SOME_UPDATES)

    def _read(self) -> bytes:
        connection = self.connection
        if connection.io is None:
            raise NotConnected("the connection is closed")
        try:
            data: bytes = connection.io.recv(self._room)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError as error:
            connection.close()
            raise LostConnection(f"read from {connection.peer}: {error.strerror}") from None
        if not data:
            connection.close()
            raise LostConnection(f"{connection.peer} closed the connection")
        self._room = READ_AT_FIRST if len(data) < READ_AT_FIRST else READ_AT_ONCE
        self.rest.read(len(data), time.monotonic())
        return data

    def _demarcation(self, octets: bytes) -> bool:
        """Tell of a BoRR or an EoRR. False: it is a request, which is ExaBGP's to answer."""
        afi, subtype, safi = unpack("!HBB", octets[19:23])
        if subtype == 0 or self.negotiated.refresh != REFRESH.ENHANCED:
            return False
        if subtype in PHASES:
            if len(octets) != 23:
                raise Notify(7, 1, octets)
            family = FAMILIES.get((afi, safi))
            if family is not None:
                content = {"family": family, "phase": PHASES[subtype]}
                self.peer.channel.tell(Kind.REFRESH, self.peer.index, self.peer.epoch, content)
        return True
