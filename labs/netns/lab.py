"""A lab: a set of namespaces, processes and files with one name and one certain end."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from labs.netns.namespace import Namespace
from labs.netns.process import Process


class Lab:
    """Namespaces that belong together. Leaving the `with` block takes all of it down.

    So does the death of this process, however it comes: see `supervisor`.
    """

    def __init__(self) -> None:
        parent = Path(tempfile.gettempdir())
        script = Path(__file__).with_name("supervisor.py")
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(script), str(parent)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._supervisor.stdout is not None
        self.name = self._supervisor.stdout.readline().strip()
        if not self.name:
            raise RuntimeError("the lab's supervisor did not start; it has said why above")
        self.directory = parent / self.name
        """Configs, logs and sockets; deleted with the lab."""
        self.namespaces: dict[str, Namespace] = {}
        self.processes: list[Process] = []
        self.kept = False

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def supervisor_pid(self) -> int:
        """The process to end (SIGTERM) when the lab was kept."""
        return self._supervisor.pid

    def namespace(self, role: str) -> Namespace:
        """Make a namespace, with its loopback up; `role` is unique in this lab and has no dot."""
        name = f"{self.name}.{role}"
        subprocess.run(["ip", "netns", "add", name], check=True, capture_output=True, timeout=60)
        namespace = Namespace(name, self.directory, self.processes)
        self.namespaces[role] = namespace
        namespace.ip("link set lo up")
        return namespace

    def keep(self) -> None:
        """Leave the lab standing when this process ends, until its supervisor gets a SIGTERM."""
        assert self._supervisor.stdin is not None
        self._supervisor.stdin.write("keep\n")
        self._supervisor.stdin.flush()
        self.kept = True

    def close(self) -> None:
        """Take all of it down, and wait until it is gone. Does nothing if it was kept, or the second time."""
        if self.kept or self._supervisor.stdin is None or self._supervisor.stdin.closed:
            return
        self._supervisor.stdin.close()
        self._supervisor.wait(30)
        if self._supervisor.stdout is not None:
            self._supervisor.stdout.close()
        for process in self.processes:
            process.wait(5)
