"""The paths of one peer that policy refused, counted by reason, and when there is something to tell of them.

Never a line for each of a million prefixes: the first one of a reason is news, and then each time that there
are ten times as many. When none is left, it begins anew.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from vrfbgp.model import Nlri
from vrfbgp.rib.policy import Refused
from vrfbgp.rib.refusal import Refusal

_FACTOR = 10


class News(NamedTuple):
    """So many prefixes are refused for a reason; `nlri` is one that came last, `rule` the one it met."""

    reason: Refusal
    prefixes: int
    nlri: Nlri
    rule: str


class RefusedPaths(dict[Nlri, Refused]):
    """By prefix. Only `put`, `pop` and `clear` change it."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[Refusal] = Counter()
        self._news: dict[Refusal, News] = {}
        self._next: dict[Refusal, int] = {}

    def put(self, nlris: list[Nlri], refused: Refused) -> None:
        """These prefixes are refused, all for this reason."""
        if not nlris:
            return
        fresh = dict.fromkeys(nlris, refused)
        reason, same = refused.reason, 0
        if not self.keys().isdisjoint(fresh):
            for before in [self[nlri].reason for nlri in fresh if nlri in self]:
                if before is reason:
                    same += 1
                else:
                    self._less(before)
        self.update(fresh)
        self.counts[reason] += len(fresh) - same
        if (count := self.counts[reason]) >= self._next.get(reason, 1):
            self._next[reason] = _FACTOR ** len(str(count))
            self._news[reason] = News(reason, count, nlris[0], refused.rule)

    def pop(self, nlri: Nlri, default: Refused | None = None) -> Refused | None:  # type: ignore[override]
        """A prefix is no longer refused. Never raises."""
        gone = super().pop(nlri, default)
        if gone is not default:
            assert gone is not None
            self._less(gone.reason)
        return gone

    def clear(self) -> None:
        super().clear()
        self.counts.clear()
        self._next.clear()
        self._news.clear()

    def take_news(self) -> list[News]:
        """What is to be told since the last call."""
        if not self._news:
            return []
        news, self._news = list(self._news.values()), {}
        return news

    def _less(self, reason: Refusal) -> None:
        self.counts[reason] -= 1
        if not self.counts[reason]:
            del self.counts[reason]
            self._next.pop(reason, None)
