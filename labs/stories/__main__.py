"""`python -m labs.stories [--in containers|namespaces] [--list] [NAME…]`: run stories, by default all.

The exit status is 0 if all claims hold, 1 if not, 128 + the signal's number if one ended it. However it ends,
what was deployed is taken down.
"""

from __future__ import annotations

import argparse
import signal
import sys
from contextlib import ExitStack
from types import FrameType

from labs.netns import requirements
from labs.stories import story
from labs.stories.machine import Machine, Unable
from labs.stories.namespaces import Namespaces


class Interrupted(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def interrupt(number: int, _frame: FrameType | None) -> None:
    """End once; what comes while things are taken down is left out."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def main() -> int:
    """Do what the command line says; the exit status."""
    known = story.names()
    parser = argparse.ArgumentParser(prog="python -m labs.stories", description="Run the stories.")
    parser.add_argument("--in", dest="way", choices=("containers", "namespaces"), default="containers")
    parser.add_argument("--list", action="store_true", help="print their names")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    chosen = parser.parse_args()
    if chosen.list:
        print(*known, sep="\n")
        return 0
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"there is no story {', '.join(unknown)}; there are {', '.join(known)}")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return run(chosen.names or known, chosen.way)
    except Unable as error:
        print(f"the labs can't run here: {error}", file=sys.stderr)
        return 1
    except Interrupted as ended:
        print(f"\nended by {ended}; what was deployed is taken down", file=sys.stderr)
        return 128 + ended.number


def run(names: list[str], way: str) -> int:
    """Run stories one after the other; the exit status."""
    failed = []
    with ExitStack() as stack:
        if way == "containers":
            ways = stack.enter_context(Machine())
            way_of = ways.deployment
        else:
            if reason := requirements.missing():
                raise Unable(reason)
            way_of = lambda topology, _file: Namespaces(topology)  # noqa: E731
        for name in names:
            print(f"\n== {name}", flush=True)
            verdict = story.tell(name, way_of, story.LEFT / f"run-{way}", loud=True)
            print(f"{'FAILED' if verdict.failed else 'passed'} after {verdict.seconds:.0f} s", flush=True)
            if verdict.failed:
                failed.append(name)
                print(f"what was seen: {verdict.left}", flush=True)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
        return 1
    print(f"\n{len(names)} {'story' if len(names) == 1 else 'stories'}, all claims hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
