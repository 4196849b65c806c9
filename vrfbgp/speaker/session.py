"""One peer of the speaker: ExaBGP's state machine, which here tells the daemon what happens to it and why.

Only Established is `UP`. A try that fails, and a session that ends, is one `DOWN` with its cause; ExaBGP's
own reports say neither (a dead peer looks connected at each try).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import NOP, Notification, Notify
from exabgp.bgp.message.open.capability import Capability
from exabgp.bgp.message.open.capability.refresh import REFRESH
from exabgp.reactor.network.error import NetworkError
from exabgp.reactor.peer import ACTION, Peer

from vrfbgp.speaker.connection import Accepted
from vrfbgp.speaker.framing import EXTENDED_LIMIT, HEADER_LENGTH, NOTIFICATION, Framer
from vrfbgp.speaker.lane import FAMILIES, IPV6_NEXT_HOP, Lane
from vrfbgp.speaker.wire import Kind

RETRY_LIMIT = 5
"""Seconds between two tries, at most; ExaBGP waits up to 60."""

LONG_LIFE = 60.0
LONGEST_PAUSE = 30
"""Seconds: a session that is ended by a NOTIFICATION before the one, for the second time, waits up to the
other."""
FLAPS = 5
"""Sessions of less than `LONG_LIFE` in a row that may end without a word before the next one waits, too; a
router that restarts gets by with fewer, and a peer without end could begin some fifty a second."""

GRACEFUL_RESTART = Capability.CODE.GRACEFUL_RESTART
TELLING_STATES = {FSM.IDLE: b"idle", FSM.OPENSENT: b"opensent", FSM.OPENCONFIRM: b"openconfirm"}
"""`connect` is told when it begins and `established` with `UP`; ExaBGP's ACTIVE and CONNECT are not the
RFC's."""

KEEPALIVE_TIME = "keepalive-time "
"""How the configuration carries what ExaBGP has no word for: in the description, whose change ends no
session."""


class Machine(FSM):  # type: ignore[misc]
    """The finite state machine; each change is told, and reaching Established is the session's begin."""

    def change(self, state: Any) -> Any:
        before = self.state
        super().change(state)
        if state == FSM.ESTABLISHED and before != FSM.ESTABLISHED:
            self.peer.begin()
        elif state in TELLING_STATES:
            self.peer.tell_state(TELLING_STATES[state])
        return self


class Session(Peer):  # type: ignore[misc]
    """A peer, from its first line in the configuration to its last."""

    proto: Any

    def __init__(self, neighbor: Any, reactor: Any) -> None:
        super().__init__(neighbor, reactor)
        self.channel = reactor.processes
        self.index: int = self.channel.index(neighbor["peer-address"].top(), neighbor["connect"])
        self.epoch = 0
        self.attempt: Lane | None = None
        self._told = b""
        self._short_lives = 0
        self._flaps = 0
        self.fsm = Machine(self, FSM.IDLE)
        if self.waits:
            self.tell_state(b"active")

    @property
    def keepalive_time(self) -> int:
        """Seconds, 0: a third of the hold time."""
        description = self.neighbor["description"] or ""
        return int(description[len(KEEPALIVE_TIME) :]) if description.startswith(KEEPALIVE_TIME) else 0

    # -- telling ---------------------------------------------------------------------------------

    def tell_state(self, state: bytes) -> None:
        """Tell the FSM's state, if it is another than the last told. Idle is who does nothing, not even
        wait to be called (RFC 4271 8.2.2)."""
        if state == b"idle" and self.waits:
            state = b"active"
        if state != self._told:
            self._told = state
            self.channel.post(Kind.STATE, self.index, self.epoch, state)

    def trying(self, lane: Lane) -> None:
        """A new connection is about to be made."""
        self.attempt = lane
        if not self.waits:
            self.tell_state(b"connect")

    def begin(self) -> None:
        """The session is Established."""
        self.epoch = self.channel.next_epoch()
        self._told = b"established"
        self.channel.tell(Kind.UP, self.index, self.epoch, negotiated(self.proto))

    def _close(self, message: str = "", error: Any = "") -> None:
        pause = None if self.attempt is None else self._end(self.attempt, message, error)
        super()._close(message, error)
        self._delay._next = min(self._delay._next, RETRY_LIMIT)
        if pause is not None:
            self._delay._time = time.time() + pause

    def _end(self, attempt: Lane, message: str, error: Any) -> float | None:
        """Tell the end of a try or a session; after a session, seconds to wait before the next try."""
        if attempt.connection is not None:
            attempt.connection.close()
        cause = self._cause(message, error, attempt)
        self.channel.tell(Kind.DOWN, self.index, self.epoch, cause)
        self.attempt = None
        # An End-of-RIB, or a wish, that was not sent belongs to the session that is over.
        self.neighbor.eor.clear()
        self.neighbor.refresh.clear()
        if not self.epoch:
            return None
        self.epoch = 0
        # RFC 4271 8.1.1, DampPeerOscillations: what one side refuses once, it will refuse again.
        short = cause["kind"] != "configured" and time.time() - self.stats["complete"] < LONG_LIFE
        refused = short and cause["kind"].startswith("notification")
        self._short_lives = self._short_lives + 1 if refused else 0
        self._flaps = self._flaps + 1 if short else 0
        if not self._damped:
            return 0
        refusals, flaps = min(self._short_lives, 10), min(max(self._flaps - FLAPS, 0), 10)
        return min(max((1 << refusals) - 2, 1 << flaps), LONGEST_PAUSE)

    @property
    def _damped(self) -> bool:
        """The next session has to wait."""
        return self._short_lives > 1 or self._flaps > FLAPS

    def reestablish(self, restart_neighbor: Any = None) -> None:
        """The configuration changed; ExaBGP would leave a try under way until it fails by itself."""
        super().reestablish(restart_neighbor)
        if self.fsm != FSM.ESTABLISHED:
            self._reset("stop, the configuration changed")
            self._delay.reset()

    def reconfigure(self, restart_neighbor: Any = None) -> None:
        """The configuration was read again, and is the same for this peer.

        ExaBGP then compares the routes that stand in it. There are none; but of a session that begins in the
        same turn it has just forgotten the former ones, stumbles over that, and ends it.
        """
        super().reconfigure(restart_neighbor)
        self._neighbor = None
        self.neighbor.previous = None

    def _reset(self, message: str = "", error: Any = "") -> None:
        super()._reset(message, error)
        self.tell_state(b"idle")

    # -- passive sessions ------------------------------------------------------------------------

    @property
    def waits(self) -> bool:
        """The session is passive: the peer calls, we never do."""
        return bool(self.neighbor["passive"]) and not self.stopping()

    def accept(self, connection: Accepted) -> str:
        """Take the peer's call; returns why not, which the peer is told, too."""
        if not self.waits:
            connection.refuse(Notify(6, 5, b"").message())
            return f"{connection.peer} is not waited for"
        if self._damped and self._delay.backoff():
            connection.refuse(Notify(6, 5, b"").message())
            return f"{connection.peer} called again too soon"
        if self.fsm == FSM.ESTABLISHED and not self._peer_restarts():
            # RFC 4271 6.8: an Established session stays.
            connection.refuse(Notify(6, 7, b"").message())
            return f"{connection.peer} called, but its session stands"
        if self.proto is not None:
            # It is the peer who made both, and it has given up the older one; of that it is not told.
            self._reset("the peer connected anew")
        self.proto = Lane(self).accept(connection)
        self.generator = None
        self._delay.reset()
        return ""

    def _peer_restarts(self) -> bool:
        """RFC 4724 4.2: from who announced graceful restart, another connection is the end of the first."""
        return bool(self.proto.negotiated.received_open.capabilities.announced(GRACEFUL_RESTART))

    def _cause(self, message: str, error: Any, attempt: Lane) -> dict[str, Any]:
        if not isinstance(error, Notification):
            error = last_notification(attempt) or error
        if isinstance(error, Notification):
            sent = isinstance(error, Notify)
            kind = "notification-sent" if sent else "notification-received"
            if sent and error.code == 4:
                kind = "hold-timer-expired"
            return {"kind": kind, "code": error.code, "subcode": error.subcode, "text": str(error)}
        if message.startswith("stop") or self._teardown is not None:
            return {"kind": "configured", "code": 0, "subcode": 0, "text": "the configuration changed"}
        text = str(error) or message or "an error inside the speaker; its log has more"
        if isinstance(error, NetworkError) and self.fsm == FSM.IDLE:
            return {"kind": "connect-failed", "code": 0, "subcode": 0, "text": text}
        return {"kind": "connection-lost", "code": 0, "subcode": 0, "text": text}

    # -- what ExaBGP does otherwise --------------------------------------------------------------

    def _read_ka(self) -> Iterator[int]:
        # ExaBGP spins until the KEEPALIVE comes; when it is there, the session is up, and not a tick later.
        for message in self.proto.read_keepalive():
            self.recv_timer.check_ka_timer(message)
            if message.TYPE == NOP.TYPE:
                yield ACTION.LATER

    def run(self) -> Any:
        action = super().run()
        if action == ACTION.NOW and self.stuck:
            return ACTION.LATER
        return action

    @property
    def stuck(self) -> bool:
        """Nothing more can be sent until the socket is writable."""
        return self.proto is not None and self.proto.connection is not None and self.proto.connection.stuck

    def remove(self) -> None:
        """The peer is no longer configured: tell it (RFC 4486 4), or it keeps our routes for its restart
        time."""
        if self.fsm == FSM.ESTABLISHED and self.proto is not None and self.proto.connection is not None:
            self.proto.connection.farewell(Notify(6, 3, b"").message())
        if self.proto is None and self.attempt is not None:
            self._close("stop, before it was connected")
        super().remove()


def last_notification(lane: Lane) -> Notification | None:
    """What the peer said before the connection was lost, if it said why."""
    connection = lane.connection
    words = connection.last_words if connection is not None else b""
    for kind, octets in (lane.framer or Framer(EXTENDED_LIMIT)).feed(words):
        if kind == NOTIFICATION:
            return Notification.unpack_message(octets[HEADER_LENGTH:])
    return None


def negotiated(lane: Any) -> dict[str, Any]:
    """What both OPENs agreed on, as `Kind.UP` carries it."""
    agreed = lane.negotiated
    theirs = agreed.received_open.capabilities
    restart = None
    code = GRACEFUL_RESTART
    if theirs.announced(code) and agreed.sent_open.capabilities.announced(code):
        graceful = theirs[code]
        restart = {
            "time": int(graceful.restart_time),
            "restarting": bool(graceful.restart_flag & graceful.RESTART_STATE),
            "families": [
                FAMILIES[int(afi), int(safi)] for afi, safi in graceful if (int(afi), int(safi)) in FAMILIES
            ],
            "forwarding": [
                FAMILIES[int(afi), int(safi)]
                for (afi, safi), flags in graceful.items()
                if (int(afi), int(safi)) in FAMILIES and flags & graceful.FORWARDING_STATE
            ],
        }
    families = [family for family in agreed.families if (int(family[0]), int(family[1])) in FAMILIES]
    names = {family: FAMILIES[int(family[0]), int(family[1])] for family in families}
    return {
        "peer_as": int(agreed.peer_as),
        "router_id": str(agreed.received_open.router_id),
        "local_address": lane.connection.local,
        "hold_time": int(agreed.holdtime),
        "families": list(names.values()),
        "asn4": bool(agreed.asn4),
        "add_path": [name for family, name in names.items() if agreed.addpath.receive(*family)],
        "extended_message": agreed.msg_size == EXTENDED_LIMIT,
        "extended_next_hop": IPV6_NEXT_HOP in agreed.nexthop,
        "route_refresh": agreed.refresh != REFRESH.ABSENT,
        "enhanced_refresh": agreed.refresh == REFRESH.ENHANCED,
        "restart": restart,
    }
