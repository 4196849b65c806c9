"""Import policy: what of a peer is refused, and why."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from vrfbgp.filters import FilterRule, Operations, Operator, PrefixMatch
from vrfbgp.model import Attributes, Family, Nlri, Path, PeerId, network_of, nlri_of
from vrfbgp.rib.best import Verdict, select
from vrfbgp.rib.policy import ImportPolicy, is_martian, received
from vrfbgp.rib.refusal import REMEDIES, Refusal
from vrfbgp.rib.update import Unsuspected

ROUTER_ID = IPv4Address("10.0.0.1")
NEXT_HOP = ip_address("172.16.1.1")


@pytest.mark.parametrize(
    ("as_path", "allowed", "expected"),
    [
        (((2, (64501, 64502)),), 0, None),
        (((2, (64501, 64512)),), 0, Refusal.OWN_AS),
        (((2, (64501, 64512)),), 1, None),
        (((2, (64512, 64512)),), 1, Refusal.OWN_AS),
        (((2, (64501,)), (1, (64512, 64513))), 0, Refusal.OWN_AS),
        ((), 0, None),
    ],
)
def test_the_own_as_in_a_path(
    as_path: tuple[tuple[int, tuple[int, ...]], ...], allowed: int, expected: Refusal | None
) -> None:
    policy = ImportPolicy(64512, ROUTER_ID, allowed)
    assert policy.refuses(Attributes(NEXT_HOP, as_path=as_path)) is expected


def test_our_own_route_that_a_reflector_sends_back() -> None:
    policy = ImportPolicy(64512, ROUTER_ID)
    assert policy.refuses(Attributes(NEXT_HOP, originator_id=ROUTER_ID)) is Refusal.OWN_ORIGINATOR
    assert policy.refuses(Attributes(NEXT_HOP, originator_id=IPv4Address("10.0.0.2"))) is None


@pytest.mark.parametrize(
    ("prefix", "martian"),
    [
        ("0.0.0.0/0", False),
        ("0.0.0.0/1", False),
        ("128.0.0.0/1", False),
        ("192.0.2.0/24", False),
        ("10.0.0.0/8", False),
        ("223.255.255.0/24", False),
        ("0.0.0.0/8", True),
        ("127.0.0.0/8", True),
        ("127.5.0.0/16", True),
        ("169.254.0.0/16", True),
        ("169.254.7.0/24", True),
        ("169.0.0.0/8", False),
        ("169.254.0.0/15", False),
        ("224.0.0.0/4", True),
        ("255.255.255.255/32", True),
        ("::/0", False),
        ("::/1", False),
        ("8000::/1", False),
        ("2001:db8::/32", False),
        ("64:ff9b::/96", False),
        ("::1/128", True),
        ("::ffff:0:0/96", True),
        ("fe80::/10", True),
        ("fe80::/64", True),
        ("fec0::/10", False),
        ("fd00::/8", False),
        ("ff00::/8", True),
    ],
)
def test_martians(prefix: str, martian: bool) -> None:
    network = ip_network(prefix)
    assert is_martian(Family.of(network), nlri_of(network)) is martian


def test_every_refusal_says_what_to_do() -> None:
    assert REMEDIES.keys() == set(Refusal)


CLUSTER = (ip_network("10.48.0.0/12"), ip_network("100.64.0.7/32"), ip_network("fd00:48::/32"))
PEER = PeerId("red", ip_address("172.16.1.140"))
PATH = Path(PEER, Attributes(NEXT_HOP, as_path=((2, (64501,)),)), False, 1)


def nlris(*prefixes: str) -> list[Nlri]:
    return [nlri_of(ip_network(prefix)) for prefix in prefixes]


def judged(policy: ImportPolicy, found: list[Nlri], family: Family = Family.IPV4) -> dict[str, str]:
    """By prefix: why it is refused, or by which rule; or what is between."""
    return {
        str(network_of(family, nlri)): f"{one.reason or 'taken'} {one.rule}".strip()
        for one in policy.judge(family, found, PATH)
        for nlri in one.nlris
    }


@pytest.mark.parametrize("kind", [list, Unsuspected])
def test_x11_prefixes_within_the_cluster_and_a_default_route(kind: type[list[Nlri]]) -> None:
    prefixes = ("10.48.0.0/12", "10.49.1.0/24", "10.0.0.0/8", "100.64.0.7/32", "100.64.0.0/24", "0.0.0.0/0")
    strict = ImportPolicy(64512, ROUTER_ID, refused_ranges=CLUSTER, default_route=False)
    assert judged(strict, kind(nlris(*prefixes))) == {
        "10.48.0.0/12": "cluster-prefix",
        "10.49.1.0/24": "cluster-prefix",
        "10.0.0.0/8": "taken",
        "100.64.0.7/32": "cluster-prefix",
        "100.64.0.0/24": "taken",
        "0.0.0.0/0": "default-route",
    }
    assert set(judged(ImportPolicy(64512, ROUTER_ID), kind(nlris(*prefixes))).values()) == {"taken"}
    six = judged(strict, nlris("fd00:48:1::/48", "fd00::/16", "::/0"), Family.IPV6)
    assert list(six.values()) == ["cluster-prefix", "taken", "default-route"]


def test_p16_rules_come_after_the_guards_and_decide_prefix_by_prefix() -> None:
    rules = (
        FilterRule("in", True, PrefixMatch(ip_network("192.0.2.0/24"), Operator.IN, 0, 32)),
        FilterRule("none", False),
    )
    policy = ImportPolicy(64512, ROUTER_ID, rules_v4=rules, refused_ranges=CLUSTER)
    assert judged(policy, nlris("192.0.2.0/25", "198.51.100.0/24", "10.48.1.0/24", "192.0.2.128/25")) == {
        "192.0.2.0/25": "taken in",
        "198.51.100.0/24": "filter none",
        "10.48.1.0/24": "cluster-prefix",
        "192.0.2.128/25": "taken in",
    }
    assert judged(policy, nlris("2001:db8::/32"), Family.IPV6) == {"2001:db8::/32": "taken"}


def test_p16_a_rule_changes_a_path_and_the_one_that_came_is_kept() -> None:
    rule = FilterRule("tag", True, operations=Operations(((65000, 7),), (65010,)))
    policy = ImportPolicy(64512, ROUTER_ID, rules_v4=(rule,))
    (one,) = policy.judge(Family.IPV4, nlris("192.0.2.0/24"), PATH)
    assert one.path.attributes.communities == ((65000, 7),)
    assert one.path.attributes.as_path == ((2, (65010, 64501)),)
    assert received(one.path) is PATH
    assert received(PATH) is PATH


def test_p16_of_two_paths_the_lower_priority_is_the_better_and_any_before_none() -> None:
    def with_priority(value: int) -> Path:
        rule = FilterRule("ranked", True, operations=Operations(local_pref=2**31 - 1 - value))
        policy = ImportPolicy(64512, ROUTER_ID, rules_v4=(rule,))
        (one,) = policy.judge(Family.IPV4, nlris("192.0.2.0/24"), PATH)
        return one.path

    low, high = with_priority(512), with_priority(1024)
    found = select([PATH, high, low], max_paths=16)
    assert found.best == (low,)
    assert found.why_not(high) is found.why_not(PATH) is Verdict.LOCAL_PREF
    assert select([PATH, high], max_paths=16).best == (high,)


def test_a_look_at_first_octets_clears_what_no_range_is_near_to_in_either_family() -> None:
    policy = ImportPolicy(64512, ROUTER_ID, refused_ranges=(*CLUSTER, ip_network("fe80::/10")))
    for family, far, near in (
        (Family.IPV4, "192.0.2.0/24", "10.200.0.0/16"),
        (Family.IPV6, "2001:db8::/32", "fdff::/16"),
    ):
        assert policy.clears(family, Unsuspected(nlris(far)), PATH)
        assert not policy.clears(family, Unsuspected(nlris(far, near)), PATH)
