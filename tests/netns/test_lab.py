"""The lab itself: what the other tests stand on must be true, and its end certain."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labs.netns.frr import Router
from labs.netns.lab import Lab
from labs.netns.namespace import join
from labs.netns.supervisor import namespaces_of, processes_in, start_time
from labs.netns.topology import LOCAL_AS, SERVED, SERVER
from labs.netns.traffic import Capture, Probe, fetch
from labs.netns.waiting import wait_for
from tests.netns.sparrow import Flock
from tests.netns.world import World

BUILDER = """
import signal, sys, time
# SIGINT is ignored in what a script starts in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
from labs.netns.frr import Router
from labs.netns.lab import Lab
lab = Lab()
node = lab.namespace("node")
node.start("sleeper", "sleep", "600")
if "keep" in sys.argv:
    lab.keep()
print(lab.name, lab.directory, lab.supervisor_pid, flush=True)
if "keep" not in sys.argv:
    time.sleep(600)
"""


def build(*words: str) -> tuple[subprocess.Popen[str], str, Path, int]:
    """A lab that another process has built: that process, the lab's name, directory and supervisor."""
    builder = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", BUILDER, *words], stdout=subprocess.PIPE, text=True
    )
    assert builder.stdout is not None
    name, directory, supervisor = builder.stdout.readline().split()
    builder.stdout.close()
    wait_for(lambda: list(processes_in(namespaces_of(name))), describe="the sleeper runs")
    return builder, name, Path(directory), int(supervisor)


def gone(name: str, directory: Path, sleepers: list[int]) -> bool:
    """Whether nothing of a lab is left."""
    return not namespaces_of(name) and not directory.exists() and not any(map(start_time, sleepers))


def told(router: Router, address: str) -> tuple[object, ...]:
    """Next hop, AS path and MED of the served prefix, as a router tells a neighbor."""
    sent = router.ask(f"show bgp ipv4 unicast neighbors {address} advertised-routes")
    route = sent["advertisedRoutes"].get(SERVED, {})
    return route.get("nextHop"), route.get("path"), route.get("metric")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_lab_ends_with_whoever_built_it(labs_work: None, number: int) -> None:
    builder, name, directory, _supervisor = build()
    sleepers = list(processes_in(namespaces_of(name)))
    assert directory.exists()
    builder.send_signal(number)
    builder.wait(10)
    wait_for(lambda: gone(name, directory, sleepers), 15, "nothing of the lab is left")


def test_a_kept_lab_ends_with_its_supervisor(labs_work: None) -> None:
    builder, name, directory, supervisor = build("keep")
    builder.wait(10)
    sleepers = list(processes_in(namespaces_of(name)))
    assert sleepers
    with Lab():
        pass  # whose sweep must not take a lab whose supervisor lives
    assert namespaces_of(name)
    os.kill(supervisor, signal.SIGTERM)
    wait_for(lambda: gone(name, directory, sleepers), 15, "nothing of the lab is left")


def test_the_next_lab_sweeps_what_a_killed_supervisor_left(labs_work: None) -> None:
    builder, name, directory, supervisor = build("keep")
    builder.wait(10)
    sleepers = list(processes_in(namespaces_of(name)))
    os.kill(supervisor, signal.SIGKILL)
    wait_for(lambda: start_time(supervisor) is None, describe="the supervisor has ended")
    assert sleepers
    assert namespaces_of(name)
    with Lab():
        pass
    wait_for(lambda: gone(name, directory, sleepers), 15, "nothing of the lab is left")


def test_without_the_daemon_everybody_takes_the_way_by_the_fabric(world: World) -> None:
    """So a test that finds another banner proves something."""
    for name, address in (("red", "10.50.0.2"), ("yellow", "10.50.0.4"), ("pod", "10.48.0.9")):
        page = fetch(world.workload(name), SERVER)
        assert (page.banner, page.client) == ("fabric", address)
    assert fetch(world.topology.client, SERVER).client == "10.50.0.2"
    for site in world.topology.sites:
        assert fetch(world.node, site.router_address).banner == site.name
    with Capture(world.node, "eth0") as fabric, Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("fabric", 100)
    assert probe.tally.lost == probe.tally.unreachable == 0
    assert len(fabric.packets(src="10.50.0.2", dst=SERVER, outgoing=True, port=7)) == probe.tally.sent
    assert len(fabric.packets(src=SERVER, outgoing=False, port=7)) == probe.tally.sent


def test_a_probe_counts_losses_and_refusals(world: World) -> None:
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("fabric")
        world.topology.fabric.ip(f"addr del {SERVER}/32 dev lo", f"route add blackhole {SERVER}/32")
        probe.wait_sent(50)
    assert probe.tally.lost >= 45
    with Probe(world.workload("red"), SERVER) as probe:
        world.node.ip("rule add from 10.50.0.2 unreachable priority 9")
        wait_for(lambda: probe.tally.unreachable > 0, describe=lambda: str(probe.tally))
    assert probe.tally.answered.total() == 0


def test_routers_peer_with_whatever_speaks_from_the_node(world: World) -> None:
    """A sparrow in place of the daemon: what FRR hears is what `received` tells, with its next hop."""
    with Flock(world.topology, world.red, [10 + 1], asn=LOCAL_AS, prefixes=["10.50.0.2/32"]) as flock:
        router = world.topology.add_router(world.red, 150, 65150, serve=False)
        router.configure(
            "router bgp 65150",
            f"neighbor {flock.addresses[0]} peer-group NODES",
        )
        wait_for(lambda: router.established(flock.addresses[0]), describe=router.describe)
        wait_for(
            lambda: router.received() == {"10.50.0.2/32": {flock.addresses[0]}},
            describe=lambda: str(router.received()),
        )
        assert flock.established == 1
        router.announce(SERVED, next_hop="172.16.2.140", prepend=[1, 2], med=5)
        wait_for(
            lambda: told(router, flock.addresses[0]) == ("172.16.2.140", "1 2", 5), describe="as it was set"
        )
        router.announce(SERVED)
        wait_for(lambda: told(router, flock.addresses[0])[1] == "", describe="as it is without settings")
        router.withdraw(SERVED)
        assert router.announced == {}


def test_a_cut_wire_has_no_carrier(labs_work: None) -> None:
    with Lab() as lab:
        first, second = lab.namespace("first"), lab.namespace("second")
        join(first, "a0", second, "b0")
        wait_for(lambda: first.show("link show a0")[0]["operstate"] == "UP", describe="carrier")
        second.ip("link set b0 down")
        wait_for(lambda: first.show("link show a0")[0]["operstate"] != "UP", describe="no carrier")
