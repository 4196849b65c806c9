"""Frames of the channel as events; anything else is a broken channel and nothing worse."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.events import (
    DownCause,
    DownKind,
    Negotiated,
    PeerRestart,
    Refresh,
    RefreshPhase,
    SessionDown,
    SessionState,
    SessionUp,
    Updates,
)
from vrfbgp.model import Family, PeerId
from vrfbgp.speaker.report import ChannelBroken, Reports, read_header
from vrfbgp.speaker.wire import HEADER, MAX_PAYLOAD, Kind

PEER = PeerId("red", ip_address("10.0.0.1"), 1790)
UP = {
    "peer_as": 65001,
    "router_id": "9.9.9.9",
    "local_address": "10.0.0.2",
    "hold_time": 9,
    "families": ["ipv4", "ipv6"],
    "asn4": True,
    "add_path": ["ipv6"],
    "extended_message": True,
    "extended_next_hop": True,
    "route_refresh": True,
    "enhanced_refresh": False,
    "restart": {"time": 120, "restarting": True, "families": ["ipv4"], "forwarding": ["ipv4"]},
}


@pytest.fixture
def reports() -> Reports:
    one = Reports("red")
    content = {"address": "10.0.0.1", "port": 1790}
    assert one.event(Kind.PEER, 3, 0, json.dumps(content).encode()) is None
    return one


def test_a_session_from_begin_to_end(reports: Reports) -> None:
    assert reports.event(Kind.STATE, 3, 0, b"connect") == SessionState(PEER, "connect")
    assert reports.event(Kind.UP, 3, 8, json.dumps(UP).encode()) == SessionUp(
        PEER,
        8,
        Negotiated(
            peer_as=65001,
            router_id="9.9.9.9",
            local_address=ip_address("10.0.0.2"),
            hold_time=9,
            families=frozenset(Family),
            add_path=frozenset({Family.IPV6}),
            extended_message=True,
            extended_next_hop=True,
            route_refresh=True,
            restart=PeerRestart(120, True, frozenset({Family.IPV4}), frozenset({Family.IPV4})),
        ),
    )
    assert reports.established == {PEER: 8}
    assert reports.event(Kind.UPDATES, 3, 8, b"raw") == Updates(PEER, 8, b"raw")
    refresh = {"family": "ipv4", "phase": "borr"}
    assert reports.event(Kind.REFRESH, 3, 8, json.dumps(refresh).encode()) == Refresh(
        PEER, 8, Family.IPV4, RefreshPhase.BEGIN
    )
    down = {"kind": "notification-received", "code": 6, "subcode": 2, "text": "Cease"}
    assert reports.event(Kind.DOWN, 3, 8, json.dumps(down).encode()) == SessionDown(
        PEER, 8, DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2, "Cease")
    )
    assert reports.established == {}


def test_a_peer_without_graceful_restart(reports: Reports) -> None:
    event = reports.event(Kind.UP, 3, 8, json.dumps({**UP, "restart": None}).encode())
    assert isinstance(event, SessionUp)
    assert event.negotiated.restart is None


@given(st.sampled_from(Kind), st.integers(0, 5), st.binary(max_size=60))
def test_noise_breaks_the_channel_only(kind: Kind, index: int, payload: bytes) -> None:
    try:
        Reports("red").event(kind, index, 1, payload)
    except ChannelBroken as error:
        assert kind.name in str(error)  # noqa: PT017


@pytest.mark.parametrize("header", [HEADER.pack(99, 0, 0, 0), HEADER.pack(Kind.UP, 0, 0, MAX_PAYLOAD + 1)])
def test_a_header_that_is_none(header: bytes) -> None:
    with pytest.raises(ChannelBroken):
        read_header(header)
