"""Requests of the core → lines for a speaker (ASCII, one each), which `reactor.Commands` carries out.

Most name a peer, by its address and port. What goes along with an announcement is JSON, without spaces.
"""

from __future__ import annotations

import json

from vrfbgp.model import Family, PeerId
from vrfbgp.requests import (
    Announce,
    RequestRefresh,
    ResetSession,
    SendEndOfRib,
    SessionConfig,
    Withdraw,
)
from vrfbgp.speaker.wire import ACCEPT

_NAMES = {Family.IPV4: "ipv4", Family.IPV6: "ipv6"}


def announce(request: Announce, session: SessionConfig) -> str:
    """`session` is the one that the route goes to: the AS path depends on it.

    What is prepended stands behind our own AS, which comes first on eBGP (RFC 4271 5.1.2).
    """
    words: dict[str, object] = {}
    if request.next_hop is not None:
        words["next_hop"] = str(request.next_hop)
    if request.med is not None:
        words["med"] = request.med
    if request.local_pref is not None:
        words["local_pref"] = request.local_pref
    if request.prepend:
        own = () if session.local_as == session.peer_as else (session.local_as,)
        words["as_path"] = own + request.prepend
    if request.communities:
        words["communities"] = request.communities
    if request.large_communities:
        words["large_communities"] = request.large_communities
    return f"announce {_peer(request.peer)} {request.prefix} {json.dumps(words, separators=(',', ':'))}"


def _peer(peer: PeerId) -> str:
    return f"{peer.address} {peer.port}"


def withdraw(request: Withdraw) -> str:
    return f"withdraw {_peer(request.peer)} {request.prefix}"


def end_of_rib(request: SendEndOfRib) -> str:
    return f"end-of-rib {_peer(request.peer)} {_NAMES[request.family]}"


def refresh(request: RequestRefresh) -> str:
    return f"refresh {_peer(request.peer)} {_NAMES[request.family]}"


def reset(request: ResetSession) -> str:
    return f"reset {_peer(request.peer)} {request.code} {request.subcode}"


def accept(peer: PeerId) -> str:
    return f"{ACCEPT} {_peer(peer)}"
