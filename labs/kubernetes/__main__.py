"""Try config/kubernetes in a cluster of this machine: `python -m labs.kubernetes`.

The exit status is 0 if all claims hold, 1 if not, 128 + the signal's number if one ended it. However it ends,
all of it is taken down.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from labs.kubernetes.claims import Claims, gateway_image, image
from labs.kubernetes.cluster import Refused
from labs.kubernetes.node import SANDBOX
from labs.kubernetes.world import World
from labs.netns import requirements
from labs.netns.daemon import PROJECT
from labs.netns.lab import Lab
from labs.netns.namespace import CommandFailed
from labs.netns.waiting import NeverTrue
from labs.stories.__main__ import Interrupted, interrupt
from labs.stories.machine import Machine, Unable

REPORT = PROJECT / ".cache" / "kubernetes" / "failure.txt"


def main() -> int:
    """Do it; the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)
    try:
        if os.geteuid() == 0 and (reason := requirements.missing()):
            raise Unable(reason)
        with tempfile.TemporaryDirectory(prefix="vrfbgp-images.") as place:
            images = Path(place) / "images.tar"
            with Machine(containerlab=False) as machine:
                binaries = Path(machine.said("scripts/kubernetes"))
                other = f"{image()}-next"
                for name, source in (
                    (image(), "vrfbgp"),
                    (other, "vrfbgp"),
                    (gateway_image(), SANDBOX),
                ):
                    machine.docker("tag", source, name)
                machine.docker("save", "--output", str(images), image(), other, gateway_image(), SANDBOX)
            return attempt(binaries, images, other)
    except Unable as error:
        print(f"a cluster can't run here: {error}", file=sys.stderr)
        return 1
    except Interrupted as ended:
        print(f"\nended by {ended}; the cluster is taken down", file=sys.stderr)
        return 128 + ended.number


def attempt(binaries: Path, images: Path, other: str) -> int:
    """Build the cluster and try the claims; the exit status."""
    started = time.monotonic()
    with Lab() as lab, closing(World(lab, binaries)) as world:
        try:
            world.start(images)
            print(f"two nodes after {time.monotonic() - started:.0f} s", flush=True)
            for claim in Claims(world, other).all():
                begun = time.monotonic()
                print(f"  {claim.__doc__} …", end=" ", flush=True)
                claim()
                print(f"{time.monotonic() - begun:.0f} s", flush=True)
        except (AssertionError, NeverTrue, Refused, CommandFailed, RuntimeError, OSError) as error:
            print(f"\nfailed: {error}", file=sys.stderr)
            REPORT.parent.mkdir(parents=True, exist_ok=True)
            REPORT.write_text(f"{error}\n{world.describe()}")
            print(f"what was seen: {REPORT}", file=sys.stderr)
            return 1
    print(f"all claims hold, after {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
