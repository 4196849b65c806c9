"""`python -m tests.isolation --seconds N --seed S`: stories for as long as wanted; `make isolation` calls it.

Ends with 1 and prints the shortest story, as a scenario file, when a promise was broken.
"""

from __future__ import annotations

import argparse
import sys
from time import monotonic

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.isolation.shrink import shortened, told
from tests.isolation.story import Broken, Story

AT_ONCE = 20
"""Stories in a round; each round has a seed of its own."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.isolation", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first round")
    parser.add_argument("--steps", type=int, default=30, help="of a story, at most")
    asked = parser.parse_args()
    rules = settings(
        max_examples=AT_ONCE,
        stateful_step_count=asked.steps,
        phases=(Phase.generate,),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    begun, number = monotonic(), asked.seed
    while monotonic() - begun < asked.seconds:
        try:
            run_state_machine_as_test(seed(number)(Story), settings=rules)
        except Broken as broken:
            print(f"seed {number}, {monotonic() - begun:.0f} s: {broken}\n\nit is made shorter:", flush=True)
            story, words = shortened(broken.story)
            print(f"{words}\n\n{told(story)}")
            return 1
        number += 1
    stories = (number - asked.seed) * AT_ONCE
    print(f"{stories} stories, seeds {asked.seed} to {number - 1}: every packet went where it must")
    return 0


if __name__ == "__main__":
    sys.exit(main())
