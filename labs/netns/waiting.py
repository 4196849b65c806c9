"""Waiting for conditions: nothing in the labs or the tests sleeps for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds after which a condition that should come true at once is given up, on a machine that is busy."""


class NeverTrue(AssertionError):
    """A condition did not come true in time."""


def wait_for(
    condition: Callable[[], T],
    timeout: float = PATIENCE,
    describe: Callable[[], object] | str = "",
    *,
    interval: float = 0.05,
) -> T:
    """Ask until `condition` returns something true, and return that.

    `timeout` and `interval` are in seconds. `describe` says what was waited for; if it is a function it is
    called on failure, and what it returns is told. An AssertionError in the condition counts as not yet true.
    Raises NeverTrue.
    """
    started = time.monotonic()
    while True:
        failure: object = ""
        try:
            if value := condition():
                return value
            failure = f"last value: {value!r}"
        except AssertionError as error:
            failure = error
        if time.monotonic() - started > timeout:
            break
        time.sleep(interval)
    what = describe if isinstance(describe, str) else describe()
    name = what or getattr(condition, "__name__", "condition")
    raise NeverTrue(f"not true within {timeout:g} s: {name}\n{failure}")


def stays_true(
    condition: Callable[[], object], seconds: float, describe: str = "", *, interval: float = 0.05
) -> None:
    """Ask again and again for some seconds that `condition` holds: for what must *not* happen.

    Raises AssertionError at the first time that it does not.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        assert value, (
            f"did not stay true: {describe or getattr(condition, '__name__', 'condition')}: {value!r}"
        )
        time.sleep(interval)
