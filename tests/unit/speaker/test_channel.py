"""The speaker's end of the channel: in order, never blocking, bounded, and gone with the daemon."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import NoReturn

import pytest

from vrfbgp.speaker import channel as module
from vrfbgp.speaker.channel import Channel
from vrfbgp.speaker.wire import HEADER, Kind


class Exited(Exception):
    """Instead of the end of the process."""


@pytest.fixture
def daemon() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours


@pytest.fixture
def channel(daemon: socket.socket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Channel]:
    def leave(status: int) -> NoReturn:
        raise Exited(status)

    ours, theirs = socket.socketpair()
    daemon.detach()
    with theirs:
        socket.socket.__init__(daemon, fileno=ours.detach())
        daemon.setblocking(False)
        monkeypatch.setattr(os, "_exit", leave)
        yield Channel(theirs, 40, "5.0.15")


def frames(octets: bytes) -> list[tuple[Kind, int, int, bytes]]:
    found = []
    while octets:
        kind, peer, number, length = HEADER.unpack_from(octets)
        found.append((Kind(kind), peer, number, octets[HEADER.size : HEADER.size + length]))
        octets = octets[HEADER.size + length :]
    return found


def taken(daemon: socket.socket, channel: Channel) -> bytes:
    """All that the channel has, as fast as the daemon takes it."""
    found = b""
    while True:
        try:
            found += daemon.recv(1 << 20)
        except BlockingIOError:
            if not channel.waiting:
                return found
        channel.flush()


def test_a_peer_is_introduced_once(daemon: socket.socket, channel: Channel) -> None:
    assert channel.index("10.0.0.1", 179) == channel.index("10.0.0.1", 179) == 1
    assert channel.index("10.0.0.1", 1790) == 2
    assert frames(taken(daemon, channel)) == [
        (Kind.PEER, 1, 0, b'{"address": "10.0.0.1", "port": 179}'),
        (Kind.PEER, 2, 0, b'{"address": "10.0.0.1", "port": 1790}'),
    ]


def test_epochs_go_on_from_where_the_last_speaker_was(channel: Channel) -> None:
    assert [channel.next_epoch(), channel.next_epoch()] == [41, 42]


def test_it_greets_once(daemon: socket.socket, channel: Channel) -> None:
    channel.start({})
    channel.start({}, True)
    assert frames(taken(daemon, channel)) == [(Kind.HELLO, 0, 0, b'{"version": "5.0.15"}')]


def test_what_the_socket_does_not_take_waits_in_order(daemon: socket.socket, channel: Channel) -> None:
    block = bytes(range(256)) * 1024
    for number in range(20):
        channel.post(Kind.UPDATES, 1, number, block)
    channel.post(Kind.DOWN, 1, 20, b"{}")
    assert channel.waiting
    assert not channel.full
    found = frames(taken(daemon, channel))
    assert [number for _, _, number, _ in found] == list(range(21))
    assert all(payload == block for kind, _, _, payload in found if kind is Kind.UPDATES)
    assert not channel.waiting


def test_it_is_full_at_its_limit_and_gives_up_at_its_end(daemon: socket.socket, channel: Channel) -> None:
    channel = Channel(channel.io, 0, "5.0.15", spool_limit=1 << 20)
    while not channel.full:
        channel.post(Kind.UPDATES, 1, 1, bytes(1 << 16))
    taken(daemon, channel)
    assert not channel.full
    while not channel.full:
        channel.post(Kind.UPDATES, 1, 1, bytes(1 << 16))
    with pytest.raises(Exited, match=str(module.EXIT_SPOOL)):
        channel.post(Kind.DOWN, 1, 1, bytes(1 << 20))


def test_commands_come_whole_and_are_answered_by_number(daemon: socket.socket, channel: Channel) -> None:
    daemon.send(b"1 withdraw 10.0.0.1 179 10.0.0.0/8\n2 rel")
    [(first, line)] = channel.received()
    assert line == "withdraw 10.0.0.1 179 10.0.0.0/8"
    daemon.send(b"oad\n3 \xff\xfe\n")
    [(second, reload), (third, _)] = channel.received()
    assert reload == "reload"
    channel.answer_done(first)
    channel.failure = "no peer 10.0.0.1 port 179"
    channel.answer_error(second)
    channel.answer_error(third)
    assert frames(taken(daemon, channel)) == [
        (Kind.ANSWER, 0, 1, b""),
        (Kind.ANSWER, 0, 2, b"no peer 10.0.0.1 port 179"),
        (Kind.ANSWER, 0, 3, b"not understood"),
    ]
    assert list(channel.received()) == []


def test_the_end_of_the_daemon_is_the_end(daemon: socket.socket, channel: Channel) -> None:
    daemon.close()
    with pytest.raises(Exited, match="0"):
        list(channel.received())
    with pytest.raises(Exited, match="0"):
        channel.post(Kind.STATE, 1, 0, b"idle")
