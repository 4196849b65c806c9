"""Keeps batches and the reads that were asked for behind them in one order.

Batches may be under way together, one right behind the other, and so may reads; but a read begins when all
batches before it are through, and a batch when all reads before it are answered. So a read that is answered
before batch n shows the kernel before batch n, and one that is answered after it shows it too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vrfbgp.operations import Step
from vrfbgp.requests import ReadRequest


@dataclass(frozen=True, slots=True)
class _Batch:
    serial: int
    operations: Sequence[Step]


class Order:
    """What waits for its turn: `write` and `read` begin it, `written` and `was_read` tell of its end."""

    def __init__(
        self, write: Callable[[int, Sequence[Step]], None], read: Callable[[ReadRequest], None]
    ) -> None:
        self._write = write
        self._read = read
        self._waiting: deque[_Batch | ReadRequest] = deque()
        self._writing = 0
        self._reading = 0
        self._urgent = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def put_batch(self, serial: int, operations: Sequence[Step]) -> None:
        self._put(_Batch(serial, operations))

    def put_read(self, request: ReadRequest) -> None:
        self._put(request)

    def overtaken(self) -> None:
        """Something urgent is done ahead of all that waits: none of that begins before it is through."""
        self._urgent += 1
        self._idle.clear()

    def caught_up(self) -> None:
        """Something urgent is through."""
        self._urgent -= 1
        self._advance()

    def written(self) -> None:
        """A batch is through."""
        self._writing -= 1
        self._advance()

    def was_read(self) -> None:
        """A read has been answered, or failed."""
        self._reading -= 1
        self._advance()

    async def idle(self) -> None:
        """Wait until nothing waits or is under way."""
        await self._idle.wait()

    def _put(self, task: _Batch | ReadRequest) -> None:
        self._waiting.append(task)
        self._idle.clear()
        self._advance()

    def _advance(self) -> None:
        while self._waiting and not self._urgent:
            task = self._waiting[0]
            if self._reading if isinstance(task, _Batch) else self._writing:
                return
            self._waiting.popleft()
            if isinstance(task, _Batch):
                self._writing += 1
                self._write(task.serial, task.operations)
            else:
                self._reading += 1
                self._read(task)
        if not self._waiting and not self._writing and not self._reading and not self._urgent:
            self._idle.set()
