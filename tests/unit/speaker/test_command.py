"""Requests as lines, and the routes that a speaker makes of them: what ExaBGP's parser would have made."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from exabgp.bgp.message import Action
from exabgp.reactor.api import API
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.speaker.test_render import FULL, SESSION
from vrfbgp.model import Family
from vrfbgp.requests import Announce, RequestRefresh, ResetSession, SendEndOfRib, SessionConfig, Withdraw
from vrfbgp.speaker import command
from vrfbgp.speaker.neighbors import read
from vrfbgp.speaker.render import render
from vrfbgp.speaker.routes import announced, withdrawn

PEER = SESSION.peer
PREFIX = ip_network("10.50.0.2/32")


def of_exabgp(request: Announce, session: SessionConfig, neighbor: Any) -> Any:
    """The route that ExaBGP's parser makes of the same, written in its language."""
    words = [f"announce route {request.prefix} next-hop {request.next_hop or 'self'}"]
    if request.med is not None:
        words.append(f"med {request.med}")
    if request.local_pref is not None:
        words.append(f"local-preference {request.local_pref}")
    if request.prepend:
        own = () if session.local_as == session.peer_as else (session.local_as,)
        words.append(f"as-path [ {' '.join(map(str, own + request.prepend))} ]")
    if request.communities:
        words.append(f"community [ {' '.join(f'{high}:{low}' for high, low in request.communities)} ]")
    if request.large_communities:
        large = (":".join(map(str, parts)) for parts in request.large_communities)
        words.append(f"large-community [ {' '.join(large)} ]")
    [route] = API(None).api_route(" ".join(words))
    route.nlri.action = Action.ANNOUNCE
    return neighbor.remove_self(route)


def of_ours(request: Announce, session: SessionConfig, neighbor: Any) -> Any:
    name, address, port, prefix, words = command.announce(request, session).split(" ")
    assert (name, address, port) == ("announce", str(session.peer.address), str(session.peer.port))
    return announced(neighbor, prefix, json.loads(words))


def looks(route: Any) -> list[Any]:
    """All that ExaBGP sends of a route, or tells it from others by."""
    return [
        route.extensive(),
        route.index(),
        route.nlri.action,
        route.nlri.family().afi_safi(),
        route.nlri.pack_nlri(),
        type(route.nlri.nexthop).__name__,
        route.nlri.nexthop.pack(),
        route.attributes.index(),
        {code: type(attribute).__name__ for code, attribute in route.attributes.items()},
    ]


NUMBER = st.integers(0, 0xFFFFFFFF)
SHORT = st.integers(0, 0xFFFF)
ROUTES = st.builds(
    Announce,
    peer=st.just(PEER),
    prefix=st.builds(lambda number, length: ip_network((number, length), False), NUMBER, st.integers(0, 32)),
    med=st.none() | NUMBER,
    local_pref=st.none() | NUMBER,
    communities=st.lists(st.tuples(SHORT, SHORT), max_size=3).map(tuple),
    large_communities=st.lists(st.tuples(NUMBER, NUMBER, NUMBER), max_size=3).map(tuple),
    prepend=st.lists(st.integers(1, 0xFFFFFFFF), max_size=3).map(tuple),
    next_hop=st.none() | st.just(ip_address("10.0.0.9")),
)


@given(ROUTES.filter(lambda route: not route.prefix.is_multicast), st.sampled_from([63400, 64512]))
def test_an_announcement_is_what_exabgp_would_make_of_it(request: Announce, peer_as: int) -> None:
    session = replace(SESSION, peer_as=peer_as)
    [neighbor] = read(render([session]))
    assert looks(of_ours(request, session, neighbor)) == looks(of_exabgp(request, session, neighbor))


@pytest.mark.parametrize("next_hop", [None, ip_address("2001:db8::9"), ip_address("172.16.1.1")])
def test_both_families_over_a_session_of_ipv6(next_hop: Any) -> None:
    [neighbor] = read(render([FULL]))
    for prefix in (PREFIX, ip_network("2001:db8:7::/48")):
        if next_hop is None or next_hop.version == prefix.version:
            request = Announce(FULL.peer, prefix, next_hop=next_hop)
            assert looks(of_ours(request, FULL, neighbor)) == looks(of_exabgp(request, FULL, neighbor))


def test_ourselves_are_no_next_hop_of_another_family() -> None:
    [neighbor] = read(render([SESSION]))
    with pytest.raises(TypeError, match="next-hop self"):
        announced(neighbor, "2001:db8::/64", {})


@pytest.mark.parametrize("prefix", [PREFIX, ip_network("2001:db8::/64"), ip_network("0.0.0.0/0")])
def test_a_withdrawal_is_of_the_route_that_was_announced(prefix: Any) -> None:
    written = command.withdraw(Withdraw(PEER, prefix))
    assert written == f"withdraw 172.16.1.140 179 {prefix}"
    route = withdrawn(str(prefix))
    [meant] = API(None).api_route(f"withdraw route {prefix}")
    assert route.nlri.action == Action.WITHDRAW
    assert (route.index(), route.nlri.pack_nlri()) == (meant.index(), meant.nlri.pack_nlri())


@pytest.mark.parametrize("prefix", ["10.0.0.0", "10.0.0/8", "ten/8", "", "10.0.0.0/eight"])
def test_what_is_no_prefix_is_an_error(prefix: str) -> None:
    with pytest.raises((ValueError, OSError)):
        withdrawn(prefix)


def test_only_what_there_is_goes_along() -> None:
    assert command.announce(Announce(PEER, PREFIX), SESSION) == "announce 172.16.1.140 179 10.50.0.2/32 {}"
    full = Announce(PEER, PREFIX, 0, 200, ((65000, 1),), ((4200000000, 1, 2),), (7,))
    assert command.announce(full, SESSION).split(" ")[4] == (
        '{"med":0,"local_pref":200,"as_path":[64512,7],"communities":[[65000,1]],'
        '"large_communities":[[4200000000,1,2]]}'
    )


def test_inside_the_own_as_only_what_is_prepended_is_in_the_path() -> None:
    internal = replace(SESSION, peer_as=SESSION.local_as)
    assert command.announce(Announce(PEER, PREFIX, prepend=(7,)), internal).endswith('{"as_path":[7]}')


def test_the_others() -> None:
    assert command.end_of_rib(SendEndOfRib(PEER, Family.IPV6)) == "end-of-rib 172.16.1.140 179 ipv6"
    assert command.refresh(RequestRefresh(PEER, Family.IPV4)) == "refresh 172.16.1.140 179 ipv4"
    assert command.reset(ResetSession(PEER, 3, 1)) == "reset 172.16.1.140 179 3 1"
    assert command.accept(PEER) == "accept 172.16.1.140 179"
