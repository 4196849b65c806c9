"""One thread that does one task after another: what keeps reads behind the writes they were asked after.

Values go in, events come out, and nothing is shared: a process could stand here in place of the thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

_Task = TypeVar("_Task")


class Worker(Generic[_Task]):
    """Runs `perform(task)` for every task, in order, in a thread of its own, until it is closed.

    `perform` must not raise; what does anyway is given to `failed`, and the next task runs.
    """

    def __init__(
        self, name: str, perform: Callable[[_Task], None], failed: Callable[[_Task, Exception], None]
    ) -> None:
        self._perform = perform
        self._failed = failed
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def put(self, task: _Task) -> None:
        """Queue a task; from any thread."""
        self._tasks.put(task)

    def close(self) -> None:
        """End the thread behind the tasks that are queued, and wait for it."""
        self._tasks.put(None)
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                self._perform(task)
            except Exception as error:
                self._failed(task, error)
