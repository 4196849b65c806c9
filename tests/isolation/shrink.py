"""Makes a story that breaks a promise shorter, until every step of it is needed: what is left is a scenario.

Hypothesis shrinks what it drew, and a story's steps depend on those before; here lines of it are left out.
"""

from __future__ import annotations

import re
from time import monotonic
from traceback import extract_tb

from tests.isolation import steps  # noqa: F401  (they give the steps their meanings)
from tests.isolation.judge import JudgedWorld
from tests.scenarios import deeds, sights  # noqa: F401
from tests.scenarios.script import Failed, Step, run

Line = tuple[str, tuple[str, ...]]
"""A step, and its block."""
SECONDS = 60.0


def told(story: list[Line]) -> str:
    """As a scenario file has it."""
    return "\n".join("\n    ".join([text, *block]) for text, block in story) + "\n"


def breaks(story: list[Line]) -> tuple[str, int, str] | None:
    """How a story goes wrong, numbers apart, at which step, and in which words; None if it does not."""
    world = JudgedWorld()
    for place, (text, block) in enumerate(story):
        try:
            run(Step("story", place + 1, text, block), world)
        except Failed as failed:
            cause = failed.__cause__ or failed
            at = extract_tb(cause.__traceback__)[-1]
            kind = f"{at.name} {at.lineno} {type(cause).__name__} {cause}"[:60]
            return re.sub(r"[\d./:]+", "", kind)[:40], place, str(failed)
        except Exception as error:  # a step that can't be done without one that was left out
            return f"{type(error).__name__}", place, repr(error)
    return None


def shortened(story: list[Line], seconds: float = SECONDS) -> tuple[list[Line], str]:
    """The shortest story found that goes wrong in the same way, and the words for it."""
    found = breaks(story)
    if found is None:
        return story, "it does not go wrong when it is told again"
    kind, last, words = found
    story, end = story[: last + 1], monotonic() + seconds

    def is_enough(candidate: list[Line]) -> bool:
        nonlocal story, words
        result = breaks(candidate) if monotonic() < end else None
        if result is None or result[0] != kind:
            return False
        story, words = candidate[: result[1] + 1], result[2]
        return True

    before = None
    while before != story:
        before = story
        for size in (32, 16, 8, 4, 2, 1):
            place = len(story) - 1 - size
            while place >= 0:
                is_enough(story[:place] + story[place + size :])
                place = min(place - size, len(story) - 1 - size)
        for place in range(len(story) - 1, -1, -1):
            for line in range(len(story[place][1]) - 1 if place < len(story) else -1, -1, -1):
                text, block = story[place]
                is_enough([*story[:place], (text, block[:line] + block[line + 1 :]), *story[place + 1 :]])
                if place >= len(story):
                    break
    return story, words
