"""Limits repeats: of what is told again and again, the first ones and then a count.

What differs only in numbers and addresses is the same: a thousand prefixes that meet one fate are one story.
No clock: `now` is an argument, in seconds.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

FIRST = 20
"""So many of a kind are told in a window."""
WINDOW = 10.0
"""Seconds from the first of a kind until what was held back is told as a count."""
_FORGET = 1000
"""Kinds that are remembered before those whose window is over are forgotten."""
_VARYING = re.compile(r"[0-9a-fA-F.:/]*\d[0-9a-fA-F.:/]*")


@dataclass
class _Window:
    until: float
    told: int = 1
    held: int = 0


class Repeats:
    """What was told lately."""

    def __init__(self) -> None:
        self._windows: dict[Hashable, _Window] = {}
        self._holding: dict[Hashable, _Window] = {}
        """Those of them that hold something back."""

    def admits(self, kind: Hashable, now: float) -> bool:
        """Whether this one is to be told."""
        window = self._windows.get(kind)
        if window is None or (window.until <= now and not window.held):
            if len(self._windows) >= _FORGET:
                self._forget(now)
            self._windows[kind] = _Window(now + WINDOW)
            return True
        if window.told < FIRST:
            window.told += 1
            return True
        window.held += 1
        self._holding[kind] = window
        return False

    def held(self, now: float, *, all_: bool = False) -> Iterator[tuple[Hashable, int]]:
        """Kinds whose window is over, or just all of them, and how many were held back; each once."""
        for kind, window in list(self._holding.items()):
            if all_ or window.until <= now:
                del self._windows[kind], self._holding[kind]
                yield kind, window.held

    def _forget(self, now: float) -> None:
        for kind, window in list(self._windows.items()):
            if window.until <= now and not window.held:
                del self._windows[kind]


def shape(text: str) -> str:
    """The text without its numbers, addresses and prefixes."""
    return _VARYING.sub("#", text)
