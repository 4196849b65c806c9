"""`make bench`: all contenders in all scenarios, in turn, several times; a table and JSON."""

from __future__ import annotations

import argparse
import fcntl
import os
import platform
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from bench.bird import Bird
from bench.feed import Cache
from bench.frr import Frr
from bench.kernel import Kernel
from bench.play import Anyone, Bench
from bench.report import Report
from bench.scenarios import SCENARIOS, Scenario
from bench.stage import wait_quiet
from bench.vrfbgp import Vrfbgp

CACHE = Path(__file__).parents[1] / ".cache" / "bench"


def contenders() -> dict[str, Anyone]:
    """All of them, by name, in the order in which they take turns."""
    every: list[Anyone] = [Kernel("inline"), Kernel("nexthop"), Bird(), Frr(), Vrfbgp()]
    return {contender.name: contender for contender in every}


def options(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    names = [scenario.name for scenario in SCENARIOS]
    parser.add_argument(
        "--scenarios", metavar="A,B", default=",".join(names), help=f"some of {', '.join(names)}"
    )
    parser.add_argument(
        "--contenders",
        metavar="A,B",
        default="kernel,bird,frr,vrfbgp",
        help=f"some of kernel (for both), {', '.join(contenders())}",
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="how often each is measured; the median counts (3)"
    )
    parser.add_argument("--scale", type=float, default=1.0, help="of all counts: 0.1 for a quick look (1)")
    parser.add_argument("--idle-seconds", type=float, default=30.0, help="how long idleness is watched (30)")
    parser.add_argument(
        "--quiet-seconds",
        type=float,
        default=10.0,
        help="how long to wait for a quiet machine each time (10)",
    )
    parser.add_argument("--json", type=Path, default=CACHE / "results.json", help="where the JSON goes")
    chosen = parser.parse_args(words)
    chosen.scenarios = chosen.scenarios.split(",")
    chosen.contenders = chosen.contenders.replace("kernel,", "kernel-inline,kernel-nexthop,").split(",")
    if chosen.contenders[-1] == "kernel":
        chosen.contenders[-1:] = ["kernel-inline", "kernel-nexthop"]
    for given, known in ((chosen.scenarios, names), (chosen.contenders, list(contenders()))):
        if unknown := set(given) - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if chosen.runs < 1 or chosen.scale <= 0:
        parser.error("--runs is at least 1, and --scale above 0")
    return chosen


def plays(contender: Anyone, scenario: Scenario) -> bool:
    """Whether a contender takes part in a scenario: the bare kernel in some only."""
    return not isinstance(contender, Kernel) or contender.name in scenario.kernel


def main(words: list[str]) -> int:
    """Measure; the exit status is 1 if anything failed."""
    chosen = options(words)
    if os.geteuid() != 0:
        print("bench: builds network namespaces and needs root", file=sys.stderr)
        return 1
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("bench: another one runs in this checkout; two would disturb each other", file=sys.stderr)
            return 1
        signal.signal(signal.SIGTERM, interrupt)
        signal.signal(signal.SIGHUP, interrupt)
        present = contestants(chosen.contenders)
        report = blank(chosen, present)
        interrupted = False
        try:
            measure_all(chosen, present, report)
        except KeyboardInterrupt:
            interrupted = True
            print("bench: interrupted; so far:", file=sys.stderr)
    print(report.table())
    print(f"\nbench: JSON in {chosen.json}", file=sys.stderr)
    if interrupted:
        return 130
    return 1 if any(cell.failures for cell in report.cells) else 0


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C, so that all is taken down."""
    raise KeyboardInterrupt


def contestants(names: list[str]) -> dict[str, Anyone]:
    """Those of the contenders that this machine has; what the others lack is said."""
    present = {}
    for name in names:
        contender = contenders()[name]
        if reason := contender.missing():
            print(f"bench: without {name}: {reason}", file=sys.stderr)
        else:
            present[name] = contender
    return present


def blank(chosen: argparse.Namespace, present: dict[str, Anyone]) -> Report:
    """A report without results."""
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in chosen.scenarios]
    return Report(
        about={
            "begun": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "scale": chosen.scale,
            "runs": chosen.runs,
            "processors": os.cpu_count(),
            "python": platform.python_version(),
            "versions": {name: contender.version() for name, contender in present.items()},
        },
        limits={scenario.name: scenario.kernel[-1] for scenario in scenarios if scenario.kernel},
        compared={scenario.name: scenario.compared for scenario in scenarios},
        titles={scenario.name: scenario.title(chosen.scale) for scenario in scenarios},
    )


def measure_all(chosen: argparse.Namespace, present: dict[str, Anyone], report: Report) -> None:
    """Each scenario: as many rounds as runs, in each round every contender once, one at a time."""
    bench = Bench(Cache(CACHE), chosen.idle_seconds)
    for scenario in SCENARIOS:
        if scenario.name not in chosen.scenarios:
            continue
        for run in range(chosen.runs):
            for contender in present.values():
                if plays(contender, scenario):
                    measure(bench, chosen, report, scenario, contender, run)
                    report.save(chosen.json)


def measure(
    bench: Bench,
    chosen: argparse.Namespace,
    report: Report,
    scenario: Scenario,
    contender: Anyone,
    run: int,
) -> None:
    """One reading into the report; what goes wrong is one too."""
    cell = report.cell(scenario.name, contender.name)
    if cell.failures and not cell.readings:
        return  # It would fail again, and take its time for it.
    said = f"bench: {scenario.name:14} {contender.name:14} run {run + 1}: "
    cell.busy.append(wait_quiet(chosen.quiet_seconds))
    try:
        reading = scenario.measure(bench, contender, scenario.size(chosen.scale))
    except Exception as error:
        notes = " / ".join(getattr(error, "__notes__", ()))
        cell.failures.append(f"{type(error).__name__}: {error} {notes}".strip())
        print(f"{said}failed: {cell.failures[-1]}", file=sys.stderr, flush=True)
        return
    cell.readings.append(reading)
    cpu = "" if reading.cpu is None else f", {reading.cpu:.3f} CPU s"
    memory = "" if reading.memory is None else f", {reading.memory:.0f} MB"
    more = "".join(f", {name} {value:.4g}" for name, value in reading.more.items())
    busy = f" (machine {cell.busy[-1]:.0%} busy before)" if cell.busy[-1] > 0.1 else ""
    print(f"{said}{reading.seconds:.3g} s{cpu}{memory}{more}{busy}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
