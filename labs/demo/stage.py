"""Where the demo plays: topology A and the daemon, and the commands that are shown, run and judged."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from labs.demo.voice import Voice
from labs.netns.daemon import PROJECT, ConfigDirectory, Daemon, environment
from labs.netns.lab import Lab
from labs.netns.namespace import Namespace
from labs.netns.topology import SERVED, SERVER, Site, Topology
from labs.netns.waiting import NeverTrue, wait_for

PATIENCE = 40.0
"""Seconds that a session or a route may take; on an idle machine they take a few."""


class DemoFailed(Exception):
    """The demo did not show what it promised; the text says what was seen instead."""


class Stage:
    """A lab with topology A in it; whoever made the lab takes it down, or keeps it."""

    def __init__(self, lab: Lab, voice: Voice, config: Path, node_name: str) -> None:
        self.lab = lab
        self.voice = voice
        self.topology = Topology(lab)
        self.node = self.topology.node
        self.daemon = Daemon(self.node, ConfigDirectory(config), node_name)
        voice.shorten(f"{PROJECT}/", "" if Path.cwd() == PROJECT else f"{PROJECT}/")
        voice.shorten(lab.name, "$lab")

    def workload(self, name: str) -> Namespace:
        """The namespace of a gateway (`red`, `yellow`) or of `pod`."""
        return self.topology.workloads[name].namespace

    # -- the product's command line --------------------------------------------------------------

    @property
    def running(self) -> list[str]:
        """The command that runs the daemon."""
        return ["ip", "netns", "exec", self.node.name, *program(self.daemon.command)]

    def asking(self, *words: str) -> list[str]:
        """A command that asks the daemon of `environment`, from any namespace: its socket is a file."""
        return program([sys.executable, "-m", "vrfbgp", *words])

    @property
    def environment(self) -> dict[str, str]:
        """What tells the commands which daemon to ask."""
        return {"VRFBGP_RUN_DIR": str(self.daemon.run_directory)}

    def say_environment(self) -> None:
        """Show how to set it in a shell."""
        for name, value in self.environment.items():
            self.voice.command(["export", f"{name}={value}"])

    @property
    def log_file(self) -> Path:
        assert self.daemon.process is not None
        return self.daemon.process.log

    # -- commands that are shown -----------------------------------------------------------------

    def show(self, argv: Sequence[str]) -> None:
        """Show a command and what it prints. Raises DemoFailed if it fails."""
        done = self._run(argv)
        self.voice.say(done.stdout)
        if done.returncode:
            raise DemoFailed(
                f"{self.voice.written(argv)} ended with status {done.returncode}: {done.stderr.strip()}"
            )

    def must_answer(self, namespace: Namespace, who: str, banner: str, client: str) -> None:
        """Ask for the page; it must have this banner, and name this client. Raises DemoFailed."""
        done = self._request(namespace)
        words = done.stdout.split()
        if words != [banner, client]:
            seen = " ".join(words) or done.stderr.strip()
            raise DemoFailed(f"{who} should have been answered by {banner} as {client}, and got: {seen}")
        self.voice.say(f"{who}: answered by server {banner}, which saw the client {client}")

    def must_fail(self, namespace: Namespace, who: str) -> None:
        """Ask for the page; there must be no answer. Raises DemoFailed."""
        done = self._request(namespace)
        if done.returncode == 0:
            raise DemoFailed(f"{who} should get no answer, and got: {' '.join(done.stdout.split())}")
        reason = re.sub(r"^curl: \(\d+\) ", "", done.stderr.strip())
        self.voice.say(f"{who}: no answer, as it should be: {reason}")

    def _request(self, namespace: Namespace) -> subprocess.CompletedProcess[str]:
        curl = ["curl", "-sS", "--max-time", "5", f"http://{SERVER}/"]
        return self._run(["ip", "netns", "exec", namespace.name, *curl])

    def _run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        self.voice.command(argv)
        return subprocess.run(
            argv,
            env={**os.environ, **environment(), **self.environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    # -- conditions ------------------------------------------------------------------------------

    def learned(self, site: Site) -> bool:
        """Whether a network's table has the served prefix, by that network's own router."""
        text = self.node.text(f"route show table {site.table} exact {SERVED}")
        return re.search(rf"via {re.escape(site.router_address)}\b", text) is not None

    def wait(self, condition: Callable[[], bool], what: str) -> None:
        """Wait until something is true, and no longer than the daemon lives. Raises DemoFailed."""

        def still() -> bool:
            if not self.daemon.running:
                assert self.daemon.process is not None
                raise DemoFailed(f"the daemon ended with status {self.daemon.process.popen.returncode}")
            return condition()

        try:
            wait_for(still, PATIENCE, what)
        except NeverTrue as error:
            raise DemoFailed(str(error).replace("\n", "; ")) from error

    def report(self) -> str:
        """All that helps to find out why the demo failed."""
        return f"== the daemon's log\n{self.daemon.log()}\n{self.topology.describe()}"


def program(command: Sequence[str]) -> list[str]:
    """A command line of the product as a user types it: the console script for `python -m vrfbgp`."""
    script = Path(sys.executable).with_name("vrfbgp")
    if list(command[:3]) == [sys.executable, "-m", "vrfbgp"] and script.exists():
        return [str(script), *command[3:]]
    return list(command)
