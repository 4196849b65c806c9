"""A process of the lab: started with a log file, ended by its pid, never left as a zombie."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path


class Process:
    """A running command. What it prints, on either stream, is appended to `log`."""

    def __init__(self, argv: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self.argv = argv
        self.log = log
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=None if environment is None else {**os.environ, **environment},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def output(self) -> str:
        """All that it has printed."""
        return self.log.read_text(errors="replace")

    def tail(self, lines: int = 60) -> str:
        """The last lines that it has printed."""
        return "\n".join(self.output().splitlines()[-lines:])

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens if it has ended already."""
        if self.running:
            self.popen.send_signal(number)

    def stop(self, timeout: float = 15) -> int:
        """End it by SIGTERM, after `timeout` seconds by SIGKILL; the status it ended with."""
        self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        """End it by SIGKILL."""
        self.signal(signal.SIGKILL)
        return self.popen.wait(15)

    def wait(self, timeout: float) -> int:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        return self.popen.wait(timeout)
