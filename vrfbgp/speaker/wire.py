"""The channel between the daemon and a speaker: one stream socket, ordered, both ways.

From the speaker come frames: a header (`HEADER`) and a payload. To it go lines of ASCII text, `NUMBER
COMMAND` (`command`); each is answered by one `Kind.ANSWER`.

Everything that has an order (a session's begin, its UPDATEs, its end) goes through this one stream, so that
an UPDATE of a session that is over can not arrive after the news of its end.
"""

from __future__ import annotations

import struct
from enum import IntEnum, StrEnum

HEADER = struct.Struct("!BHII")
"""Kind; index of the peer; epoch of its session, or number of the command; octets of payload."""

MAX_PAYLOAD = 1 << 20
"""No frame is longer: a reader that sees more has lost the thread."""

RELOAD, CLOSE, ACCEPT = "reload", "close", "accept"
"""Commands that both sides look at; the others are named by `command` and `reactor.Commands` alone."""

CALL = b"call"
"""What each packet of the second socket says; its descriptor is the connection that the peer of a passive
session made. One is sent before each `accept`, whose place among the commands says which configuration the
call was for."""


class Kind(IntEnum):
    """What a frame is. Payloads are JSON (ASCII) where not said otherwise."""

    HELLO = 1
    """The configuration is loaded and commands are taken. `{"version"}`"""
    PEER = 2
    """Before all others of this index, which is never used again for another. `{"address", "port"}`"""
    STATE = 3
    """A state of the FSM, as text."""
    UP = 4
    """Established; what was negotiated."""
    UPDATES = 5
    """Whole UPDATE messages with their headers, as read."""
    REFRESH = 6
    """BoRR or EoRR: `{"family", "phase"}`"""
    DOWN = 7
    """The end of a session or (epoch 0) of a try: `{"kind", "code", "subcode", "text"}`"""
    ANSWER = 8
    """To a command: empty, or why it failed, as text (UTF-8)."""


def frame(kind: Kind, peer: int = 0, number: int = 0, payload: bytes = b"") -> bytes:
    """One frame, ready to be sent."""
    return HEADER.pack(kind, peer, number, len(payload)) + payload


LONGEST_ORDER = 1 << 14
"""Octets of a packet between the daemon and the process that forks the speakers."""


class Answer(StrEnum):
    """The words of that process: to an order (a packet `{"epoch", "config"}` with three descriptors, the
    speaker's end of the channel, its standard error and its end of the socket for calls) and of the end of a
    speaker, as JSON objects."""

    BORN = "born"
    """Process id of the speaker; its pidfd comes along."""
    FAILED = "failed"
    """Why there is no speaker."""
    ENDED = "ended"
    """Process id of a speaker that was reaped."""
    STATUS = "status"
    """Its exit status; negative: the signal that ended it."""
