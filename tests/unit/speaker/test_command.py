"""Requests as lines of ExaBGP's API, read by ExaBGP itself."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from exabgp.reactor.api import API

from tests.unit.speaker.test_render import SESSION
from vrfbgp.model import Family
from vrfbgp.requests import Announce, RequestRefresh, ResetSession, SendEndOfRib, Withdraw
from vrfbgp.speaker import command

PEER = SESSION.peer
PREFIX = ip_network("10.50.0.2/32")


def understood(line: str) -> str:
    """The one route that ExaBGP reads in the line."""
    words = line.split(" ", 2)
    assert words[:2] == ["neighbor", "172.16.1.140@179"]
    [change] = API(None).api_route(words[2])
    text: Any = change.extensive()
    return str(text)


@pytest.mark.parametrize(
    ("changes", "line", "route"),
    [
        ({}, "next-hop self", "10.50.0.2/32 next-hop self"),
        ({"next_hop": ip_address("10.0.0.9")}, "next-hop 10.0.0.9", "10.50.0.2/32 next-hop 10.0.0.9"),
        ({"med": 0, "local_pref": 200}, "next-hop self med 0 local-preference 200", "local-preference 200"),
        (
            {"communities": ((65000, 1), (65535, 65281))},
            "next-hop self community [ 65000:1 65535:65281 ]",
            "no-export",
        ),
        (
            {"large_communities": ((4200000000, 1, 2),)},
            "next-hop self large-community [ 4200000000:1:2 ]",
            "large-community 4200000000:1:2",
        ),
        ({"prepend": (64512, 4200000000)}, "next-hop self as-path [ 64512 64512 4200000000 ]", "as-path"),
    ],
)
def test_an_announcement(changes: dict[str, Any], line: str, route: str) -> None:
    written = command.announce(Announce(PEER, PREFIX, **changes), SESSION)
    assert written == f"neighbor 172.16.1.140@179 announce route 10.50.0.2/32 {line}"
    assert route in understood(written)


def test_inside_the_own_as_only_what_is_prepended_is_in_the_path() -> None:
    internal = replace(SESSION, peer_as=SESSION.local_as)
    assert command.announce(Announce(PEER, PREFIX, prepend=(7,)), internal).endswith("as-path [ 7 ]")


def test_ipv6_is_announced_and_withdrawn() -> None:
    prefix = ip_network("2001:db8::/64")
    assert "2001:db8::/64" in understood(command.announce(Announce(PEER, prefix), SESSION))
    assert "2001:db8::/64" in understood(command.withdraw(Withdraw(PEER, prefix)))


def test_the_others() -> None:
    assert command.withdraw(Withdraw(PEER, PREFIX)) == "neighbor 172.16.1.140@179 withdraw route 10.50.0.2/32"
    eor = command.end_of_rib(SendEndOfRib(PEER, Family.IPV6))
    assert eor == "neighbor 172.16.1.140@179 announce eor ipv6 unicast"
    assert command.refresh(RequestRefresh(PEER, Family.IPV4)) == "vrfbgp refresh 172.16.1.140 179 ipv4"
    assert command.reset(ResetSession(PEER, 3, 1)) == "vrfbgp reset 172.16.1.140 179 3 1"
