"""One path for one object of attributes, and a memory that does not grow for ever."""

from __future__ import annotations

import gc
from ipaddress import ip_address

from vrfbgp.model import Attributes, Path, PeerId
from vrfbgp.rib.paths import Paths

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
