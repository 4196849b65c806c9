"""Asks a copy of this process, so that whatever the question does to its state is gone with the copy.

`fork` costs little until one of the two writes. The copy has one thread, no descriptors but its answer's and
the standard ones, and ends by itself; it may compute, and read by sockets of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import signal
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

Json = dict[str, Any]
LONGEST = 60.0
"""Seconds after which a copy without an answer is ended."""


class NoAnswer(Exception):
    """The copy could not answer; the text says why."""


async def in_copy(question: Callable[[], Json], seconds: float = LONGEST) -> Json:
    """What `question` answers in a copy of this process. Raises NoAnswer."""
    said, saying = os.pipe()
    try:
        with warnings.catch_warnings():
            # Python's word on fork in a process with threads; the copy uses nothing that they may hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    except OSError as error:
        os.close(said)
        os.close(saying)
        raise NoAnswer(f"no copy of the daemon can be made: {error.strerror}") from None
    if not pid:
        _answer(question, saying)
    os.close(saying)
    try:
        async with asyncio.timeout(seconds):
            octets = await _all(said)
    except TimeoutError:
        raise NoAnswer(f"it took longer than {seconds:g} s") from None
    finally:
        # It has nothing to tidy up, and is ours alone until it is waited for.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    try:
        found: Json = json.loads(octets)
    except ValueError:
        raise NoAnswer("the process that was to find out died: see the log") from None
    if "failed" in found:
        raise NoAnswer(found["failed"])
    return found


async def _all(said: int) -> bytes:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(said, "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    try:
        return await reader.read()
    finally:
        transport.close()


def _answer(question: Callable[[], Json], saying: int) -> NoReturn:
    status = 1
    try:
        gc.disable()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(saying, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        try:
            found = question()
        except Exception as error:
            found = {"failed": f"{type(error).__name__}: {error}"}
        octets = memoryview(json.dumps(found).encode())
        while octets:
            octets = octets[os.write(3, octets) :]
        status = 0
    finally:
        with contextlib.suppress(BaseException):
            os._exit(status)
        os.abort()
