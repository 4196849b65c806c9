"""Frames of the channel → events for the core.

A frame knows its peer by an index; the address and port behind it came first, and name the `PeerId` whatever
the configuration has become since.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

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
    SpeakerEvent,
    Updates,
)
from vrfbgp.model import Family, PeerId
from vrfbgp.speaker.wire import HEADER, MAX_PAYLOAD, Kind

_FAMILIES = {"ipv4": Family.IPV4, "ipv6": Family.IPV6}


class ChannelBroken(Exception):
    """What came over the channel is no frame: the speaker has to be ended."""


def read_header(octets: bytes) -> tuple[Kind, int, int, int]:
    """Kind, peer's index, epoch or number, octets of payload. Raises ChannelBroken."""
    kind, peer, number, length = HEADER.unpack(octets)
    if length > MAX_PAYLOAD or kind not in Kind._value2member_map_:
        raise ChannelBroken(f"frame of kind {kind} with {length} octets")
    return Kind(kind), peer, number, length


class Reports:
    """What one speaker process tells, from its begin to its end."""

    def __init__(self, network: str) -> None:
        self._network = network
        self._peers: dict[int, PeerId] = {}
        self.established: dict[PeerId, int] = {}
        """The epochs of the sessions that are up."""

    def event(self, kind: Kind, index: int, epoch: int, payload: bytes) -> SpeakerEvent | None:
        """The event that a frame stands for; None for those that are no event. Raises ChannelBroken."""
        try:
            if kind is Kind.UPDATES:
                return Updates(self._peers[index], epoch, payload)
            return self._other(kind, index, epoch, payload)
        except (KeyError, ValueError, TypeError) as error:
            raise ChannelBroken(f"frame {kind.name} of peer {index}: {error!r}") from error

    def _other(self, kind: Kind, index: int, epoch: int, payload: bytes) -> SpeakerEvent | None:
        if kind is Kind.STATE:
            return SessionState(self._peers[index], payload.decode("ascii"))
        if kind in (Kind.HELLO, Kind.ANSWER):
            return None
        content = json.loads(payload)
        if kind is Kind.PEER:
            self._peers[index] = PeerId(self._network, ip_address(content["address"]), int(content["port"]))
            return None
        peer = self._peers[index]
        if kind is Kind.UP:
            self.established[peer] = epoch
            return SessionUp(peer, epoch, _negotiated(content))
        if kind is Kind.REFRESH:
            return Refresh(peer, epoch, _FAMILIES[content["family"]], RefreshPhase(content["phase"]))
        self.established.pop(peer, None)
        return SessionDown(
            peer,
            epoch,
            DownCause(DownKind(content["kind"]), content["code"], content["subcode"], content["text"]),
        )


def _negotiated(content: Mapping[str, Any]) -> Negotiated:
    restart = content["restart"]
    return Negotiated(
        peer_as=content["peer_as"],
        router_id=content["router_id"],
        local_address=ip_address(content["local_address"]),
        hold_time=content["hold_time"],
        families=_families(content["families"]),
        asn4=content["asn4"],
        add_path=_families(content["add_path"]),
        extended_message=content["extended_message"],
        extended_next_hop=content["extended_next_hop"],
        route_refresh=content["route_refresh"],
        enhanced_refresh=content["enhanced_refresh"],
        restart=None
        if restart is None
        else PeerRestart(
            restart["time"],
            restart["restarting"],
            _families(restart["forwarding"]),
            _families(restart["families"]),
        ),
    )


def _families(names: list[str]) -> frozenset[Family]:
    return frozenset(_FAMILIES[name] for name in names)
