"""Requests of the core → lines of ExaBGP's API (ASCII, one each), and of our own (`wire.OWN`)."""

from __future__ import annotations

from vrfbgp.model import Family, PeerId
from vrfbgp.requests import (
    Announce,
    RequestRefresh,
    ResetSession,
    SendEndOfRib,
    SessionConfig,
    Withdraw,
)
from vrfbgp.speaker.wire import OWN

RELOAD = f"{OWN} reload"
CLOSE = f"{OWN} close"
ACCEPT = f"{OWN} accept"


def announce(request: Announce, session: SessionConfig) -> str:
    """`session` is the one that the route goes to: the AS path depends on it.

    What is prepended stands behind our own AS, which comes first on eBGP (RFC 4271 5.1.2).
    """
    words = [
        f"{_neighbor(request.peer)} announce route {request.prefix}",
        f"next-hop {request.next_hop if request.next_hop is not None else 'self'}",
    ]
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
    return " ".join(words)


def _neighbor(peer: PeerId) -> str:
    """As `identity.name` begins."""
    return f"neighbor {peer.address}@{peer.port}"


def withdraw(request: Withdraw) -> str:
    return f"{_neighbor(request.peer)} withdraw route {request.prefix}"


def end_of_rib(request: SendEndOfRib) -> str:
    family = "ipv4" if request.family is Family.IPV4 else "ipv6"
    return f"{_neighbor(request.peer)} announce eor {family} unicast"


def refresh(request: RequestRefresh) -> str:
    family = "ipv4" if request.family is Family.IPV4 else "ipv6"
    return f"{OWN} refresh {request.peer.address} {request.peer.port} {family}"


def reset(request: ResetSession) -> str:
    return f"{OWN} reset {request.peer.address} {request.peer.port} {request.code} {request.subcode}"


def accept(peer: PeerId) -> str:
    return f"{ACCEPT} {peer.address} {peer.port}"
