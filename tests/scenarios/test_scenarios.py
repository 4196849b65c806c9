"""Every scenario file, run against the core and the fake kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios import deeds, sights  # noqa: F401  (they give the steps their meanings)
from tests.scenarios.script import run, steps
from tests.scenarios.world import World

FILES = sorted(Path(__file__).parent.glob("*.scenario"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    world = World()
    for step in steps(path):
        run(step, world)
