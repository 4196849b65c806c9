"""A script of the bench in a namespace: events come from its stdout, words go to its stdin."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from labs.netns.namespace import Namespace

Event = dict[str, Any]


class Silent(Exception):
    """An event did not come."""


class Script:
    """A running script. It ends with its stdin, or with the lab."""

    def __init__(self, namespace: Namespace, name: str, setting: Any) -> None:
        self.name = name
        path = Path(__file__).with_name(f"{name}.py")
        argv = ["ip", "netns", "exec", namespace.name]
        argv += [sys.executable, "-I", "-S", str(path), json.dumps(setting)]
        self._errors = (namespace.directory / f"{namespace.role}-{name}.err").open("w+")
        self.popen = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        self._events: list[Event] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self.popen.pid

    def _read(self) -> None:
        assert self.popen.stdout is not None
        for line in self.popen.stdout:
            with self._news:
                self._events.append(json.loads(line))
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def say(self, line: str) -> None:
        """Write a line to its stdin."""
        assert self.popen.stdin is not None
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def events(self, kind: str) -> list[Event]:
        """Those of a kind that have come so far, in order."""
        with self._news:
            return [event for event in self._events if event["event"] == kind]

    def wait(
        self,
        kind: str,
        count: int = 1,
        *,
        seconds: float = 60,
        alive: Callable[[], str] = lambda: "",
    ) -> list[Event]:
        """Wait until `count` events of a kind have come, and give them all.

        `alive` tells why to give up early; empty: go on. Raises Silent.
        """
        deadline = time.monotonic() + seconds
        while len(found := self.events(kind)) < count:
            if reason := alive():
                raise Silent(reason)
            with self._news:
                ended = self._ended
                if not ended:
                    self._news.wait(0.05)
            if ended and len(self.events(kind)) < count:
                raise Silent(f"{self.name} ended: {self.errors()}")
            if time.monotonic() > deadline:
                raise Silent(
                    f"{self.name}: {len(found)} of {count} times `{kind}` within {seconds:g} s; "
                    f"last: {self._events[-3:]}"
                )
        return found

    def errors(self) -> str:
        """What it wrote to stderr, the end of it."""
        self._errors.seek(0)
        return self._errors.read()[-800:]

    def close(self) -> None:
        """End its stdin, and wait until it has ended and all its events are here."""
        assert self.popen.stdin is not None
        if not self.popen.stdin.closed:
            self.popen.stdin.close()
        self.popen.wait(15)
        self._reader.join(15)

    def kill(self) -> float:
        """End it by SIGKILL; the time just before."""
        at = time.monotonic()
        self.popen.kill()
        self.popen.wait(15)
        return at
