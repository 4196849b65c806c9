"""A story in containers, deployed by containerlab: what a user does by hand."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from labs.stories import clab

PATIENCE = 180.0
"""Seconds that containerlab may take."""


class Containers:
    """A story in containers. `settings` are variables that say which Docker, and which images."""

    name = "containers"

    def __init__(
        self, topology: clab.Lab, file: Path, containerlab: str, settings: Mapping[str, str]
    ) -> None:
        self.topology = topology
        self.file = file
        self.containerlab = containerlab
        self.settings = {"CLAB_VERSION_CHECK": "disable", **settings}

    def deploy(self) -> None:
        """Let containerlab build it, in place of one of this name that stands. Raises RuntimeError."""
        self._containerlab("deploy", "--reconfigure")

    def _containerlab(self, verb: str, *words: str) -> None:
        done = subprocess.run(
            [self.containerlab, verb, "--topo", str(self.file), *words],
            env={**os.environ, **self.settings},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        # A command of `exec` that fails is told, and does not count: here it does.
        if done.returncode or "Failed to execute command" in done.stderr:
            raise RuntimeError(f"containerlab {verb} {self.file.name}: {done.stdout}{done.stderr}")

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells `verify.sh` how to reach the nodes."""
        return {"LAB_WAY": self.name, **self.settings}

    def ask(self, node: str, *command: str) -> str:
        """What a command in a node prints, on both streams, whatever becomes of it."""
        return self._docker("exec", self._container(node), *command)

    def log(self, node: str) -> str:
        """What a node's own program printed."""
        return self._docker("logs", self._container(node))

    def _container(self, node: str) -> str:
        return f"clab-{self.topology.name}-{node}"

    def _docker(self, *words: str) -> str:
        done = subprocess.run(
            ["docker", *words],
            env={**os.environ, **self.settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return done.stdout

    def destroy(self) -> None:
        """Take all of it down. Raises RuntimeError."""
        self._containerlab("destroy", "--cleanup")
