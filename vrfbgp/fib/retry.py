"""Retries of what the kernel refused: apart from incremental work, ever more slowly, and never given up.

They may be very many (a table that does not fit into the memory that the kernel may use), so nothing here
looks at all of them: they lie in buckets by the time of their next try, and only so many are taken out
at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Generic, TypeVar

from vrfbgp.operations import Failure

K = TypeVar("K")

FIRST_DELAY = 0.1
LONGEST_DELAY = 30.0
"""Seconds between a failure and the next try; doubled from the first to the longest."""
AT_ONCE = 2_000
"""Objects that are tried again at the same time; the others wait until these are through."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The last failure of one object, how often it failed in a row, and when it is tried again."""

    failure: Failure
    times: int
    again: float


class Retry(Generic[K]):
    """The objects whose last operation failed, until an operation on them succeeds or none is needed."""

    def __init__(self) -> None:
        self._refused: dict[K, Refused] = {}
        self._due_at: dict[float, list[K]] = {}
        """Keys by the time of their next try; some of them may have been forgotten since."""
        self._times: list[float] = []
        """A heap of these times."""
        self._waiting: set[K] = set()
        """Those whose time has not come."""
        self._due: deque[K] = deque()
        self._attempts: dict[K, int] = {}
        self._attempted: dict[int, list[K]] = {}
        """The same by the serial of the batch."""
        self.watched: set[K] = set()
        """Those of which somebody has to see whether they have come right by themselves."""

    def failed(self, key: K, failure: Failure, now: float) -> int:
        """One more failure; how many it makes in a row."""
        before = self._refused.get(key)
        times = before.times + 1 if before else 1
        self._attempts.pop(key, None)
        self._wait(key, failure, times, now)
        return times

    def _wait(self, key: K, failure: Failure, times: int, now: float) -> None:
        again = now + min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(times - 1, 20))
        self._refused[key] = Refused(failure, times, again)
        if again not in self._due_at:
            self._due_at[again] = []
            heappush(self._times, again)
        self._due_at[again].append(key)
        self._waiting.add(key)
        self.watched.add(key)

    def _wake(self, now: float) -> None:
        while self._times and self._times[0] <= now:
            time = heappop(self._times)
            for key in self._due_at.pop(time):
                refused = self._refused.get(key)
                if refused is not None and refused.again == time and key in self._waiting:
                    self._waiting.discard(key)
                    self._due.append(key)

    def waits(self, key: object) -> bool:
        """Whether the time of a key has not come."""
        return key in self._waiting

    def take_due(self, now: float) -> list[K]:
        """Keys whose time has come, each once; no more than bring those that are watched to `AT_ONCE`."""
        self._wake(now)
        room = max(0, AT_ONCE - len(self.watched))
        keys = [self._due.popleft() for _ in range(min(room, len(self._due)))]
        self.watched.update(key for key in keys if key in self._refused)
        return keys

    def postpone(self, key: K, now: float) -> None:
        """It can't be tried now: where many are so, it waits once more, to be in nobody's way."""
        if len(self.watched) >= AT_ONCE and key not in self._waiting and key not in self._attempts:
            refused = self._refused[key]
            self._wait(key, refused.failure, refused.times, now)

    def hasten(self) -> None:
        """Something changed that may have been the cause: all are tried again now, and slowly if in vain."""
        self._due.extend(self._waiting)
        self._waiting.clear()
        self._due_at.clear()
        self._times.clear()

    def attempted(self, key: K, serial: int) -> None:
        """Batch `serial` tries this key again, if it is one of ours."""
        if key in self._refused:
            self._attempts[key] = serial
            self._attempted.setdefault(serial, []).append(key)

    def attempting(self, key: K) -> bool:
        """Whether a batch that tries this key is on its way."""
        return key in self._attempts

    def applied(self, serial: int) -> None:
        """Batch `serial` is through, its failures are told: whatever else it tried went well."""
        for sent in [sent for sent in self._attempted if sent <= serial]:
            for key in self._attempted.pop(sent):
                if self._attempts.get(key) == sent:
                    self.forget(key)

    def forget(self, key: K) -> None:
        """Nothing is to be done about this key any more."""
        self._refused.pop(key, None)
        self._attempts.pop(key, None)
        self._waiting.discard(key)
        self.watched.discard(key)

    def next(self, now: float) -> float | None:
        """When the next key's time comes; one whose time has come waits for something else."""
        self._wake(now)
        while self._times:
            time = self._times[0]
            if any(key in self._waiting and self._refused[key].again == time for key in self._due_at[time]):
                return time
            del self._due_at[heappop(self._times)]
        return None

    def get(self, key: K) -> Refused | None:
        """The last failure of a key, if it was its last operation."""
        return self._refused.get(key)

    def __contains__(self, key: object) -> bool:
        return key in self._refused

    def items(self) -> Iterator[tuple[K, Refused]]:
        yield from self._refused.items()

    def __len__(self) -> int:
        return len(self._refused)
