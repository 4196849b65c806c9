"""Loc-RIB of one external network: from the paths of all its peers to the members of each route.

What is announced or withdrawn is chosen from at once, where it is kept (`table.py`); `changes` tells the
steps from what was chosen to what is, mostly in runs of prefixes. What else changes the choice (a next hop's
resolution, the network's own routes, how many paths are used) makes a step for each prefix that it concerns,
and so does a learned route that leads to a next hop of others: those follow when the changes are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from vrfbgp.model import Family, IPAddress, Nlri, Path, PeerId
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.best import Decision, Selection
from vrfbgp.rib.chooser import Chooser
from vrfbgp.rib.nexthops import NextHops
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.reach import Reach, Resolution
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.table import UNLIMITED, Change, Table, paths_of


class LocRib:
    """The chosen routes of one network, and the Adj-RIBs-In that they are chosen from."""

    def __init__(self, decision: Decision, *, backups: bool = True) -> None:
        self.adj_in: dict[PeerId, dict[Family, AdjRibIn]] = {}
        self.next_hops = NextHops(
            lambda paths: self.decision.select(paths),
            self.candidates,
            self._next_hops_in_use,
            lambda: self._chooser.forget(),
        )
        self._chooser = Chooser(decision, backups, self.next_hops.hops)
        self.tables = {family: Table(family, self._chooser) for family in Family}
        self._last: AdjRibIn | None = None
        """The one that was asked for last: UPDATEs of a peer come one after the other."""
        self._changed: dict[Family, set[Nlri]] = {family: set() for family in Family}
        """Prefixes whose paths changed, if a next hop may be resolved by them."""
        self._moved = 0
        """Prefixes that were announced anew or went while next hops wait for others to go."""

    @property
    def reach(self) -> Reach:
        return self.next_hops.reach

    @property
    def decision(self) -> Decision:
        return self._chooser.decision

    @property
    def backups(self) -> bool:
        return self._chooser.backups

    # -- what changes it --

    def announce(
        self, peer: PeerId, family: Family, nlris: Sequence[Nlri], path: Path, policy: ImportPolicy
    ) -> None:
        self.adj(peer, family).announce(nlris, path, policy)
        if self.next_hops.recursive:
            self._note(family, nlris)

    def withdraw(self, peer: PeerId, family: Family, nlris: Sequence[Nlri]) -> None:
        self.adj(peer, family).withdraw(nlris)
        self._note(family, nlris)

    def retain(self, peer: PeerId) -> None:
        """The peer restarts gracefully: its paths stay, as stale ones."""
        for adj in self.adj_in.get(peer, {}).values():
            adj.mark_stale()

    def sweep(self, peer: PeerId, family: Family) -> int:
        """The peer has sent all it has; how many stale paths went."""
        adj = self.adj(peer, family)
        self._note(family, adj.stale)
        return adj.sweep()

    def forget(self, peer: PeerId, family: Family | None = None) -> None:
        """Drop what the peer announced, in one family or in all."""
        for adj in self.adj_in.get(peer, {}).values():
            if family in (None, adj.family):
                self._note(adj.family, adj.paths)
                adj.clear()
        if family is None:
            self.adj_in.pop(peer, None)
            self._last = None

    def reconsider(self, peer: PeerId, policy: ImportPolicy) -> None:
        """The peer's import policy changed."""
        for adj in self.adj_in.get(peer, {}).values():
            adj.reconsider(policy)
            self._note(adj.family, adj.paths)
            self._note(adj.family, adj.refused)

    def configure(self, decision: Decision, backups: bool, most: int = UNLIMITED) -> None:
        """How best paths are chosen, whether the next best ones are chosen too, and how many prefixes
        may be learned in each family."""
        for table in self.tables.values():
            table.most = most
        if (decision, backups) != (self.decision, self.backups):

            def configured() -> None:
                self._chooser.decision = decision
                self._chooser.backups = backups

            self._renew(lambda _: True, configured)
            self._resolve_again()

    def set_reach(self, reach: Reach) -> None:
        """Links, addresses, bootstrap routes or the user's own routes changed."""
        if reach == self.reach:
            return
        self.next_hops.reach = reach
        for family, table in self.tables.items():
            table.hold(reach.bootstrap.get(family, frozenset()))
        self._resolve_again()

    # -- what comes out --

    def changes(self) -> list[Change]:
        """What was chosen since the last call, step by step, in order."""
        if any(self._changed.values()):
            touched = self.next_hops.touched(self._changed)
            for nlris in self._changed.values():
                nlris.clear()
            self._resolve_again(touched)
        if self._moved * 8 > sum(map(len, self.tables.values())):
            # Only then, as all paths are looked at.
            self._moved = 0
            self._resolve_again(self.next_hops.relieved())
        return [change for table in self.tables.values() for change in table.take()]

    def choose_again(self) -> None:
        """Have `changes` tell of every prefix, as if nothing had been chosen before."""
        self.discard_changes()
        for table in self.tables.values():
            table.tell_all()

    def discard_changes(self) -> None:
        """Nobody wants to know what changed so far: whoever does later asks to `choose_again`."""
        self.changes()

    def adj(self, peer: PeerId, family: Family) -> AdjRibIn:
        """The peer's Adj-RIB-In in this family, made if it is new."""
        last = self._last
        if last is not None and last.peer is peer and last.family is family:
            return last
        of_peer = self.adj_in.setdefault(peer, {})
        if family not in of_peer:
            of_peer[family] = AdjRibIn(peer, self.tables[family])
        self._last = of_peer[family]
        return self._last

    def candidates(self, family: Family, nlri: Nlri) -> tuple[Path, ...]:
        """The accepted paths of all peers, resolvable or not."""
        return paths_of(self.tables[family].entries.get(nlri))

    def select(self, family: Family, nlri: Nlri) -> Selection:
        """The best paths among the eligible ones, and why each other one is not."""
        candidates = self.candidates(family, nlri)
        eligible = [path for path in candidates if not isinstance(self.hops(path), Refusal)]
        return self.decision.select(eligible)

    def hops(self, path: Path) -> Resolution:
        """Where the path leads, or why it leads nowhere."""
        return self.next_hops.hops(path)

    def ineligible(self, family: Family, nlri: Nlri, path: Path) -> Refusal | None:
        """Why an accepted path takes no part in the choice."""
        if nlri in self.tables[family].held:
            return Refusal.BOOTSTRAP
        hops = self.hops(path)
        return hops if isinstance(hops, Refusal) else None

    # -- within --

    def _note(self, family: Family, nlris: Collection[Nlri]) -> None:
        if self.next_hops.recursive:
            self._changed[family].update(nlris)
        if self.next_hops.crowded:
            self._moved += len(nlris)

    def _resolve_again(self, next_hops: Iterable[IPAddress] | None = None) -> None:
        answers = self.next_hops.again(next_hops)
        if answers:
            self._renew(lambda path: path.next_hop in answers, lambda: self.next_hops.adopt(answers))

    def _renew(self, concerned: Callable[[Path], bool], learn: Callable[[], None]) -> None:
        """Choose again where there is such a path, after the chooser learned something."""
        standing = [(table, table.standing(concerned)) for table in self.tables.values()]
        learn()
        self._chooser.forget()
        for table, found in standing:
            table.renew(found)

    def _next_hops_in_use(self) -> set[IPAddress]:
        return {
            path.next_hop
            for table in self.tables.values()
            for entry in table.entries.values()
            for path in paths_of(entry)
        }
