"""Where the paths of a prefix lead together: the best of them, and the next best as their backup.

Nearly all prefixes have one path, and nearly all paths of a peer one next hop: what that comes to is
remembered, and so is what several such come to together.
"""

from __future__ import annotations

from collections.abc import Callable

from vrfbgp.model import NO_ROUTE, Chosen, IPAddress, Member, Members, Path, PeerId
from vrfbgp.rib.best import Decision
from vrfbgp.rib.reach import Resolution
from vrfbgp.rib.refusal import Refusal

_REMEMBERED = 1 << 14


class Chooser:
    """Chooses among paths; `hops` says where one leads, and `forget` is to be called if that changed."""

    def __init__(self, decision: Decision, backups: bool, hops: Callable[[Path], Resolution]) -> None:
        self.decision = decision
        self.backups = backups
        """Choose the next best paths too."""
        self._hops = hops
        self._last: tuple[PeerId, IPAddress, Chosen] | None = None
        self._sole: dict[tuple[int, int], tuple[PeerId, IPAddress, Chosen]] = {}
        """By the identity of the two: their hashes take longer than all else."""
        self._joined: dict[tuple[tuple[Chosen, ...], tuple[Chosen, ...]], Chosen] = {}

    def forget(self) -> None:
        """Paths may lead elsewhere now."""
        self._last = None
        self._sole.clear()
        self._joined.clear()

    def sole(self, path: Path) -> Chosen:
        """What is chosen where there is no other path."""
        peer, next_hop = path.peer, path.next_hop
        last = self._last
        if last is not None and last[0] is peer and last[1] is next_hop:
            return last[2]
        key = id(peer), id(next_hop)
        last = self._sole.get(key)
        if last is None:
            last = peer, next_hop, self._lead(path)
            if len(self._sole) >= _REMEMBERED:
                self._sole.clear()
            self._sole[key] = last
        self._last = last
        return last[2]

    def among(self, paths: tuple[Path, ...]) -> Chosen:
        """What is chosen of several: the best, and the next best that are not all among these."""
        eligible = [path for path in paths if self.sole(path).members]
        if not eligible:
            return NO_ROUTE
        best = self.decision.used(eligible)
        leads = tuple(map(self.sole, best))
        next_leads: tuple[Chosen, ...] = ()
        if self.backups and len(eligible) > len(best):
            others = [path for path in eligible if not any(path is one for one in best)]
            next_leads = tuple(map(self.sole, self.decision.used(others)))
        elif len(leads) == 1:
            return leads[0]
        chosen = self._joined.get((leads, next_leads))
        if chosen is None:
            members, backup = self._members(leads), self._members(next_leads)
            chosen = Chosen(members, () if set(backup) <= set(members) else backup)
            if len(self._joined) >= _REMEMBERED:
                self._joined.clear()
            self._joined[leads, next_leads] = chosen
        return chosen

    def _lead(self, path: Path) -> Chosen:
        hops = self._hops(path)
        if isinstance(hops, Refusal):
            return NO_ROUTE
        members = dict.fromkeys(Member(path.peer, hop.gateway, hop.ifindex) for hop in hops)
        return Chosen(tuple(sorted(list(members)[: self.decision.max_paths])))

    def _members(self, leads: tuple[Chosen, ...]) -> Members:
        members = dict.fromkeys(member for lead in leads for member in lead.members)
        return tuple(sorted(list(members)[: self.decision.max_paths]))
