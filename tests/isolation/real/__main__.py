"""`python -m tests.isolation.real --seconds N --seed S`: scripts in a real kernel, for as long as wanted.

Ends with 1 and prints the script, when a promise was broken; `--script FILE` carries out one that was
printed, and may have been made shorter by hand.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import monotonic

from labs.netns import requirements
from tests.isolation.real.performance import Performance
from tests.isolation.real.routers import missing


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.isolation.real", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="of the first script")
    parser.add_argument("--steps", type=int, default=60, help="of a script, at most")
    parser.add_argument("--script", type=Path, help="lines to carry out instead")
    parser.add_argument("--verbose", action="store_true", help="print each line, and how long it took")
    asked = parser.parse_args()
    if reason := requirements.missing() or missing():
        print(f"no scripts in a real kernel here: {reason}", file=sys.stderr)
        return 1
    lines = asked.script.read_text().splitlines() if asked.script is not None else []
    seeds = [int(line.split()[2]) for line in lines if line.startswith("# seed ")]
    begun, number = monotonic(), seeds[0] if seeds else asked.seed
    while True:
        one = Performance(number, verbose=asked.verbose)
        passed = one.follow(lines) if lines else one.improvise(asked.steps, begun + asked.seconds)
        print(one.report(), flush=True)
        if not passed:
            one.keep()
            return 1
        number += 1
        if lines or monotonic() - begun >= asked.seconds:
            return 0


if __name__ == "__main__":
    sys.exit(main())
