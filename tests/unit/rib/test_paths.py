"""One path for one object of attributes, and a memory that does not grow for ever."""

from __future__ import annotations

import gc
import sys
from ipaddress import IPv4Address, ip_address

from tests.unit.rib import wire
from vrfbgp.model import Attributes, Path, PeerId
from vrfbgp.rib.paths import Paths, UnreadPath
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.unread import Unread

PEER = PeerId("red", ip_address("172.16.1.1"))
NEXT_HOP = ip_address("172.16.1.1")


def test_a_path_is_what_it_says() -> None:
    attributes = Attributes(NEXT_HOP)
    path = Paths(PEER, True, 7).path(attributes)
    assert path == Path(PEER, attributes, internal=True, router_id=7)
    assert hash(path) == hash(Path(PEER, attributes, internal=True, router_id=7))


def test_the_same_attributes_are_the_same_path() -> None:
    paths, attributes = Paths(PEER, False, 7), Attributes(NEXT_HOP)
    assert paths.path(attributes) is paths.path(attributes)


def test_attributes_that_are_gone_are_not_mistaken_for_new_ones() -> None:
    """An object may get the identity of one that nobody had any more."""
    paths = Paths(PEER, False, 7)
    for med in range(30_000):
        assert paths.path(Attributes(NEXT_HOP, med=med)).attributes.med == med


def test_a_peer_that_never_repeats_itself_makes_nothing_grow() -> None:
    paths = Paths(PEER, False, 7)
    for med in range(30_000):
        paths.path(Attributes(NEXT_HOP, med=med))
    mine = [one for one in gc.get_objects() if isinstance(one, Path) and one.router_id == 7]
    assert len(mine) <= 8192


BLOCKS = [wire.attributes(next_hop="172.16.1.1", as_path=[64501, n], med=n) for n in (1, 2)]


def unread(block: bytes) -> Unread:
    return Unread(block, IPv4Address("172.16.1.1"))


def test_a_path_of_unread_attributes_is_a_path_in_every_respect() -> None:
    path, other = map(Paths(PEER, True, 7).path, map(unread, BLOCKS))
    for block, one in zip(BLOCKS, (path, other), strict=True):
        plain = Path(PEER, unread(block).read(), True, 7)
        assert one == plain
        assert plain == one
        assert hash(one) == hash(plain)
        assert repr(one) == repr(plain)
        assert one.next_hop == plain.next_hop
        assert (one.peer, one.internal, one.router_id) == (PEER, True, 7)
        assert one.attributes == plain.attributes
    assert path != other
    for asn in (2, 64501, 64502):
        policy = ImportPolicy(asn, IPv4Address("10.0.0.1"))
        assert policy.refuses_path(other) is policy.refuses(other.attributes.read())  # type: ignore[attr-defined]
    assert path == Paths(PEER, True, 7).path(unread(BLOCKS[0]))
    assert path != Paths(PEER, True, 8).path(unread(BLOCKS[0])), "the same from another router"
    assert path != Paths(PEER, True, 7).path(Unread(BLOCKS[0], IPv4Address("172.16.1.2")))


def test_unread_attributes_are_not_kept_beside_their_octets() -> None:
    paths = Paths(PEER, True, 7)
    attributes = unread(BLOCKS[0])
    path = paths.path(attributes)
    assert sys.getsizeof(path) <= 48
    assert not hasattr(path, "__dict__")
    del paths
    assert not [one for one in gc.get_referrers(attributes) if isinstance(one, Path | UnreadPath | tuple)]
