"""Graceful restart (RFC 4724) against FRR, in both roles: whoever restarts, packets go on."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from labs.netns.manifests import OURS, network
from labs.netns.topology import SERVED, SERVER, Site
from labs.netns.traffic import Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import World

PREFIX = "192.0.2.0/24"
GATEWAY = "10.50.0.2"
AT_ONCE = 1.0
"""Seconds after a Cease within which the peer's routes are gone (P13)."""


def begun_again(site: Site) -> bool:
    """Whether a network's session has come up a second time."""
    return site.router.sessions_begun(site.node_address) == 2


def start_graceful(world: World, seconds: int, **red: Any) -> None:
    """The daemon runs; red's router asks that its routes be kept for so long, and has two of them."""
    world.red.router.stop()
    world.red.router.graceful_restart = seconds
    world.red.router.start(SERVED, PREFIX)
    world.save_basics(red=network("red", 500, api_version=OURS, **red) if red else None)
    world.start()
    world.wait_route(world.red, PREFIX, world.red.router_address)
    wait_for(lambda: world.network_status("red")["in_sync"], 90, "in sync")


def stale(world: World) -> int:
    """How many of the peer's paths stem from before its restart."""
    return int(world.peer_status("red", world.red.router_address)["stale"])


# -- the peer restarts -----------------------------------------------------------------------------


def test_p12_a_peer_that_crashes_and_returns_in_time_costs_nothing(world: World) -> None:
    start_graceful(world, 60)
    with Probe(world.workload("red"), SERVER) as probe, world.monitor("route", "nexthop", "rule") as events:
        probe.wait_answers("red")
        world.red.router.kill()
        wait_for(lambda: stale(world) == 2, describe="its paths are stale")
        probe.wait_answers("red", 200)
        world.red.router.start(SERVED, PREFIX)
        wait_for(partial(begun_again, world.red), describe=world.red.router.describe)
        wait_for(lambda: stale(world) == 0, describe="it has sent all again")
        probe.wait_answers("red", 50)
    assert events == [], "nothing is written"
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    assert set(probe.tally.answered) == {"red"}


def test_p12_what_it_does_not_send_again_goes_at_its_end_of_rib(world: World) -> None:
    start_graceful(world, 60)
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.red.router.kill()
        wait_for(lambda: stale(world) == 2, describe="its paths are stale")
        assert world.route(world.red, PREFIX) is not None
        world.red.router.start(SERVED)
        world.wait_no_route(world.red, PREFIX)
        assert begun_again(world.red), "it goes when the peer has sent all, not before"
        probe.wait_answers("red", 50)
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally


@pytest.mark.parametrize(
    ("asked", "cap"), [(4, {}), (600, {"staleTime": "4s"})], ids=["its own time", "our cap"]
)
def test_p12_the_time_runs_out_and_they_go(world: World, asked: int, cap: dict[str, str]) -> None:
    start_graceful(world, asked, **cap)
    before = time.monotonic()
    world.red.router.kill()
    wait_for(lambda: stale(world) == 2, describe="its paths are stale")
    world.wait_no_route(world.red, PREFIX, 20)
    assert time.monotonic() - before > 3.5
    assert world.route(world.red, SERVED) is None
    world.wait_outcome("red", "unreachable")
    world.wait_working("yellow")
    world.red.router.start(SERVED)
    world.wait_working("red", timeout=60)


def test_p13_a_cease_removes_its_routes_at_once(world: World) -> None:
    start_graceful(world, 60)
    with Probe(world.workload("yellow"), SERVER) as probe:
        probe.wait_answers("yellow")
        before = len(world.daemon.log())
        world.red.router.configure(f"router bgp {world.red.router.asn}", "neighbor NODES shutdown")
        wait_for(
            lambda: "peer.down" in world.daemon.log()[before:], describe="the Cease is heard", interval=0.01
        )
        world.wait_no_route(world.red, SERVED, AT_ONCE)
        world.wait_no_route(world.red, PREFIX, AT_ONCE)
        probe.wait_answers("yellow", 20)
    world.wait_logged("peer.down", world.red.router_address, "notification received 6/2")
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally


# -- we restart ------------------------------------------------------------------------------------


def graceful_info(site: Site) -> dict[str, Any]:
    """What a network's router knows of our graceful restart (RFC 4724 3)."""
    neighbors = site.router.ask(f"show bgp neighbors {site.node_address}")
    return dict(neighbors[site.node_address]["gracefulRestartInfo"])


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
def test_p22_the_peers_keep_the_gateways_addresses_while_we_restart(working: World, way: str) -> None:
    """From outside to the gateway, and back: what the router announced to its kernel never goes."""
    world = working
    router = world.red.router
    world.topology.serve(world.workload("red"), "gateway-red", GATEWAY)
    wait_for(lambda: GATEWAY + "/32" in router.received(), describe=router.describe)
    wait_for(lambda: world.network_status("red")["in_sync"], 90, "in sync")
    with Probe(router.namespace, GATEWAY, source=SERVER) as probe:
        probe.wait_answers("gateway-red")
        (world.daemon.stop if way == "SIGTERM" else world.daemon.kill)()
        wait_for(lambda: not router.established(), describe="the router has seen it")
        assert GATEWAY + "/32" in router.received(), "kept as stale"
        probe.wait_answers("gateway-red", 100)
        world.daemon.start()
        wait_for(partial(begun_again, world.red), 60, describe=router.describe)
        wait_for(lambda: world.network_status("red")["in_sync"], 90, "in sync")
        told = graceful_info(world.red)
        assert told["rBit"], f"our OPEN says that we restart: {told}"
        assert told["ipv4Unicast"]["fBit"], f"and that we forward on: {told}"
        wait_for(
            lambda: graceful_info(world.red)["endOfRibRecv"].get("ipv4Unicast"), describe="our End-of-RIB"
        )
        stays_true(lambda: GATEWAY + "/32" in router.received(), 2.0, "and still there behind our EoR")
        probe.wait_answers("gateway-red", 50)
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    assert set(probe.tally.answered) == {"gateway-red"}
