"""The neighbors that are read are those that ExaBGP's own parser makes of the same text."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from exabgp.configuration.configuration import Configuration
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.speaker.test_render import FULL, GOLDEN, SESSION
from vrfbgp.model import Family, PeerId
from vrfbgp.requests import Listen, SessionConfig
from vrfbgp.speaker.neighbors import Neighbors, Unreadable, read
from vrfbgp.speaker.rehearsal import CONFIG
from vrfbgp.speaker.render import accept, render

V4 = [ip_address("172.16.1.140"), ip_address("10.0.0.1")]
V6 = [ip_address("2001:db8::2"), ip_address("fe80::1")]
PASSWORDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
NUMBERS = st.integers(1, 0xFFFFFFFF)
SESSIONS = st.builds(
    lambda addresses, **settings: SessionConfig(
        peer=PeerId("red", addresses[0], settings.pop("port")), local_address=addresses[1], **settings
    ),
    addresses=st.sampled_from([V4, V6]),
    port=st.integers(1, 65535),
    description=st.text(max_size=5),
    peer_as=NUMBERS,
    local_as=NUMBERS,
    router_id=st.ip_addresses(v=4).map(str),
    source_interface=st.none() | st.from_regex(r"[A-Za-z0-9_.:@-]{1,15}", fullmatch=True),
    families=st.sets(st.sampled_from(Family), min_size=1).map(frozenset),
    hold_time=st.just(0) | st.integers(3, 65535),
    keepalive_time=st.none() | st.integers(1, 65535),
    restart_time=st.integers(0, 4095),
    password=st.none() | PASSWORDS,
    ttl_security=st.none() | st.integers(1, 255),
    multihop=st.booleans(),
    listen=st.none() | st.just(Listen(7, "eth1")),
)


def looks(neighbor: Any) -> dict[str, Any]:
    """All that there is in a neighbor, but what no two of them share; with types, as ExaBGP has its own."""
    own = {"uid", "rib", "previous"}
    held = {name: value for name, value in vars(neighbor).items() if name not in own}
    typed = {name: (type(value).__name__, value) for name, value in neighbor.items()}
    ribs = (neighbor.rib.outgoing.families, neighbor.rib.outgoing.cache, neighbor.rib.incoming.cache)
    return {"settings": typed, "held": held, "ribs": ribs, "text": str(neighbor)}


def of_exabgp(text: str) -> dict[str, Any]:
    configuration = Configuration([text], text=True)
    assert configuration.reload() is True, configuration.error
    return {name: looks(one) for name, one in configuration.neighbors.items()}


def of_ours(text: str) -> dict[str, Any]:
    neighbors = Neighbors(text=text)
    assert neighbors.reload(), neighbors.error
    return {name: looks(one) for name, one in neighbors.neighbors.items()}


@given(st.lists(SESSIONS, min_size=1, max_size=3))
def test_they_are_what_exabgp_reads(sessions: list[SessionConfig]) -> None:
    good, _ = accept({session.peer.address: session for session in sessions}.values())
    text = render(good)
    assert of_ours(text) == of_exabgp(text)


@pytest.mark.parametrize("text", [GOLDEN, CONFIG, render([SESSION, FULL]), ""])
def test_these_too(text: str) -> None:
    assert of_ours(text) == (of_exabgp(text) if text else {})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOLDEN.replace("hold-time 90", "hold-time long"), "neighbor 172.16.1.140: hold-time"),
        (GOLDEN.replace("hold-time 90", "hold-on 90"), "hold-on is missing or unknown"),
        (GOLDEN.replace("asn4 enable", "asn4 perhaps"), "perhaps is missing or unknown"),
        (GOLDEN.replace("ipv4 unicast", "ipv5 unicast"), "ipv5 is missing or unknown"),
        (GOLDEN.replace("    local-as 64512;\n", ""), "local-as"),
        (GOLDEN.replace("    local-address 172.16.1.1;\n", ""), "local-address"),
        (GOLDEN.replace("172.16.1.140 {", "nobody {"), "neighbor nobody"),
        (GOLDEN.replace("neighbor 172", "template 172"), "line 4: template is out of place"),
        (GOLDEN.replace("asn4 enable;", "asn4 {"), "line 19: asn4 is out of place"),
        (GOLDEN.replace("asn4 enable;", "asn4 enable"), "line 19: asn4 is out of place"),
        (GOLDEN.rstrip().removesuffix("}"), "the end is missing"),
        (GOLDEN + "}\n", "out of place"),
    ],
)
def test_anything_else_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(text)


def test_what_can_not_be_read_leaves_those_that_were_there(tmp_path: Path) -> None:
    path = tmp_path / "exabgp.conf"
    neighbors = Neighbors(str(path))
    assert not neighbors.reload()
    assert str(path) in neighbors.error
    path.write_text(GOLDEN)
    assert neighbors.reload()
    [(name, first)] = neighbors.neighbors.items()
    path.write_text(GOLDEN.replace("connect", "disconnect"))
    assert not neighbors.reload()
    assert "disconnect" in neighbors.error
    assert neighbors.neighbors == {name: first}
    path.write_text(render([replace(SESSION, hold_time=30), FULL]))
    assert neighbors.reload()
    assert neighbors.neighbors[name].previous is first
    assert neighbors.neighbors[name].rib.outgoing is first.rib.outgoing
    assert neighbors.neighbors[name] != first
