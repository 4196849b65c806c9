"""The process that takes a lab down, whatever happens to whoever built it.

It is started first, and the lab is named after it: `vrfbgp-lab.PID.START`, its own pid and start time.
Every namespace and the lab's directory carry that name, so that what a dead run left behind is told from
what a living one uses.
It holds the reading end of a pipe whose other end is in the builder. When the builder closes it, or dies,
even by SIGKILL, the supervisor ends every process in the lab's namespaces (by pid), deletes the namespaces
and the directory, and exits. Told to `keep`, it waits for a SIGTERM instead.

It runs as a script, on its own, with the standard library only: it must outlive its builder's troubles.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType

NETNS = Path("/run/netns")
NAME = re.compile(r"vrfbgp-lab\.(\d+)\.(\d+)(?=\.|$)")
END_BY = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since the boot (proc(5), field 22); None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[19])


def namespaces_of(lab: str) -> list[Path]:
    """The files of a lab's network namespaces."""
    return sorted(NETNS.glob(f"{lab}.*"))


def processes_in(namespaces: list[Path]) -> Iterator[int]:
    """The pids of all processes whose network namespace is one of these."""
    places = set()
    for path in namespaces:
        stat = path.stat()
        places.add((stat.st_dev, stat.st_ino))
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "ns" / "net").stat()
            except OSError:
                continue
            if (stat.st_dev, stat.st_ino) in places:
                yield int(entry.name)


def kill(pids: Iterable[int]) -> None:
    """End processes by SIGKILL; one that has ended by itself is no mistake."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def take_down(lab: str, directory: Path) -> None:
    """End a lab's processes, then delete its namespaces and its directory."""
    namespaces = namespaces_of(lab)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        pids = list(processes_in(namespaces))
        if not pids:
            break
        kill(pids)
        time.sleep(0.02)
    if namespaces:
        batch = "".join(f"netns del {path.name}\n" for path in namespaces)
        subprocess.run(["ip", "-force", "-batch", "-"], input=batch, text=True, check=False)
    shutil.rmtree(directory, ignore_errors=True)


def sweep(parent: Path) -> None:
    """Take down the labs whose supervisor is no longer alive."""
    names = {
        match[0]: match for path in (*NETNS.glob("*"), *parent.glob("*")) if (match := NAME.match(path.name))
    }
    for lab, match in names.items():
        if start_time(int(match[1])) != int(match[2]):
            take_down(lab, parent / lab)


def main(parent: Path) -> None:
    """Name the lab, tell the name, wait for the end, take it down."""
    lab = f"vrfbgp-lab.{os.getpid()}.{start_time(os.getpid())}"

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in END_BY:
        signal.signal(number, stop)
    directory = parent / lab
    try:
        sweep(parent)
        directory.mkdir(mode=0o755)
        print(lab, flush=True)
        for line in sys.stdin:
            if line.strip() == "keep":
                # Whoever reads what the builder wrote must see its end.
                for descriptor in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
                while True:
                    signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        for number in END_BY:
            signal.signal(number, signal.SIG_IGN)
        take_down(lab, directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
