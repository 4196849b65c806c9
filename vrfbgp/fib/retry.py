"""Retries of what the kernel refused: apart from incremental work, ever more slowly, and never given up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from vrfbgp.operations import Failure

K = TypeVar("K")

FIRST_DELAY = 0.1
LONGEST_DELAY = 30.0
"""Seconds between a failure and the next try; doubled from the first to the longest."""


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
        self._attempts: dict[K, int] = {}

    def failed(self, key: K, failure: Failure, now: float) -> int:
        """One more failure; how many it makes in a row."""
        times = self._refused[key].times + 1 if key in self._refused else 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(times - 1, 20))
        self._refused[key] = Refused(failure, times, now + delay)
        self._attempts.pop(key, None)
        return times

    def waiting(self, now: float) -> set[K]:
        """Keys whose time has not come."""
        return {key for key, refused in self._refused.items() if refused.again > now}

    def failed_at(self, key: K, value: object) -> bool:
        """Whether it was this value that a key could not be given, and no other."""
        refused = self._refused.get(key)
        return refused is not None and getattr(refused.failure.operation, "value", value) == value

    def hasten(self) -> None:
        """Something changed that may have been the cause: all are tried again now, and slowly if in vain."""
        self._refused = {key: replace(refused, again=0.0) for key, refused in self._refused.items()}

    def attempted(self, key: K, serial: int) -> None:
        """Batch `serial` tries this key again, if it is one of ours."""
        if key in self._refused:
            self._attempts[key] = serial

    def attempting(self, key: K) -> bool:
        """Whether a batch that tries this key is on its way."""
        return key in self._attempts

    def applied(self, serial: int) -> None:
        """Batch `serial` is through, its failures are told: whatever else it tried went well."""
        for key in [key for key, attempt in self._attempts.items() if attempt <= serial]:
            self.forget(key)

    def forget(self, key: K) -> None:
        """Nothing is to be done about this key any more."""
        self._refused.pop(key, None)
        self._attempts.pop(key, None)

    def next(self, now: float) -> float | None:
        """When the next key's time comes; one whose time has come waits for something else."""
        times = (refused.again for refused in self._refused.values() if refused.again > now)
        return min(times, default=None)

    def __contains__(self, key: object) -> bool:
        return key in self._refused

    def items(self) -> Iterator[tuple[K, Refused]]:
        yield from self._refused.items()

    def __len__(self) -> int:
        return len(self._refused)
