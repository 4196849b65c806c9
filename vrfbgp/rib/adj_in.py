"""Adj-RIB-In: what one peer announces in one family (RFC 4271 3.2).

The paths that policy accepts are kept in the network's table (`table.py`), where the peers' paths to a prefix
stand side by side; here they are looked at as this peer's own. Refused ones are kept apart, with their
reason, so that choosing never looks at them and a changed policy can look at both. After a session was lost
with graceful restart, paths are *stale* until they are announced again, or swept at the End-of-RIB (RFC
4724 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from vrfbgp.model import Family, Nlri, Path, PeerId
from vrfbgp.rib.policy import ImportPolicy, Judged, Refused, received
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.refused import RefusedPaths
from vrfbgp.rib.table import UNLIMITED, Table, path_of

GUARDED = 10_000
"""Prefixes that are kept although martian, or the like."""
_NONE: frozenset[Nlri] = frozenset()


class Accepted(Mapping[Nlri, Path]):
    """The paths of one peer in a table."""

    def __init__(self, peer: PeerId, table: Table) -> None:
        self.count = 0
        self._peer = peer
        self._table = table

    def __getitem__(self, nlri: Nlri) -> Path:
        path = path_of(self._table.entries.get(nlri), self._peer)
        if path is None:
            raise KeyError(nlri)
        return path

    def __contains__(self, nlri: object) -> bool:
        return path_of(self._table.entries.get(nlri), self._peer) is not None  # type: ignore[call-overload]

    def __iter__(self) -> Iterator[Nlri]:
        return (nlri for nlri, _ in self.pairs())

    def __len__(self) -> int:
        return self.count

    def pairs(self) -> Iterator[tuple[Nlri, Path]]:
        """Its items, in much less time."""
        return self._table.of_peer(self._peer) if self.count else iter(())


class AdjRibIn:
    """Paths by prefix."""

    def __init__(self, peer: PeerId, table: Table) -> None:
        self.peer = peer
        self.family: Family = table.family
        self.paths = Accepted(peer, table)
        """Accepted by policy."""
        self.refused = RefusedPaths()
        self.stale: set[Nlri] = set()
        """Accepted ones that must be announced again to stay."""
        self.stale_refused: set[Nlri] = set()
        self.over_limit = self.over_network = False
        """Some had no room, by the peer's own limit or the network's, and were not kept."""
        self.forgot = False
        """Some that were refused were more than are kept: another policy could not judge them again."""
        self._table = table

    def __len__(self) -> int:
        """How many prefixes were received."""
        return self.paths.count + len(self.refused)

    def announce(self, nlris: Iterable[Nlri], path: Path, policy: ImportPolicy) -> None:
        """The prefixes are now announced with `path`."""
        nlris = nlris if isinstance(nlris, list) else list(nlris)
        if path.peer is not self.peer:
            path = Path(self.peer, path.attributes, path.internal, path.router_id)
        again = _NONE
        if self.stale or self.stale_refused:
            again = frozenset(self.stale.intersection(nlris))
            self._freshen(nlris)
        if policy.clears(self.family, nlris, path):
            self._accept(nlris, path, policy.most, again)
            return
        for judged in policy.judge(self.family, nlris, path):
            if judged.reason is None:
                self._accept(judged.nlris, judged.path, policy.most, again)
            else:
                refused = Refused(judged.path, judged.reason, judged.rule)
                self.refused.put(self._worth_keeping(judged, policy.most), refused)
                self.paths.count -= self._table.drop(self.peer, judged.nlris)
            if again:
                again = again.difference(judged.nlris)

    def _accept(self, nlris: list[Nlri], path: Path, most: int, again: frozenset[Nlri]) -> None:
        if self.refused and not self.refused.keys().isdisjoint(nlris):
            for nlri in nlris:
                self.refused.pop(nlri, None)
        if most is not UNLIMITED or self._table.most is not UNLIMITED:
            nlris = self._fitting(nlris, most, again)
        self.paths.count += self._table.put(nlris, path)

    def withdraw(self, nlris: Iterable[Nlri]) -> None:
        """The prefixes are no longer announced."""
        nlris = nlris if isinstance(nlris, list) else list(nlris)
        if self.stale or self.stale_refused:
            self._freshen(nlris)
        if self.refused:
            for nlri in nlris:
                self.refused.pop(nlri, None)
        self.paths.count -= self._table.drop(self.peer, nlris)

    def _freshen(self, nlris: list[Nlri]) -> None:
        self.stale.difference_update(nlris)
        self.stale_refused.difference_update(nlris)

    def _fitting(self, nlris: list[Nlri], most: int, again: frozenset[Nlri]) -> list[Nlri]:
        """What there is room for: all that is there already, and of the rest the first.

        What is stale is about to be said again, or to go: until then it takes no room, and what others said
        first may have taken it. `again` are those that were stale until now.
        """
        waiting = len(self.stale) + len(again)
        room = max(0, most - self.paths.count + waiting)
        everywhere = max(0, self._table.most - len(self._table) + waiting)
        if len(nlris) <= min(room, everywhere):
            return nlris
        found, gone = [], []
        for nlri in dict.fromkeys(nlris):
            back = nlri in again
            more, new = back or nlri not in self.paths, back or nlri not in self._table
            if more > room or new > everywhere:
                self.over_limit |= more > room
                self.over_network |= more <= room
                gone += [nlri] if back else []
                continue
            found.append(nlri)
            room -= more
            everywhere -= new
        self.paths.count -= self._table.drop(self.peer, gone)
        return found

    def _worth_keeping(self, judged: Judged, most: int) -> list[Nlri]:
        """What is refused is kept to be told, and what the user's rules refuse for when they change; not more
        of it than a peer that means no harm would send."""
        bound = 10 * most if judged.reason is Refusal.FILTER else GUARDED
        room = max(bound, GUARDED) - len(self.refused)
        if len(judged.nlris) <= room:
            return judged.nlris
        new = [nlri for nlri in judged.nlris if nlri not in self.refused]
        self.forgot |= len(new) > max(0, room)
        return [nlri for nlri in judged.nlris if nlri in self.refused] + new[: max(0, room)]

    def mark_stale(self) -> None:
        """All that is here must be announced again to stay."""
        self.stale, self.stale_refused = set(self.paths), set(self.refused)

    def sweep(self) -> int:
        """Drop what was not announced again; how many prefixes that were."""
        stale = [*self.stale, *self.stale_refused]
        self.withdraw(stale)
        return len(stale)

    def clear(self) -> None:
        """Drop everything."""
        self.paths.count -= self._table.drop(self.peer, list(self.paths))
        self.refused.clear()
        self.stale.clear()
        self.stale_refused.clear()
        self.complete()

    def complete(self) -> None:
        """The peer is to send all it has: nothing is known to be missing any more."""
        self.over_limit = self.over_network = self.forgot = False

    def reconsider(self, policy: ImportPolicy) -> None:
        """Ask a new policy about everything."""
        # Nothing counts as said again: what is here has its room.
        stale = self.stale | self.stale_refused
        self.stale, self.stale_refused = set(), set()
        all_ = [*self.paths.pairs(), *((nlri, refused.path) for nlri, refused in self.refused.items())]
        for _, items in groupby(all_, lambda pair: id(pair[1])):
            nlris, paths = zip(*items, strict=True)
            self.announce(nlris, received(paths[0]), policy)
        self.stale = {nlri for nlri in stale if nlri in self.paths}
        self.stale_refused = stale & self.refused.keys()
