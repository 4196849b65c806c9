"""Whose call is taken, whose is not, and what is told when nobody can call; on the loopback device."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from ipaddress import ip_address

import pytest

from tests.unit.speaker.test_render import SESSION
from vrfbgp.model import PeerId
from vrfbgp.requests import Listen, SessionConfig
from vrfbgp.speaker import listen, tcp
from vrfbgp.speaker.listen import Listeners
from vrfbgp.speaker.listener import CALLS_AT_ONCE

LOOPBACK = socket.if_nametoindex("lo")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def passive(network: str, address: str, port: int, **changes: object) -> SessionConfig:
    """A session of a network with a peer that calls 127.0.0.1."""
    config = replace(
        SESSION,
        peer=PeerId(network, ip_address(address)),
        local_address=ip_address("127.0.0.1"),
        listen=Listen(LOOPBACK, "lo", port),
    )
    return replace(config, **changes)  # type: ignore[arg-type]


class Desk:
    """Listening sockets, and what came of them."""

    def __init__(self) -> None:
        self.port = free_port()
        self.listeners = Listeners()
        self.taken: list[PeerId] = []
        self.refused: list[tuple[PeerId, str]] = []

    def expect(self, network: str, *sessions: SessionConfig) -> None:
        def take(session: SessionConfig, io: socket.socket) -> None:
            self.taken.append(session.peer)
            io.close()

        self.listeners.expect(network, sessions, take, lambda *why: self.refused.append(why))

    async def call(self, source: str, key: str | None = None) -> str:
        """What becomes of a call: `closed` is that it was taken, and then closed by this test."""
        with socket.socket() as one:
            one.setblocking(False)
            one.bind((source, 0))
            if key is not None:
                tcp.demand_key(one, ip_address("127.0.0.1"), key)
            loop = asyncio.get_running_loop()
            try:
                async with asyncio.timeout(1.0):
                    await loop.sock_connect(one, ("127.0.0.1", self.port))
                    await loop.sock_recv(one, 1)
            except ConnectionRefusedError:
                return "refused"
            except ConnectionResetError:
                return "reset"
            except TimeoutError:
                return "timeout"
            return "closed"


def with_desk(scenario: Callable[[Desk], Awaitable[None]]) -> None:
    async def play() -> None:
        desk = Desk()
        try:
            await scenario(desk)
        finally:
            for network in ("red", "yellow"):
                desk.listeners.forget(network)

    asyncio.run(play())


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@contextmanager
def squatter(port: int) -> Iterator[None]:
    """Another program on the port."""
    with closing(socket.create_server(("127.0.0.1", port))):
        yield


def test_the_address_of_the_caller_decides_whose_it_is(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(desk: Desk) -> None:
        red, yellow = passive("red", "127.0.0.2", desk.port), passive("yellow", "127.0.0.3", desk.port)
        desk.expect("red", red)
        desk.expect("yellow", yellow)
        assert await desk.call("127.0.0.3") == "closed"
        assert await desk.call("127.0.0.2") == "closed"
        assert desk.taken == [yellow.peer, red.peer]
        for _ in range(3):
            assert await desk.call("127.0.0.4") == "reset"
        [line] = caplog.messages
        assert "127.0.0.4 called 127.0.0.1 port" in line
        desk.expect("red")
        assert await desk.call("127.0.0.2") == "reset"
        assert await desk.call("127.0.0.3") == "closed"
        desk.listeners.forget("yellow")
        assert await desk.call("127.0.0.3") == "refused"

    caplog.set_level(logging.WARNING)
    with_desk(scenario)


def test_an_active_session_is_not_listened_for() -> None:
    async def scenario(desk: Desk) -> None:
        desk.expect("red", passive("red", "127.0.0.2", desk.port, listen=None))
        assert await desk.call("127.0.0.2") == "refused"

    with_desk(scenario)


def test_a_port_that_another_has_is_told_once_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "RETRY", 0.02)

    async def scenario(desk: Desk) -> None:
        red = passive("red", "127.0.0.2", desk.port)
        with squatter(desk.port):
            desk.expect("red", red)
            [(peer, reason)] = desk.refused
            assert peer == red.peer
            assert f"127.0.0.1 port {desk.port} on lo" in reason
            assert "another program listens" in reason
            await asyncio.sleep(0.1)
            assert len(desk.refused) == 1
        async with asyncio.timeout(10):
            while await desk.call("127.0.0.2") != "closed":
                await asyncio.sleep(0.02)
        assert desk.taken == [red.peer]

    with_desk(scenario)


def test_what_can_not_be_listened_at_holds_up_nobody() -> None:
    async def scenario(desk: Desk) -> None:
        taken = passive("red", "127.0.0.2", desk.port, local_address=ip_address("127.0.0.9"))
        here = passive("red", "127.0.0.3", desk.port)
        with closing(socket.create_server(("127.0.0.9", desk.port))):
            desk.expect("red", taken, here)
        assert [peer for peer, _ in desk.refused] == [taken.peer]
        assert await desk.call("127.0.0.3") == "closed"

    with_desk(scenario)


def test_one_address_of_two_networks_goes_to_the_first() -> None:
    async def scenario(desk: Desk) -> None:
        red, yellow = passive("red", "127.0.0.2", desk.port), passive("yellow", "127.0.0.2", desk.port)
        desk.expect("red", red)
        desk.expect("yellow", yellow)
        assert [peer for peer, _ in desk.refused] == [yellow.peer]
        assert await desk.call("127.0.0.2") == "closed"
        assert desk.taken == [red.peer]

    with_desk(scenario)


def test_passwords_hold_for_their_peer_alone_and_from_the_first_segment_on() -> None:
    async def scenario(desk: Desk) -> None:
        red = passive("red", "127.0.0.2", desk.port, password="one")
        plain = passive("red", "127.0.0.3", desk.port)
        desk.expect("red", red, plain)
        assert await desk.call("127.0.0.3") == "closed"
        assert await desk.call("127.0.0.2", "one") == "closed"
        calls = (
            desk.call("127.0.0.2"),
            desk.call("127.0.0.2", "two"),
            desk.call("127.0.0.3", "one"),
        )
        assert await asyncio.gather(*calls) == ["timeout"] * 3
        desk.expect("red", replace(red, password="two"), plain)
        assert await desk.call("127.0.0.2", "two") == "closed"
        desk.expect("red", replace(red, password=None), plain)
        assert await desk.call("127.0.0.2") == "closed"

    with_desk(scenario)


def test_that_somebody_calls_with_another_password_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "LOOK", 0.01)
    counted, looks = [7], [0]

    def look() -> int:
        looks[0] += 1
        return counted[0]

    async def looked(times: int) -> None:
        end = looks[0] + times
        await until(lambda: looks[0] >= end)

    async def scenario(desk: Desk) -> None:
        red = passive("red", "127.0.0.2", desk.port, password="one")
        desk.expect("red", red, passive("red", "127.0.0.3", desk.port))
        await looked(3)
        assert desk.refused == []
        counted[0] += 1
        await looked(3)
        assert desk.refused == [(red.peer, listen.UNSIGNED)]

    monkeypatch.setattr(tcp, "unsigned_segments", look)
    with_desk(scenario)


def test_the_kernel_counts_calls_without_the_right_password() -> None:
    async def scenario(desk: Desk) -> None:
        desk.expect("red", passive("red", "127.0.0.2", desk.port, password="one"))
        before = tcp.unsigned_segments()
        assert await asyncio.gather(desk.call("127.0.0.2"), desk.call("127.0.0.2", "two")) == ["timeout"] * 2
        assert tcp.unsigned_segments() >= before + 2

    with_desk(scenario)


def test_who_called_under_another_password_is_turned_away() -> None:
    async def scenario(desk: Desk) -> None:
        red, plain = passive("red", "127.0.0.2", desk.port), passive("red", "127.0.0.3", desk.port)
        desk.expect("red", red, plain)
        with socket.socket() as caller, socket.socket() as other:
            for one, source in ((caller, "127.0.0.2"), (other, "127.0.0.3")):
                one.bind((source, 0))
                # The handshake is the kernel's: nobody has looked at who is there yet.
                one.connect(("127.0.0.1", desk.port))
            desk.expect("red", replace(red, password="one"), plain)
            assert desk.taken == [plain.peer]
            with pytest.raises(ConnectionResetError):
                caller.recv(1)

    with_desk(scenario)


def test_a_password_that_can_not_be_set_lets_nobody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*_: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    async def scenario(desk: Desk) -> None:
        red = passive("red", "127.0.0.2", desk.port, password="one")
        plain = passive("red", "127.0.0.3", desk.port)
        desk.expect("red", plain)
        monkeypatch.setattr(tcp, "demand_key", no_memory)
        desk.expect("red", red, plain)
        [(peer, reason)] = desk.refused
        assert peer == red.peer
        assert "password can't be set" in reason
        assert await desk.call("127.0.0.2") == "reset"
        assert await desk.call("127.0.0.3") == "closed"

    with_desk(scenario)


def test_a_flood_of_calls_leaves_room_for_others() -> None:
    async def scenario(desk: Desk) -> None:
        desk.expect("red", passive("red", "127.0.0.2", desk.port))
        callers = [socket.socket() for _ in range(3 * CALLS_AT_ONCE)]
        try:
            for one in callers:
                one.setblocking(False)
                one.bind(("127.0.0.2", 0))
                one.connect_ex(("127.0.0.1", desk.port))
            await until(lambda: desk.taken)
            assert len(desk.taken) == CALLS_AT_ONCE
            await until(lambda: len(desk.taken) == len(callers))
        finally:
            for one in callers:
                one.close()

    with_desk(scenario)


def test_ipv6_is_listened_for_as_well() -> None:
    one = tcp.listening(ip_address("::1"), LOOPBACK, 0)
    with one, socket.socket(socket.AF_INET6) as caller:
        tcp.demand_key(one, ip_address("::1"), "one")
        tcp.demand_ttl(one, 1)
        one.listen(1)
        tcp.demand_key(caller, ip_address("::1"), "one")
        tcp.send_with(caller, 200)
        try:
            caller.connect(one.getsockname())
        except OSError as error:
            pytest.skip(f"no IPv6 here: {error}")
        one.setblocking(True)
        io, _ = one.accept()
        with io:
            assert tcp.ttl_of_call(io) == 200
