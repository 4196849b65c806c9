"""The last thousands of events, in memory: what `events` pages through, and when each kind happened last.

Events are numbered from 1 in the order of telling. A reader that names the last number it has seen gets what
came since, and is told how much of that was forgotten meanwhile. Numbers begin anew with each life of the
daemon, so a page names that life. Any thread may write.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from time import gmtime, strftime

KEPT = 4096
"""Events that are remembered."""
LONGEST = 1000
"""Characters of one event's text that are kept."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; `time` in seconds since the epoch."""

    number: int
    time: float
    code: str
    subject: str
    text: str
    warning: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, in order."""

    events: list[Event]
    next: int
    """The number to ask from next: that of the last event that was looked at."""
    lost: int
    """Events since the one that was asked from that are forgotten."""
    more: bool
    """There is more to be had at once."""


Wanted = Callable[[Event], bool]


class Journal:
    """What happened in one life of the daemon; `began` is its start, in seconds since the epoch."""

    def __init__(self, began: float, kept: int = KEPT) -> None:
        self.began = began
        self.counts: Counter[str] = Counter()
        """How often each code was told, repeats that were not logged included."""
        self.latest: dict[str, Event] = {}
        """The last event of each code, also if it is forgotten among the others."""
        self._events: deque[Event] = deque(maxlen=kept)
        self._last = 0
        self._lock = threading.Lock()

    def write(self, time: float, code: str, subject: str, text: str, warning: bool) -> None:
        """Something happened."""
        if len(text) > LONGEST:
            text = text[: LONGEST - 1] + "…"
        with self._lock:
            self._last += 1
            event = Event(self._last, time, code, subject, text, warning)
            self._events.append(event)
            self.latest[code] = event

    def count(self, code: str) -> None:
        """It happened once more, whether or not it is written."""
        with self._lock:
            self.counts[code] += 1

    def since(self, number: int, most: int, wanted: Wanted) -> Page:
        """What was written after the event of this number, at most so many that are wanted."""
        events, last = self._now()
        first = events[0].number if events else last + 1
        # A number from the future is one of another life: all is new then.
        number = number if number <= last else 0
        new = islice(events, max(0, number + 1 - first), None)
        found: list[Event] = []
        reached = number
        for event in new:
            if len(found) == most:
                return Page(found, reached, max(0, first - number - 1), True)
            reached = event.number
            if wanted(event):
                found.append(event)
        return Page(found, last, max(0, first - number - 1), False)

    def newest(self, most: int, wanted: Wanted) -> Page:
        """The last ones that are wanted."""
        events, last = self._now()
        found = list(islice(filter(wanted, reversed(events)), most))
        return Page(found[::-1], last, 0, False)

    def _now(self) -> tuple[list[Event], int]:
        with self._lock:
            return list(self._events), self._last


def rfc3339(seconds: float) -> str:
    """A time since the epoch in UTC, to the millisecond (RFC 3339 5.6)."""
    whole = int(seconds)
    return f"{strftime('%Y-%m-%dT%H:%M:%S', gmtime(whole))}.{int((seconds - whole) * 1000):03}Z"
