"""The model agrees with every scenario: each packet that a scenario's world could send, after each step."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import scenarios
from tests.isolation.judge import JudgedWorld
from tests.scenarios import deeds, sights  # noqa: F401  (they give the steps their meanings)
from tests.scenarios.script import run, steps

NOT_TOLD = {
    "P23-fight": "somebody who undoes every repair is met seldom",
    "P23-fight-over-one-of-two": "somebody who undoes every repair is met seldom",
    "P23-unseen": "what nobody tells is found by a comparison, later",
    "P24-device-made-anew": "a session that is reset for the device's sake keeps its paths",
    "X10-both-families": "sessions that carry the other family, too",
    "X11-what-was-left-out-is-asked-for": "limits on how much is learned",
    "route-refresh": "what a refresh leaves out goes (RFC 7313)",
    "session-rubbish": "the peer's own octets are wrong",
}
"""Scenarios about what the model is not told, and what that is."""
FILES = sorted(Path(scenarios.__file__).parent.glob("*.scenario"))


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem not in NOT_TOLD], ids=lambda path: path.stem
)
def test_every_scenario_agrees(path: Path) -> None:
    world = JudgedWorld()
    for step in steps(path):
        run(step, world)
    assert world.count.exact + world.count.loose > 0
