"""The demo's command line: `python -m labs.demo [--keep] [--config DIR] [--node NAME]`, or `--stop`.

However it ends, the lab is taken down, unless it was to be kept and everything in it worked. The exit status
is 0 if everything was shown, 1 if not, 128 + the signal's number if one ended it.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from labs.demo import kept, story
from labs.demo.stage import DemoFailed, Stage
from labs.demo.voice import Voice, relative
from labs.netns import requirements
from labs.netns.daemon import PROJECT
from labs.netns.lab import Lab
from labs.netns.namespace import CommandFailed
from labs.netns.waiting import NeverTrue

REPORT = PROJECT / ".cache" / "demo" / "failure.txt"
LOG_LINES = 15


class Interrupted(BaseException):
    """A signal asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def main() -> int:
    """Do what the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m labs.demo", description="Show vrfbgp at work.")
    parser.add_argument("--keep", action="store_true", help="leave it running")
    parser.add_argument("--stop", action="store_true", help="end what was left running")
    parser.add_argument("--config", type=Path, default=PROJECT / "config" / "minimal", help="manifests")
    parser.add_argument("--node", default="egress-1", help="name of the node in the manifests")
    chosen = parser.parse_args()
    if chosen.stop:
        print(kept.stop())
        return 0
    if reason := obstacle(chosen.config, keep=chosen.keep):
        print(f"the demo can't run here: {reason}", file=sys.stderr)
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        return show(chosen.config.resolve(), chosen.node, keep=chosen.keep)
    except Interrupted as ended:
        print(f"\nended by {ended}; everything was taken down", file=sys.stderr)
        return 128 + ended.number
    except BrokenPipeError:
        # Who read stopped reading (`make demo | head`); the interpreter must not stumble over it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def interrupt(number: int, _frame: FrameType | None) -> None:
    """End the demo once; what comes while it cleans up is left out."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)
    raise Interrupted(number)


def obstacle(config: Path, *, keep: bool) -> str:
    """What stands in the way, and what to do; empty if nothing."""
    if not config.is_dir():
        return f"{config} is no directory; CONFIG names one with manifests (config/minimal)"
    if keep and (lab := kept.running()):
        return f"a demo is still running ({lab}); end it by `make demo-stop`"
    try:
        return requirements.missing()
    except CommandFailed as error:
        return f"no network namespaces here: {error}"


def show(config: Path, node_name: str, *, keep: bool) -> int:
    """Tell the story in a new lab; the exit status."""
    voice = Voice(len(story.STEPS) + 1)
    with Lab() as lab:
        stage = Stage(lab, voice, config, node_name)
        try:
            for step in story.STEPS:
                step(stage)
        except BrokenPipeError:
            raise
        except (DemoFailed, CommandFailed, NeverTrue, RuntimeError, OSError) as error:
            return failed(stage, error)
        if keep:
            kept.note(lab.name)
            lab.keep()
            story.look_around(stage)
            return 0
        voice.step("Clean up: end the daemon (routes and rules would stay), remove the namespaces")
        stage.daemon.reap()
    voice.say(f"Done, after {voice.elapsed():.0f} s.")
    return 0


def failed(stage: Stage, error: Exception) -> int:
    """Tell why, and keep what helps to find out; the exit status."""
    print(f"\nThe demo failed: {error}", file=sys.stderr)
    log = stage.daemon.log().splitlines()
    if log:
        print("The daemon's last words:", *log[-LOG_LINES:], sep="\n    ", file=sys.stderr)
    try:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(stage.report())
        print(f"Log, routes, rules and the routers' view: {relative(REPORT)}", file=sys.stderr)
    except OSError as unwritten:
        print(f"No report could be written: {unwritten}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
