"""UPDATEs that come one by one are gathered; what comes alone, bulk and the end of a session do not wait."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from exabgp.bgp.fsm import FSM

from vrfbgp.speaker import rest as module
from vrfbgp.speaker.reactor import SpeakerReactor
from vrfbgp.speaker.rest import LITTLE, REST, SOON, Rest


def test_what_comes_alone_does_not_wait() -> None:
    rest = Rest()
    for now in (5.0, 5.0 + 1.01 * SOON, 5.0 + 2.02 * SOON):
        rest.read(50, now)
        assert not rest.left(now)


def test_after_little_that_came_soon_it_rests_for_a_moment() -> None:
    rest = Rest()
    rest.read(50, 5.0)
    rest.read(50, 5.001)
    assert rest.left(5.001) == pytest.approx(REST)
    assert rest.left(5.002) == pytest.approx(REST - 0.001)
    assert not rest.left(5.001 + REST)
    rest.read(300, 5.002 + REST)
    assert rest.left(5.002 + REST)


def test_bulk_goes_on_at_once() -> None:
    rest = Rest()
    rest.read(50, 5.0)
    rest.read(LITTLE, 5.001)
    assert not rest.left(5.001)


class Peers:
    """A reactor's loop, of which only the sleep is real, with one established peer."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "REST", 3600.0)
        self.channel_end, channel = socket.socketpair()
        self.peer_end, io = socket.socketpair()
        self.ends = (self.channel_end, channel, self.peer_end, io)
        self.lane = SimpleNamespace(rest=Rest(), connection=SimpleNamespace(io=io))
        established = SimpleNamespace(proto=self.lane, fsm=FSM.ESTABLISHED, stuck=False, generator=True)
        self.reactor: Any = SpeakerReactor.__new__(SpeakerReactor)
        self.reactor.processes = SimpleNamespace(io=channel, waiting=False, full=False)
        self.reactor._peers = {"one": established}

    def rests(self) -> bool:
        return bool(self.lane.rest.left(time.monotonic()))

    def let_rest(self) -> None:
        for _ in range(2):
            self.lane.rest.read(1, time.monotonic())
        assert self.rests()

    def close(self) -> None:
        for end in self.ends:
            end.close()


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Peers]:
    peers = Peers(monkeypatch)
    yield peers
    peers.close()


def test_the_end_of_a_session_ends_a_rest(peers: Peers) -> None:
    peers.let_rest()
    peers.peer_end.send(b"last words")
    peers.peer_end.close()
    peers.reactor._sleep()
    assert not peers.rests()


def test_more_octets_do_not_end_a_rest_and_are_what_is_slept_for_without_one(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vrfbgp.speaker.reactor.TICK", 0.01)
    peers.let_rest()
    peers.peer_end.send(b"more")
    peers.reactor._sleep()
    assert peers.rests()
    monkeypatch.setattr("vrfbgp.speaker.reactor.TICK", 3600.0)
    peers.lane.rest.end()
    peers.reactor._sleep()


def test_a_command_is_heard_during_a_rest(peers: Peers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrfbgp.speaker.reactor.TICK", 3600.0)
    peers.let_rest()
    peers.channel_end.send(b"1 vrfbgp reload\n")
    peers.reactor._sleep()
    assert peers.rests()
