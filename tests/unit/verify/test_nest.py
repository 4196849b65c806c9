"""What is in a range, and around it, is what a look at each prefix finds."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.verify.ground import within
from vrfbgp.verify.nest import Nest

PREFIXES = st.builds(
    lambda address, length: IPv4Network((address & 0xF000000F, length), strict=False),
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from((0, 2, 4, 28, 30, 31, 32)),
)


@given(st.lists(PREFIXES), PREFIXES)
def test_all_that_is_inside_and_around(prefixes: list[IPv4Network], range_: IPv4Network) -> None:
    nest = Nest((prefix, (place, prefix)) for place, prefix in enumerate(prefixes))
    every = list(enumerate(prefixes))
    assert sorted(nest.inside(range_)) == [one for one in every if within(one[1], range_)]
    around = nest.around(range_)
    assert sorted(around) == [one for one in every if within(range_, one[1])]
    assert [one[1].prefixlen for one in around] == sorted((one[1].prefixlen for one in around), reverse=True)


def test_families_are_kept_apart() -> None:
    nest = Nest([(ip_network("::/0"), 6), (ip_network("0.0.0.0/0"), 4)])
    assert nest.inside(ip_network("::/0")) == nest.around(ip_network("2001:db8::1")) == [6]
    assert nest.inside(ip_network("0.0.0.0/0")) == [4]
