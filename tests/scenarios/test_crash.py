"""X13: the daemon dies before each single operation of a change; the next start always comes to the same end.

A file in `crash/` has steps, a line `here the daemon may die`, and the change. It is run once to its end,
then once for each operation of the change, dying there. After each the daemon is started again, with the
config that the files hold by then, the routers come back, and the kernel must hold what it holds without the
death: no orphan route, rule or next hop. What must hold at any moment is checked all along.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.scenarios import deeds, sights  # noqa: F401  (they give the steps their meanings)
from tests.scenarios.script import Step, run, steps
from tests.scenarios.world import World

FILES = sorted((Path(__file__).parent / "crash").glob("*.scenario"))
HERE = "here the daemon may die"


@dataclass
class Ending:
    """What the kernel holds at the end, ids and the order of insertion apart."""

    routes: list[str]
    rules: list[str]
    nexthops: list[str]


def ending(world: World) -> Ending:
    kernel, words = world.kernel, world.words
    return Ending(
        sorted(f"{words.route(route)} proto {route.protocol}" for route in kernel.routes.values()),
        sorted(str(rule) for rule in kernel.rules),
        sorted(words.nexthop(nexthop.value) for nexthop in kernel.nexthops.values()),
    )


def live(before: list[Step], change: list[Step], die_before: int | None) -> tuple[World, int]:
    """Run it; the world after it, and how many operations the change took."""
    world = World()
    for step in before:
        run(step, world)
    done = len(world.kernel.record)
    world.kernel.crash_before = die_before
    for step in change:
        run(step, world)
    operations = len(world.kernel.record) - done
    world.kernel.crash_before = None
    if not world.alive:
        world.start()
        world.settle()
    world.routers_return()
    world.pass_time(200)
    return world, operations


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_next_start_converges(path: Path) -> None:
    all_steps = list(steps(path))
    (cut,) = [place for place, step in enumerate(all_steps) if step.text == HERE]
    before, change = all_steps[:cut], all_steps[cut + 1 :]
    world, operations = live(before, change, None)
    expected = ending(world)
    assert operations > 0, "the change changes nothing"
    for number in range(operations):
        world, _ = live(before, change, number)
        assert ending(world) == expected, f"died before operation {number} of {operations}"
