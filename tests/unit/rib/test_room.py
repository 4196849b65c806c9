"""Limits, whatever comes in whatever order: no more than there may be, and what is missing is known to be."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rib.test_adj_in import POLICY, Anything
from vrfbgp.model import Attributes, Family, Path, PeerId
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.table import UNLIMITED, Table

PEERS = [PeerId("red", ip_address(f"172.16.1.{last}")) for last in (1, 2)]
PREFIXES = [bytes((24, first, 0, last)) for first in (10, 127) for last in range(7)]
"""Half of them are martians, which take no room."""
MARTIANS = frozenset(nlri for nlri in PREFIXES if nlri[1] == 127)

some = st.lists(st.sampled_from(PREFIXES), max_size=6)
steps = st.one_of(
    st.tuples(st.just("announce"), st.integers(0, 1), some, st.integers(1, 2)),
    st.tuples(st.just("announce"), st.integers(0, 1), some, st.integers(1, 2)),
    st.tuples(st.just("withdraw"), st.integers(0, 1), some),
    st.tuples(st.just("stale"), st.integers(0, 1)),
    st.tuples(st.just("sweep"), st.integers(0, 1)),
)


def path(peer: PeerId, med: int) -> Path:
    return Path(peer, Attributes(ip_address("172.16.1.9"), med=med), internal=False, router_id=1)


@settings(deadline=None)
@given(st.lists(steps, max_size=14), st.integers(1, 8), st.integers(1, 9))
def test_x11_no_more_than_may_be_and_what_is_missing_is_known(
    script: list[Any], most: int, everywhere: int
) -> None:
    table = Table(Family.IPV4, Anything())
    table.most = everywhere
    adjs = [AdjRibIn(peer, table) for peer in PEERS]
    policy = replace(POLICY, most=most)
    said: list[dict[bytes, int]] = [{}, {}]
    """What each peer has, as it told since it began (again) to tell all."""
    for step, who, *how in script:
        adj, has = adjs[who], said[who]
        match step:
            case "announce":
                nlris, med = how
                adj.announce(list(nlris), path(PEERS[who], med), policy)
                has.update(dict.fromkeys(nlris, med))
            case "withdraw":
                adj.withdraw(list(how[0]))
                for nlri in how[0]:
                    has.pop(nlri, None)
            case "stale":
                adj.mark_stale()
                has.clear()
            case "sweep":
                adj.sweep()
        for adj, has in zip(adjs, said, strict=True):
            held = dict(adj.paths.pairs())
            assert len(held) == adj.paths.count
            assert adj.stale <= held.keys()
            assert len(held) - len(adj.stale) <= most
            wanted = has.keys() - MARTIANS
            missing = {nlri for nlri in wanted if nlri not in held}
            assert not missing or adj.over_limit or adj.over_network
            assert not missing & adj.stale
        if not any(adj.stale for adj in adjs):
            assert len(table) <= everywhere + most, "what was stale took no room"
    for adj, has in zip(adjs, said, strict=True):
        table.most = UNLIMITED
        adj.complete()
        adj.mark_stale()
        for nlri, med in has.items():
            adj.announce([nlri], path(adj.peer, med), POLICY)
        adj.sweep()
        assert set(adj.paths) == has.keys() - MARTIANS
        assert adj.refused.keys() == has.keys() & MARTIANS
        assert not adj.stale | adj.stale_refused
        assert (adj.over_limit, adj.over_network) == (False, False)
