"""`views.overlap`: what the first network in a gateway's list takes from the second (P7, X2, X27)."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.nodes import RED, YELLOW, Node, gateway, intent
from vrfbgp.model import Family, Nlri, nlri_of
from vrfbgp.views import overlap
from vrfbgp.views.overlap import Budget, overlaps, shadowed

BOTH = gateway("default/both", "10.50.0.2/32", "red", "yellow")


def node(*gateways: object) -> Node:
    made = Node(intent(gateways=gateways or (BOTH,)))
    made.up(RED)
    made.up(YELLOW)
    return made


def test_no_overlap_is_nothing_to_tell() -> None:
    made = node()
    made.learns(RED, "105.8.10.0/24")
    made.learns(YELLOW, "105.9.0.0/24")
    assert overlaps(made.core) == []


def test_the_same_prefix_in_both_is_told_with_who_wins() -> None:
    made = node()
    made.learns(RED, "105.8.10.0/24", "192.0.2.0/24")
    made.learns(YELLOW, "105.8.10.0/24")
    (found,) = overlaps(made.core)
    assert (found["wins"], found["shadowed"], found["gateways"]) == ("red", "yellow", ["default/both"])
    assert (found["count"], found["complete"]) == (1, True)
    assert found["first"] == [{"prefix": "105.8.10.0/24", "by": "105.8.10.0/24"}]


def test_a_prefix_of_the_first_that_covers_one_of_the_second_is_told() -> None:
    made = node()
    made.learns(RED, "105.0.0.0/8")
    made.learns(YELLOW, "105.8.10.0/24")
    (found,) = overlaps(made.core)
    assert found["first"] == [{"prefix": "105.8.10.0/24", "by": "105.0.0.0/8"}]


def test_a_default_route_in_the_first_takes_all_of_the_second() -> None:
    made = node()
    made.learns(RED, "0.0.0.0/0")
    made.learns(YELLOW, "105.8.10.0/24")
    (found,) = overlaps(made.core)
    assert found["count"] == 2, "the bootstrap route, too"
    assert {one["by"] for one in found["first"]} == {"0.0.0.0/0"}


def test_a_default_route_in_the_second_alone_is_how_it_is_meant() -> None:
    made = node()
    made.learns(RED, "105.8.10.0/24")
    made.learns(YELLOW, "0.0.0.0/0")
    assert overlaps(made.core) == []


def test_gateways_with_one_network_and_networks_of_no_common_gateway_do_not_overlap() -> None:
    made = node(gateway("a/red", "10.50.0.2/32", "red"), gateway("a/yellow", "10.50.0.4/32", "yellow"))
    made.learns(RED, "105.8.10.0/24")
    made.learns(YELLOW, "105.8.10.0/24")
    assert overlaps(made.core) == []


def test_gateways_in_both_orders_are_both_told() -> None:
    made = node(BOTH, gateway("a/turned", "10.50.0.4/32", "yellow", "red"))
    made.learns(RED, "105.8.10.0/24")
    made.learns(YELLOW, "105.8.10.0/24")
    assert {(found["wins"], *found["gateways"]) for found in overlaps(made.core)} == {
        ("red", "default/both"),
        ("yellow", "a/turned"),
    }


def test_output_and_work_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    made = node()
    announced = [f"105.8.{number}.0/24" for number in range(60)]
    made.learns(RED, *announced)
    made.learns(YELLOW, *announced)
    (found,) = overlaps(made.core)
    assert (found["count"], len(found["first"]), found["complete"]) == (60, overlap.SHOWN, True)
    monkeypatch.setattr(overlap, "LOOKUPS", 20)
    (found,) = overlaps(made.core)
    assert found["complete"] is False
    assert 0 < found["count"] <= 20


def prefixes(family: Family) -> st.SearchStrategy[IPv4Network | IPv6Network]:
    """Prefixes near each other, so that they cover each other often."""
    base = "105.8.0.0" if family is Family.IPV4 else "2001:db8::"
    start = int(ip_network(base).network_address)

    def make(length: int, noise: int) -> IPv4Network | IPv6Network:
        number = start | noise << (family.bits - 24)
        packed = number.to_bytes(family.bits // 8, "big")
        return ip_network((packed, length), strict=False)

    return st.builds(make, st.integers(0, 24), st.integers(0, 255))


@pytest.mark.parametrize("family", list(Family))
@given(st.data())
def test_shadowed_is_what_the_definition_says(family: Family, data: st.DataObject) -> None:
    first = data.draw(st.sets(prefixes(family), max_size=6))
    second = data.draw(st.sets(prefixes(family), max_size=6))
    expected = {
        nlri_of(inner): nlri_of(min(above, key=lambda prefix: prefix.prefixlen))
        for inner in second
        if (above := [prefix for prefix in first if inner.subnet_of(prefix)])  # type: ignore[arg-type]
    }
    ours: dict[Nlri, object] = {nlri_of(prefix): 1 for prefix in first}
    theirs: dict[Nlri, object] = {nlri_of(prefix): 1 for prefix in second}
    assert dict(shadowed(ours, theirs, family, Budget(10_000))) == expected
