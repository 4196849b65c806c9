"""Passive sessions: the router calls, the daemon listens, by the right wire only."""

from __future__ import annotations

from typing import Any

from labs.netns.frr import Router
from labs.netns.manifests import OURS, peer
from labs.netns.topology import LOCAL_AS, Site
from labs.netns.waiting import wait_for
from tests.netns.world import World


def calls(router: Router, address: str, *lines: str) -> None:
    """Have a router call a node's address, once a second until it has a session."""
    words = f"neighbor {address}"
    router.configure(
        f"router bgp {router.asn}",
        f"{words} remote-as {router.peer_as}",
        f"{words} timers connect 1",
        f"{words} advertisement-interval 0",
        *([f"{words} ebgp-multihop 3"] if router.asn != router.peer_as else []),
        *(f"{words} {line}" for line in lines),
        "address-family ipv4 unicast",
        f"{words} activate",
        f"{words} soft-reconfiguration inbound",
    )


def passive(world: World, *sites: Site, **spec: Any) -> list[dict[str, Any]]:
    """The BGPPeers of these sites' first routers."""
    asns = {"red": LOCAL_AS, "yellow": 63400}
    return [
        peer(
            f"{site.name}-1",
            site.name,
            site.router_address,
            asns[site.name],
            api_version=OURS,
            passive=True,
            **spec,
        )
        for site in sites
    ]


def listening(world: World) -> list[str]:
    """Where the node's processes listen for BGP, as ADDRESS%DEVICE:PORT."""
    lines = world.node.run("ss", "-Hltn").splitlines()
    return sorted(line.split()[3] for line in lines if line.split()[3].endswith((":179", ":1790")))


def test_the_router_calls_and_all_is_as_with_an_active_session(world: World) -> None:
    for site in world.topology.sites:
        calls(site.router, site.node_address)
    world.save_basics()
    world.config.save("peers.yaml", *passive(world, *world.topology.sites))
    world.start()
    assert listening(world) == ["172.16.1.10%red0:179", "172.16.2.10%yellow0:179"]
    for site, gateway in zip(world.topology.sites, ("10.50.0.2/32", "10.50.0.4/32"), strict=True):
        wait_for(
            lambda site=site, gateway=gateway: site.router.received() == {gateway: {site.node_address}},  # type: ignore[misc]
            describe=site.router.describe,
        )
        assert world.peer_status(site.name, site.router_address)["state"] == "established"
