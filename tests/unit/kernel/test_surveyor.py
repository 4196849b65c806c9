"""A table in brief is what all of its routes come to, however its dump is cut into datagrams."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kernel.test_scan import SEQUENCE, TABLE, exactly, message
from vrfbgp.kernel.surveyor import TableSurveyor
from vrfbgp.model import Family

KINDS = st.tuples(st.integers(1, 3), st.sampled_from((20000, 20001)), st.sampled_from((179, 4)))


@given(st.lists(KINDS, max_size=200), st.integers(1, 200))
def test_each_route_is_counted_once_or_left(kinds: list[tuple[int, int, int]], cut: int) -> None:
    octets = [
        message(Family.IPV4, bytes((32, 10, 0, 0, place)), nexthop, metric=metric, protocol=protocol)
        for place, (nexthop, metric, protocol) in enumerate(kinds)
    ]
    datagrams = [b"".join(octets[at : at + cut]) for at in range(0, len(octets), cut)]
    surveyor = TableSurveyor(TABLE, Family.IPV4)
    surveyor.begin()
    left = [route for datagram in datagrams for route in exactly(surveyor.take(datagram, SEQUENCE))]
    every = [route for datagram in datagrams for route in exactly(datagram)]
    counted = Counter({of: bunch.routes for of, bunch in surveyor.bunches.items()})
    counted.update((route.key.metric, route.nhid) for route in left if route.ours)
    assert counted == Counter((route.key.metric, route.nhid) for route in every if route.ours)
    assert [route for route in left if not route.ours] == [route for route in every if not route.ours]
    for (metric, nexthop), bunch in surveyor.bunches.items():
        assert any(
            (r.key.nlri, r.key.metric, r.nhid, r.ours) == (bunch.example, metric, nexthop, True)
            for r in every
        )


def test_a_dump_that_begins_anew_counts_anew() -> None:
    surveyor = TableSurveyor(TABLE, Family.IPV4)
    datagram = b"".join(message(Family.IPV4, bytes((32, 10, 0, 0, n))) for n in range(100))
    for _ in range(2):
        surveyor.begin()
        surveyor.take(datagram, SEQUENCE)
        surveyor.take(datagram, SEQUENCE)
        assert [bunch.routes for bunch in surveyor.bunches.values()] == [200]
