"""The product as a user runs it: `python -m vrfbgp` in the node's namespace, with a config directory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from labs.netns.namespace import Namespace
from labs.netns.process import Process

PROJECT = Path(__file__).resolve().parents[2]


class ConfigDirectory:
    """A directory of manifests. Each file is saved by rename, as editors and Kubernetes do."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def save(self, name: str, *documents: dict[str, Any] | str) -> None:
        """Write a file: manifests as mappings (JSON is YAML), or as text."""
        parts = [part if isinstance(part, str) else json.dumps(part, indent=2) for part in documents]
        fresh = self.path / f".{name}.new"
        fresh.write_text("\n---\n".join(parts) + "\n")
        fresh.replace(self.path / name)

    def remove(self, name: str) -> None:
        """Delete a file."""
        (self.path / name).unlink()


class Daemon:
    """`vrfbgp run` in a namespace; its log, its state and the other commands beside it."""

    def __init__(self, node: Namespace, config: ConfigDirectory, name: str = "node-1") -> None:
        self.node = node
        self.config = config
        self.name = name
        self.run_directory = node.directory / "run"
        self.state_directory = node.directory / "state"
        self.process: Process | None = None

    @property
    def command(self) -> list[str]:
        """The command line of `run`."""
        return [
            *vrfbgp("run"),
            *("--config", str(self.config.path), "--node", self.name),
            *("--run-dir", str(self.run_directory), "--state-dir", str(self.state_directory)),
        ]

    def start(self, *prefix: str) -> Process:
        """Start it; `prefix` is a command that runs it (`setpriv …`)."""
        self.process = self.node.start("vrfbgp", *prefix, *self.command, environment=environment())
        return self.process

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.running

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        assert self.process is not None
        return self.process.stop()

    def kill(self) -> None:
        """SIGKILL to the daemon itself; its children are not ours to know."""
        assert self.process is not None
        self.process.kill()

    def reap(self) -> None:
        """End it however it is; nothing happens if it never ran."""
        if self.process is not None and self.process.running:
            self.process.signal(signal.SIGTERM)
            self.process.stop()

    def log(self) -> str:
        """All that it has logged, over all its lives."""
        path = self.node.directory / f"{self.node.role}-vrfbgp.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another of its commands against it, in the node's namespace."""
        return command(self.node, *words, "--run-dir", str(self.run_directory))

    def ask_json(self, *words: str) -> Any:
        """What a command shows with `--json`. Raises AssertionError if it fails, with what it said."""
        done = self.ask(*words, "--json")
        assert done.stdout, f"vrfbgp {' '.join(words)}: status {done.returncode}: {done.stderr}"
        return json.loads(done.stdout)

    def status(self) -> Any:
        """`status --json`"""
        return self.ask_json("status")


def environment() -> dict[str, str]:
    """What lets a Python elsewhere find this checkout."""
    others = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": f"{PROJECT}:{others}" if others else str(PROJECT)}


def vrfbgp(*words: str) -> list[str]:
    """A command line of the product, by the Python that runs this."""
    return [sys.executable, "-m", "vrfbgp", *words]


def command(
    namespace: Namespace, *words: str, prefix: tuple[str, ...] = (), timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run a command of the product to its end in a namespace; `prefix` is a command that runs it."""
    return subprocess.run(
        ["ip", "netns", "exec", namespace.name, *prefix, *vrfbgp(*words)],
        env={**os.environ, **environment()},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
    )
