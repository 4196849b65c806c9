"""Reads a scenario file and runs it: one step a line, a step's block indented below it.

    # a comment
    given/when/then are only for the reader: a leading "given ", "when ", "then " or "and " is skipped.

What a step means is said by the functions of `deeds` and `sights`, each found by its pattern. After every
step the world comes to rest, unless it was told to `pause`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.scenarios.world import World

Meaning = Callable[..., None]
MEANINGS: list[tuple[re.Pattern[str], Meaning]] = []


def step(pattern: str) -> Callable[[Meaning], Meaning]:
    """Gives a pattern its meaning: a function of the world, the pattern's groups and (`block`) the block."""

    def known(meaning: Meaning) -> Meaning:
        MEANINGS.append((re.compile(pattern), meaning))
        return meaning

    return known


@dataclass(frozen=True)
class Step:
    """A line of a file, and the lines indented below it."""

    file: str
    line: int
    text: str
    block: tuple[str, ...]


class Failed(AssertionError):
    """A step did not come out as written."""


def steps(path: Path) -> Iterator[Step]:
    """The steps of a file."""
    text, line, block = "", 0, []
    for number, raw in enumerate(path.read_text().splitlines(), 1):
        bare = raw.split("#", 1)[0].rstrip() if not raw.lstrip().startswith("#") else ""
        if not bare.strip():
            continue
        if bare[0].isspace():
            block.append(bare.strip())
            continue
        if text:
            yield Step(path.name, line, text, tuple(block))
        text, line, block = re.sub(r"^((given|when|then|and) )+", "", bare), number, []
    if text:
        yield Step(path.name, line, text, tuple(block))


def run(step: Step, world: World) -> None:
    """Do one step; `Failed` tells the step, what was expected and what came."""
    found = ((meaning, pattern.fullmatch(step.text)) for pattern, meaning in MEANINGS)
    meaning, match = next((pair for pair in found if pair[1]), (None, None))
    if meaning is None or match is None:
        raise Failed(f"{step.file}:{step.line}: no such step: {step.text}")
    arguments: dict[str, object] = {k: v for k, v in match.groupdict().items() if v is not None}
    if "block" in meaning.__annotations__:
        arguments["block"] = list(step.block)
    elif step.block:
        raise Failed(f"{step.file}:{step.line}: this step has no block: {step.text}")
    try:
        meaning(world, **arguments)
        world.settle()
    except AssertionError as error:
        done = "\n".join(f"    {words}" for words in world.operations()[-40:])
        raise Failed(
            f"{step.file}:{step.line}: {step.text}\n{error}\n  operations since the last look:\n{done}"
        ) from error
