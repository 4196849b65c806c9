"""Import policy: what of a peer is refused, and why."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_address, ip_network

import pytest

from vrfbgp.model import Attributes, Family, nlri_of
from vrfbgp.rib.policy import ImportPolicy, is_martian
from vrfbgp.rib.refusal import REMEDIES, Refusal

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
