"""What stands in the way is told with its remedy, only to those whom it concerns, and only while it does."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from tests.unit.core.nodes import network, peer
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent
from vrfbgp.model import Family
from vrfbgp.preflight import MANY_ROUTES, findings
from vrfbgp.surroundings import Surroundings

RED = network(peer("172.16.1.140"), peer("172.16.1.141"), name="red", table=500)
RED6 = network(
    *(replace(peer(f"2001:db8:1::14{n}"), families=frozenset({Family.IPV6})) for n in (0, 1)),
    name="red",
    table=500,
)


V4 = "10.50.0.2/31"


def told(around: Surroundings, *networks: NetworkIntent, range_: str = V4, routes: int = 0) -> list[str]:
    gateways = (GatewayIntent("egress/gw", (ip_network(range_),), ("red",)),)
    found = findings(around, Intent("node1", True, 102, networks, gateways), {"eth1"}, routes)
    return [problem.text for problem in found]


@pytest.mark.parametrize(
    ("around", "networks", "range_", "remedy"),
    [
        (Surroundings(ip_forward=False), (), V4, "sysctl -w net.ipv4.ip_forward=1"),
        (Surroundings(ipv6_forwarding=False), (), "fd00::/127", "sysctl -w net.ipv6.conf.all.forwarding=1"),
        (
            Surroundings(strict=frozenset({"eth1"})),
            (),
            V4,
            "sysctl -w net.ipv4.conf.eth1.rp_filter=2",
        ),
        (
            Surroundings(drops_addresses=frozenset({"eth1"})),
            (RED6,),
            "fd00::/127",
            "sysctl -w net.ipv6.conf.eth1.keep_addr_on_down=1",
        ),
        (
            Surroundings(hash_policy={Family.IPV4: 0}),
            (RED,),
            V4,
            "sysctl -w net.ipv4.fib_multipath_hash_policy=1",
        ),
        (
            Surroundings(hash_policy={Family.IPV6: 0}),
            (RED6,),
            "fd00::/127",
            "sysctl -w net.ipv6.fib_multipath_hash_policy=1",
        ),
        (Surroundings(networkd=("ManageForeignRoutes",)), (), V4, "ManageForeignRoutes=no"),
        (Surroundings(memory_short=512 << 20), (), V4, "512 MiB"),
    ],
)
def test_it_is_told_with_the_remedy(
    around: Surroundings, networks: tuple[NetworkIntent, ...], range_: str, remedy: str
) -> None:
    [text] = told(around, *networks, range_=range_)
    assert remedy in text


@pytest.mark.parametrize(
    ("around", "networks"),
    [
        (Surroundings(), (RED, RED6)),
        (Surroundings(ipv6_forwarding=False), (RED,)),
        (Surroundings(strict=frozenset({"eth9"})), (RED,)),
        (Surroundings(drops_addresses=frozenset({"eth1"})), (RED,)),
        (Surroundings(hash_policy={Family.IPV4: 0}), (replace(RED, peers=RED.peers[:1]),)),
        (Surroundings(hash_policy={Family.IPV4: 0}), (replace(RED, max_paths=1),)),
        (Surroundings(nexthop_compat_mode=True), (RED,)),
    ],
)
def test_it_is_not_told_to_whom_it_does_not_concern(
    around: Surroundings, networks: tuple[NetworkIntent, ...]
) -> None:
    assert told(around, *networks) == []


def test_the_compatibility_of_next_hops_matters_to_those_with_many_routes() -> None:
    [text] = told(Surroundings(nexthop_compat_mode=True), RED, routes=MANY_ROUTES)
    assert "sysctl -w net.ipv4.nexthop_compat_mode=0" in text
