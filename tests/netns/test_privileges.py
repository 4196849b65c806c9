"""Who may write to the kernel: one small process that sees nothing of what peers say."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from labs.netns.topology import SERVED
from labs.netns.waiting import wait_for
from tests.netns.world import World

CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAP_NET_BIND_SERVICE, CAP_NET_ADMIN = 10, 12


def capabilities(pid: int) -> set[int]:
    """All that any thread of a process has, or could take."""
    found = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for value in re.findall(r"^Cap(?:Inh|Prm|Eff|Amb):\s+(\w+)$", (thread / "status").read_text(), re.M):
            found |= int(value, 16)
    return {number for number in range(64) if found >> number & 1}


def test_only_the_process_that_writes_may_write(working: World) -> None:
    assert working.daemon.process is not None
    daemon = working.daemon.process.pid
    writer = working.writer_process()
    assert capabilities(writer) == {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE}
    others = set(working.daemon_processes()) - {writer}
    assert daemon in others
    assert len(others) > 2
    for pid in others:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        allowed = set() if b"speaker.entry" in command else {CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH}
        assert capabilities(pid) <= allowed, command
    status = Path(f"/proc/{daemon}/status").read_text()
    assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)


def test_without_the_process_that_writes_the_daemon_ends_and_routes_stay(working: World) -> None:
    world = working
    assert world.daemon.process is not None
    os.kill(world.writer_process(), signal.SIGKILL)
    assert world.daemon.process.wait(30) == 70
    world.wait_logged("the process that writes to the kernel ended with status -9")
    assert world.route(500, SERVED) is not None
    world.daemon.start()
    world.wait_working("red", "yellow")
    wait_for(lambda: world.network_status("red")["in_sync"], describe=world.describe)
