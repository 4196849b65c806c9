"""One session played through before the first speaker is forked, with a peer that is but a socket pair.

What the first runs of code leave behind, caches in the bytecode and elsewhere, is then shared by all
speakers; and it shows which code a speaker runs (`compact.gather`). Nothing else of the session remains.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from exabgp.reactor import loop, protocol
from exabgp.rib import RIB

from vrfbgp.speaker.channel import Channel
from vrfbgp.speaker.connection import Wire
from vrfbgp.speaker.framing import HEADER_LENGTH, KEEPALIVE, MARKER, OPEN, UPDATE
from vrfbgp.speaker.neighbors import Neighbors
from vrfbgp.speaker.reactor import Quiet, SpeakerReactor

TURNS = 12
"""Of the loop: half of them for the session, the others for commands and UPDATEs."""

CONFIG = """
neighbor 192.0.2.1 {
    description "";
    connect 179;
    local-address 192.0.2.2;
    local-as 64512;
    peer-as 64513;
    router-id 192.0.2.2;
    hold-time 90;
    outgoing-ttl 64;
    adj-rib-in false;
    adj-rib-out true;
    group-updates true;
    manual-eor true;
    capability {
        asn4 enable;
        route-refresh enable;
        extended-message enable;
        graceful-restart 120;
    }
    family {
        ipv4 unicast;
        ipv6 unicast;
    }
}
"""
COMMANDS = b"""\
1 announce 192.0.2.1 179 198.51.100.1/32 {}
2 end-of-rib 192.0.2.1 179 ipv4
3 withdraw 192.0.2.1 179 198.51.100.1/32
"""


def _message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + (HEADER_LENGTH + len(body)).to_bytes(2, "big") + bytes((kind,)) + body


_CAPABILITIES = bytes.fromhex(
    "0104 0001 0001"  # IPv4 unicast
    "0104 0002 0001"  # IPv6 unicast
    "0200"  # route refresh
    "0600"  # extended messages
    "4006 0078 0001 01 80"  # graceful restart
    "4104 0000fc01"  # AS numbers of four octets
)
_PARAMETER = bytes((2, len(_CAPABILITIES))) + _CAPABILITIES
_OPEN = _message(OPEN, bytes.fromhex("04 fc01 005a c0000201") + bytes((len(_PARAMETER),)) + _PARAMETER)
_KEEPALIVE = _message(KEEPALIVE)
_END_OF_RIB = _message(UPDATE, bytes(4))


class _Curtain(Exception):
    """The end of the rehearsal."""


def rehearse(version: str) -> bytes:
    """Play a session up to Established, with commands and UPDATEs; what the daemon would have been told."""
    with contextlib.ExitStack() as open_until_then:

        def pair() -> tuple[socket.socket, socket.socket]:
            one, other = socket.socketpair()
            for end in (one, other):
                open_until_then.enter_context(end)
                end.setblocking(False)
            return one, other

        speaker, daemon = pair()
        node, router = pair()
        channel = Channel(speaker, 0, version)

        class Prop(Wire):
            """The connection."""

            def establish(self) -> Iterator[bool]:
                self.io = node
                self.success()
                self._unsent = bytearray()
                yield True

        class Deaf(Quiet):
            """No signal of the process is caught for this."""

            def mark_ready(self) -> None:
                pass

        class Stage(SpeakerReactor):
            """A loop that ends."""

            turns = TURNS

            def _sleep(self) -> None:
                self.turns -= 1
                if not self.turns:
                    raise _Curtain
                if self.turns == TURNS // 2:
                    daemon.send(COMMANDS)
                router.send(_KEEPALIVE + (_END_OF_RIB if self.turns < TURNS // 2 else b""))
                super()._sleep()

        loop.Processes, protocol.Outgoing = lambda: channel, Prop
        try:
            router.send(_OPEN + _KEEPALIVE)
            stage = Stage(Neighbors(text=CONFIG))
            stage.signal = Deaf()
            with contextlib.suppress(_Curtain):
                stage.run()
            return daemon.recv(1 << 16)
        finally:
            protocol.Outgoing = Wire
            RIB._cache.clear()
