"""Loc-RIB of one external network: from the paths of all its peers to the members of each route.

Whatever changes (a path, a policy, a next hop's resolution) only marks prefixes; `changes` then chooses
anew for these, once, however often they were marked, and tells what came out. Where one peer alone announces
anything, there is nothing to choose: its prefixes are told in the runs they came in, and not one by one.

The outcome is not kept here: it is what the FIB desires, and a second copy would cost as much as the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter

from vrfbgp.model import Family, IPAddress, Member, Members, Nlri, Path, PeerId
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.best import Selection, select
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.reach import Hop, Reach, Resolution, Resolved, covering, directly, resolve
from vrfbgp.rib.refusal import Refusal

_PRUNE_AT = 10_000
_LONGEST_RUN = 4096
"""Prefixes: one that is not new makes its whole run go the slow way."""


@dataclass(frozen=True, slots=True)
class Change:
    """What was chosen for these prefixes, perhaps what it was before; no members: they have no route."""

    family: Family
    nlris: list[Nlri]
    members: Members
    backup: Members = ()
    """The next best ones, which take over when all of the members are gone."""


class LocRib:
    """The chosen routes of one network, and the Adj-RIBs-In that they are chosen from."""

    def __init__(self, max_paths: int, *, backups: bool = True) -> None:
        self.adj_in: dict[PeerId, dict[Family, AdjRibIn]] = {}
        self.reach = Reach()
        self.max_paths = max_paths
        self.backups = backups
        """Choose the next best paths too."""
        self._dirty: dict[Family, dict[Nlri, None]] = {family: {} for family in Family}
        self._runs: list[Change] = []
        """Of prefixes that one peer alone announces; what is dirty is chosen after them."""
        self._lead: tuple[PeerId, IPAddress, Members] | None = None
        """Where the path of the last run leads; None: a next hop's resolution may have changed since."""
        self._resolved: dict[IPAddress, Resolved] = {}
        self._recursive = False
        """Learned routes have, or would have, a part in the resolution of a next hop."""
        self._interned: dict[Members, Members] = {}
        self._prune_at = _PRUNE_AT

    # -- what changes it --

    def announce(
        self, peer: PeerId, family: Family, nlris: Iterable[Nlri], path: Path, policy: ImportPolicy
    ) -> None:
        changed = self.adj(peer, family).announce(nlris, path, policy)
        if changed and not self._run(family, changed, path):
            self._mark(family, changed)

    def withdraw(self, peer: PeerId, family: Family, nlris: Iterable[Nlri]) -> None:
        self._mark(family, self.adj(peer, family).withdraw(nlris))

    def retain(self, peer: PeerId) -> None:
        """The peer restarts gracefully: its paths stay, as stale ones."""
        for adj in self.adj_in.get(peer, {}).values():
            adj.mark_stale()

    def sweep(self, peer: PeerId, family: Family) -> int:
        """The peer has sent all it has; how many stale paths went."""
        stale = self.adj(peer, family).sweep()
        self._mark(family, stale)
        return len(stale)

    def forget(self, peer: PeerId, family: Family | None = None) -> None:
        """Drop what the peer announced, in one family or in all."""
        for adj in self.adj_in.get(peer, {}).values():
            if family in (None, adj.family):
                self._mark(adj.family, adj.clear())
        if family is None:
            self.adj_in.pop(peer, None)

    def reconsider(self, peer: PeerId, policy: ImportPolicy) -> None:
        """The peer's import policy changed."""
        for adj in self.adj_in.get(peer, {}).values():
            self._mark(adj.family, adj.reconsider(policy))

    def configure(self, max_paths: int, backups: bool) -> None:
        """How many paths are used together, and whether the next best ones are chosen too."""
        if (max_paths, backups) != (self.max_paths, self.backups):
            self.max_paths, self.backups = max_paths, backups
            self._lead = None
            self.choose_again()

    def set_reach(self, reach: Reach) -> None:
        """Links, addresses, bootstrap routes or the user's own routes changed."""
        if reach == self.reach:
            return
        before, self.reach = self.reach, reach
        for family in Family:
            was, now = before.bootstrap.get(family, frozenset()), reach.bootstrap.get(family, frozenset())
            self._mark(family, was ^ now)
        self._resolve_again(list(self._resolved))

    # -- what comes out --

    def changes(self) -> Iterator[Change]:
        """Choose again where something changed; what came out, in order: the last word on a prefix counts."""
        runs, self._runs = self._runs, []
        yield from runs
        if not any(self._dirty.values()):
            return
        self._resolve_again(self._touched())
        dirty, self._dirty = self._dirty, {family: {} for family in Family}
        for family, nlris in dirty.items():
            held = self.reach.bootstrap.get(family, frozenset())
            heard = [of[family].paths for of in self.adj_in.values() if family in of]
            # The prefixes of one UPDATE have the same paths: these are compared once.
            known: dict[tuple[int, ...], tuple[Members, Members]] = {}
            change = Change(family, [], ())
            for nlri in nlris:
                candidates = [paths[nlri] for paths in heard if nlri in paths]
                compared = tuple(map(id, candidates))
                chosen = ((), ()) if nlri in held else known.get(compared)
                if chosen is None:
                    chosen = known[compared] = self._choose(candidates)
                members, backup = chosen
                if members is not change.members or backup is not change.backup:
                    if change.nlris:
                        yield change
                    change = Change(family, [], members, backup)
                change.nlris.append(nlri)
            if change.nlris:
                yield change

    def choose_again(self) -> None:
        """Have `changes` tell of every prefix."""
        for of_peer in self.adj_in.values():
            for adj in of_peer.values():
                # Neighbours mostly came in one UPDATE and have one path.
                for path, items in groupby(adj.paths.items(), itemgetter(1)):
                    nlris = [nlri for nlri, _ in items]
                    if not self._run(adj.family, nlris, path):
                        self._mark(adj.family, nlris)

    def discard_changes(self) -> None:
        """Nobody wants to know what changed so far: whoever does later asks to `choose_again`."""
        self._runs.clear()
        for dirty in self._dirty.values():
            dirty.clear()

    def adj(self, peer: PeerId, family: Family) -> AdjRibIn:
        """The peer's Adj-RIB-In in this family, made if it is new."""
        of_peer = self.adj_in.setdefault(peer, {})
        if family not in of_peer:
            of_peer[family] = AdjRibIn(family)
        return of_peer[family]

    def candidates(self, family: Family, nlri: Nlri) -> list[Path]:
        """The accepted paths of all peers, resolvable or not."""
        adjs = (of_peer.get(family) for of_peer in self.adj_in.values())
        return [adj.paths[nlri] for adj in adjs if adj is not None and nlri in adj.paths]

    def select(self, family: Family, nlri: Nlri) -> Selection:
        """The best paths among the eligible ones, and why each other one is not."""
        candidates = self.candidates(family, nlri)
        eligible = [path for path in candidates if not isinstance(self.hops(path), Refusal)]
        return select(eligible, max_paths=self.max_paths)

    def hops(self, path: Path) -> Resolution:
        """Where the path leads, or why it leads nowhere."""
        next_hop = path.attributes.next_hop
        resolved = self._resolved.get(next_hop)
        if resolved is None:
            self._prune()
            resolved = self._resolved[next_hop] = resolve(next_hop, self.reach, self._directly)
            self._recursive |= resolved.learned
        return resolved.hops

    @property
    def refuses_next_hops(self) -> bool:
        """Whether any next hop in use leads nowhere."""
        return any(isinstance(resolved.hops, Refusal) for resolved in self._resolved.values())

    def ineligible(self, family: Family, nlri: Nlri, path: Path) -> Refusal | None:
        """Why an accepted path takes no part in the choice."""
        if nlri in self.reach.bootstrap.get(family, frozenset()):
            return Refusal.BOOTSTRAP
        hops = self.hops(path)
        return hops if isinstance(hops, Refusal) else None

    def _run(self, family: Family, nlris: list[Nlri], path: Path) -> bool:
        """Choose for prefixes at once, if there is nothing to choose from; whether it was so."""
        if self._recursive or not self._alone(path.peer, family):
            return False
        lead, next_hop = self._lead, path.attributes.next_hop
        if lead is not None and lead[0] is path.peer and lead[1] is next_hop:
            members = lead[2]
        else:
            hops = self.hops(path)
            if isinstance(hops, Refusal) or self._recursive:
                return False
            members = self._members((path,))
            self._lead = path.peer, next_hop, members
        if not self.reach.bootstrap.get(family, frozenset()).isdisjoint(nlris):
            return False
        last = self._runs[-1] if self._runs else None
        if (
            last is not None
            and last.members is members
            and last.family is family
            and len(last.nlris) < _LONGEST_RUN
        ):
            last.nlris.extend(nlris)
        else:
            self._runs.append(Change(family, nlris.copy(), members))
        return True

    def _alone(self, peer: PeerId, family: Family) -> bool:
        """Whether no other peer announces anything in the family."""
        if len(self.adj_in) == 1:
            return True
        return not any(
            adj.paths
            for other, of_peer in self.adj_in.items()
            if (adj := of_peer.get(family)) is not None and other is not peer and other != peer
        )

    def _choose(self, candidates: list[Path]) -> tuple[Members, Members]:
        """The members of the best paths, and those of the next best that are not all among these."""
        eligible = [path for path in candidates if not isinstance(self.hops(path), Refusal)]
        if not eligible:
            return (), ()
        best = select(eligible, max_paths=self.max_paths).best
        members = self._members(best)
        if not self.backups or len(eligible) == len(best):
            return members, ()
        others = [path for path in eligible if not any(path is used for used in best)]
        backup = self._members(select(others, max_paths=self.max_paths).best)
        return members, () if set(backup) <= set(members) else backup

    def _members(self, paths: tuple[Path, ...]) -> Members:
        members: dict[Member, None] = {}
        for path in paths:
            hops = self.hops(path)
            assert not isinstance(hops, Refusal)
            members.update((Member(path.peer, hop.gateway, hop.ifindex), None) for hop in hops)
        chosen = tuple(sorted(list(members)[: self.max_paths]))
        return self._interned.setdefault(chosen, chosen)

    def _directly(self, family: Family, nlri: Nlri) -> Resolution | None:
        """The hops of a prefix by those of its paths whose next hops need no learned route."""
        candidates = self.candidates(family, nlri)
        if not candidates:
            return None
        answers = {path: directly(path.attributes.next_hop, self.reach) for path in candidates}
        eligible = [path for path, answer in answers.items() if isinstance(answer, tuple)]
        hops: dict[Hop, None] = {}
        for path in select(eligible, max_paths=self.max_paths).best:
            answer = answers[path]
            assert isinstance(answer, tuple)
            hops.update(dict.fromkeys(answer))
        return tuple(hops) or Refusal.NEXT_HOP_LOOP

    def _touched(self) -> list[IPAddress]:
        """The next hops whose resolution a changed prefix may have a part in."""
        lengths = {family: {nlri[0] for nlri in nlris} - {0} for family, nlris in self._dirty.items()}
        found = []
        for next_hop, resolved in self._resolved.items():
            if resolved.learned:
                family = Family.of(next_hop)
                dirty = self._dirty[family]
                if any(nlri in dirty for nlri in covering(next_hop, lengths[family])):
                    found.append(next_hop)
        return found

    def _resolve_again(self, next_hops: Iterable[IPAddress]) -> None:
        changed = set()
        self._lead = None
        for next_hop in next_hops:
            before = self._resolved[next_hop]
            now = self._resolved[next_hop] = resolve(next_hop, self.reach, self._directly)
            if now.hops != before.hops:
                changed.add(next_hop)
        self._recursive = any(resolved.learned for resolved in self._resolved.values())
        if changed:
            for of_peer in self.adj_in.values():
                for adj in of_peer.values():
                    users = (nlri for nlri, p in adj.paths.items() if p.attributes.next_hop in changed)
                    self._mark(adj.family, users)

    def _prune(self) -> None:
        """Forget next hops and member sets that nobody uses: a peer may make up ever new ones."""
        if len(self._resolved) < self._prune_at:
            return
        adjs = [adj for of_peer in self.adj_in.values() for adj in of_peer.values()]
        used = {path.attributes.next_hop for adj in adjs for path in adj.paths.values()}
        self._resolved = {nh: resolved for nh, resolved in self._resolved.items() if nh in used}
        self._interned.clear()
        self._prune_at = max(_PRUNE_AT, 2 * len(self._resolved))

    def _mark(self, family: Family, nlris: Iterable[Nlri]) -> None:
        self._dirty[family].update(dict.fromkeys(nlris))
