"""A network namespace: what runs in it, what it sees, and sockets of ours that live in it."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from labs.netns.process import Process

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
"""linux/sched.h"""


class CommandFailed(Exception):
    """A command in a namespace ended with another status than 0."""


class Namespace:
    """A named network namespace, as `ip netns` makes them; `role` is the last part of its name.

    Processes that are started in it are added to `processes`, for the lab that waits for their end.
    """

    def __init__(self, name: str, directory: Path, processes: list[Process]) -> None:
        self.name = name
        self.role = name.rpartition(".")[2]
        self.path = Path("/run/netns") / name
        self.directory = directory
        self.processes = processes

    def __repr__(self) -> str:
        return f"Namespace({self.role})"

    # -- commands --------------------------------------------------------------------------------

    def run(self, *command: str, timeout: float = 60) -> str:
        """What a command in this namespace prints. Raises CommandFailed, with what it said."""
        done = self.try_run(*command, timeout=timeout)
        if done.returncode:
            raise CommandFailed(
                f"{self.role}: {' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}"
            )
        return done.stdout

    def try_run(self, *command: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command in this namespace, whatever its status."""
        return subprocess.run(
            ["ip", "netns", "exec", self.name, *command],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def start(self, name: str, *command: str, environment: dict[str, str] | None = None) -> Process:
        """Start a process in this namespace; what it prints goes to `name`.log in the lab's directory."""
        argv = ["ip", "netns", "exec", self.name, *command]
        process = Process(argv, self.directory / f"{self.role}-{name}.log", environment)
        self.processes.append(process)
        return process

    def ip(self, *lines: str) -> None:
        """Run lines of ip(8), in one go: `addr add 10.0.0.1/24 dev eth0`. Raises CommandFailed."""
        done = subprocess.run(
            ["ip", "-n", self.name, "-batch", "-"],
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise CommandFailed(f"{self.role}: {'; '.join(lines)}: {done.stderr}")

    def try_ip(self, line: str) -> bool:
        """Run one line of ip(8); False if it failed."""
        command = ["ip", "-n", self.name, *line.split()]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0

    def show(self, line: str) -> list[dict[str, Any]]:
        """What ip(8) shows, parsed; nothing if what was asked for does not exist (a table, a device)."""
        command = ["ip", "-n", self.name, "-json", "-details", *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode or not done.stdout.strip():
            return []
        return [entry for entry in json.loads(done.stdout) if entry]

    def text(self, line: str) -> str:
        """What ip(8) shows, as a person reads it."""
        command = ["ip", "-n", self.name, *line.split()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    # -- from inside -----------------------------------------------------------------------------

    def inside(self, action: Callable[[], T]) -> T:
        """Call `action` in a thread that has entered this namespace; sockets that it opens stay in it."""
        results: list[T] = []
        errors: list[BaseException] = []

        def body() -> None:
            try:
                enter(self.path)
                results.append(action())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=body, name=f"in {self.role}")
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that lives in this namespace, whoever uses it."""
        return self.inside(lambda: socket.socket(family, kind, protocol))

    def sysctl(self, **values: int | str) -> None:
        """Set values below /proc/sys/net, `/` written as `__`: `ipv4__ip_forward=1`."""
        self.set_sysctls({name.replace("__", "/"): value for name, value in values.items()})

    def set_sysctls(self, values: dict[str, int | str]) -> None:
        """Set values below /proc/sys/net by their paths: `ipv4/conf/all/rp_filter`."""

        def write() -> None:
            for name, value in values.items():
                Path("/proc/sys/net", name).write_text(str(value))

        self.inside(write)

    def read_sysctl(self, name: str) -> str:
        """A value below /proc/sys/net."""
        return self.inside(lambda: Path("/proc/sys/net", name).read_text().strip())

    # -- what is often asked ---------------------------------------------------------------------

    def routes(self, table: int | str = "main", *selectors: str, family: int = 4) -> list[dict[str, Any]]:
        """The routes of a table, as ip(8) describes them."""
        return self.show(" ".join([f"-{family} route show table {table}", *selectors]))

    def rules(self, family: int = 4) -> list[dict[str, Any]]:
        """All policy rules, as ip(8) describes them."""
        return self.show(f"-{family} rule show")

    def links(self) -> list[str]:
        """The names of all devices."""
        return [entry["ifname"] for entry in self.show("link show")]


def enter(path: Path) -> None:
    """Move the calling thread into a network namespace (setns(2)). Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(fd)


def join(first: Namespace, device: str, second: Namespace, other: str) -> None:
    """Join two namespaces by a wire (veth): `device` in the first, `other` in the second; both up."""
    command: Sequence[str] = (
        f"link add {device} netns {first.name} type veth peer name {other} netns {second.name}".split()
    )
    subprocess.run(["ip", *command], check=True, capture_output=True, timeout=60)
    first.ip(f"link set {device} up")
    second.ip(f"link set {other} up")
