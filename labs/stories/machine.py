"""What a story in containers needs of the machine: containerlab, a Docker, the images.

A Docker that runs is taken. Where none does (no service, or none that starts it), one is started for as long
as the stories run: with its files below `.cache`, a socket of its own, and no hand in the machine's firewall.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from labs.netns.daemon import PROJECT
from labs.netns.process import Process
from labs.netns.waiting import NeverTrue, wait_for
from labs.stories import clab
from labs.stories.containers import Containers
from labs.stories.story import LEFT

PATIENCE = 1500.0
"""Seconds that the first build of containerlab, or of the images, may take."""


class Unable(Exception):
    """This machine can't run stories; the text says why, and what to do."""


class Machine:
    """A machine that can run stories in containers, for a `with` block. Raises Unable.

    Without `containerlab` it has Docker and the images only.
    """

    def __init__(self, *, containerlab: bool = True) -> None:
        self._needs_containerlab = containerlab
        self._docker: Process | None = None
        self._place = Path("/run") / f"vrfbgp-labs.{os.getpid()}"
        self._settings: dict[str, str] = {}
        self._containerlab = ""

    def __enter__(self) -> Machine:
        if os.geteuid() != 0:
            raise Unable("containers need root")
        try:
            if self._needs_containerlab:
                self._containerlab = self.said("scripts/containerlab")
            if not self._docker_answers():
                self._start_docker()
            images = self.said("labs/images/build")
            self.said("labs/images/check")
        except BaseException:
            self.close()
            raise
        self._settings |= dict(line.split("=", 1) for line in images.splitlines())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def deployment(self, topology: clab.Lab, file: Path) -> Containers:
        """A story, to be deployed on this machine."""
        return Containers(topology, file, self._containerlab, self._settings)

    @property
    def _environment(self) -> Mapping[str, str]:
        return {**os.environ, **self._settings, "PYTHON": sys.executable}

    def said(self, script: str) -> str:
        """What a script of the project prints. It tells its progress, and why it failed, on stderr."""
        done = subprocess.run(
            [str(PROJECT / script)],
            env=dict(self._environment),
            stdout=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode:
            raise Unable(f"{script} ended with status {done.returncode}; it has said why above")
        return done.stdout.strip()

    def docker(self, *words: str) -> str:
        """What a command of Docker prints. Raises Unable."""
        done = self._ask(*words)
        if done.returncode:
            raise Unable(f"docker {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    # -- Docker ----------------------------------------------------------------------------------

    def _docker_answers(self) -> bool:
        if shutil.which("docker") is None:
            raise Unable("docker is not installed (apt-get install docker.io)")
        return self._ask("info").returncode == 0

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", *words],
            env=dict(self._environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def _start_docker(self) -> None:
        if shutil.which("dockerd") is None:
            raise Unable("no Docker answers, and dockerd is not installed (apt-get install docker.io)")
        for place in self._place.parent.glob("vrfbgp-labs.*"):
            if not Path("/proc", place.suffix[1:]).exists():
                shutil.rmtree(place, ignore_errors=True)
        self._place.mkdir(mode=0o700)
        LEFT.mkdir(parents=True, exist_ok=True)
        socket = f"unix://{self._place}/docker.sock"
        print("starting dockerd, as no Docker answers; it ends with the stories", file=sys.stderr)
        # By the death of this process too, and without rules of its own in the machine's firewall.
        self._docker = Process(
            [
                *("setpriv", "--pdeathsig", "TERM", "dockerd", "--host", socket),
                *("--data-root", str(LEFT / "docker"), "--exec-root", str(self._place / "exec")),
                *("--pidfile", str(self._place / "pid"), "--bridge", "none"),
                *("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false"),
            ],
            LEFT / "dockerd.log",
        )
        self._settings["DOCKER_HOST"] = socket
        docker = self._docker

        def ready() -> bool:
            return not docker.running or self._docker_answers()

        try:
            wait_for(ready, 60)
        except NeverTrue:
            raise Unable(f"dockerd does not answer: {docker.tail(5)}") from None
        if not docker.running:
            raise Unable(f"dockerd ended: {docker.tail(5)}")
        # A run that was killed may have left containers, which this daemon has started again, and networks.
        if left := self._ask("ps", "--all", "--quiet").stdout.split():
            self._ask("rm", "--force", "--volumes", *left)
        self._ask("network", "prune", "--force")

    def close(self) -> None:
        """End the Docker that was started here."""
        if self._docker is not None:
            self._docker.stop(60)
            self._docker = None
            shutil.rmtree(self._place, ignore_errors=True)
