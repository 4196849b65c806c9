"""Desired and actual state of one kind of kernel object, kept as the desired state and its differences.

The key is the kernel's own key; everything else is the value. What is in the kernel as desired costs no
second entry: `actual` is the desired state except where `_off` says otherwise. All methods are O(1) but
the ones that read everything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Delta(Generic[K, V]):
    """A desired map, an actual map, and the keys where they differ."""

    def __init__(self) -> None:
        self.desired: dict[K, V] = {}
        self.dropped: set[K] = set()
        """Keys that were desired once and are no longer, but are still in the kernel."""
        self._off: dict[K, V | None] = {}

    def want(self, key: K, value: V) -> None:
        """From now on `key` is to be `value`."""
        actual = self.actual(key)
        self.desired[key] = value
        self.dropped.discard(key)
        self._mark(key, actual)

    def unwant(self, key: K) -> None:
        """From now on `key` is not to be there."""
        if key in self.desired:
            actual = self.actual(key)
            del self.desired[key]
            if actual is not None:
                self.dropped.add(key)
            self._mark(key, actual)

    def saw(self, key: K, value: V | None) -> None:
        """The kernel has `key` as `value`, or (None) hasn't."""
        self._mark(key, value)

    def saw_all(self, actual: Mapping[K, V]) -> None:
        """The kernel has just this and nothing else."""
        missing = self.desired.keys() - actual.keys()
        self._off = dict.fromkeys(missing)
        for key, value in actual.items():
            self._mark(key, value)
        self.dropped &= self._off.keys()

    def actual(self, key: K) -> V | None:
        """What the kernel has, as far as we know."""
        if key in self._off:
            return self._off[key]
        return self.desired.get(key)

    def pending(self) -> Iterator[tuple[K, V | None, V | None]]:
        """(key, desired, actual) wherever the two differ; None stands for absent."""
        for key, actual in self._off.items():
            yield key, self.desired.get(key), actual

    def settled(self, keys: Iterable[K]) -> bool:
        """Whether all `keys` are in the kernel as desired."""
        return not any(key in self._off for key in keys)

    def actual_items(self) -> Iterator[tuple[K, V]]:
        """All that the kernel has."""
        for key, value in self.desired.items():
            if key not in self._off:
                yield key, value
        for key, actual in self._off.items():
            if actual is not None:
                yield key, actual

    def __len__(self) -> int:
        """How many keys differ."""
        return len(self._off)

    def _mark(self, key: K, actual: V | None) -> None:
        if self.desired.get(key) == actual:
            self._off.pop(key, None)
            self.dropped.discard(key)
        else:
            self._off[key] = actual
