"""Adj-RIB-In: what one peer announces in one family (RFC 4271 3.2).

Accepted and refused paths are kept apart, so that choosing looks at the former alone and a changed policy
can look at both. After a session was lost with graceful restart, paths are *stale* until they are
announced again, or swept at the End-of-RIB (RFC 4724 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable, Set

from vrfbgp.model import Family, Nlri, Path
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.update import Unsuspected


class AdjRibIn:
    """Paths by prefix."""

    def __init__(self, family: Family) -> None:
        self.family = family
        self.paths: dict[Nlri, Path] = {}
        """Accepted by policy."""
        self.refused: dict[Nlri, tuple[Path, Refusal]] = {}
        self.stale: set[Nlri] = set()

    def __len__(self) -> int:
        """How many prefixes were received."""
        return len(self.paths) + len(self.refused)

    def announce(self, nlris: Iterable[Nlri], path: Path, policy: ImportPolicy) -> list[Nlri]:
        """The prefixes are now announced with `path`; those whose accepted path changed."""
        nlris = nlris if isinstance(nlris, list) else list(nlris)
        if self.stale:
            self.stale.difference_update(nlris)
        refusal = policy.refuses(path.attributes)
        if refusal is not None:
            return self._refuse(nlris, path, refusal)
        changed: list[Nlri] = []
        if not isinstance(nlris, Unsuspected):
            reasons = [policy.refuses_prefix(self.family, nlri) for nlri in nlris]
            if any(reasons):
                judged = list(zip(nlris, reasons, strict=True))
                nlris = [nlri for nlri, reason in judged if reason is None]
                for nlri, reason in judged:
                    if reason is not None:
                        changed += self._refuse((nlri,), path, reason)
        if self.refused and not self.refused.keys().isdisjoint(nlris):
            for nlri in nlris:
                self.refused.pop(nlri, None)
        accepted = self._accept(nlris, path)
        return [*changed, *accepted] if changed else accepted

    def withdraw(self, nlris: Iterable[Nlri]) -> list[Nlri]:
        """The prefixes are no longer announced; those whose accepted path went."""
        nlris = nlris if isinstance(nlris, list) else list(nlris)
        if self.stale:
            self.stale.difference_update(nlris)
        if self.refused:
            for nlri in nlris:
                self.refused.pop(nlri, None)
        forget = self.paths.pop
        return [nlri for nlri in nlris if forget(nlri, None) is not None]

    def _accept(self, nlris: list[Nlri], path: Path) -> list[Nlri]:
        paths = self.paths
        if paths.keys().isdisjoint(nlris):
            before = len(paths)
            for nlri in nlris:
                paths[nlri] = path
            return nlris if len(paths) - before == len(nlris) else list(dict.fromkeys(nlris))
        changed = []
        equal = other = path
        for nlri in nlris:
            old = paths.get(nlri)
            # neighbours mostly had one path in common: it is compared once
            if old is equal or old is path:
                continue
            if old is not None and old is not other:
                if old == path:
                    equal = old
                    continue
                other = old
            paths[nlri] = path
            changed.append(nlri)
        return changed

    def _refuse(self, nlris: Iterable[Nlri], path: Path, refusal: Refusal) -> list[Nlri]:
        changed = []
        for nlri in nlris:
            self.refused[nlri] = path, refusal
            if self.paths.pop(nlri, None) is not None:
                changed.append(nlri)
        return changed

    def mark_stale(self) -> None:
        """All that is here must be announced again to stay."""
        self.stale = set(self.paths) | set(self.refused)

    def sweep(self) -> list[Nlri]:
        """Drop what was not announced again."""
        return self.withdraw(tuple(self.stale))

    def clear(self) -> list[Nlri]:
        """Drop everything."""
        changed = list(self.paths)
        self.paths.clear()
        self.refused.clear()
        self.stale.clear()
        return changed

    def reconsider(self, policy: ImportPolicy) -> list[Nlri]:
        """Ask a new policy about everything; the prefixes whose accepted path changed."""
        stale: Set[Nlri] = frozenset(self.stale)
        received = [(nlri, path) for nlri, path in self.paths.items()]
        received += [(nlri, path) for nlri, (path, _) in self.refused.items()]
        changed = [nlri for nlri, path in received for _ in self.announce((nlri,), path, policy)]
        self.stale = set(stale)
        return changed
