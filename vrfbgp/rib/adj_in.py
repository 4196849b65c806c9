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
        changed = []
        whole = policy.refuses(path.attributes)
        for nlri in nlris:
            self.stale.discard(nlri)
            refusal = whole or policy.refuses_prefix(self.family, nlri)
            if refusal is not None:
                self.refused[nlri] = path, refusal
                if self.paths.pop(nlri, None) is not None:
                    changed.append(nlri)
            else:
                self.refused.pop(nlri, None)
                if self.paths.get(nlri) != path:
                    self.paths[nlri] = path
                    changed.append(nlri)
        return changed

    def withdraw(self, nlris: Iterable[Nlri]) -> list[Nlri]:
        """The prefixes are no longer announced; those whose accepted path went."""
        changed = []
        for nlri in nlris:
            self.stale.discard(nlri)
            self.refused.pop(nlri, None)
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
