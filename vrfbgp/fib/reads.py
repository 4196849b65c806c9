"""What is to be read of the kernel, and what is being read: nothing is written to it meanwhile.

The answer shows the state of the moment of the question, with all batches handed out before.
"""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.model import Family
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables

RULES: tuple[ReadRequest, ...] = tuple(ReadRules(family) for family in Family)
"""All rules."""


class Reads:
    """The questions that are open."""

    def __init__(self, *unread: ReadRequest) -> None:
        self._unread = set(unread)
        self._asked: set[ReadRequest] = set()

    def want(self, requests: Iterable[ReadRequest]) -> None:
        """The truth about these is in doubt; what is being asked already is asked again."""
        self._unread.update(requests)

    def want_unasked(self, requests: Iterable[ReadRequest]) -> None:
        """The same, but the answers that are awaited will do."""
        self._unread.update(set(requests) - self._asked)

    def take(self) -> list[ReadRequest]:
        """What is to be asked now; a question is repeated only when it was answered."""
        fresh = self._unread - self._asked
        self._unread &= self._asked
        self._asked |= fresh
        return sorted(fresh, key=repr)

    def answered(self, request: ReadRequest) -> None:
        """The answer is here."""
        self._asked.discard(request)

    def is_asked(self, request: ReadRequest) -> bool:
        """Whether the answer to this is awaited."""
        return request in self._asked

    def tables(self) -> frozenset[int]:
        """The tables that are in doubt, in one family at least."""
        return frozenset(read.table for read in self._unread | self._asked if isinstance(read, ReadTable))

    def __contains__(self, request: object) -> bool:
        """Whether the truth about this is in doubt."""
        return request in self._unread or request in self._asked

    def __bool__(self) -> bool:
        return bool(self._unread or self._asked)


def everything() -> Iterable[ReadRequest]:
    """Of which all else that there is to read can be told."""
    return ReadNexthops(), ReadTables(), *RULES
