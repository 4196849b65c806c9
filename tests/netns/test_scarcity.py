"""X24: a memory limit, and a peer that announces more than it holds.

The kernel refuses no route when a cgroup is full, it ends a process of it. So no more is taken of that
network than leaves room, and the other works on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from labs.netns.lab import Lab
from labs.netns.manifests import OURS, peer
from labs.netns.topology import SERVER, Topology
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.sparrow import Soloist
from tests.netns.test_hostile import ASN, HOST, MILLION, begin, flood
from tests.netns.world import World
from vrfbgp.scarcity import REST, ROUTE

LIMIT = 192 << 20
"""Octets; a million routes take more."""
VERSIONS = (
    (
        "/sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "mount -t tmpfs none /sys/fs/cgroup && mkdir /sys/fs/cgroup/memory && "
        "mount -t cgroup -o memory none /sys/fs/cgroup/memory",
    ),
    ("/sys/fs/cgroup", "memory.max", "mount -t cgroup2 none /sys/fs/cgroup"),
)
"""Where cgroups are, their limit, and how to see them where `ip netns exec` has mounted another /sys."""
SH = ("sh", "-c")


@pytest.fixture
def confined() -> Iterator[tuple[str, ...]]:
    """What runs a command in a cgroup with that limit."""
    for parent, limit, mount in VERSIONS:
        made = Path(parent) / f"vrfbgp-test-{os.getpid()}"
        try:
            made.mkdir()
        except OSError:
            continue
        try:
            if (made / limit).exists():
                (made / limit).write_text(str(LIMIT))
                yield *SH, f'{mount} && echo $$ > {made}/cgroup.procs && exec "$@"', "sh"
                return
        finally:
            wait_for(lambda made=made: not (made / "cgroup.procs").read_text(), 30, "the processes in it")
            made.rmdir()
    pytest.skip("no memory cgroup can be made here")


def test_x24_a_full_memory_limit_costs_the_network_that_fills_it(
    labs_work: None, confined: tuple[str, ...]
) -> None:
    with Lab() as lab:
        topology = Topology(lab)
        topology.start()
        world = World(topology)
        world.save_basics()
        with Soloist(topology, world.red, HOST, asn=ASN) as foe:
            world.config.save(
                "foe.yaml", peer("foe", "red", foe.address, ASN, api_version=OURS, passive=True)
            )
            world.daemon.start(*confined)
            try:
                world.wait_working("red", "yellow")
                begin(world, foe)
                with Probe(world.workload("yellow"), SERVER) as probe:
                    flood(foe, MILLION)
                    wait_for(lambda: "max-routes" in status(world), 60, lambda: status(world))
                    wait_for(lambda: not world.network_status("red")["pending"], 60, lambda: status(world))
                    world.alive()
                    probe.wait_answers("yellow", 100)
                assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
                taken = (LIMIT - REST) // ROUTE // 2
                assert taken - 100 < world.network_status("red")["routes"] <= taken
                assert f"red {taken}, yellow {taken};" in status(world)
                foe.hang_up()
                wait_for(lambda: world.network_status("red")["routes"] == 1, 60, lambda: status(world))
                world.alive()
            finally:
                world.daemon.reap()


def status(world: World) -> str:
    world.alive()
    asked = world.daemon.ask("status", "--json")
    return str(asked.stdout or asked.stderr)
