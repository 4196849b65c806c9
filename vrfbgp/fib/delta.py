"""Desired and actual state of one kind of kernel object, kept as the desired state and its differences.

The key is the kernel's own key; everything else is the value. What is in the kernel as desired costs no
second entry: `actual` is the desired state except where `_off` and `_left` say otherwise. All methods are
O(1) but the ones that read everything.

A full table comes in runs of new keys with one value. They are kept as runs (`want_all`, `take_fresh`) for as
long as nobody asks for anything else; mostly that is until they are handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Delta(Generic[K, V]):
    """A desired map, an actual map, and the keys where they differ."""

    def __init__(self) -> None:
        self.desired: dict[K, V] = {}
        self._off: dict[K, V | None] = {}
        """What the kernel has where it differs, of keys that are desired or once were."""
        self._left: dict[K, V] = {}
        """What the kernel has of keys that were never desired: an earlier life, or somebody else, left it."""
        self._fresh: list[tuple[V, list[K]]] = []
        """Keys that are desired, that the kernel hasn't, and that are in neither of the two above."""

    def want(self, key: K, value: V) -> None:
        """From now on `key` is to be `value`."""
        self._thaw()
        actual = self.actual(key)
        self.desired[key] = value
        self._left.pop(key, None)
        self._mark(key, actual)

    def want_all(self, keys: list[K], value: V) -> int:
        """`want` for keys none of which is known yet; how many they are. 0: one is, and nothing was done."""
        for known in (self.desired, self._off, self._left):
            if known and not known.keys().isdisjoint(keys):
                return 0
        before = len(self.desired)
        self.desired.update(dict.fromkeys(keys, value))
        count = len(self.desired) - before
        if count != len(keys):
            keys = list(dict.fromkeys(keys))
        if self._fresh and self._fresh[-1][0] == value:
            self._fresh[-1][1].extend(keys)
        else:
            self._fresh.append((value, keys.copy()))
        return count

    def take_fresh(self) -> list[tuple[V, list[K]]]:
        """Runs of keys that are desired and were never in the kernel, which count as there from now on."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def unwant(self, key: K) -> None:
        """From now on `key` is not to be there."""
        self._thaw()
        if key in self.desired:
            actual = self.actual(key)
            del self.desired[key]
            self._mark(key, actual)

    def saw(self, key: K, value: V | None) -> None:
        """The kernel has `key` as `value`, or (None) hasn't."""
        self._thaw()
        if key in self.desired or key in self._off:
            self._mark(key, value)
        elif value is None:
            self._left.pop(key, None)
        else:
            self._left[key] = value

    def lack(self, keys: Iterable[K]) -> None:
        """The kernel hasn't these desired keys."""
        self._off.update(dict.fromkeys(keys))

    def saw_as_desired(self, keys: Iterable[K]) -> None:
        """The kernel has these desired keys as they are desired."""
        if self._off:
            for key in keys:
                self._off.pop(key, None)

    def saw_gone(self, keys: Iterable[K]) -> None:
        """The kernel hasn't these keys, that are not desired, any more."""
        for key in keys:
            self._off.pop(key, None)
            self._left.pop(key, None)

    def saw_all(self, actual: Mapping[K, V]) -> None:
        """The kernel has just this and nothing else."""
        self._fresh = []
        dropped = self._off.keys() - self.desired.keys()
        self._off = {key: None for key in self.desired if key not in actual}
        self._left = {}
        for key, value in actual.items():
            wanted = self.desired.get(key)
            if wanted == value:
                continue
            if wanted is not None or key in dropped:
                self._off[key] = value
            else:
                self._left[key] = value

    def actual(self, key: K) -> V | None:
        """What the kernel has, as far as we know."""
        self._thaw()
        if key in self._off:
            return self._off[key]
        return self._left[key] if key in self._left else self.desired.get(key)

    def pending(self) -> Iterator[tuple[K, V | None, V | None]]:
        """(key, desired, actual) wherever the two differ; None stands for absent."""
        return chain(self.changed(), self.left())

    def changed(self) -> Iterator[tuple[K, V | None, V | None]]:
        """The same, of what is desired or once was."""
        self._thaw()
        for key, actual in self._off.items():
            yield key, self.desired.get(key), actual

    def left(self) -> Iterator[tuple[K, None, V]]:
        """The same, of what was never desired."""
        for key, actual in self._left.items():
            yield key, None, actual

    def settled(self, keys: Iterable[K]) -> bool:
        """Whether all `keys` are in the kernel as desired."""
        self._thaw()
        return not any(key in self._off or key in self._left for key in keys)

    def actual_items(self) -> Iterator[tuple[K, V]]:
        """All that the kernel has."""
        self._thaw()
        for key, value in self.desired.items():
            if key not in self._off:
                yield key, value
        for key, _, actual in self.pending():
            if actual is not None:
                yield key, actual

    def __len__(self) -> int:
        """How many keys differ."""
        return len(self._off) + len(self._left) + sum(len(keys) for _, keys in self._fresh)

    def _thaw(self) -> None:
        """Keep fresh keys as all others."""
        for _, keys in self.take_fresh():
            self._off.update(dict.fromkeys(keys))

    def _mark(self, key: K, actual: V | None) -> None:
        if self.desired.get(key) == actual:
            self._off.pop(key, None)
        else:
            self._off[key] = actual
