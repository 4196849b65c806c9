"""The speaker and who calls it: which call becomes a session, and what becomes of the one before."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence

from tests.netns.speaker_lab import (
    ASN4,
    FAMILIES,
    GRACEFUL,
    Lab,
    RawPeer,
    Witness,
    session,
    until,
    update,
    witness,
)
from vrfbgp.events import (
    DownKind,
    SessionDown,
    SessionState,
    SessionUp,
    SpeakerExited,
    SpeakerStarted,
    Updates,
)
from vrfbgp.requests import Listen, SessionConfig
from vrfbgp.speaker.listen import Listeners
from vrfbgp.speaker.listener import Refused, Taken

CAPABILITIES = FAMILIES + ASN4
PASSIVE = session(listen=Listen(2, "up0"))
REJECTED, COLLISION = b"\6\5", b"\6\7"
"""Connection Rejected, Connection Collision Resolution (RFC 4486 4)."""


class Exchange(Listeners):
    """Stands in for the listening sockets: connections are made by a socket of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.sessions: tuple[SessionConfig, ...] = ()
        self.callers: list[Caller] = []

    def expect(self, network: str, sessions: Sequence[SessionConfig], taken: Taken, refused: Refused) -> None:
        self.sessions, self.taken, self.refused = tuple(sessions), taken, refused

    def forget(self, network: str) -> None:
        self.listener.close()
        for caller in self.callers:
            caller.close()


class Caller(RawPeer):
    """A router that calls."""

    def __init__(self, exchange: Exchange, config: SessionConfig = PASSIVE) -> None:
        super().__init__(exchange.listener)
        exchange.callers.append(self)
        self._exchange = exchange
        self._config = config

    async def accept(self) -> None:
        """Call, and be put through."""
        address = self._exchange.listener.getsockname()
        connection = socket.create_connection(address)
        io, _ = self._exchange.listener.accept()
        io.setblocking(False)
        self._exchange.taken(self._config, io)
        self.reader, self.writer = await asyncio.open_connection(sock=connection)
        self.accepted += 1


def states(speaker: Witness) -> list[str]:
    return [event.state for event in speaker.events if isinstance(event, SessionState)]


def test_a_call_becomes_a_session_and_so_does_the_next(lab: Lab) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            await speaker.expect(SpeakerStarted)
            assert exchange.sessions == (PASSIVE,)
            exchange.refused(PASSIVE.peer, "nobody can call")
            caller = Caller(exchange)
            await caller.open(CAPABILITIES)
            up = await speaker.expect(SessionUp)
            caller.writer.write(update(1))
            await speaker.expect(Updates)
            assert states(speaker) == ["active", "opensent", "openconfirm"]
            told = await speaker.expect(SessionDown)
            assert (told.cause.kind, told.cause.text) == (DownKind.CONNECT_FAILED, "nobody can call")
            before = len(speaker.events)
            caller.close()
            down = await speaker.expect(SessionDown, before)
            assert down.cause.kind is DownKind.CONNECTION_LOST
            await until(lambda: states(speaker)[-1] == "active", "it waits again")
            before = len(speaker.events)
            again = Caller(exchange)
            await again.open(CAPABILITIES)
            assert (await speaker.expect(SessionUp, before)).epoch > up.epoch

    asyncio.run(scenario())


def test_who_restarts_is_let_in_again_and_the_old_connection_ends_without_a_word(lab: Lab) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            first, second = Caller(exchange), Caller(exchange)
            await first.open(CAPABILITIES + GRACEFUL)
            await speaker.expect(SessionUp)
            before = len(speaker.events)
            await second.open(CAPABILITIES + GRACEFUL)
            down = await speaker.expect(SessionDown, before)
            assert down.cause.kind is DownKind.CONNECTION_LOST
            await speaker.expect(SessionUp, before)
            assert 3 not in await first.last_messages()

    asyncio.run(scenario())


def test_without_graceful_restart_an_established_session_stays(lab: Lab) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            first, second = Caller(exchange), Caller(exchange)
            await first.open(CAPABILITIES)
            await speaker.expect(SessionUp)
            await second.accept()
            assert await second.notification() == COLLISION
            exchange.refused(PASSIVE.peer, "somebody else could not call")
            first.writer.write(update(1))
            await speaker.expect(Updates)
            assert not [event for event in speaker.events if isinstance(event, SessionDown)]

    asyncio.run(scenario())


def test_a_later_call_takes_the_place_of_one_that_came_to_nothing(lab: Lab) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            first, second = Caller(exchange), Caller(exchange)
            await first.accept()
            assert (await first.read())[0] == 1
            await second.open(CAPABILITIES)
            await speaker.expect(SessionUp)

    asyncio.run(scenario())


def test_who_calls_while_there_is_no_speaker_waits_for_the_next(lab: Lab) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            # There is none yet. Of two calls, the later counts.
            first, second = Caller(exchange), Caller(exchange)
            await first.accept()
            await second.open(CAPABILITIES)
            await speaker.expect(SessionUp)
            assert await first.last_messages() == []
            before = len(speaker.events)
            assert speaker.speaker.pid is not None
            os.kill(speaker.speaker.pid, signal.SIGKILL)
            await speaker.expect(SpeakerExited, before)
            third = Caller(exchange)
            await third.open(CAPABILITIES)
            await speaker.expect(SessionUp, before)

    asyncio.run(scenario())


def test_who_is_refused_again_and_again_has_to_wait(lab: Lab) -> None:
    """RFC 4271 8.1.1, DampPeerOscillations: as an active session, which waits before it calls."""

    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            for _ in range(2):
                before = len(speaker.events)
                caller = Caller(exchange)
                await caller.open(CAPABILITIES)
                await speaker.expect(SessionUp, before)
                # An OPEN has no place in a session.
                caller.writer.write(b"\xff" * 16 + b"\0\x1d\1" + bytes(10))
                await speaker.expect(SessionDown, before)
            caller = Caller(exchange)
            await caller.accept()
            assert await caller.notification() == REJECTED

    asyncio.run(scenario())


def test_a_session_that_was_made_active_is_not_begun_by_a_call(lab: Lab) -> None:
    async def scenario() -> None:
        exchange = Exchange()
        async with witness(lab, exchange) as speaker:
            speaker.speaker.configure((PASSIVE,))
            await speaker.expect(SpeakerStarted)
            speaker.speaker.configure((session(),))
            await speaker.expect(SessionState, state="connect")
            assert exchange.sessions == (session(),)
            caller = Caller(exchange, session())
            await caller.accept()
            assert await caller.notification() == REJECTED

    asyncio.run(scenario())
