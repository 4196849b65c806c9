"""The kernel as the daemon sees it: operations and questions go in, events come out.

Batches and the reads that were asked for behind them run in one thread, in the order of asking, and are
answered in that order: a read that is answered before batch n shows the kernel before batch n, one that is
answered after it shows it too. Links and single lookups wait for no batch; a second thread has them. What is
urgent waits for nothing at all (`urgent`), but what is asked for behind it waits for it. Every event is told
on the event loop's own thread.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vrfbgp.events import Applied, KernelEvent, LinksRead, Overrun
from vrfbgp.kernel import preflight
from vrfbgp.kernel.hold import Hold
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.reader import Reader, ReadEvent
from vrfbgp.kernel.urgent import UrgentWriter
from vrfbgp.kernel.watch import Watch
from vrfbgp.kernel.worker import Worker
from vrfbgp.kernel.writer import Writer
from vrfbgp.model import IPAddress, KernelRoute
from vrfbgp.operations import Failure, Operation, Step, expanded
from vrfbgp.requests import ReadLinks, ReadRequest

_log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
SWITCH_SECONDS = 2e-4
"""How long the core may keep the interpreter's lock from a thread that comes back from the kernel."""


@dataclass(frozen=True, slots=True)
class _Batch:
    serial: int
    operations: tuple[Step, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Lookup:
    src: IPAddress | None
    dst: IPAddress
    iif: int | None
    answer: asyncio.Future[KernelRoute]


_Task = _Batch | ReadRequest | _Lookup | threading.Event
"""An event is waited for: what is queued behind it follows what is done elsewhere."""


class Kernel:
    """The edge to the kernel of the network namespace it is started in."""

    def __init__(self) -> None:
        self._hold = Hold()
        self._refreshing: dict[ReadRequest, bool] = {}
        self._retries: deque[tuple[asyncio.TimerHandle, ReadRequest]] = deque()
        self._running = False

    async def start(self, on_event: Callable[[KernelEvent], None]) -> None:
        """Open everything and begin to watch; `preflight.Unfit` or OSError if that cannot be.

        From here on `on_event` is called on this event loop's thread. Nothing is read at first: ask.
        """
        preflight.check()
        # The default of 5 ms is lost with every batch, before the next one can be sent.
        sys.setswitchinterval(SWITCH_SECONDS)
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._write_socket = NetlinkSocket()
        self._writer = Writer(self._write_socket)
        self._urgent = UrgentWriter(lambda: self._tell(on_event, Overrun()))
        self._readers = (Reader(), Reader())
        own_port_ids = (self._write_socket.port_id, self._urgent.port_id)
        self._watch = Watch(own_port_ids, self._seen, self._refresh)
        self._watch.start()
        self._ordered: Worker[_Task] = Worker("kernel-ordered", self._perform_ordered, self._failed)
        self._prompt: Worker[_Task] = Worker("kernel-prompt", self._perform_prompt, self._failed)
        self._running = True
        self._ordered.start()
        self._prompt.start()
        self._urgent.start()

    def apply_at_once(self, operations: Sequence[Operation]) -> None:
        """Do the operations now, ahead of every batch: deletions of next hops (failover).

        A next hop that is gone already counts as deleted. There is no answer; but if the kernel refuses one,
        that is logged, and `Overrun` told, so that the truth is read again. What was asked of `apply` before
        and is still queued is done behind them, also if it makes again what they deleted. So is all that is
        asked afterwards: were it to overtake them, backup routes could be gone before they had to take over.
        """
        done = threading.Event()
        self._urgent.put(operations, done)
        self._ordered.put(done)

    def apply(self, serial: int, operations: Sequence[Step]) -> None:
        """Do the operations in order; answered by `Applied` with this serial."""
        self._ordered.put(_Batch(serial, tuple(operations)))

    def read(self, request: ReadRequest) -> None:
        """Read; answered by the event that belongs to the request."""
        self._worker_of(request).put(request)

    async def route_get(self, src: IPAddress | None, dst: IPAddress, iif: int | None = None) -> KernelRoute:
        """What the kernel does with a packet from `src` to `dst`; see `Reader.route_get`. OSError."""
        answer: asyncio.Future[KernelRoute] = self._loop.create_future()
        self._prompt.put(_Lookup(src, dst, iif, answer))
        return await answer

    def rp_filter(self, interface: str) -> int:
        """The reverse path filter in effect on a device: 0 off, 1 strict, 2 loose."""
        return preflight.rp_filter(interface)

    async def stop(self) -> None:
        """End behind all that was asked for; its answers are told before this returns."""
        if not self._running:
            return
        self._running = False
        self._watch.stop()
        for timer, _ in self._retries:
            timer.cancel()
        for worker in (self._ordered, self._prompt):
            await asyncio.to_thread(worker.close)
        await asyncio.to_thread(self._urgent.close)
        # The answers of the last tasks are queued on the loop behind us.
        await asyncio.sleep(0)
        self._write_socket.close()
        for reader in self._readers:
            reader.close()

    # -- in the threads --------------------------------------------------------------------------

    def _perform_ordered(self, task: _Task) -> None:
        if isinstance(task, _Batch):
            self._tell(self._on_event, self._writer.apply(task.serial, task.operations))
        elif isinstance(task, threading.Event):
            task.wait()
        elif not isinstance(task, _Lookup):
            self._dump(self._readers[0], task)

    def _perform_prompt(self, task: _Task) -> None:
        if isinstance(task, _Lookup):
            found = self._readers[1].route_get(task.src, task.dst, task.iif)
            self._tell(_resolve, task.answer, found)
        elif not isinstance(task, _Batch | threading.Event):
            self._dump(self._readers[1], task)

    def _dump(self, reader: Reader, request: ReadRequest) -> None:
        self._hold.begin(request)
        try:
            event = reader.read(request)
        except Exception:
            self._tell(self._release, request)
            raise
        self._tell(self._answered, request, event)

    def _failed(self, task: _Task, error: Exception) -> None:
        if isinstance(task, _Lookup):
            self._tell(_reject, task.answer, error)
        elif isinstance(task, _Batch):
            number = (error.errno if isinstance(error, OSError) else None) or errno.EIO
            single = (operation for step in task.operations for operation in expanded(step))
            failures = tuple(Failure(operation, number, str(error)) for operation in single)
            _log.error("batch %d was not written: %s", task.serial, error, exc_info=error)
            self._tell(self._on_event, Applied(task.serial, failures))
        elif not isinstance(task, threading.Event):
            self._tell(self._read_failed, task, error)

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # -- on the event loop -----------------------------------------------------------------------

    def _worker_of(self, request: ReadRequest) -> Worker[_Task]:
        return self._prompt if isinstance(request, ReadLinks) else self._ordered

    def _seen(self, event: KernelEvent) -> None:
        if not self._hold.takes(event):
            self._on_event(event)

    def _answered(self, request: ReadRequest, event: ReadEvent) -> None:
        if isinstance(event, LinksRead):
            event = replace(event, lapsed=self._watch.take_lapsed())
        try:
            self._on_event(event)
        finally:
            self._release(request)
            if self._refreshing.pop(request, False):
                self._refresh(request)

    def _release(self, request: ReadRequest) -> None:
        for event in self._hold.end(request):
            self._seen(event)

    def _refresh(self, request: ReadRequest) -> None:
        # While one dump is under way, however many more are called for, one more is enough.
        if request in self._refreshing:
            self._refreshing[request] = True
        elif self._running:
            self._refreshing[request] = False
            self.read(request)

    def _read_failed(self, request: ReadRequest, error: Exception) -> None:
        _log.warning("%s failed: %s; tried again in %g s", request, error, RETRY_SECONDS)
        if self._running:
            timer = self._loop.call_later(RETRY_SECONDS, self._retry)
            self._retries.append((timer, request))

    def _retry(self) -> None:
        # Timers of one delay end in the order of their making.
        self.read(self._retries.popleft()[1])


def _resolve(answer: asyncio.Future[KernelRoute], found: KernelRoute) -> None:
    if not answer.done():
        answer.set_result(found)


def _reject(answer: asyncio.Future[KernelRoute], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
