"""A demo that was left running: where it is noted, and how it is ended.

The note holds the lab's name, which tells the pid and the start time of the process that takes the lab down;
so a note that outlived its lab (a reboot) is seen as such, and no other process gets the signal.
"""

from __future__ import annotations

import os
import signal

from labs.netns.daemon import PROJECT
from labs.netns.supervisor import NAME, namespaces_of, start_time
from labs.netns.waiting import wait_for

NOTE = PROJECT / ".cache" / "demo" / "running"


def running() -> str | None:
    """The name of the lab that was left running, None if there is none."""
    try:
        lab = NOTE.read_text().strip()
    except OSError:
        return None
    match = NAME.fullmatch(lab)
    return lab if match is not None and start_time(int(match[1])) == int(match[2]) else None


def note(lab: str) -> None:
    """Remember a lab that is left running."""
    NOTE.parent.mkdir(parents=True, exist_ok=True)
    NOTE.write_text(f"{lab}\n")


def stop() -> str:
    """End the lab that was left running, and wait until it is gone; what to tell of it."""
    lab = running()
    if lab is None:
        NOTE.unlink(missing_ok=True)
        return "no demo is running"
    match = NAME.fullmatch(lab)
    assert match is not None
    os.kill(int(match[1]), signal.SIGTERM)
    wait_for(
        lambda: start_time(int(match[1])) is None or not namespaces_of(lab),
        describe=f"the end of {lab}",
    )
    NOTE.unlink(missing_ok=True)
    return f"ended: namespaces, processes and files of {lab} are gone"
