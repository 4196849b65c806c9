"""What is compared of attributes is the same whether they were read or not."""

from __future__ import annotations

from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rib.strategies import Speech, orderly
from vrfbgp.model import Attributes, Origin, PeerId
from vrfbgp.rib.merits import DEFAULT_LOCAL_PREF, Merits, merits, merits_of
from vrfbgp.rib.paths import Paths, UnreadPath
from vrfbgp.rib.unread import Unread
from vrfbgp.rib.update import Update

PEER = PeerId("red", ip_address("172.16.1.1"))


@settings(max_examples=300, deadline=None)
@given(st.data(), st.booleans())
def test_octets_say_what_the_values_say(data: st.DataObject, internal: bool) -> None:
    speech = Speech(internal, asn4=True, add_path=frozenset())
    for found in speech.decoder().block(data.draw(orderly(speech))):
        assert isinstance(found, Update)
        for run in found.announced:
            assert isinstance(run.attributes, Unread)
            path = Paths(PEER, internal, 7).path(run.attributes)
            assert isinstance(path, UnreadPath)
            assert merits(run.attributes) == merits_of(path) == merits(run.attributes.read())


def test_what_is_missing_has_its_default() -> None:
    next_hop = ip_address("192.0.2.1")
    assert merits(Attributes(next_hop)) == Merits(DEFAULT_LOCAL_PREF, 0, Origin.IGP, None, None)
    reflected = Attributes(next_hop, originator_id=next_hop, cluster_list=(next_hop, next_hop))  # type: ignore[arg-type]
    assert merits(reflected)[-2:] == (next_hop, 2)
