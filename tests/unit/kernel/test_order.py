"""Batches and reads in the order of asking."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from vrfbgp.kernel.order import Order
from vrfbgp.operations import Step
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadTables


class Begun(list[object]):
    """What has begun, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.order = Order(self.write, self.append)

    def write(self, serial: int, _: Sequence[Step]) -> None:
        self.append(serial)

    def put(self, *tasks: int | ReadRequest) -> None:
        for task in tasks:
            if isinstance(task, int):
                self.order.put_batch(task, ())
            else:
                self.order.put_read(task)


def test_batches_begin_one_behind_the_other_and_a_read_when_they_are_through() -> None:
    begun = Begun()
    begun.put(1, 2, ReadNexthops(), ReadTables(), 3, 4)
    assert begun == [1, 2]
    begun.order.written()
    assert begun == [1, 2]
    begun.order.written()
    assert begun == [1, 2, ReadNexthops(), ReadTables()]
    begun.order.was_read()
    assert len(begun) == 4
    begun.order.was_read()
    assert begun[4:] == [3, 4]


def test_a_batch_does_not_overtake_a_read_that_waits() -> None:
    begun = Begun()
    begun.put(1, ReadTables())
    begun.put(2)
    assert begun == [1]


def test_idle_is_when_nothing_waits_or_is_under_way() -> None:
    async def whole() -> None:
        begun = Begun()
        await begun.order.idle()
        begun.put(1, ReadTables())
        waiting = asyncio.create_task(begun.order.idle())
        for end in (begun.order.written, begun.order.was_read):
            await asyncio.sleep(0)
            assert not waiting.done()
            end()
        await waiting

    asyncio.run(whole())
