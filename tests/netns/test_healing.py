"""What events do not tell, and what somebody does again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

from labs.netns.topology import SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import RED, World

PREFIX = "192.0.2.0/24"


@contextmanager
def fighter(deed: Callable[[], None]) -> Iterator[None]:
    """Somebody who does something whenever it can be done."""
    over = Event()

    def fight() -> None:
        while not over.is_set():
            deed()

    thread = Thread(target=fight, name="fighter")
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def contested(world: World) -> list[dict[str, object]]:
    """The fights that `status` tells of."""
    return list(world.daemon.status()["kernel"]["contested"])


def test_p23_a_fight_is_slowed_down_and_told_and_all_else_works_on(working: World) -> None:
    world = working
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)

    def delete() -> None:
        world.node.try_run("ip", "route", "del", PREFIX, "table", "500")

    with Probe(world.workload("red"), SERVER) as probe, fighter(delete):
        probe.wait_answers("red")
        wait_for(lambda: contested(world), describe=lambda: world.daemon.ask("status").stdout)
        world.wait_told("contested", PREFIX)
        before = world.daemon.status()["kernel"]["repairs"]
        probe.wait_answers("red", 500)
        assert world.daemon.status()["kernel"]["repairs"] - before <= 2, "not at full speed"
        # Something else is put right at once, also of the same kind.
        world.node.ip(f"rule del from {RED} priority 102")
        wait_for(lambda: (102, "500") in world.steering(RED), 1.0, "the rule is back")
    assert probe.tally.unreachable <= 250, "the moment without the rule"
    world.wait_route(world.red, PREFIX, world.red.router_address, timeout=30)
    world.wait_working("red", "yellow")


def test_p23_the_slow_comparison_finds_nothing_where_all_is_right(world: World) -> None:
    """While routes come and go it must not cry wolf, nor write anything."""
    world.save_basics()
    world.daemon.start("env", "VRFBGP_COMPARE_EVERY=1")
    world.wait_working("red", "yellow")
    prefixes = [f"198.51.{number}.0/24" for number in range(40)]
    until = time.monotonic() + 8
    while time.monotonic() < until:
        world.red.router.announce(*prefixes)
        world.red.router.withdraw(*prefixes[::2])
    world.wait_route(world.red, prefixes[1], world.red.router_address)
    wait_for(lambda: world.daemon.status()["kernel"]["comparison"]["compared"] >= 10, describe="ten counts")
    kernel = world.daemon.status()["kernel"]
    assert (kernel["repairs"], kernel["comparison"]["missed"]) == (0, 0), kernel
    assert "kernel.repaired" not in world.daemon.log()
