"""Desired and actual state of one kind of kernel object, kept as the desired state and its differences.

The key is the kernel's own key; everything else is the value. What is in the kernel as desired costs no
second entry: `actual` is the desired state except where `_off` and `_left` say otherwise. All methods are
O(1) but the ones that read everything.

What the kernel refuses, and is to be tried later, is `park`ed: it costs nothing until then.

The desired state may be kept elsewhere, as that of learned routes is (`desired.py`): then each step that it
takes is `told`, in order. It may be ahead of what was told, but only until somebody looks here.

A full table comes, and goes, in runs of keys with one value. They are kept as runs (`take_fresh`,
`take_gone`) for as long as nobody asks for anything else; mostly that is until they are handed out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from itertools import chain
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Delta(Generic[K, V]):
    """A desired map, an actual map, and the keys where they differ."""

    def __init__(self, desired: MutableMapping[K, V] | None = None) -> None:
        self.desired: MutableMapping[K, V] = {} if desired is None else desired
        self._off: dict[K, V | None] = {}
        """What the kernel has where it differs, of keys that are desired or once were."""
        self._left: dict[K, V] = {}
        """What the kernel has of keys that were never desired: an earlier life, or somebody else, left it."""
        self._parked: dict[K, V | None] = {}
        """As the two above, of keys that are left alone for now."""
        self._parked_left: set[K] = set()
        """Those of them that were among the second."""
        self._parked_held: set[K] = set()
        """Those of them that the kernel has."""
        self.released: list[K] = []
        """Keys that were parked, until something about them changed."""
        self._fresh: list[tuple[V, list[K]]] = []
        """Keys that are desired, that the kernel hasn't, and that are in neither of the two above."""
        self._gone: list[tuple[V, list[K]]] = []
        """Keys that are not desired any more, that the kernel has so, and that are in neither of them.
        Either these or the fresh ones: there are never both."""

    def want(self, key: K, value: V) -> None:
        """From now on `key` is to be `value`."""
        before = self.desired.get(key)
        self.desired[key] = value
        self.told([key], before, value)

    def unwant(self, key: K) -> None:
        """From now on `key` is not to be there; or to be what it would have been without `want`."""
        before = self.desired.get(key)
        if before is not None:
            self.desired.pop(key, None)
            self.told([key], before, self.desired.get(key))

    def told(self, keys: list[K], before: V | None, now: V | None) -> None:
        """The desired value of these keys, each of them once, went from `before` to `now`; None: absent."""
        if before == now:
            return
        if before is None and now is not None and not self._gone and self._unmarked(keys):
            _extend(self._fresh, now, keys)
        elif now is None and before is not None and not self._fresh and self._unmarked(keys):
            _extend(self._gone, before, keys)
        else:
            self._thaw()
            self._release(keys)
            for key in keys:
                actual = self._off[key] if key in self._off else self._left.pop(key, before)
                if actual == now:
                    self._off.pop(key, None)
                else:
                    self._off[key] = actual

    def take_fresh(self) -> list[tuple[V, list[K]]]:
        """Runs of keys that are desired and were never in the kernel, which count as there from now on."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def take_gone(self) -> list[tuple[V, list[K]]]:
        """Runs of keys that are not desired any more, and how they are in the kernel; they count as gone."""
        gone, self._gone = self._gone, []
        return gone

    def saw(self, key: K, value: V | None) -> None:
        """The kernel has `key` as `value`, or (None) hasn't."""
        self._thaw()
        self._release((key,))
        desired = self.desired.get(key)
        if desired is None and key not in self._off:
            if value is None:
                self._left.pop(key, None)
            else:
                self._left[key] = value
        elif desired == value:
            self._off.pop(key, None)
        else:
            self._off[key] = value

    def keep(self, keys: Iterable[K], value: V) -> None:
        """The kernel has these keys, that are not desired any more, as `value`, and they stay for now."""
        self._off.update(dict.fromkeys(keys, value))

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
        if self._off or self._left:
            for key in keys:
                self._off.pop(key, None)
                self._left.pop(key, None)

    def saw_all(self, actual: Mapping[K, V]) -> None:
        """The kernel has just this and nothing else."""
        self._thaw()
        parked, self._parked = self._parked, {}
        once = self._off.keys() | (parked.keys() - self._parked_left)
        self._parked_left, self._parked_held = set(), set()
        off: dict[K, V | None] = {}
        matched = 0
        for key, wanted in self.desired.items():
            value = actual.get(key)
            if value is not None:
                matched += 1
            if value != wanted:
                off[key] = value
        self._left = {}
        if matched < len(actual):
            for key, value in actual.items():
                if self.desired.get(key) is None:
                    (off if key in once else self._left)[key] = value
        self._off = off
        for key, value in parked.items():
            if not (key in off and off[key] == value) and self._left.get(key) != value:
                self.released.append(key)
            else:
                self.park(key)

    def park(self, key: K) -> None:
        """Leave a key that differs alone, until it is unparked or something about it changes."""
        if key in self._off:
            actual = self._parked[key] = self._off.pop(key)
        elif key in self._left:
            actual = self._parked[key] = self._left.pop(key)
            self._parked_left.add(key)
        else:
            return
        if actual is not None:
            self._parked_held.add(key)

    def unpark(self, key: K) -> None:
        """Leave it alone no longer, if it is."""
        if key not in self._parked:
            return
        actual = self._parked.pop(key)
        if key in self._parked_left and actual is not None:
            self._left[key] = actual
        else:
            self._off[key] = actual
        self._parked_left.discard(key)
        self._parked_held.discard(key)

    def differs(self, key: K) -> bool:
        """Whether a key differs and is not parked; one that is new in this is not looked at."""
        return key in self._off or key in self._left

    @property
    def has_parked(self) -> bool:
        """Whether any key is parked."""
        return bool(self._parked)

    def lacks(self, key: K) -> bool:
        """Whether a key that is parked is desired and not there."""
        return key in self._parked and self._parked[key] is None

    def held(self) -> Iterator[tuple[K, V]]:
        """What the kernel has of keys that are parked."""
        for key in self._parked_held:
            if (actual := self._parked[key]) is not None:
                yield key, actual

    def _release(self, keys: Iterable[K]) -> None:
        if self._parked:
            for key in [key for key in keys if key in self._parked]:
                self.unpark(key)
                self.released.append(key)

    def actual(self, key: K) -> V | None:
        """What the kernel has, as far as we know."""
        self._thaw()
        for differing in (self._off, self._left, self._parked):
            if key in differing:
                return differing[key]
        return self.desired.get(key)

    def pending(self) -> Iterator[tuple[K, V | None, V | None]]:
        """(key, desired, actual) wherever the two differ; None stands for absent."""
        return chain(self.changed(), self.left(), self.parked())

    def parked(self) -> Iterator[tuple[K, V | None, V | None]]:
        """The same, of what is parked."""
        for key, actual in self._parked.items():
            yield key, self.desired.get(key), actual

    def changed(self) -> Iterator[tuple[K, V | None, V | None]]:
        """The same, of what is desired or once was, and is not parked."""
        self._thaw()
        for key, actual in self._off.items():
            yield key, self.desired.get(key), actual

    def left(self) -> Iterator[tuple[K, None, V]]:
        """The same, of what was never desired, and is not parked."""
        for key, actual in self._left.items():
            yield key, None, actual

    def settled(self, keys: Iterable[K]) -> bool:
        """Whether all `keys` are in the kernel as desired."""
        self._thaw()
        return not any(key in self._off or key in self._left or key in self._parked for key in keys)

    def actual_items(self) -> Iterator[tuple[K, V]]:
        """All that the kernel has."""
        self._thaw()
        for key, value in self.desired.items():
            if key not in self._off and key not in self._parked:
                yield key, value
        for key, _, actual in self.pending():
            if actual is not None:
                yield key, actual

    def __len__(self) -> int:
        """How many keys differ."""
        runs = sum(len(keys) for _, keys in chain(self._fresh, self._gone))
        return len(self._off) + len(self._left) + len(self._parked) + runs

    def _unmarked(self, keys: list[K]) -> bool:
        every = self._off, self._left, self._parked
        return not any(marked and not marked.keys().isdisjoint(keys) for marked in every)

    def _thaw(self) -> None:
        """Keep what is in runs as all else."""
        for _, keys in self.take_fresh():
            self._off.update(dict.fromkeys(keys))
        for value, keys in self.take_gone():
            self._off.update(dict.fromkeys(keys, value))


def _extend(runs: list[tuple[V, list[K]]], value: V, keys: list[K]) -> None:
    if runs and runs[-1][0] == value:
        runs[-1][1].extend(keys)
    else:
        runs.append((value, keys.copy()))
