"""Writes what must overtake everything: the deletion of a dead peer's next hops.

One such deletion is a whole failover (the groups shrink, the backup routes take over), and takes as long as
the kernel needs for the routes that go with it: 100 ms for 500k. It has a socket, a queue and a thread of its
own, so that it waits for no batch and no dump. The kernel lets it in between two messages of a batch (it
takes its lock anew for each).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.worker import Worker
from vrfbgp.kernel.writer import Writer
from vrfbgp.operations import Operation

_log = logging.getLogger(__name__)

_Task = tuple[tuple[Operation, ...], threading.Event]


class UrgentWriter:
    """Does operations at once; `on_failure` is called, in its thread, when not all of them were done.

    OSError if there is no socket to be had.
    """

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._socket = NetlinkSocket()
        self.port_id = self._socket.port_id
        self._writer = Writer(self._socket)
        self._worker: Worker[_Task] = Worker("kernel-urgent", self._perform, self._failed)

    def start(self) -> None:
        self._worker.start()

    def put(self, operations: Sequence[Operation], done: threading.Event) -> None:
        """Do the operations, behind those that were put before, and set `done`; from any thread."""
        self._worker.put((tuple(operations), done))

    def close(self) -> None:
        """End behind all that was put; waits for it."""
        self._worker.close()
        self._socket.close()

    def _perform(self, task: _Task) -> None:
        operations, done = task
        try:
            failures = self._writer.apply(0, operations).failures
        finally:
            done.set()
        for failure in failures:
            _log.warning("at once: %s; the kernel is read again", failure)
        if failures:
            self._on_failure()

    def _failed(self, task: _Task, error: Exception) -> None:
        _log.error("at once: not written, the kernel is read again: %s", task[0], exc_info=error)
        self._on_failure()
