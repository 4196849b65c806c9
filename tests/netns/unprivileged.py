"""The daemon as an ordinary user starts it, systemd for one: its user, capabilities, directories, and Python.

The Python that runs the tests may lie where nobody but root can look, as may this checkout: both are mounted
where the user can, for the processes started here alone.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from labs.netns.daemon import PROJECT
from labs.netns.process import Process
from tests.netns.world import World

USER, GROUP = 64179, 64179
"""Nobody's on this machine; no entry in /etc/passwd is needed."""
COLLEAGUE = 64180
"""Another such user, in the daemon's group."""
STRANGER = 64181

_REVISION_2, _NET_ADMIN_AND_BIND_SERVICE = 0x02000000, 1 << 12 | 1 << 10
"""struct vfs_cap_data of linux/capability.h: permitted, and not in effect by itself."""
_SEALED = """
set -e
for directory in "$1" "$2"; do mount --bind "$directory" "$directory"; done
mount -o remount,bind,ro /
shift 2
exec "$@"
"""
_MOUNTED = 'set -e; for _ in 1 2 3; do mount --bind "$1" "$2"; shift 2; done; exec "$@"'


class Unprivileged:
    """The world's daemon, run by USER with the capabilities named; `environment` is added to its own."""

    def __init__(self, world: World) -> None:
        self._world = world
        here = world.daemon.node.directory / "reach"
        interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
        self._mounts = {
            Path(sys.base_prefix).resolve(): here / "python",
            Path(sysconfig.get_path("purelib")): here / "packages",
            PROJECT: here / "project",
        }
        for place in self._mounts.values():
            place.mkdir(parents=True)
        self._python = str(here / "python" / interpreter.relative_to(Path(sys.base_prefix).resolve()))
        self._environment = {
            "PYTHONPATH": f"{here / 'project'}:{here / 'packages'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LD_LIBRARY_PATH": str(here / "python" / "lib"),
        }
        run, state = world.daemon.run_directory, world.daemon.state_directory
        for directory, mode in ((run, 0o750), (state, 0o700)):  # RuntimeDirectory=, StateDirectory=
            directory.mkdir()
            directory.chmod(mode)
            os.chown(directory, USER, GROUP)
        tried = self.run_as(STRANGER, STRANGER, [self._python, "-c", "import vrfbgp.daemon"])
        if tried.returncode:
            pytest.skip(f"{interpreter} can't be run by an ordinary user here: {tried.stderr}")

    def start(self, *capabilities: str, **environment: str) -> Process:
        """Run the daemon with these capabilities (ambient, and none besides to be had)."""
        daemon = self._world.daemon
        command = [*self._mounted(), *_user(USER, GROUP, capabilities), self._python, *daemon.command[1:]]
        daemon.process = self._world.node.start(
            "vrfbgp", *command, environment={**self._environment, **environment}
        )
        return daemon.process

    def start_by_file(self, *capabilities: str) -> Process:
        """Run it as in a container that is allowed these capabilities: its Python gets them by the file,
        which may give two, as that of our image (capabilities(7)); it can write to its own directories alone.

        No capability is inherited. The test is skipped where such a Python can't be had.
        """
        number = f"{sys.version_info.major}.{sys.version_info.minor}"
        own = Path("/usr/bin", f"python{number}")
        # With such a file the loader hears of no other places for shared libraries (ld.so(8)).
        if not own.exists() or "libpython" in subprocess.check_output(["ldd", own], text=True):
            pytest.skip(f"there is no {own} with all of Python in one file")
        python = Path(self._python).parents[3] / "python-by-file"
        shutil.copy(own, python)
        attribute = struct.pack("<5I", _REVISION_2, _NET_ADMIN_AND_BIND_SERVICE, 0, 0, 0)
        try:
            os.setxattr(python, "security.capability", attribute)
        except OSError as error:
            pytest.skip(f"files have no capabilities here: {error}")
        daemon = self._world.daemon
        setpriv = ["setpriv", "--reuid", str(USER), "--regid", str(GROUP), "--clear-groups"]
        sealed = ["sh", "-c", _SEALED, "sh", str(daemon.run_directory), str(daemon.state_directory)]
        allowed = ",".join(["-all", *(f"+{name}" for name in capabilities)])
        setpriv += ["--inh-caps", "-all", "--bounding-set", allowed]
        command = [*self._mounted(), *sealed, *setpriv, str(python)]
        command += daemon.command[1:]
        environment = {**self._environment, "PYTHONHOME": "/usr"}
        daemon.process = self._world.node.start("vrfbgp", *command, environment=environment)
        return daemon.process

    def run_as(self, user: int, group: int, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end as somebody without any capability."""
        return subprocess.run(
            ["unshare", "--mount", *self._mounted(), *_user(user, group, ()), *command],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **self._environment},
            cwd="/",
        )

    def ask_as(self, user: int, group: int, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the product."""
        asked = [self._python, "-m", "vrfbgp", *words, "--run-dir", str(self._world.daemon.run_directory)]
        return self.run_as(user, group, asked)

    def _mounted(self) -> list[str]:
        places = [str(place) for pair in self._mounts.items() for place in pair]
        return ["sh", "-c", _MOUNTED, "sh", *places]


def _user(user: int, group: int, capabilities: Sequence[str]) -> list[str]:
    named = ",".join(["-all", *(f"+{name}" for name in capabilities)])
    command = ["setpriv", "--reuid", str(user), "--regid", str(group), "--clear-groups"]
    for option in ("--inh-caps", "--ambient-caps", "--bounding-set"):
        command += [option, named]
    return command


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status (proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
