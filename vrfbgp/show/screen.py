"""A screen that is shown again and again (`--watch`); without a terminal, one answer after the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import TextIO

EVERY = 2.0
"""Seconds from one look to the next."""
_HOME_AND_CLEAR = "\x1b[H\x1b[2J\x1b[3J"
"""Cursor to the corner, clear the screen and what was scrolled off it (ECMA-48 CUP, ED; xterm's ED 3)."""


def watched(out: TextIO | None = None, every: float = EVERY) -> Iterator[None]:
    """Yields whenever the screen is to be shown. Endless: the user ends it (Ctrl-C)."""
    out = out or sys.stdout
    while True:
        if out.isatty():
            out.write(_HOME_AND_CLEAR)
        yield
        out.flush()
        time.sleep(every)
