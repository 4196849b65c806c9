"""A connection fails with the kernel's reason, writes in order, and keeps the peer's last words."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from exabgp.protocol.family import AFI
from exabgp.reactor.network.error import LostConnection, NotConnected

from vrfbgp.speaker.connection import Wire
from vrfbgp.speaker.session import last_notification

NOTIFICATION = b"\xff" * 16 + b"\0\x15\3\6\2"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one


@contextlib.contextmanager
def connected(listener: socket.socket) -> Iterator[tuple[Wire, socket.socket]]:
    wire = Wire(AFI.ipv4, "127.0.0.1", "127.0.0.1", listener.getsockname()[1])
    drive(wire.establish())
    peer, _ = listener.accept()
    with peer:
        yield wire, peer
    wire.close()


def drive(steps: Iterator[bool]) -> None:
    until = time.monotonic() + 5
    for done in steps:
        if done:
            return
        assert time.monotonic() < until


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < end


def test_p24_a_device_that_is_gone_is_told_with_its_name() -> None:
    wire = Wire(AFI.ipv4, "127.0.0.1", "127.0.0.1", 179, itf="uplink-9")
    with pytest.raises(NotConnected, match="there is no device uplink-9"):
        drive(wire.establish())
    assert wire.io is None


def test_a_socket_that_can_not_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise NotConnected("Could not create socket")

    monkeypatch.setattr("exabgp.reactor.network.outgoing.create", none_left)
    with pytest.raises(NotConnected, match="Could not create socket"):
        drive(Wire(AFI.ipv4, "127.0.0.1", "127.0.0.1", 179).establish())


def test_a_refused_connect_says_so(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    wire = Wire(AFI.ipv4, "127.0.0.1", "127.0.0.1", port)
    with pytest.raises(NotConnected, match="Connection refused"):
        drive(wire.establish())
    assert wire.io is None


def test_an_address_that_is_not_ours_says_so(listener: socket.socket) -> None:
    wire = Wire(AFI.ipv4, "127.0.0.1", "192.0.2.1", listener.getsockname()[1])
    with pytest.raises(NotConnected, match=r"192\.0\.2\.1"):
        drive(wire.establish())


def test_two_writers_never_mix(listener: socket.socket) -> None:
    with connected(listener) as (wire, peer):
        long, short = b"L" * (32 << 20), b"S" * 100
        first, second = wire.writer(long), wire.writer(short)
        assert next(first) is False
        assert wire.stuck
        assert next(second) is False
        peer.setblocking(False)
        got = bytearray()

        def read() -> bool:
            next(second, None)
            with contextlib.suppress(BlockingIOError):
                got.extend(peer.recv(1 << 20))
            return len(got) == len(long) + len(short)

        until(read)
        assert got == long + short
        assert not wire.stuck
        assert next(first) is True


def test_what_the_peer_said_before_a_failed_write_is_kept(listener: socket.socket) -> None:
    with connected(listener) as (wire, peer):
        peer.sendall(NOTIFICATION)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        with pytest.raises(LostConnection):
            until(lambda: drive(wire.writer(b"anything")) is not None)
        found = last_notification(SimpleNamespace(connection=wire, framer=None))  # type: ignore[arg-type]
        assert found is not None
        assert (found.code, found.subcode) == (6, 2)


def test_a_peer_that_said_nothing_has_no_last_words(listener: socket.socket) -> None:
    with connected(listener) as (wire, _):
        wire.close()
        assert last_notification(SimpleNamespace(connection=wire, framer=None)) is None  # type: ignore[arg-type]
