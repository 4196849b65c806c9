"""Whether a loop goes round: it says so each time, and who asks learns how long ago that was."""

from __future__ import annotations

from collections.abc import Callable


class Beats:
    """Those of one loop; `clock` in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last = clock()
        self.count = 0

    def beat(self) -> None:
        """It goes round."""
        self._last = self._clock()
        self.count += 1

    @property
    def age(self) -> float:
        """Seconds since the last time."""
        return self._clock() - self._last
