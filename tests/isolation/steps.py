"""Steps that only the stories of this folder have."""

from __future__ import annotations

from tests.scenarios.script import step
from tests.scenarios.world import World


@step(r"the daemon will die before operation (?P<number>\d+)")
def dies_later(world: World, number: str) -> None:
    """Counted from now, the first is 0."""
    if world.alive:
        world.kernel.crash_before = int(number)


@step(r"nothing is refused any more")
def forgives(world: World) -> None:
    world.kernel.forgive()
