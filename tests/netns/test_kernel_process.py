"""The process that writes: it lives as long as the daemon, and not a moment longer."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.netns.kernel_bench import PATIENCE, Bench, in_namespace, v4
from vrfbgp.events import Overrun
from vrfbgp.kernel.process import WriterEnded
from vrfbgp.model import Inline
from vrfbgp.operations import AddRoute, DeleteRoute


def gone(pid: int) -> bool:
    """Whether the process has ended: reaped, or waiting for it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def until_gone(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while not gone(pid):
            await asyncio.sleep(0.01)


@in_namespace
async def test_its_end_is_told_and_stopping_does_not_wait_for_what_it_left(bench: Bench) -> None:
    pid = bench.kernel._process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    bench.kernel.apply(1, [AddRoute(v4("192.0.2.0/24"), Inline(bench.near))])
    bench.kernel.apply_at_once([])
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(WriterEnded, match="status -9"):
            await bench.kernel.ended()
        await bench.kernel.stop()


@in_namespace
async def test_it_obeys_no_signal_that_is_meant_for_all(bench: Bench) -> None:
    pid = bench.kernel._process.pid
    assert pid is not None
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(pid, number)
    await bench.done(AddRoute(v4("192.0.2.0/24"), Inline(bench.near)))
    assert not gone(pid)


@in_namespace
async def test_stopping_ends_it_behind_all_that_was_asked_for(bench: Bench) -> None:
    pid = bench.kernel._process.pid
    assert pid is not None
    key = v4("192.0.2.0/24")
    for serial in range(1, 200):
        bench.kernel.apply(serial, [AddRoute(key, Inline(bench.near)), DeleteRoute(key)])
    bench.kernel.apply_at_once([AddRoute(v4("198.51.100.0/24"), Inline(bench.near))])
    await bench.kernel.stop()
    assert [event.serial for event in bench.applied] == list(range(1, 200))
    assert all(event.failures == () for event in bench.applied)
    assert gone(pid)
    assert bench.sh("ip route show table 500").split()[0] == "198.51.100.0/24"


@in_namespace
async def test_stopping_waits_for_what_is_urgent(bench: Bench) -> None:
    pid = bench.kernel._process.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    bench.kernel.apply_at_once([AddRoute(v4("203.0.113.0/24"), 77)])
    stopping = asyncio.create_task(bench.kernel.stop())
    for _ in range(100):
        await asyncio.sleep(0)
    assert not stopping.done()
    os.kill(pid, signal.SIGCONT)
    async with asyncio.timeout(PATIENCE):
        await stopping
    # It was refused, and that was told.
    assert Overrun() in bench.events


@in_namespace
async def test_it_takes_answers_from_the_kernel_alone(bench: Bench) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as other:
        for port_id in bench.kernel._process.port_ids:
            with pytest.raises(ConnectionRefusedError):
                other.sendto(bytes(64), (port_id, 0))


DAEMON = """
import asyncio
from vrfbgp.kernel import Kernel

async def main():
    kernel = Kernel()
    await kernel.start(lambda event: None)
    print(kernel._process.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@in_namespace
async def test_it_dies_with_the_daemon(bench: Bench) -> None:
    daemon = subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE, text=True)
    try:
        assert daemon.stdout is not None
        pid = int(await asyncio.to_thread(daemon.stdout.readline))
        assert not gone(pid)
    finally:
        daemon.kill()
        daemon.wait()
        daemon.stdout.close()
    await until_gone(pid)
