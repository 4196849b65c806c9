"""X12: 50 networks with 4,000 prefixes each, the same in all of them, each in its own table."""

from __future__ import annotations

import shutil
from collections import Counter

import pytest

from labs.netns.manifests import OURS, network, peer
from labs.netns.namespace import join
from labs.netns.topology import LOCAL_AS
from labs.netns.waiting import wait_for
from tests.netns.world import METRIC, World

NETWORKS = 50
PREFIXES = 4000
FIRST_ROUTER, FIRST_SOURCE = 20, 71
"""Hosts: BIRD holds one session with an address, so the node speaks from one of its own in each network."""
ASN = 65001


def configuration(addresses: list[str], sources: list[str]) -> str:
    """BIRD's: a session from each address, and all announce the same."""
    routes = "\n".join(f"  route 10.{128 + n // 256}.{n % 256}.0/24 blackhole;" for n in range(PREFIXES))
    sessions = "\n".join(
        f"protocol bgp n{number} {{ local {address} as {ASN}; strict bind; neighbor {source} as {LOCAL_AS}; "
        "multihop 2; passive; ipv4 { import none; export all; next hop self; }; }"
        for number, (address, source) in enumerate(zip(addresses, sources, strict=True))
    )
    return (
        f"log stderr all;\nrouter id {addresses[0]};\nprotocol device {{ }}\n"
        f"protocol static feed {{\n  ipv4;\n{routes}\n}}\n{sessions}\n"
    )


def test_x12_fifty_networks_with_4000_equal_prefixes_each(world: World) -> None:
    if shutil.which("bird") is None:
        pytest.skip("BIRD is not installed (apt-get install bird2)")
    addresses = [world.red.address(FIRST_ROUTER + number) for number in range(NETWORKS)]
    sources = [world.red.address(FIRST_SOURCE + number) for number in range(NETWORKS)]
    world.node.ip(*(f"addr add {source}/24 dev {world.red.uplink}" for source in sources))
    routers = world.topology.lab.namespace("fifty")
    join(routers, "eth0", world.red.switch, "fifty")
    world.red.switch.ip("link set fifty master br0")
    routers.ip(*(f"addr add {address}/24 dev eth0" for address in addresses))
    path = routers.directory / "bird.conf"
    path.write_text(configuration(addresses, sources))
    routers.start("bird", "bird", "-f", "-c", str(path), "-s", str(routers.directory / "bird.ctl"))
    world.save_basics()
    world.config.save("many.yaml", *(network(f"n{n}", 600 + n) for n in range(NETWORKS)))
    world.config.save(
        "many-peers.yaml",
        *(
            peer(f"p{n}", f"n{n}", addresses[n], ASN, api_version=OURS, sourceIP=sources[n])
            for n in range(NETWORKS)
        ),
    )
    world.start()

    def filled() -> bool:
        world.alive()
        found = {one["name"]: one for one in world.daemon.status()["networks"]}
        ours = [found[f"n{number}"] for number in range(NETWORKS)]
        return all(one["routes"] == PREFIXES and one["in_sync"] and not one["pending"] for one in ours)

    wait_for(filled, 120, "all tables are full")
    for number in range(NETWORKS):
        gateways = Counter(
            route.get("gateway", "")
            for route in world.node.routes(600 + number)
            if route.get("metric") == METRIC and "gateway" in route
        )
        assert gateways == {addresses[number]: PREFIXES}, f"table {600 + number}"
