"""BGPFilter rules: every condition, first match, and what operations make of the attributes."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.filters import FilterRule, Operations, Operator, PrefixMatch
from vrfbgp.model import Attributes, nlri_of
from vrfbgp.rib.route_filter import RouteFilter, Subject, changed, first, prefix_test

HOP = IPv4Address("192.0.2.1")
PLAIN = Attributes(HOP, as_path=((2, (65001, 65002)),), communities=((65000, 100),))
FROM_PEER = Subject(internal=False, learned=True, device="red0", metric=20000)


def decided(*rules: FilterRule, nlri: str = "10.1.0.0/16", attributes=PLAIN, subject=FROM_PEER) -> str | None:
    """The name of the rule that decides."""
    network = ip_network(nlri)
    found = first(RouteFilter(rules, subject).rules_for(attributes), nlri_of(network))
    return found.name if found else None


def match(cidr: str, operator: str, shortest: int = 0, longest: int | None = None) -> PrefixMatch:
    network = ip_network(cidr)
    return PrefixMatch(
        network, Operator(operator), shortest, network.max_prefixlen if longest is None else longest
    )


@pytest.mark.parametrize(
    ("cidr", "operator", "lengths", "holds", "fails"),
    [
        (
            "10.0.0.0/8",
            "In",
            (),
            ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32"],
            ["11.0.0.0/8", "0.0.0.0/0", "8.0.0.0/5"],
        ),
        ("10.0.0.0/8", "NotIn", (), ["11.0.0.0/8", "0.0.0.0/0"], ["10.0.0.0/8", "10.1.0.0/16"]),
        ("10.0.0.0/8", "Equal", (), ["10.0.0.0/8"], ["10.0.0.0/9", "10.1.0.0/16", "0.0.0.0/0"]),
        ("10.0.0.0/8", "NotEqual", (), ["10.0.0.0/9", "11.0.0.0/8"], ["10.0.0.0/8"]),
        (
            "10.0.0.0/8",
            "In",
            (16, 24),
            ["10.1.0.0/16", "10.1.2.0/24"],
            ["10.0.0.0/8", "10.1.2.3/32", "11.1.0.0/16"],
        ),
        ("10.0.0.0/8", "NotIn", (16, 24), ["10.0.0.0/8", "10.1.2.3/32", "11.1.0.0/16"], ["10.1.0.0/16"]),
        ("10.0.0.0/8", "In", (4,), ["10.0.0.0/8"], ["8.0.0.0/5"]),
        ("105.8.8.0/21", "In", (), ["105.8.10.0/24", "105.8.15.255/32"], ["105.8.16.0/24", "105.8.0.0/20"]),
        ("0.0.0.0/0", "Equal", (), ["0.0.0.0/0"], ["10.0.0.0/8"]),
        ("0.0.0.0/0", "In", (0, 8), ["0.0.0.0/0", "10.0.0.0/8"], ["10.0.0.0/9"]),
        ("2001:db8::/32", "In", (), ["2001:db8::/32", "2001:db8:1::/48"], ["2001:db9::/32", "::/0"]),
        ("2001:db8::/33", "In", (48, 64), ["2001:db8:1::/48"], ["2001:db8:8000::/48", "2001:db8::/33"]),
    ],
)
def test_p16_prefixes(cidr, operator, lengths, holds, fails):
    condition = prefix_test(match(cidr, operator, *lengths))
    for prefix in holds:
        assert condition(nlri_of(ip_network(prefix))), prefix
    for prefix in fails:
        assert not condition(nlri_of(ip_network(prefix))), prefix


@given(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.sampled_from(list(Operator)),
    st.integers(0, 32),
    st.integers(0, 32),
)
def test_p16_prefixes_as_ipaddress_has_them(cidr, prefix, operator, shortest, longest):
    network, subject = (ip_network((number, length), strict=False) for number, length in (cidr, prefix))
    expected = shortest <= subject.prefixlen <= longest and (
        subject.subnet_of(network) if operator in (Operator.IN, Operator.NOT_IN) else subject == network
    )
    if operator in (Operator.NOT_IN, Operator.NOT_EQUAL):
        expected = not expected
    condition = PrefixMatch(network, operator, shortest, longest)
    assert prefix_test(condition)(nlri_of(subject)) is expected


def test_p16_the_first_match_decides_and_none_accepts():
    rules = (
        FilterRule("other", False, match("11.0.0.0/8", "In")),
        FilterRule("yes", True, match("10.1.0.0/16", "In")),
        FilterRule("no", False),
        FilterRule("never", True),
    )
    assert decided(*rules) == "yes"
    assert decided(*rules, nlri="10.2.0.0/16") == "no"
    assert decided(*rules, nlri="11.2.0.0/16") == "other"
    assert decided(rules[0], nlri="10.2.0.0/16") is None
    assert decided() is None


def test_p16_conditions_on_the_attributes():
    community = FilterRule("c", False, communities=((65000, 100),))
    large = FilterRule("l", False, communities=((65000, 1, 2),))
    path = FilterRule("p", False, as_path_prefix=(65001, 65002))
    assert decided(community) == "c"
    assert decided(community, attributes=Attributes(HOP, communities=((65000, 101),))) is None
    assert decided(large) is None
    assert decided(large, attributes=Attributes(HOP, large_communities=((65000, 1, 2),))) == "l"
    assert decided(path) == "p"
    assert decided(path, attributes=Attributes(HOP, as_path=((2, (65001,)),))) is None
    assert decided(path, attributes=Attributes(HOP, as_path=((2, (65001,)), (1, (65002,))))) is None
    assert decided(path, attributes=Attributes(HOP)) is None


def test_p16_conditions_on_the_peer_and_the_route():
    external, internal = FilterRule("e", False, internal=False), FilterRule("i", False, internal=True)
    assert decided(internal, external) == "e"
    assert decided(internal, external, subject=Subject(internal=True, learned=True)) == "i"
    learned = FilterRule("r", False, learned=True)
    assert decided(learned) == "r"
    assert decided(learned, subject=Subject(internal=False, learned=False)) is None
    device = FilterRule("d", False, interface="red*")
    assert decided(device) == "d"
    assert decided(device, subject=Subject(internal=False, learned=True, device="yellow0")) is None
    assert decided(device, subject=Subject(internal=False, learned=True)) is None
    assert decided(FilterRule("m", False, priority=20000)) == "m"
    assert decided(FilterRule("m", False, priority=1)) is None


def test_a_run_of_prefixes_is_asked_for_no_more_than_what_is_left():
    rules = (
        FilterRule("community", False, match("10.0.0.0/8", "In"), communities=((1, 1),)),
        FilterRule("all", True),
        FilterRule("never", False),
    )
    left = RouteFilter(rules, FROM_PEER).rules_for(PLAIN)
    assert [(rule.name, test) for rule, test in left] == [("all", None)]
    assert not RouteFilter((), FROM_PEER)


def test_operations_change_what_a_route_carries():
    found = changed(PLAIN, Operations(((65000, 100), (65000, 7), (1, 2, 3)), (65010, 65011)))
    assert found.communities == ((65000, 100), (65000, 7))
    assert found.large_communities == ((1, 2, 3),)
    assert found.as_path == ((2, (65010, 65011, 65001, 65002)),)
    assert changed(Attributes(HOP), Operations(prepend=(1,))).as_path == ((2, (1,)),)
    assert changed(Attributes(HOP, as_path=((1, (5, 6)),)), Operations(prepend=(1,))).as_path == (
        (2, (1,)),
        (1, (5, 6)),
    )
    found = changed(Attributes(HOP, local_pref=7, med=8), Operations(local_pref=2147483135))
    assert (found.local_pref, found.med) == (2147483135, 8)
    assert changed(Attributes(HOP, local_pref=7, med=8), Operations(med=0)) == Attributes(
        HOP, local_pref=7, med=0
    )
