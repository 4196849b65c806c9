"""Our decoder and ExaBGP's own, which knows nothing of ours, say the same of every well-formed UPDATE."""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from exabgp.bgp.message import Action
from exabgp.bgp.message.direction import Direction
from exabgp.bgp.message.open.capability.negotiated import Negotiated
from exabgp.bgp.message.update import Update as TheirUpdate
from exabgp.bgp.message.update.attribute import Attribute
from exabgp.logger.option import option
from exabgp.protocol.family import AFI, SAFI
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rib.sessions import one_update
from tests.unit.rib.strategies import Speech, messages, speeches
from vrfbgp.model import Attributes, Family
from vrfbgp.rib.decode import Update

FAMILIES = {Family.IPV4: (AFI.ipv4, SAFI.unicast), Family.IPV6: (AFI.ipv6, SAFI.unicast)}
OURS = {AFI.ipv4: Family.IPV4, AFI.ipv6: Family.IPV6}
Code = Attribute.CODE
Route = tuple[Family, bytes, int | None]
"""Family, prefix, path identifier."""


def theirs(speech: Speech, message: bytes) -> Any:
    """What ExaBGP decodes, by a session that negotiated the same."""
    negotiated = Negotiated({"capability": {"aigp": False}})
    negotiated.families = list(FAMILIES.values())
    negotiated.asn4 = speech.asn4
    negotiated.nexthop = [(AFI.ipv4, SAFI.unicast, AFI.ipv6)] if speech.extended_next_hop else []
    negotiated.addpath = SimpleNamespace(
        receive=lambda afi, safi: OURS[afi] in speech.add_path, send=lambda afi, safi: False
    )
    with patch.object(option, "logger", logging.getLogger("exabgp")):
        return TheirUpdate.unpack_message(message[19:], Direction.IN, negotiated)


def routes_of_theirs(update: Any, action: int) -> dict[Route, str | None]:
    """Routes, with their next hop where they are announced."""
    found: dict[Route, str | None] = {}
    for nlri in update.nlris:
        next_hop = str(nlri.nexthop) if action == Action.ANNOUNCE else None
        if nlri.action != action or (next_hop is not None and next_hop.startswith("fe80:")):
            continue  # of a pair of next hops it makes two routes; ours has the global one
        path_id = int.from_bytes(nlri.path_info.path_info, "big") if nlri.path_info.path_info else None
        found[OURS[nlri.afi], nlri.cidr.pack_nlri(), path_id] = next_hop
    return found


def routes_of_ours(update: Update, speech: Speech) -> tuple[set[Route], dict[Route, str | None]]:
    """Withdrawn, and announced with their next hops."""

    def routes(run: Any) -> list[Route]:
        path_ids = run.path_ids if run.family in speech.add_path else [None] * len(run.nlri)
        return [(run.family, nlri, path_id) for nlri, path_id in zip(run.nlri, path_ids, strict=True)]

    withdrawn = {route for run in update.withdrawn for route in routes(run)}
    announced: dict[Route, str | None] = {}
    for run in update.announced:
        announced |= dict.fromkeys(routes(run), str(run.attributes.next_hop))
    return withdrawn, announced


def attributes_of_theirs(found: Any) -> dict[str, Any]:
    def value(code: int, of: Callable[[Any], Any], missing: Any = None) -> Any:
        return of(found[code]) if code in found else missing

    def segments(path: Any) -> Any:
        return tuple((segment.ID, tuple(int(asn) for asn in segment)) for segment in path.aspath)

    def octets(name: str) -> Callable[[Any], set[bytes]]:
        return lambda one: {bytes(getattr(community, name)) for community in one.communities}

    return {
        "origin": found[Code.ORIGIN].origin,
        "as_path": value(Code.AS_PATH, segments, ()),
        "med": value(Code.MED, lambda one: one.med),
        "local_pref": value(Code.LOCAL_PREF, lambda one: one.localpref),
        "communities": value(Code.COMMUNITY, octets("community"), set()),
        "large": value(Code.LARGE_COMMUNITY, octets("large_community"), set()),
        "originator": value(Code.ORIGINATOR_ID, str),
        "clusters": value(Code.CLUSTER_LIST, lambda one: [str(cluster) for cluster in one.clusters], []),
    }


def attributes_of_ours(found: Attributes) -> dict[str, Any]:
    return {
        "origin": found.origin,
        "as_path": found.as_path,
        "med": found.med,
        "local_pref": found.local_pref,
        "communities": {high.to_bytes(2, "big") + low.to_bytes(2, "big") for high, low in found.communities},
        "large": {b"".join(part.to_bytes(4, "big") for part in one) for one in found.large_communities},
        "originator": str(found.originator_id) if found.originator_id else None,
        "clusters": [str(cluster) for cluster in found.cluster_list],
    }


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_our_decoder_and_exabgps_agree(data: st.DataObject) -> None:
    speech = data.draw(speeches)
    message = data.draw(messages(speech, stray=False))
    ours = one_update(message, speech.decoder())
    assert not ours.faults
    oracle = theirs(speech, message)
    if getattr(oracle, "EOR", False):
        afi, _ = oracle.nlris[0].family().afi_safi()
        assert ours == Update(end_of_rib=OURS[afi])
        return
    withdrawn, announced = routes_of_ours(ours, speech)
    assert withdrawn == set(routes_of_theirs(oracle, Action.WITHDRAW))
    assert announced == routes_of_theirs(oracle, Action.ANNOUNCE)
    for run in ours.announced:
        assert attributes_of_ours(run.attributes) == attributes_of_theirs(oracle.attributes)
