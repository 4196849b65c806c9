"""The model agrees with every scenario: each packet that a scenario's world could send, after each step."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

import pytest

from tests import scenarios
from tests.isolation.judge import JudgedWorld
from tests.isolation.plot import NODE, Plot
from tests.isolation.shrink import Line, shortened, told
from tests.isolation.sight import Sight
from tests.scenarios import deeds, sights  # noqa: F401  (they give the steps their meanings)
from tests.scenarios.fate import fate
from tests.scenarios.script import run, steps

NOT_TOLD = {
    "P23-fight": "somebody who undoes every repair is met seldom",
    "P23-fight-over-one-of-two": "somebody who undoes every repair is met seldom",
    "P23-unseen": "what nobody tells is found by a comparison, later",
    "P24-device-made-anew": "a session that is reset for the device's sake keeps its paths",
    "X11-what-was-left-out-is-asked-for": "limits on how much is learned",
    "route-refresh": "what a refresh leaves out goes (RFC 7313)",
    "session-rubbish": "the peer's own octets are wrong",
}
"""Scenarios about what the model is not told, and what that is."""
FILES = sorted(
    [*Path(scenarios.__file__).parent.glob("*.scenario"), *Path(__file__).parent.glob("*.scenario")]
)
"""All scenarios, and those that the property test found once."""


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.stem not in NOT_TOLD], ids=lambda path: path.stem
)
def test_every_scenario_agrees(path: Path) -> None:
    world = JudgedWorld()
    for step in steps(path):
        run(step, world)
    assert world.count.exact + world.count.loose > 0


def test_a_broken_story_is_told_in_a_few_lines() -> None:
    story: list[Line] = [(line, ()) for line in NODE.strip().splitlines()]
    story += [("config", tuple(Plot().lines())), ("the daemon starts", ()), ("3 seconds pass", ())]
    story += [("10.50.0.2 to 203.0.113.77 meets main", ())]
    short, words = shortened(story)
    assert told(short) == "10.50.0.2 to 203.0.113.77 meets main\n"
    assert "none" in words


def test_the_sight_is_that_of_the_scenarios() -> None:
    world = JudgedWorld()
    for step in steps(Path(scenarios.__file__).parent / "P7-X2-X27-order-of-networks.scenario"):
        run(step, world)
    sources = [ip_address(src) for src in ("10.50.0.6", "172.16.1.10", "192.168.0.10")]
    for src in sources:
        for dst, met in Sight(world.kernel).fates(src, world.destinations):
            assert met == fate(world.kernel, src, dst)
