"""Random faults in a row, and after each, the kernel must hold just what it should.

Topology A with FRR, a real kernel and the daemon as a user runs it. Ends with the first fault after which the
kernel is not right in time: it tells the seed and the number, what differs, and what the daemon logged. The
daemon compares every few seconds here, so that what a comparison finds (and an event should have told) fails
the run too.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections import defaultdict
from pathlib import Path

from labs.netns import requirements
from labs.netns.lab import Lab
from labs.netns.topology import Topology
from labs.netns.waiting import NeverTrue, wait_for
from tests.netns.world import World
from tests.soak.faults import FAULTS
from tests.soak.state import State, differences, found_rules
from vrfbgp.control import NotAnswered

IN_TIME = 60.0
"""Seconds after which what is not right counts as never right."""
LOG_LINES = 60


class Soak:
    """One run."""

    def __init__(self, seed: int, *, quiet: bool) -> None:
        self.seed = seed
        self.count = 0
        self.times: dict[str, list[float]] = defaultdict(list)
        """Seconds from the end of each fault until the kernel was right."""
        self._rng = random.Random(seed)
        self._quiet = quiet

    def run(self, faults: int, seconds: float) -> bool:
        """So many faults, or so long; whether all was right after each."""
        end = time.monotonic() + seconds
        with Lab() as lab:
            topology = Topology(lab)
            topology.start()
            world = World(topology)
            state = State(world)
            try:
                self._begin(state)
                while self.count < faults and time.monotonic() < end:
                    self._next(state)
            except (AssertionError, OSError) as error:
                self._failed(state, error)
                return False
            finally:
                world.daemon.reap()
        return True

    def _begin(self, state: State) -> None:
        world = state.world
        world.save_basics()
        state.save_peers()
        state.save_felix()
        state.start()
        world.wait_working("red", "yellow")
        wait_for(lambda: all(network["in_sync"] for network in state.status()["networks"]), 90, "in sync")
        state.first_rules = frozenset(found_rules(world))
        self._right(state, "at the start")

    def _next(self, state: State) -> None:
        self.count += 1
        (fault,) = self._rng.choices(list(FAULTS), list(FAULTS.values()))
        if not self._quiet:
            print(f"{self.count:5} {fault.__name__}", end=" ", flush=True)
        done = fault(state, self._rng)
        took = self._right(state, f"after fault {self.count}, {fault.__name__} ({done})")
        self.times[fault.__name__].append(took)
        if not self._quiet:
            print(f"({done}): right after {took:.2f} s", flush=True)

    def _right(self, state: State, when: str) -> float:
        """Wait until the kernel is right, packets arrive, and nothing is pending; seconds for the first."""
        world, begun = state.world, time.monotonic()

        def right() -> bool:
            world.alive()
            wrong = differences(state)
            assert not wrong, f"{when}: {wrong}"
            return True

        wait_for(right, IN_TIME, when, interval=0.02)
        took = time.monotonic() - begun
        world.wait_working("red", "yellow", timeout=IN_TIME)

        def told() -> bool:
            try:
                status = state.status()
            except NotAnswered as error:
                raise AssertionError(f"{when}: {error}") from error
            kernel, networks = status["kernel"], status["networks"]
            assert all(network["in_sync"] for network in networks), f"{when}: not in sync"
            left = kernel["pending"], kernel["failed"], kernel["blocked"]["count"]
            assert left == (0, 0, 0), f"{when}: {kernel}"
            missed = kernel["comparison"]["missed"]
            assert state.deaf or not missed, f"{when}: only the comparison found it: {kernel}"
            return True

        wait_for(told, IN_TIME, when)
        # What was swept when it came in sync, too.
        wait_for(right, IN_TIME, when, interval=0.02)
        assert "Traceback" not in world.daemon.log()[state.looked :], when
        return took

    def _failed(self, state: State, error: BaseException) -> None:
        kind = "not right in time" if isinstance(error, NeverTrue) else type(error).__name__
        print(f"\nseed {self.seed}, fault {self.count}: {kind}: {error}", file=sys.stderr)
        report = Path(".cache") / "soak-failure.txt"
        report.parent.mkdir(exist_ok=True)
        report.write_text(f"{error}\n{state.world.describe()}\n== the whole log\n{state.world.daemon.log()}")
        print("\n".join(state.world.daemon.log().splitlines()[-LOG_LINES:]), file=sys.stderr)
        print(f"everything is in {report}; again: --seed {self.seed}", file=sys.stderr)

    def report(self) -> None:
        """How long it took until the kernel was right."""
        print(f"\n{self.count} faults, seed {self.seed}: the kernel was right after each")
        print(f"{'fault':28} {'times':>5} {'median s':>9} {'longest s':>9}")
        for name, times in sorted(self.times.items()):
            print(f"{name:28} {len(times):5} {statistics.median(times):9.2f} {max(times):9.2f}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one each time")
    parser.add_argument("--quiet", action="store_true", help="tell only the outcome")
    options = parser.parse_args()
    if reason := requirements.missing():
        print(f"can't run here: {reason}", file=sys.stderr)
        return 1
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    soak = Soak(seed, quiet=options.quiet)
    if not soak.run(options.faults, options.seconds):
        return 1
    soak.report()
    return 0


if __name__ == "__main__":
    sys.exit(main())
