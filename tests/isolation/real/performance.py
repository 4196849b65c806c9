"""One script from its beginning to its end, and what is to be told of it."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.isolation.real.deeds import Deeds
from tests.isolation.real.script import BEGINNING, Author
from tests.isolation.real.stage import Stage

REPORT = Path(".cache") / "isolation-failure.txt"


class Performance:
    """A script with its seed, which also says which router is of which make."""

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.seed = seed
        self.lines: list[str] = []
        self.failure = ""
        self._verbose = verbose
        self._told = self._known = ""

    def improvise(self, steps: int, until: float) -> bool:
        """So many lines at random, but none after `until` (monotonic); whether all was right."""
        with Stage(self.seed) as stage:
            author = Author(stage, random.Random(f"script {self.seed}"))

            def lines() -> Iterator[str]:
                yield from BEGINNING
                for _ in range(steps):
                    if time.monotonic() > until:
                        break
                    yield author.next()
                yield from author.ending()

            return self._perform(stage, lines())

    def follow(self, lines: Iterable[str]) -> bool:
        """These lines; empty ones, and those that begin with #, say nothing."""
        with Stage(self.seed) as stage:
            return self._perform(stage, (one for one in lines if one.strip() and not one.startswith("#")))

    def _perform(self, stage: Stage, lines: Iterable[str]) -> bool:
        stage.save()
        deeds = Deeds(stage)
        begun = time.monotonic()
        try:
            for line in lines:
                self.lines.append(line)
                last = time.monotonic()
                deeds.perform(line)
                if self._verbose:
                    print(f"{line}  # {time.monotonic() - last:.2f} s {stage.waited[:150]!r}", flush=True)
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}\n{stage.explain()}"
            self._known = f"{stage.describe()}\n\n{traceback.format_exc()}"
            return False
        finally:
            count, wires = stage.judge.count, stage.wires
            self._told = (
                f"{len(self.lines)} lines in {time.monotonic() - begun:.0f} s: {count.exact} rests exact, "
                f"{count.loose} not; {count.asked} pairs asked; {wires.sent} packets sent, "
                f"{count.packets} came out, each where it might"
            )
        return True

    def keep(self) -> None:
        """Write all that is known of a failure to `REPORT`."""
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(f"{self.script()}\n{self.failure}\n\n{self._known}")

    def script(self) -> str:
        return "".join(f"{line}\n" for line in (f"# seed {self.seed}", *self.lines))

    def report(self) -> str:
        """What is to be told."""
        if not self.failure:
            return f"seed {self.seed}: {self._told}"
        return (
            f"seed {self.seed}, line {len(self.lines)}:\n{self.script()}\n{self.failure}\n\n"
            f"all that is known is in {REPORT}; a file with these lines (or fewer) runs by --script FILE"
        )
