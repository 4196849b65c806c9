"""What the kernel refused: routes are left alone until they are to be tried again, however many they are."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from vrfbgp.fib.contests import Contests
from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import Key, source_of
from vrfbgp.fib.reads import Reads
from vrfbgp.fib.retry import Retry
from vrfbgp.model import Family, RouteKey
from vrfbgp.operations import AddRoute, Failure


class RefusedRoutes:
    """Parks in each slice what waits, and takes out what has waited."""

    def __init__(
        self, slices: Mapping[tuple[int, Family, int], RouteDelta], retry: Retry[Key], reads: Reads
    ) -> None:
        self._slices, self._retry, self._reads = slices, retry, reads

    def sort(self, now: float) -> None:
        """A batch is about to be made."""
        retry = self._retry
        waiting = [key for key in retry.watched if isinstance(key, RouteKey) and retry.waits(key)]
        for key in waiting:
            if source_of(key) not in self._reads:
                self._slice(key).park(key.nlri)
                retry.watched.discard(key)
        for due in retry.take_due(now):
            if isinstance(due, RouteKey):
                self._slice(due).unpark(due.nlri)

    def forget_released(self) -> None:
        """Something about them changed: it is another matter now, if any."""
        for (table, family, metric), delta in self._slices.items():
            if delta.released:
                released, delta.released = delta.released, []
                for nlri in released:
                    self._retry.forget(RouteKey(table, family, nlri, metric))

    def is_settled(self, key: RouteKey) -> bool:
        """Whether nothing is to be done about a route that is not left alone."""
        return not self._slice(key).differs(key.nlri)

    def _slice(self, key: RouteKey) -> RouteDelta:
        return self._slices[key.table, key.family, key.metric]


class Waiting:
    """What is not to be tried yet: the kernel refused it, or somebody fights over it."""

    def __init__(self, retry: Retry[Key], contests: Contests, now: float) -> None:
        self._retry, self._fought = retry, contests.waiting(now)

    def __contains__(self, key: object) -> bool:
        return key in self._fought or self._retry.waits(key)


def lacked_room(failure: Failure) -> bool:
    """Whether the kernel could not make a route for want of memory: that says nothing of what stands there.

    With a full table it fails so for each of very many routes; to read them all again would be no help.
    """
    return isinstance(failure.operation, AddRoute) and failure.errno in (errno.ENOMEM, errno.ENOBUFS)
