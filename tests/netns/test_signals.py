"""What the daemon does on signals, beside SIGTERM and SIGKILL (`test_life`): SIGHUP reads the config anew."""

from __future__ import annotations

import signal

from labs.netns.manifests import gateway
from labs.netns.waiting import wait_for
from tests.netns.world import RED, YELLOW, World


def hang_up(world: World) -> None:
    assert world.daemon.process is not None
    world.daemon.process.signal(signal.SIGHUP)


def test_sighup_reads_the_config_at_once_and_says_what_came_of_it(working: World) -> None:
    world = working
    hang_up(world)
    world.wait_logged("by SIGHUP", "the config has not changed")
    world.config.save("bad.yaml", "kind: ExternalNetwork\nspec: [")
    hang_up(world)
    line = world.wait_logged("by SIGHUP", "the config is refused, the one before still runs")
    assert "bad.yaml" in line
    world.config.remove("bad.yaml")
    world.config.save("gateways.yaml", gateway("red", ["yellow"], RED), gateway("yellow", ["yellow"], YELLOW))
    hang_up(world)
    world.wait_steering(RED, (102, "501"), (103, "unreachable"))
    wait_for(lambda: world.daemon.log().count("by SIGHUP") == 3, describe="the third is told")
    world.wait_outcome("red", "yellow")
    assert world.red.router.sessions_begun("172.16.1.10") == 1
