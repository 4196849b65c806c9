"""One story, from its folder to its verdict: copied, deployed, verified, destroyed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from labs.netns.daemon import PROJECT
from labs.netns.namespace import CommandFailed
from labs.stories import clab, evidence

FOLDER = PROJECT / "labs" / "containerlab"
LEFT = PROJECT / ".cache" / "labs"
"""Where a story that failed leaves what was seen, and where copies of the stories are run."""
PATIENCE = 240.0
"""Seconds that a `verify.sh` may take."""


class Way(evidence.Standing, Protocol):
    """A way to run a story: in containers, or in namespaces."""

    name: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells `verify.sh` how to reach the nodes."""

    def deploy(self) -> None:
        """Build it."""

    def destroy(self) -> None:
        """Take it down."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a story."""

    name: str
    seconds: float
    said: str
    """What `verify.sh` printed, or why it did not run."""
    failed: bool
    left: Path | None = None
    """The folder with what was seen, if it failed."""


def names() -> list[str]:
    """All stories, by their folders."""
    return sorted(path.name.removesuffix(".clab.yml") for path in FOLDER.glob("*/*.clab.yml"))


def tell(
    name: str,
    way_of: Callable[[clab.Lab, Path], Way],
    place: Path,
    *,
    stories: Path = FOLDER,
    evidence_in: Path = LEFT,
    loud: bool = False,
) -> Verdict:
    """Run a story in a copy of its folder below `place`, which is replaced, and judge it.

    `loud`: what its `verify.sh` says is also printed as it comes.
    """
    started = time.monotonic()
    folder = _copy(stories / name, place)
    file = folder / f"{name}.clab.yml"
    way: Way | None = None
    left: Path | None = None
    failed, said = True, "it was ended"
    try:
        topology = clab.read(file)
        way = way_of(topology, file)
        way.deploy()
        failed, said = _verify(folder, way.environment, loud=loud)
    except (clab.Unreadable, CommandFailed, RuntimeError, OSError, subprocess.SubprocessError) as error:
        failed, said = True, str(error)
    finally:
        # Also when a signal ends it.
        if way is not None:
            try:
                if failed:
                    left = evidence_in / f"{name}-{way.name}"
                    evidence.collect(way, left, said)
            finally:
                way.destroy()
    return Verdict(name, time.monotonic() - started, said, failed, left)


def _copy(source: Path, place: Path) -> Path:
    """A story's folder and what its paths lead to, as they lie in the project, and readable to all."""
    shutil.rmtree(place, ignore_errors=True)
    copy = place / "containerlab" / source.name
    leave_out = shutil.ignore_patterns("__pycache__", "clab-*")
    for original, target in (
        (source, copy),
        (FOLDER / "ways", place / "containerlab" / "ways"),
        (PROJECT / "labs" / "netns", place / "netns"),
    ):
        shutil.copytree(original, target, ignore=leave_out)
    shutil.copy(FOLDER / "claims.sh", place / "containerlab")
    for path in place.rglob("*"):
        path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    return copy


def _verify(folder: Path, environment: Mapping[str, str], *, loud: bool) -> tuple[bool, str]:
    """Whether verify.sh failed, and what it said. It ends with this process, and in time."""
    process = subprocess.Popen(
        ["./verify.sh"],
        cwd=folder,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdout is not None
    late = threading.Event()

    def end() -> None:
        late.set()
        os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(PATIENCE, end)
    timer.start()
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if loud:
                print(line, end="", flush=True)
        process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    finally:
        timer.cancel()
        process.stdout.close()
    if late.is_set():
        said.append(f"verify.sh did not end within {PATIENCE:g} s\n")
    return process.returncode != 0, "".join(said)
