"""Next hop resolution: on own uplinks only, never by a default route, one step by what is learned."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from vrfbgp.model import Family, Nlri, nlri_of
from vrfbgp.rib.reach import Hop, Reach, Resolution, Resolved, Way, covering, directly, resolve
from vrfbgp.rib.refusal import Refusal

V4, V6 = Family.IPV4, Family.IPV6
UPLINK, OTHER = 3, 4


def prefix(text: str) -> Nlri:
    return nlri_of(ip_network(text))


def way(device: int, gateway: str | None = None) -> tuple[Way, ...]:
    return (Way(ip_address(gateway) if gateway else None, device),)


REACH = Reach(
    uplinks=frozenset({UPLINK}),
    running=frozenset({UPLINK}),
    ways={
        V4: {
            prefix("172.16.1.0/24"): way(UPLINK),
            prefix("10.9.0.0/16"): way(UPLINK, "172.16.1.7"),
            prefix("10.9.9.0/24"): way(OTHER, "192.168.0.1"),
            prefix("0.0.0.0/0"): way(UPLINK, "172.16.1.1"),
        },
        V6: {prefix("2001:db8:1::/64"): way(UPLINK)},
    },
    local=frozenset({ip_address("172.16.1.10")}),
)


def no_learned(family: Family, nlri: Nlri) -> Resolution | None:
    return None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("172.16.1.140", (Hop(ip_address("172.16.1.140"), UPLINK),)),
        ("10.9.1.1", (Hop(ip_address("172.16.1.7"), UPLINK),)),
        ("2001:db8:1::140", (Hop(ip_address("2001:db8:1::140"), UPLINK),)),
        ("172.16.1.10", Refusal.NEXT_HOP_LOCAL),
        ("10.9.9.1", Refusal.NEXT_HOP_OFF_UPLINK),
        ("8.8.8.8", Refusal.NEXT_HOP_UNRESOLVED),
        ("2001:db8:2::1", Refusal.NEXT_HOP_UNRESOLVED),
    ],
)
def test_by_what_is_not_learned(address: str, expected: Resolution) -> None:
    assert resolve(ip_address(address), REACH, no_learned).hops == expected


def test_a_longer_way_off_the_uplinks_hides_a_shorter_one() -> None:
    """The kernel would take the longer one, so the shorter is no answer."""
    assert directly(ip_address("10.9.9.1"), REACH) is Refusal.NEXT_HOP_OFF_UPLINK


def test_a_link_that_is_down_resolves_nothing_and_says_so() -> None:
    down = Reach(uplinks=REACH.uplinks, running=frozenset(), ways=REACH.ways)
    assert directly(ip_address("172.16.1.140"), down) is Refusal.NEXT_HOP_LINK_DOWN


def test_of_two_ways_the_usable_one_is_taken() -> None:
    both = Reach(
        uplinks=frozenset({UPLINK, OTHER}),
        running=frozenset({OTHER}),
        ways={V4: {prefix("10.9.0.0/16"): way(UPLINK, "172.16.1.7") + way(OTHER, "172.16.2.7")}},
    )
    assert directly(ip_address("10.9.1.1"), both) == (Hop(ip_address("172.16.2.7"), OTHER),)


def test_the_longest_learned_prefix_that_leads_somewhere_decides() -> None:
    hop = (Hop(ip_address("172.16.1.140"), UPLINK),)
    answers: dict[Nlri, Resolution] = {
        prefix("8.0.0.0/8"): hop,
        prefix("8.8.8.0/24"): Refusal.NEXT_HOP_LOOP,
        prefix("0.0.0.0/0"): (Hop(ip_address("172.16.1.141"), UPLINK),),
    }
    resolved = resolve(ip_address("8.8.8.8"), REACH, lambda family, nlri: answers.get(nlri))
    assert resolved == Resolved(hop, True)


def test_learned_routes_alone_that_need_another_are_no_way() -> None:
    resolved = resolve(
        ip_address("8.8.8.8"),
        REACH,
        lambda family, nlri: Refusal.NEXT_HOP_LOOP if nlri == prefix("8.8.8.0/24") else None,
    )
    assert resolved == Resolved(Refusal.NEXT_HOP_LOOP, True)


def test_what_is_not_learned_is_not_asked_of_the_learned() -> None:
    def asked(family: Family, nlri: Nlri) -> Resolution | None:
        raise AssertionError("the own table answers")

    assert not resolve(ip_address("172.16.1.140"), REACH, asked).learned
    assert not resolve(ip_address("10.9.9.1"), REACH, asked).learned


def test_covering_prefixes_the_longest_first_without_the_default() -> None:
    found = covering(ip_address("10.9.9.1"))
    assert found[0] == prefix("10.9.9.1/32")
    assert found[8] == prefix("10.9.9.0/24")
    assert found[-1] == prefix("0.0.0.0/1")
    assert len(found) == 32
    assert len(covering(ip_address("2001:db8::1"))) == 128
    assert covering(ip_address("10.9.9.1"), [8, 16]) == [prefix("10.0.0.0/8"), prefix("10.9.0.0/16")]
