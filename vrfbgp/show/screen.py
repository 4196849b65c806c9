"""A screen that is shown again and again (`--watch`); without a terminal, one answer after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")

EVERY = 2.0
"""Seconds from one look to the next."""
_HOME_AND_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Cursor to the corner, clear the screen and what was scrolled off it (ECMA-48 CUP, ED; xterm's ED 3)."""


def watched(look: Callable[[], T], out: TextIO | None = None, every: float = EVERY) -> Iterator[T]:
    """Yields what is to be shown, on a screen that is empty by then. Endless: the user ends it (Ctrl-C)."""
    out = out or sys.stdout
    while True:
        found = look()
        if out.isatty():
            # Only now, so that the screen is not empty while it is asked for.
            out.write(_HOME_AND_CLEAR)
        yield found
        out.flush()
        time.sleep(every)
