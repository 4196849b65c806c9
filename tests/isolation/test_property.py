"""Not one packet in the wrong network: stories drawn at random, every packet judged at every step.

What is told is in `story.py`, who judges in `judge.py`. Bounded here; `make isolation` tells more.
"""

from __future__ import annotations

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.isolation.shrink import shortened, told
from tests.isolation.story import Broken, Story

STORIES = 100


def test_x24_to_x30_every_packet_goes_where_it_must() -> None:
    phases = (Phase.explicit, Phase.reuse, Phase.generate)  # it is `shortened` that shrinks
    try:
        run_state_machine_as_test(
            Story,
            settings=settings(max_examples=STORIES, stateful_step_count=30, phases=phases, derandomize=True),
        )
    except Broken as broken:
        story, words = shortened(broken.story)
        pytest.fail(f"{words}\n\nas a scenario, for tests/isolation:\n\n{told(story)}", pytrace=False)
