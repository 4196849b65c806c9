"""What is rendered means to ExaBGP just what the session says, whatever its strings hold."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from exabgp.configuration.configuration import Configuration
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.model import Family, PeerId
from vrfbgp.requests import Listen, SessionConfig
from vrfbgp.speaker.render import SessionRefused, accept, render

SESSION = SessionConfig(
    peer=PeerId("red", ip_address("172.16.1.140")),
    description="router red",
    peer_as=63400,
    local_as=64512,
    router_id="10.0.0.7",
    local_address=ip_address("172.16.1.1"),
)

GOLDEN = """\
# The sessions of one external network, written by vrfbgp. Edits are overwritten.

# red/172.16.1.140 router red
neighbor 172.16.1.140 {
    description "";
    connect 179;
    local-address 172.16.1.1;
    local-as 64512;
    peer-as 63400;
    router-id 10.0.0.7;
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
    }
}
"""

FULL = replace(
    SESSION,
    peer=PeerId("red", ip_address("2001:db8::2"), 1790),
    local_address=ip_address("2001:db8::1"),
    families=frozenset(Family),
    source_interface="eth0.100",
    hold_time=0,
    keepalive_time=7,
    restart_time=0,
    password="pa ss\"'\\;#{}[]é",
    ttl_security=2,
)


def understood(text: str) -> dict[str, Any]:
    """ExaBGP's neighbors, by address."""
    configuration = Configuration([text], text=True)
    assert configuration.reload() is True, configuration.error
    return {neighbor["peer-address"].top(): neighbor for neighbor in configuration.neighbors.values()}


def test_the_plain_case_is_written_like_this() -> None:
    assert render([SESSION]) == GOLDEN


def test_exabgp_reads_what_was_meant() -> None:
    neighbors = understood(render([SESSION, FULL]))
    plain, full = neighbors["172.16.1.140"], neighbors["2001:db8::2"]
    assert (plain["connect"], plain["peer-as"], plain["local-as"]) == (179, 63400, 64512)
    assert (plain["hold-time"], plain["capability"]["graceful-restart"]) == (90, 120)
    assert plain["md5-password"] is None
    assert (plain["outgoing-ttl"], plain["incoming-ttl"]) == (64, None)
    assert [(int(afi), int(safi)) for afi, safi in plain.families()] == [(1, 1)]
    assert (plain["manual-eor"], plain["adj-rib-in"], plain["adj-rib-out"]) == (True, False, True)
    assert plain["capability"]["extended-message"]
    assert plain["capability"]["route-refresh"]
    assert not plain["passive"]
    assert (full["connect"], full["source-interface"], full["hold-time"]) == (1790, "eth0.100", 0)
    assert full["description"] == "keepalive-time 7"
    assert full["capability"]["graceful-restart"] is False
    assert (full["outgoing-ttl"], full["incoming-ttl"]) == (255, 254)
    assert full["md5-base64"] is True
    assert base64.b64decode(full["md5-password"]).decode() == FULL.password
    assert [(int(afi), int(safi)) for afi, safi in full.families()] == [(1, 1), (2, 1)]
    assert [tuple(map(int, one)) for one in full.nexthops()] == [(1, 1, 2)]
    assert not plain.nexthops()


@pytest.mark.parametrize(
    ("session", "ttl"),
    [
        (replace(SESSION, multihop=False), 1),
        (replace(SESSION, multihop=False, peer_as=64512), 64),
        (replace(SESSION, multihop=False, ttl_security=1), 255),
    ],
)
def test_how_far_packets_go(session: SessionConfig, ttl: int) -> None:
    assert understood(render([session]))["172.16.1.140"]["outgoing-ttl"] == ttl


PASSWORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(description=st.text(), network=st.text(), password=PASSWORDS)
def test_no_string_becomes_syntax(description: str, network: str, password: str) -> None:
    peer = PeerId(network, ip_address("172.16.1.140"))
    [neighbor] = understood(
        render([replace(SESSION, peer=peer, description=description, password=password)])
    ).values()
    assert base64.b64decode(neighbor["md5-password"]).decode() == password
    assert neighbor["peer-as"] == 63400
    assert neighbor["local-address"].top() == "172.16.1.1"


@given(st.text(max_size=20))
def test_an_interface_is_named_exactly_or_refused(name: str) -> None:
    try:
        text = render([replace(SESSION, source_interface=name)])
    except SessionRefused:
        return
    [neighbor] = understood(text).values()
    assert neighbor["source-interface"] == name


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"peer_as": 0}, "the peer's AS is 0"),
        ({"local_as": 1 << 32}, "the local AS is 4294967296"),
        ({"hold_time": 2}, "hold time of 2 s"),
        ({"hold_time": 65536}, "hold time is 65536"),
        ({"keepalive_time": 0}, "keepalive time of 0 s"),
        ({"restart_time": 4096}, "restart time is 4096"),
        ({"ttl_security": 0}, "TTL security over 0 hops"),
        ({"ttl_security": 256}, "TTL security over 256 hops"),
        ({"router_id": "7"}, "router id '7'"),
        ({"router_id": "10.0.0.7; } neighbor"}, "router id"),
        ({"local_address": ip_address("2001:db8::1")}, "other address family"),
        ({"local_address": ip_address("fe80::1%eth0")}, "address"),
        ({"families": frozenset()}, "no address family"),
        ({"source_interface": "eth0; }"}, "source interface"),
        ({"source_interface": ""}, "source interface"),
        ({"password": ""}, "password is empty"),
        ({"password": "ü" * 41}, "82 octets"),
        ({"password": "\ud800"}, "UTF-8"),
    ],
)
def test_what_can_not_be_written_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(SessionRefused, match=re.escape(reason)) as refusal:
        render([replace(SESSION, **changes)])
    assert "red/172.16.1.140" in str(refusal.value)


def test_two_ports_of_one_address_are_two_sessions_and_one_refused_holds_up_no_other() -> None:
    other = replace(SESSION, peer=replace(SESSION.peer, port=1790))
    bad = replace(SESSION, peer=PeerId("red", ip_address("172.16.1.141")), peer_as=0)
    twice = replace(SESSION, hold_time=30)
    good, refused = accept([SESSION, other, twice, bad, FULL])
    assert good == (SESSION, other, FULL)
    assert [refusal.session for refusal in refused] == [twice, bad]


def test_two_passive_sessions_can_not_be_told_apart_by_the_port() -> None:
    first = replace(SESSION, listen=Listen(7, "eth1"))
    second = replace(first, peer=replace(SESSION.peer, port=1790))
    active = replace(SESSION, peer=replace(SESSION.peer, port=1791))
    good, [refusal] = accept([first, second, active])
    assert good == (first, active)
    assert "red/172.16.1.140" in refusal.reason


def test_no_password_is_in_the_reasons() -> None:
    _, [refusal] = accept([replace(SESSION, password="s3cret" * 20)])
    assert "s3cret" not in str(refusal)
