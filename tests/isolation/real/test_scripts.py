"""Some scripts with fixed seeds, in a real kernel against real routers. `make isolation` runs others."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import pytest

from labs.netns import requirements
from tests.isolation.real.performance import Performance
from tests.isolation.real.routers import missing

pytestmark = pytest.mark.netns
SECONDS = 10.0
"""After which a script draws no more lines, and ends."""


SCRIPTS = sorted(Path(__file__).parent.glob("*.script"))
"""What was found once, made short."""


@pytest.fixture(scope="module", autouse=True)
def _possible() -> None:
    if reason := requirements.missing() or missing():
        pytest.skip(reason)


@pytest.mark.parametrize("seed", [1, 2])
def test_x24_to_x30_every_packet_comes_out_where_it_must(seed: int) -> None:
    one = Performance(seed)
    passed = one.improvise(steps=30, until=monotonic() + SECONDS)
    print(one.report())
    if not passed:
        one.keep()
        pytest.fail(one.report(), pytrace=False)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_that_found_something_finds_nothing_but_a_leak_that_is_made(path: Path) -> None:
    one = Performance(1)
    leak = "foreign add rule from 10.50.0.2 lookup main priority 60"
    assert not one.follow([*path.read_text().splitlines(), leak]), (
        "packets are led astray, and nobody sees it"
    )
    if one.lines[-1] != leak:
        one.keep()
        pytest.fail(one.report(), pytrace=False)
    assert "came out by eth0" in one.failure or "but meets: main" in one.failure, one.report()
    assert "60:\tfrom 10.50.0.2 lookup main" in one.failure, "and the rule is named"
