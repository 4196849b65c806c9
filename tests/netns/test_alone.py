"""One daemon in a network namespace, and one speaker of a network, whatever else is shared or is not."""

from __future__ import annotations

from functools import partial

import pytest

from labs.netns.daemon import environment, vrfbgp
from labs.netns.topology import SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import World

BGP = "( dport = :179 or sport = :179 )"


def connections(world: World) -> list[str]:
    """The node's TCP connections with routers, as (state, local, peer)."""
    shown = world.node.run("ss", "-Htn", "state", "established", BGP)
    return shown.splitlines()


def ended(world: World, pids: set[int]) -> bool:
    """Whether none of these processes is left in the node's namespace."""
    return pids.isdisjoint(world.daemon_processes())


@pytest.mark.parametrize(
    "container", [(), ("unshare", "--mount", "--pid", "--fork", "--mount-proc")], ids=["host", "container"]
)
def test_a_daemon_with_directories_of_its_own_is_refused_too(
    working: World, container: tuple[str, ...]
) -> None:
    """Two containers of a pod share the network namespace, and no file."""
    world = working
    before = world.traces()
    elsewhere = world.node.directory / "second"
    words = ["--config", str(world.config.path), "--node", world.daemon.name]
    words += ["--run-dir", str(elsewhere / "run"), "--state-dir", str(elsewhere / "state")]
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        second = world.node.start("second", *container, *vrfbgp("run", *words), environment=environment())
        assert second.wait(30) != 0
        assert "another vrfbgp runs in this network namespace" in second.output()
        probe.wait_answers("red")
    assert world.traces() == before
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    assert world.red.router.sessions_begun(world.red.node_address) == 1


def test_a_killed_daemon_takes_its_speakers_along_and_the_next_has_them_alone(working: World) -> None:
    world = working
    for _ in range(3):
        assert len(connections(world)) == 2
        before = set(world.daemon_processes())
        world.daemon.kill()
        world.daemon.start()
        stays_true(lambda: len(connections(world)) <= 2, 1.0, "never two sessions with a router")
        wait_for(partial(ended, world, before), 15, "the earlier speakers have ended")
        wait_for(
            lambda: (
                all(site.router.established() for site in world.topology.sites)
                and len(connections(world)) == 2
            ),
            60,
            lambda: str(connections(world)),
        )
    world.wait_working("red", "yellow")
