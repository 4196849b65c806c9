"""A copy of this process answers, and leaves nothing behind: no change, no process, no descriptor."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import time
from collections.abc import Callable

import pytest

from vrfbgp.copied import NoAnswer, in_copy


def ask(question: Callable[[], dict[str, object]], seconds: float = 20.0) -> dict[str, object]:
    before = set(os.listdir("/proc/self/fd"))
    try:
        return asyncio.run(in_copy(question, seconds))
    finally:
        assert set(os.listdir("/proc/self/fd")) == before
        with pytest.raises(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)


def test_what_the_copy_does_to_our_state_is_gone_with_it() -> None:
    state = [1]

    def question() -> dict[str, object]:
        state.append(2)
        return {"seen": state, "text": "ä" * 200_000}

    assert ask(question) == {"seen": [1, 2], "text": "ä" * 200_000}
    assert state == [1]


def test_the_copy_has_none_of_our_descriptors() -> None:
    held = os.open("/dev/null", os.O_RDONLY)
    try:
        # The directory's own descriptor is the fourth.
        assert ask(lambda: {"fds": len(os.listdir("/proc/self/fd")) - 1}) == {"fds": 4}
    finally:
        os.close(held)


def test_an_error_is_told() -> None:
    with pytest.raises(NoAnswer, match=r"ZeroDivisionError: .* by zero"):
        ask(lambda: {"value": 1 // 0})


def test_a_copy_that_takes_too_long_is_ended() -> None:
    with pytest.raises(NoAnswer, match=r"longer than 0\.1 s"):
        ask(lambda: {"late": time.sleep(60)}, 0.1)


def test_a_copy_that_dies_is_told() -> None:
    def question() -> dict[str, object]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    with pytest.raises(NoAnswer, match="died"):
        ask(question)


def test_a_copy_that_can_not_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory() -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(os, "fork", no_memory)
    with pytest.raises(NoAnswer, match="Cannot allocate memory"):
        ask(dict)
