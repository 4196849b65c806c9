"""A dump read in bulk means the same as one read route by route."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.fib.draft import FOREIGN
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.model import Family, KernelRoute, RouteKey

NLRIS = [bytes((8, n)) for n in range(6)]
METRICS = [20000, 20001]
slots = st.tuples(st.sampled_from(METRICS), st.sampled_from(NLRIS))


def in_kernel(place: tuple[int, bytes], nexthop: int, protocol: int = 179) -> KernelRoute:
    return KernelRoute(RouteKey(500, Family.IPV4, place[1], place[0]), protocol, nhid=nexthop)


@given(
    st.dictionaries(slots, st.sampled_from([7, 8])),
    st.dictionaries(slots, st.sampled_from([7, 8])),
    st.sets(slots),
    st.sets(slots),
)
def test_either_form_leaves_the_same_to_do(
    wanted: dict[tuple[int, bytes], int],
    standing: dict[tuple[int, bytes], int],
    foreign: set[tuple[int, bytes]],
    bulk: set[tuple[int, bytes]],
) -> None:
    others = [in_kernel(place, 9, protocol=4) for place in sorted(foreign)]
    singly = [in_kernel(place, nexthop) for place, nexthop in standing.items()]
    rest = [route for route in singly if (route.key.metric, route.key.nlri) not in bulk]
    ours: dict[int, dict[bytes, int]] = {}
    for (metric, nlri), nexthop in standing.items():
        if (metric, nlri) in bulk:
            ours.setdefault(metric, {})[nlri] = nexthop
    left = []
    for routes, gathered in ((singly + others, {}), (others + rest, ours)):
        reconciler = Reconciler()
        for metric in METRICS:
            reconciler.slice(500, Family.IPV4, metric)
        for (metric, nlri), nexthop in wanted.items():
            reconciler.slice(500, Family.IPV4, metric).want(nlri, nexthop)
        wrong = reconciler.table_read(500, Family.IPV4, routes, gathered)
        pending = {of: sorted(delta.pending(), key=repr) for of, delta in reconciler.slices.items()}
        left.append((wrong, {of: todo for of, todo in pending.items() if todo}))
    assert left[0] == left[1]
    for place in foreign - standing.keys():
        assert reconciler.slice(500, Family.IPV4, place[0]).actual(place[1]) is FOREIGN
