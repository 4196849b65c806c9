"""What systemd is told, by a socket as it listens on: when, and by whom."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from vrfbgp.core import Core, Effects
from vrfbgp.daemon import Daemon
from vrfbgp.journal import Journal
from vrfbgp.logs import Sink
from vrfbgp.notify import LONGEST_QUEUE, PERIOD, Notify
from vrfbgp.options import DaemonOptions


class Systemd:
    """Listens, with the environment that it gives to what it starts."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.setblocking(False)
        self.environment = {"NOTIFY_SOCKET": str(self.path), "PATH": "/bin"}

    def watching(self, seconds: float, pid: int | None = None) -> dict[str, str]:
        pid = os.getpid() if pid is None else pid
        return self.environment | {"WATCHDOG_USEC": f"{seconds * 1e6:.0f}", "WATCHDOG_PID": str(pid)}

    def heard(self) -> list[list[str]]:
        """The words of each datagram since the last time."""
        found = []
        try:
            while True:
                found.append(self.socket.recv(4096).decode().split("\n"))
        except BlockingIOError:
            return found


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    listening = Systemd(tmp_path)
    with listening.socket:
        yield listening


def turn(notify: Notify, now: float, *, in_force: bool = True, line: str = "well") -> None:
    notify.turned(now, lambda: in_force, lambda: line)


def test_ready_when_the_config_is_in_force_and_only_once(systemd: Systemd) -> None:
    notify = Notify(systemd.environment)
    turn(notify, 0.0, in_force=False, line="reading")
    turn(notify, 0.1, in_force=False, line="reading")
    assert systemd.heard() == [["STATUS=reading"]]
    turn(notify, 0.2)
    turn(notify, 100.0)
    assert systemd.heard() == [["READY=1", "STATUS=well"]]
    notify.stopping()


def test_a_line_of_status_is_told_when_it_changes_and_not_at_each_turn(systemd: Systemd) -> None:
    notify = Notify(systemd.environment)
    for now, line in ((0.0, "a"), (0.1, "b"), (PERIOD, "c"), (2 * PERIOD, "c"), (3 * PERIOD, "d")):
        turn(notify, now, line=line)
    assert systemd.heard() == [["READY=1", "STATUS=a"], ["STATUS=c"], ["STATUS=d"]]
    notify.stopping()


def test_the_watchdog_hears_from_each_turn_that_is_due_and_turns_come_twice_in_its_time(
    systemd: Systemd,
) -> None:
    notify = Notify(systemd.watching(2.0))
    assert notify.watchdog == 2.0
    turn(notify, 10.0)
    assert notify.within(None, 10.0) == 1.0
    assert notify.within(0.3, 10.0) == 0.3
    turn(notify, 10.3)
    assert notify.within(None, 10.3) == pytest.approx(0.7)
    turn(notify, 11.0)
    pings = [words.count("WATCHDOG=1") for words in systemd.heard()]
    assert pings == [1, 1]
    notify.stopping()


def test_a_loop_that_is_stuck_is_not_called_alive(
    systemd: Systemd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in systemd.watching(0.04).items():
        monkeypatch.setenv(name, value)
    stuck, go_on = threading.Event(), threading.Event()
    turns = 0

    def effects(self: Core, now: float) -> Effects:
        nonlocal turns
        turns += 1
        if turns == 3:
            stuck.set()
            go_on.wait(10)
        return Effects()

    monkeypatch.setattr(Core, "effects", effects)
    journal = Journal(0.0)
    daemon = Daemon(DaemonOptions((tmp_path,)), Sink(logging.NullHandler(), journal), journal)

    async def turning() -> None:
        async with asyncio.timeout(20):
            task = asyncio.create_task(daemon._turn())
            while turns < 6:
                await asyncio.sleep(0.001)
            task.cancel()

    loop = threading.Thread(target=asyncio.run, args=(turning(),))
    loop.start()
    try:
        assert stuck.wait(10)
        systemd.heard()
        time.sleep(0.2)  # Five times what the watchdog waits: not a word.
        assert systemd.heard() == []
    finally:
        go_on.set()
        loop.join()
    assert any("WATCHDOG=1" in words for words in systemd.heard())
    daemon._notify.stopping()


def test_reloading_is_told_with_its_time_once_it_was_ready(systemd: Systemd) -> None:
    notify = Notify(systemd.environment)
    with notify.reloading():
        pass
    assert systemd.heard() == []
    turn(notify, 0.0)
    systemd.heard()
    before = time.monotonic_ns() // 1000
    with notify.reloading():
        [[reloading, when]] = systemd.heard()
    assert (reloading, when.partition("=")[0]) == ("RELOADING=1", "MONOTONIC_USEC")
    assert before <= int(when.partition("=")[2]) <= time.monotonic_ns() // 1000
    assert systemd.heard() == [["READY=1"]]
    notify.stopping()
    assert systemd.heard()[0][0] == "STOPPING=1"
    turn(notify, 100.0)
    assert systemd.heard() == []


def test_children_do_not_inherit_it(systemd: Systemd) -> None:
    environment = systemd.watching(1.0)
    Notify(environment).stopping()
    assert environment == {"PATH": "/bin"}


def test_the_watchdog_of_another_process_is_not_ours(systemd: Systemd) -> None:
    notify = Notify(systemd.watching(2.0, pid=1))
    assert notify.watchdog is None
    notify.stopping()


def test_what_a_busy_systemd_did_not_take_is_told_later_and_not_crowded_out(systemd: Systemd) -> None:
    notify = Notify(systemd.watching(2.0))
    turn(notify, 0.0)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as somebody:
        somebody.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                somebody.sendto(b"noise", str(systemd.path))
    with notify.reloading():
        pass
    for second in range(2 * LONGEST_QUEUE):
        turn(notify, 100.0 + second)
    systemd.heard()
    turn(notify, 200.0, line="later")
    told = [words[0] for words in systemd.heard()]
    assert told == ["RELOADING=1", "READY=1", "WATCHDOG=1"]
    notify.stopping()


@pytest.mark.parametrize("address", ["", "vsock:2:1234"])
def test_without_a_socket_that_we_know_nothing_is_told_and_nobody_woken(address: str) -> None:
    notify = Notify({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1000000"})
    turn(notify, 0.0)
    with notify.reloading():
        pass
    assert notify.within(None, 0.0) is None
    notify.stopping()


def test_an_abstract_socket_is_one_too() -> None:
    name = f"vrfbgp-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(f"\0{name}")
        notify = Notify({"NOTIFY_SOCKET": f"@{name}"})
        turn(notify, 0.0)
        assert listening.recv(100) == b"READY=1\nSTATUS=well"
        notify.stopping()


def test_a_systemd_that_is_gone_is_told_of_in_the_log_once(
    systemd: Systemd, caplog: pytest.LogCaptureFixture
) -> None:
    notify = Notify(systemd.environment)
    systemd.path.unlink()
    for now in (0.0, 100.0, 200.0):
        turn(notify, now, line=f"{now}")
    assert len(caplog.records) == 1
    notify.stopping()
