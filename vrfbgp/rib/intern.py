"""A bounded memory of what a key stood for, so that equal attributes are read once and shared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Interned(Generic[Value]):
    """Values by the octets they were made of, of two generations.

    When the young one is full, it becomes the old one and the old one is forgotten; what is found in
    the old one is young again. So what is in use stays, at the cost of one dict look-up, and a peer that
    never repeats itself costs no more than `entries` entries or `octets` octets of keys, twice.
    """

    def __init__(self, entries: int = 8192, octets: int = 1 << 20) -> None:
        self._entries = entries
        self._octets = octets
        self._young: dict[bytes, Value] = {}
        self._old: dict[bytes, Value] = {}
        self._held = 0

    def get(self, key: bytes) -> Value | None:
        """The value, if it is remembered."""
        value = self._young.get(key)
        if value is None and (value := self._old.get(key)) is not None:
            self.put(key, value)
        return value

    def put(self, key: bytes, value: Value) -> None:
        """Remember a value; one whose key takes more than an eighth of the room is not."""
        if len(key) > self._octets >> 3:
            return
        if len(self._young) >= self._entries or self._held + len(key) > self._octets:
            self._old, self._young, self._held = self._young, {}, 0
        if key not in self._young:
            self._held += len(key)
        self._young[key] = value

    def made(self, key: bytes, make: Callable[[], Value]) -> Value:
        """The value, remembered or made now."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
