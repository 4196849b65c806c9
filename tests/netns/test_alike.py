"""X3, X25: two networks that are alike to the last octet, and each session and packet on its own wire.

One subnet on both uplinks, one router's address, one AS, the same prefixes, the same next hops. What tells
the two apart is the node's own address on each wire; where that is one, too, the kernel can't, and the second
is degraded until it has another.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest

from labs.netns.manifests import OURS, peer
from labs.netns.topology import LOCAL_AS, NODE, SERVED, SERVER
from labs.netns.traffic import Capture, Probe, fetch
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import World

ROUTER = "172.16.1.140"
OWN = {"red": "172.16.1.10", "yellow": "172.16.1.11"}
GATEWAYS = {"red": "10.50.0.2", "yellow": "10.50.0.4"}


def make_alike(world: World, *, yellow: str = OWN["yellow"]) -> None:
    """Yellow's router and uplink get addresses and AS of red's, but for the node's own on the wire."""
    router = world.yellow.router
    router.stop()
    router.namespace.ip(
        "addr flush dev eth0", f"addr add {ROUTER}/24 dev eth0", f"route add {NODE} via {yellow}"
    )
    router.asn, router.listen = LOCAL_AS, ("172.16.1.0/24",)
    router.start()
    router.announce(SERVED)
    world.node.ip("addr flush dev yellow0", f"addr add {yellow}/24 dev yellow0")
    world.save_basics()
    save_peers(world)


def save_peers(world: World, **yellow: Any) -> None:
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", ROUTER, LOCAL_AS, api_version=OURS, sourceInterface="red0"),
        peer("yellow-1", "yellow", ROUTER, LOCAL_AS, api_version=OURS, sourceInterface="yellow0", **yellow),
    )


def filter_reverse_paths(world: World, how: int) -> None:
    """rp_filter (ip-sysctl.rst) of all devices: 1 is strict, 2 loose."""
    names = ("all", "default", *world.node.links())
    world.node.set_sysctls({f"ipv4/conf/{name}/rp_filter": how for name in names})


def judge(world: World, wires: dict[str, Capture]) -> None:
    """What has been on the wires is where it belongs, and something of each was."""
    for name, wire in wires.items():
        (other,) = OWN.keys() - {name}
        assert {packet.src for packet in wire.packets(dst=ROUTER, port=179)} == {OWN[name]}
        assert {packet.dst for packet in wire.packets(src=ROUTER, port=179)} == {OWN[name]}
        assert len(wire.packets(src=GATEWAYS[name], dst=SERVER, outgoing=True)) >= 100
        assert wire.packets(src=GATEWAYS[other]) == wire.packets(dst=GATEWAYS[other]) == []


@pytest.mark.parametrize("rp_filter", [1, 2], ids=["strict", "loose"])
def test_x3_x25_two_networks_alike_are_each_on_their_own_wire(world: World, rp_filter: int) -> None:
    make_alike(world)
    filter_reverse_paths(world, rp_filter)
    with ExitStack() as stack:
        wires = {
            site.name: stack.enter_context(Capture(world.node, site.uplink)) for site in world.topology.sites
        }
        fabric = stack.enter_context(Capture(world.node, "eth0"))
        world.start()
        probes = {name: stack.enter_context(Probe(world.workload(name), SERVER)) for name in GATEWAYS}
        for name, probe in probes.items():
            probe.wait_answers(name, 100)
        for site in world.topology.sites:
            assert (world.wait_route(site, SERVED, ROUTER))["dev"] == site.uplink
            assert (world.route(site, "172.16.1.0/24") or {})["dev"] == site.uplink
            assert site.router.received() == {f"{GATEWAYS[site.name]}/32": {OWN[site.name]}}
        judge(world, wires)

        # One withdraws, and the other, alike, goes on.
        world.yellow.router.withdraw(SERVED)
        refused = probes["yellow"].tally.unreachable
        wait_for(lambda: probes["yellow"].tally.unreachable > refused, describe="yellow's is unreachable")
        probes["red"].wait_answers("red", 50)
        assert world.route(world.red, SERVED) is not None
        world.yellow.router.announce(SERVED)
        probes["yellow"].wait_answers("yellow", 50)
        judge(world, wires)
        assert fabric.packets(src=tuple(GATEWAYS.values()), dst=SERVER) == []
    for name, probe in probes.items():
        assert set(probe.tally.answered) == {name}
    assert probes["red"].tally.lost == probes["red"].tally.unreachable == 0


@pytest.mark.parametrize("rp_filter", [1, 2], ids=["strict", "loose"])
def test_x3_one_local_address_too_degrades_the_second_with_the_reason_until_it_has_its_own(
    world: World, rp_filter: int
) -> None:
    make_alike(world, yellow=OWN["red"])
    filter_reverse_paths(world, rp_filter)
    with Capture(world.node, "red0") as red, Capture(world.node, "yellow0") as yellow:
        world.daemon.start()
        world.wait_working("red")
        told = world.peer_status("yellow", ROUTER)
        assert told["state"] == "degraded"
        assert "already the session of network red" in told["reason"]
        assert "sourceIP" in told["reason"]
        # Neither its session nor its gateway's packets take the other's wire, or any.
        world.wait_outcome("yellow", "unreachable")
        stays_true(lambda: not world.yellow.router.neighbors(), 1.0, "no session of yellow's")
        assert yellow.packets(port=179) == red.packets(src=GATEWAYS["yellow"]) == []

        world.node.ip(f"addr add {OWN['yellow']}/24 dev yellow0")
        world.yellow.router.namespace.ip(f"route replace {NODE} via {OWN['yellow']}")
        save_peers(world, sourceIP=OWN["yellow"])
        world.wait_working("yellow")
        assert {packet.src for packet in yellow.packets(dst=ROUTER, port=179)} == {OWN["yellow"]}
        assert red.packets(src=GATEWAYS["yellow"]) == []
    assert fetch(world.workload("red"), SERVER).banner == "red"
    assert world.red.router.sessions_begun(OWN["red"]) == 1
    assert world.peer_status("yellow", ROUTER)["problems"] == []
