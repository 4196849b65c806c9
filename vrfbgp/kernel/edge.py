"""The kernel as the daemon sees it: operations and questions go in, events come out.

A process of its own writes batches (`process`), and a thread does the reads that were asked for behind them,
all in the order of asking (`order`). Links and single lookups wait for no batch; a second thread has them.
What is urgent waits for nothing at all: one deletion of a dead peer's next hop is a whole failover, and takes
as long as the kernel needs for the routes that go with it (100 ms for 500k). It has a channel to the process,
and a socket and a thread there, of its own; the kernel lets it in between two messages of a batch (it takes
its lock anew for each). Nothing waits for what is only counted: it has a third thread. Every event is told on
the event loop's own thread.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vrfbgp.events import Applied, KernelEvent, LinksRead, Overrun
from vrfbgp.kernel import preflight
from vrfbgp.kernel.backlog import Backlog
from vrfbgp.kernel.hold import Hold
from vrfbgp.kernel.order import Order
from vrfbgp.kernel.ports import Address
from vrfbgp.kernel.process import WriterProcess
from vrfbgp.kernel.reader import Reader, ReadEvent
from vrfbgp.kernel.ruleset import Ruleset
from vrfbgp.kernel.watch import Watch
from vrfbgp.kernel.worker import Worker
from vrfbgp.model import IPAddress, KernelRoute
from vrfbgp.netfilter.nat import Nat
from vrfbgp.operations import Operation, Step
from vrfbgp.requests import CountTable, ReadLinks, ReadRequest

_log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class _Lookup:
    src: IPAddress | None
    dst: IPAddress
    iif: int | None
    answer: asyncio.Future[KernelRoute]


_Prompt = ReadLinks | _Lookup


class Kernel:
    """The edge to the kernel of the network namespace it is started in.

    `unprivileged` is called when all is open that needs a privilege, before there are threads.
    """

    def __init__(self, unprivileged: Callable[[], None] = lambda: None) -> None:
        self._unprivileged = unprivileged
        self._hold = Hold()
        self._backlog = Backlog()
        self._order = Order(self._write, self._read_in_order)
        self._refreshing: dict[ReadRequest, bool] = {}
        self._retries: deque[tuple[asyncio.TimerHandle, ReadRequest]] = deque()
        self._running = False

    async def start(self, on_event: Callable[[KernelEvent], None]) -> None:
        """Open everything and begin to watch; `preflight.Unfit` or OSError if that cannot be.

        From here on `on_event` is called on this event loop's thread. Nothing is read at first: ask.
        """
        preflight.check()
        self._loop = asyncio.get_running_loop()
        self._on_event = on_event
        self._process = WriterProcess(self._written, self._written_at_once)
        netfilter = self._process.netfilter
        self._ruleset = None if netfilter is None else Ruleset(netfilter.ask)
        self._readers = (Reader(), Reader(), Reader())
        await self._process.start()
        self._watch = Watch(self._process.port_ids, self._seen, self._refresh)
        self._watch.start()
        self._unprivileged()
        self._ordered: Worker[ReadRequest] = Worker("kernel-ordered", self._dump_in_order, self._not_read)
        self._prompt: Worker[_Prompt] = Worker("kernel-prompt", self._perform_prompt, self._not_performed)
        self._beside: Worker[CountTable] = Worker("kernel-beside", self._count, self._not_read)
        self._running = True
        self._ordered.start()
        self._prompt.start()
        self._beside.start()

    def apply_at_once(self, operations: Sequence[Operation]) -> None:
        """Do the operations now, ahead of every batch: deletions of next hops (failover).

        A next hop that is gone already counts as deleted. There is no answer; but if the kernel refuses one,
        that is logged, and `Overrun` told, so that the truth is read again. What was asked of `apply` before
        and is still queued is done behind them, also if it makes again what they deleted. So is all that is
        asked afterwards: were it to overtake them, backup routes could be gone before they had to take over.
        """
        self._order.overtaken()
        self._process.urgent.apply(0, operations)

    def apply(self, serial: int, operations: Sequence[Step]) -> None:
        """Do the operations in order; answered by `Applied` with this serial."""
        self._backlog.asked(serial, operations)
        self._order.put_batch(serial, tuple(operations))

    def read(self, request: ReadRequest) -> None:
        """Read; answered by the event that belongs to the request."""
        if isinstance(request, ReadLinks):
            self._prompt.put(request)
        elif isinstance(request, CountTable):
            self._beside.put(request)
        else:
            self._order.put_read(request)

    async def route_get(self, src: IPAddress | None, dst: IPAddress, iif: int | None = None) -> KernelRoute:
        """What the kernel does with a packet from `src` to `dst`; see `Reader.route_get`. OSError."""
        answer: asyncio.Future[KernelRoute] = self._loop.create_future()
        self._prompt.put(_Lookup(src, dst, iif, answer))
        return await answer

    def bind(self, one: socket.socket, address: Address) -> None:
        """Bind a socket, also to a port that only the process that writes may have; OSError."""
        self._process.ports.bind(one, address)

    async def nat(self) -> Nat:
        """What netfilter does to the source addresses of packets that leave; nothing, if nobody says."""
        return Nat() if self._ruleset is None else await self._ruleset.read()

    @property
    def full(self) -> frozenset[int]:
        """Tables that so much is to be written to already that their networks' peers have to wait."""
        return self._backlog.full

    @property
    def silence(self) -> float:
        """For how many seconds the kernel has not answered what it was handed; 0: nothing waits."""
        return self._process.silence

    async def ended(self) -> None:
        """Wait until the process that writes has ended by itself, and raise `WriterEnded`.

        Nothing of what was asked for is done any more then: the edge is only good to be stopped.
        """
        await self._process.ended()

    async def stop(self) -> None:
        """End behind all that was asked for; its answers are told before this returns."""
        if not self._running:
            return
        self._running = False
        self._watch.stop()
        for timer, _ in self._retries:
            timer.cancel()
        await self._process.until_ended(self._order.idle())
        for worker in (self._ordered, self._prompt, self._beside):
            await asyncio.to_thread(worker.close)
        # The answers of the last tasks are queued on the loop behind us.
        await asyncio.sleep(0)
        await self._process.stop()
        for reader in self._readers:
            reader.close()

    # -- in the threads --------------------------------------------------------------------------

    def _dump_in_order(self, request: ReadRequest) -> None:
        self._dump(self._readers[0], request)

    def _perform_prompt(self, task: _Prompt) -> None:
        if isinstance(task, _Lookup):
            found = self._readers[1].route_get(task.src, task.dst, task.iif)
            self._tell(_resolve, task.answer, found)
        else:
            self._dump(self._readers[1], task)

    def _count(self, request: CountTable) -> None:
        self._tell(self._on_event, self._readers[2].read(request))

    def _dump(self, reader: Reader, request: ReadRequest) -> None:
        self._hold.begin(request)
        try:
            event = reader.read(request)
        except Exception:
            self._tell(self._release, request)
            raise
        self._tell(self._answered, request, event)

    def _not_read(self, request: ReadRequest, error: Exception) -> None:
        self._tell(self._read_failed, request, error)

    def _not_performed(self, task: _Prompt, error: Exception) -> None:
        if isinstance(task, _Lookup):
            self._tell(_reject, task.answer, error)
        else:
            self._not_read(task, error)

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    # -- on the event loop -----------------------------------------------------------------------

    def _write(self, serial: int, operations: Sequence[Step]) -> None:
        self._process.batches.apply(serial, operations)

    def _written(self, event: Applied) -> None:
        self._backlog.applied(event.serial)
        self._on_event(event)
        self._order.written()

    def _written_at_once(self, event: Applied) -> None:
        self._order.caught_up()
        for failure in event.failures:
            _log.warning("at once: %s; the kernel is read again", failure)
        if event.failures:
            self._on_event(Overrun())

    def _read_in_order(self, request: ReadRequest) -> None:
        self._ordered.put(request)

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
            self._was_read(request)
            if self._refreshing.pop(request, False):
                self._refresh(request)

    def _release(self, request: ReadRequest) -> None:
        for event in self._hold.end(request):
            self._seen(event)

    def _was_read(self, request: ReadRequest) -> None:
        if not isinstance(request, ReadLinks | CountTable):
            self._order.was_read()

    def _refresh(self, request: ReadRequest) -> None:
        # While one dump is under way, however many more are called for, one more is enough.
        if request in self._refreshing:
            self._refreshing[request] = True
        elif self._running:
            self._refreshing[request] = False
            self.read(request)

    def _read_failed(self, request: ReadRequest, error: Exception) -> None:
        self._was_read(request)
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
