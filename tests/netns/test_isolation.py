"""Nothing leaves by a wrong wire: overlapping networks, hostile next hops, the moments of start and end."""

from __future__ import annotations

import json
import sys
import time

import pytest

from labs.netns.topology import FABRIC, NODE, POD, SCRIPTS, SERVED, SERVER
from labs.netns.traffic import Capture, Probe, fetch, outcome
from labs.netns.waiting import wait_for
from tests.netns.world import PROTOCOL, World

GATEWAYS = ("10.50.0.2", "10.50.0.3", "10.50.0.4", "10.50.0.5")
PREFIX = "192.0.2.0/24"


def ask_by_a_process(world: World, name: str) -> list[str]:
    """What a client process of its own, in the namespace of a workload, reads: banner and address."""
    namespace = world.topology.client if name == "client" else world.workload(name)
    return namespace.run(sys.executable, "-I", "-S", str(SCRIPTS / "client.py"), SERVER).split()


# -- P2: each reaches its own ----------------------------------------------------------------------


def test_p2_each_gateway_reaches_its_own_server_and_is_seen_as_itself(working: World) -> None:
    world = working
    with Capture(world.node, "eth0") as fabric:
        assert ask_by_a_process(world, "red") == ["red", "10.50.0.2"]
        assert ask_by_a_process(world, "yellow") == ["yellow", "10.50.0.4"]
        assert fabric.packets(dst=SERVER) == []


def test_p2_a_client_behind_a_gateway_that_masquerades(working: World) -> None:
    assert ask_by_a_process(working, "client") == ["red", "10.50.0.2"]


def test_p2_connections_in_both_networks_at_once_stay_apart(working: World) -> None:
    world = working
    with Capture(world.node, "red0") as red, Capture(world.node, "yellow0") as yellow:
        with (
            Probe(world.workload("red"), SERVER) as from_red,
            Probe(world.workload("yellow"), SERVER) as from_yellow,
        ):
            from_red.wait_answers("red", 200)
            from_yellow.wait_answers("yellow", 200)
        assert red.packets(src="10.50.0.4") == yellow.packets(src="10.50.0.2") == []
        assert len(red.packets(src="10.50.0.2", dst=SERVER)) >= 200
    for tally in (from_red.tally, from_yellow.tally):
        assert tally.lost == tally.unreachable == 0
        assert len(tally.answered) == 1
    assert set(from_red.tally.clients) == {"10.50.0.2"}


# -- X28: whoever is no gateway --------------------------------------------------------------------


def test_x28_the_node_and_a_pod_never_use_the_networks_tables(working: World) -> None:
    world = working
    world.red.router.announce("0.0.0.0/0", PREFIX)
    world.yellow.router.announce("0.0.0.0/0", PREFIX)
    for site in world.topology.sites:
        world.wait_route(site, PREFIX, site.router_address)
    with Capture(world.node, "red0") as red, Capture(world.node, "yellow0") as yellow:
        assert fetch(world.node, SERVER).banner == "fabric"
        assert fetch(world.node, SERVER, source=NODE).banner == "fabric"
        assert fetch(world.workload("pod"), SERVER).banner == "fabric"
        # The node's own addresses on the uplinks steer nothing either.
        assert outcome(world.node, SERVER, source=world.red.node_address) == "fabric"
        for wire in (red, yellow):
            assert wire.packets(dst=SERVER) == []
            assert wire.packets(src=POD) == []


# -- X24: next hops that a peer made up ------------------------------------------------------------


ELSEWHERE = "172.16.98.0/24"
MADE_UP = {
    "yellow's router": "172.16.2.140",
    "nobody in yellow's subnet": "172.16.2.77",
    "the fabric's gateway": FABRIC,
    "the node itself": NODE,
    "yellow's gateway": "10.50.0.4",
    "only a default route covers it": "8.8.8.8",
    "the node's own address in red": "172.16.1.10",
    "the user's own route to it leaves by no uplink": "172.16.98.7",
}


def test_x24_made_up_next_hops_are_not_installed(working: World) -> None:
    world = working
    # A route of the user's own that leads out by the fabric is not ours to use for what a peer says.
    world.node.ip(f"route add {ELSEWHERE} via {FABRIC} dev eth0 table 500 proto static")
    prefixes = {f"192.0.2.{16 * number}/28": hop for number, hop in enumerate(MADE_UP.values())}
    with Capture(world.node, "eth0") as fabric, Capture(world.node, "yellow0") as yellow:
        for prefix, hop in prefixes.items():
            world.red.router.announce(prefix, next_hop=hop)
        world.red.router.announce("198.51.100.0/24")
        world.wait_route(world.red, "198.51.100.0/24", world.red.router_address)
        wait_for(
            lambda: world.peer_status("red", world.red.router_address)["received"] == len(prefixes) + 2,
            describe="all of them are received",
        )
        for whose, prefix in zip(MADE_UP, prefixes, strict=True):
            assert world.node.routes(500, "exact", prefix) == [], whose
        targets = [prefix.replace("/28", "").rpartition(".") for prefix in prefixes]
        addresses = [f"{net}.{int(last) + 1}" for net, _dot, last in targets]
        for address in addresses:
            assert outcome(world.workload("red"), address, timeout=0.3) in ("unreachable", "timeout")
        for wire in (fabric, yellow):
            assert wire.packets(src=GATEWAYS, dst=addresses) == []
        world.wait_outcome("red", "unreachable", address=addresses[0])
    for prefix, hop in prefixes.items():
        told = world.daemon.ask_json("explain", "red", prefix)
        assert hop in json.dumps(told), "explain says why"
    assert world.red.router.sessions_begun("172.16.1.10") == 1
    world.wait_working("red", "yellow")


def test_x24_a_covering_route_of_the_own_network_still_takes_the_traffic(working: World) -> None:
    world = working
    world.red.router.announce("105.8.10.0/25", next_hop="172.16.2.140")
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    assert world.node.routes(500, "exact", "105.8.10.0/25") == []
    assert fetch(world.workload("red"), SERVER).banner == "red"


# -- X26: at no time by main -----------------------------------------------------------------------


def test_x26_unreachable_is_the_first_thing_of_all(world: World) -> None:
    """Before any session, any route, and any other rule of ours."""
    world.save_basics()
    with Capture(world.node, "red0") as red, Capture(world.node, "yellow0") as yellow:
        with world.monitor("rule", "route", "nexthop") as events:
            world.start()
        ours = [event for event in events if f"proto {PROTOCOL}" in event.text]
        assert ["unreachable" in event.text for event in ours[:2]] == [True, True]
        assert not any("unreachable" in event.text for event in ours[2:])
        first_packet = min(packet.time for wire in (red, yellow) for packet in wire.packets(port=179))
        assert ours[1].time < first_packet


def test_x26_from_the_first_rule_on_no_packet_leaves_by_main(world: World) -> None:
    world.red.router.stop()
    world.save_basics()
    with Capture(world.node, "eth0") as fabric, Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("fabric")
        world.daemon.start()
        world.wait_steering("10.50.0.2/31", (102, "500"), (103, "unreachable"))
        since = time.time()
        probe.wait_sent(100)
        world.red.router.start()
        world.red.router.announce(SERVED)
        probe.wait_answers("red", 50)
        assert world.daemon.stop() == 0
        probe.wait_sent(100)
        world.daemon.start()
        wait_for(lambda: world.network_status("red")["in_sync"], 90, describe="in sync again")
        probe.wait_answers("red", 50)
        world.red.router.kill()
        world.daemon.kill()
        probe.wait_sent(100)
        assert fabric.packets(dst=SERVER, since=since) == []
    assert probe.tally.answered["yellow"] == 0


def test_x26_drain_keeps_the_gateways_closed(working: World) -> None:
    world = working
    with Capture(world.node, "eth0") as fabric, Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        assert world.daemon.ask("drain", "--wait", "1").returncode == 0
        refused = probe.tally.unreachable
        wait_for(lambda: probe.tally.unreachable > refused, describe=lambda: f"unreachable: {probe.tally}")
        probe.wait_sent(100)
        assert world.daemon.ask("drain", "--undo").returncode == 0
        probe.wait_answers("red")
        assert fabric.packets(dst=SERVER) == []
    assert set(probe.tally.answered) == {"red"}


@pytest.mark.parametrize("edit", ["peers.yaml", "networks.yaml", "node.yaml"])
def test_x26_an_edit_that_takes_the_ground_away_closes_the_gateway(working: World, edit: str) -> None:
    world = working
    with Capture(world.node, "eth0") as fabric, Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.config.remove(edit)
        if edit == "node.yaml":
            probe.wait_sent(400)
        else:
            wait_for(
                lambda: probe.tally.unreachable >= 2, describe=lambda: f"ICMP unreachable: {probe.tally}"
            )
        assert fabric.packets(dst=SERVER) == []
    assert set(probe.tally.answered) == {"red"}
