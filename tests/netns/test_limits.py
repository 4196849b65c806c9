"""Limits and guards, in the real kernel: how many prefixes, which never, and what is told of it."""

from __future__ import annotations

from typing import Any

from labs.netns.manifests import OURS, bgp, network, peer
from labs.netns.topology import LOCAL_AS, SERVED
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import World

MANY = [f"198.51.100.{4 * number}/30" for number in range(12)]


def learned(world: World) -> set[str]:
    """The learned prefixes in red's table."""
    routes = world.node.routes(500)
    return {route["dst"] for route in routes if route.get("protocol") == "179" and "nhid" in route}


def save_limited(world: World, **limit: Any) -> None:
    """The basics, with a limit on red's peer."""
    world.save_basics()
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, LOCAL_AS, api_version=OURS, maxPrefixes=limit),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )


def test_x11_the_excess_is_dropped_and_told(world: World) -> None:
    save_limited(world, limit=10, action="Drop")
    world.start()
    world.red.router.announce(*MANY[:7])
    world.wait_told("near-limit", "red-1")
    assert len(learned(world)) == 8
    world.red.router.announce(*MANY)
    world.wait_told("max-prefixes", "red-1")
    wait_for(lambda: len(learned(world)) == 10, describe=lambda: str(learned(world)))
    stays_true(lambda: len(learned(world)) == 10, 1.0, "no more than the limit")
    assert SERVED in learned(world)
    assert world.red.router.sessions_begun(world.red.node_address) == 1


def test_x11_with_a_warning_all_are_taken(world: World) -> None:
    save_limited(world, limit=10)
    world.start()
    world.red.router.announce(*MANY)
    world.wait_told("max-prefixes", "all are taken")
    wait_for(lambda: len(learned(world)) == 13, describe=lambda: str(learned(world)))


def test_x11_the_session_ends_and_comes_back_after_its_rest(world: World) -> None:
    save_limited(world, limit=10, action="Restart", restartAfter="4s")
    world.start()
    world.red.router.announce(*MANY)
    world.wait_told("max-prefixes", "no session for 4 s")
    wait_for(lambda: not learned(world), describe="red's routes are gone")
    assert not world.red.router.established()
    assert world.red.router.sessions_begun(world.red.node_address) == 1
    assert world.yellow.router.established()
    world.red.router.withdraw(*MANY[:6])
    wait_for(lambda: len(learned(world)) == 7, describe=lambda: f"it comes back; {learned(world)}")
    assert world.red.router.sessions_begun(world.red.node_address) == 2


def test_x11_cluster_prefixes_and_a_default_route_are_refused_and_can_be_allowed(world: World) -> None:
    world.save_basics(red=network("red", 500, api_version=OURS, defaultRoute="Reject"))
    cluster = bgp(clusterCIDRs=["10.48.0.0/16"], serviceClusterIPs=[{"cidr": "10.96.0.0/12"}])
    world.config.save("bgp.yaml", {**cluster, "apiVersion": OURS})
    world.start()
    world.red.router.announce("10.48.7.0/24", "10.96.0.0/12", "10.0.0.0/8", "0.0.0.0/0")
    wait_for(lambda: learned(world) == {SERVED, "10.0.0.0/8"}, describe=lambda: str(learned(world)))
    refused = world.peer_status("red", world.red.router_address)["refused"]
    assert refused == {"cluster-prefix": 2, "default-route": 1}
    world.config.save(
        "networks.yaml",
        network("red", 500, api_version=OURS, clusterPrefixes="Accept"),
        network("yellow", 501),
    )
    every = {SERVED, "10.0.0.0/8", "10.48.7.0/24", "10.96.0.0/12", "default"}
    wait_for(lambda: learned(world) == every, describe=lambda: str(learned(world)))
    assert world.red.router.sessions_begun(world.red.node_address) == 1


def test_x11_martians_and_the_own_as_are_refused_and_the_own_as_can_be_allowed(world: World) -> None:
    world.save_basics()
    world.start()
    router = world.yellow.router
    router.announce("169.254.7.0/24", "240.0.0.0/8")
    router.announce("198.51.100.0/25", prepend=[LOCAL_AS, 65010])
    router.announce("198.51.100.128/25", prepend=[65010, LOCAL_AS, LOCAL_AS])

    def told() -> dict[str, str | None]:
        rows = world.daemon.ask_json("routes", "yellow", "--received")["received"]
        return {row["prefix"]: row["reason"] for row in rows if row["prefix"] != "10.50.0.4/32"}

    # The router also sends our own announcement back.
    found = {"169.254.7.0/24": "martian", "240.0.0.0/8": "martian", SERVED: None}
    found |= {"198.51.100.0/25": "own-as", "198.51.100.128/25": "own-as"}
    wait_for(lambda: told() == found, describe=lambda: f"{found}; told is {told()}")
    assert world.peer_status("yellow", world.yellow.router_address)["refused"]["martian"] == 2
    allowing = peer("yellow-1", "yellow", world.yellow.router_address, 63400, numAllowedLocalASNumbers=1)
    world.config.save("peers.yaml", peer("red-1", "red", world.red.router_address, LOCAL_AS), allowing)
    world.wait_route(world.yellow, "198.51.100.0/25", world.yellow.router_address)
    assert told() == found | {"198.51.100.0/25": None}
    assert world.route(world.yellow, "198.51.100.128/25") is None
    assert router.sessions_begun(world.yellow.node_address) == 1
