"""How values are told: as JSON, with stable words, so that people, scripts and tests read the same."""

from __future__ import annotations

import os
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from vrfbgp.core import Core
from vrfbgp.fib.routes import Place
from vrfbgp.intent import Problem
from vrfbgp.model import Attributes, Family, IPNetwork, Nlri, PeerId, network_of
from vrfbgp.operations import Failure
from vrfbgp.requests import Announce

Json = dict[str, Any]


class NetworkState(StrEnum):
    """What a network does now; the first that holds."""

    DISABLED = "disabled"
    """externalNetworkSupport is not Enabled."""
    DEGRADED = "degraded"
    """It does not run, or not with any of its peers; its problems say why."""
    DOWN = "down"
    """No session is up. What was learned before may still stand, until it is given up."""
    PARTIAL = "partial"
    """It works, but not with all of its peers."""
    SYNCING = "syncing"
    """It works; the peers have not sent all they have."""
    OK = "ok"


class PeerState(StrEnum):
    """States of a peer beside those of the session's state machine (RFC 4271 8.2.2)."""

    DISABLED = "disabled"
    DEGRADED = "degraded"
    """No session is held; the peer's problems say why."""
    WAITING = "waiting"
    """The rule or the routes that its session needs do not stand yet."""


class GatewayState(StrEnum):
    """What becomes of a gateway's packets; the first that holds."""

    DISABLED = "disabled"
    ISOLATED = "isolated"
    """All of them are unreachable, since its ranges exclude another gateway's."""
    WAITING = "waiting"
    """Some of its rules do not stand yet."""
    DRAINED = "drained"
    """It is not steered into its networks, as the node is drained."""
    DEGRADED = "degraded"
    """Some of its networks are missing or do not run."""
    OK = "ok"


def places(core: Core) -> dict[str, Place]:
    """Where the routes of each network are; a network that may not have its table has no place."""
    return core.planner.places


def announced(core: Core, network: str) -> list[Announce]:
    """What the peers of a network are told, those whose session is up: the others get it with their next."""
    running = core.networks.get(network)
    works = {peer for peer, session in running.sessions.items() if session.works} if running else set()
    return [sent for sent in core.announcements.sent.get(network, {}).values() if sent.peer in works]


def problem(found: Problem) -> Json:
    return {
        "severity": found.severity.value,
        "reason": found.reason.value,
        "subject": found.subject,
        "text": found.text,
        "file": found.place.file,
        "line": found.place.line,
        "path": found.place.path,
    }


def kernel_words(failure: Failure) -> str:
    """Why the kernel refused an operation, in its own words."""
    return failure.text or os.strerror(failure.errno)


def about(subject: str, standing: Iterable[Problem]) -> list[Json]:
    """The problems of one object, such as `BGPPeer red-1`."""
    return [problem(found) for found in standing if found.subject == subject]


def peer_name(core: Core, peer: PeerId) -> str:
    """Name of the BGPPeer object behind a session; its address if the object is gone."""
    network = core.networks.get(peer.network)
    session = network.sessions.get(peer) if network else None
    return session.intent.name if session else str(peer.address)


def endpoint(peer: PeerId) -> str:
    """Address of a peer, with the port if it is not BGP's."""
    if peer.port == 179:
        return str(peer.address)
    return f"{peer.address}:{peer.port}" if peer.address.version == 4 else f"[{peer.address}]:{peer.port}"


def attributes(found: Attributes) -> Json:
    """Path attributes as they were received (RFC 4271 5); an absent one is null."""
    return {
        "next_hop": str(found.next_hop),
        "as_path": as_path(found),
        "as_path_length": found.as_path_length,
        "origin": found.origin.name.lower(),
        "med": found.med,
        "local_preference": found.local_pref,
        "communities": [":".join(map(str, community)) for community in found.communities],
        "large_communities": [":".join(map(str, community)) for community in found.large_communities],
        "originator_id": None if found.originator_id is None else str(found.originator_id),
        "cluster_list": [str(cluster) for cluster in found.cluster_list],
    }


def prefix_text(family: Family, nlri: Nlri) -> str:
    """A prefix as it is printed; in a fifth of the time that a value takes."""
    if family is not Family.IPV4:
        return str(network_of(family, nlri))
    return "{}.{}.{}.{}/{}".format(*nlri[1:].ljust(4, b"\0"), nlri[0])


_BRACKETS = {1: ("{", "}"), 3: ("(", ")"), 4: ("[", "]")}


def as_path(found: Attributes) -> str:
    """AS numbers in wire order; a set in braces, confederation segments in parentheses and brackets."""
    words = []
    for kind, asns in found.as_path:
        text = " ".join(map(str, asns))
        opening, closing = _BRACKETS.get(kind, ("", ""))
        words.append(f"{opening}{text}{closing}")
    return " ".join(words)


def prefixes(found: Iterable[IPNetwork]) -> list[str]:
    return [str(prefix) for prefix in found]
