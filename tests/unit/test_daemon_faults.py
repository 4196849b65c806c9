"""An error of our own in a callback ends the daemon, as one in a task does."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest

from vrfbgp.daemon import _in_callback, _raised


def test_what_a_callback_raises_reaches_a_root_task(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        loop = asyncio.get_running_loop()
        fault = loop.create_future()
        loop.set_exception_handler(partial(_in_callback, fault))
        for _ in range(2):
            loop.call_soon(lambda: 1 // 0)
        async with asyncio.timeout(10):
            await _raised(fault)

    with caplog.at_level(logging.ERROR), pytest.raises(ZeroDivisionError):
        asyncio.run(fail())
    assert "ZeroDivisionError" in caplog.text


def test_what_asyncio_only_complains_of_ends_nothing() -> None:
    async def complain() -> bool:
        loop = asyncio.get_running_loop()
        fault = loop.create_future()
        _in_callback(fault, loop, {"message": "socket.send() raised exception", "exception": OSError()})
        return fault.done()

    assert not asyncio.run(complain())
