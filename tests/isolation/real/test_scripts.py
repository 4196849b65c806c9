"""Some scripts with fixed seeds, in a real kernel against real routers. `make isolation` runs others."""

from __future__ import annotations

from time import monotonic

import pytest

from labs.netns import requirements
from tests.isolation.real.performance import Performance
from tests.isolation.real.routers import missing

pytestmark = pytest.mark.netns
SECONDS = 22.0
"""After which a script draws no more lines, and ends."""


@pytest.mark.parametrize("seed", [1, 2])
def test_x24_to_x30_every_packet_comes_out_where_it_must(seed: int) -> None:
    if reason := requirements.missing() or missing():
        pytest.skip(reason)
    one = Performance(seed)
    passed = one.improvise(steps=30, until=monotonic() + SECONDS)
    print(one.report())
    assert passed, one.report()
