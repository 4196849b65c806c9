"""Loc-RIB of one external network: from the paths of all its peers to the members of each route.

Whatever changes (a path, a policy, a next hop's resolution) only marks prefixes; `changes` then chooses
anew for these, once, however often they were marked, and tells what came out different.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vrfbgp.model import Family, IPAddress, Member, Members, Nlri, Path, PeerId
from vrfbgp.rib.adj_in import AdjRibIn
from vrfbgp.rib.best import Selection, select
from vrfbgp.rib.policy import ImportPolicy
from vrfbgp.rib.reach import Hop, Reach, Resolution, Resolved, covering, directly, resolve
from vrfbgp.rib.refusal import Refusal

_PRUNE_AT = 10_000


@dataclass(frozen=True, slots=True)
class Change:
    """A prefix has other members now; none: it has no route."""

    family: Family
    nlri: Nlri
    members: Members


class LocRib:
    """The chosen routes of one network, and the Adj-RIBs-In that they are chosen from."""

    def __init__(self, max_paths: int) -> None:
        self.adj_in: dict[PeerId, dict[Family, AdjRibIn]] = {}
        self.routes: dict[Family, dict[Nlri, Members]] = {family: {} for family in Family}
        self.reach = Reach()
        self.max_paths = max_paths
        self._dirty: dict[Family, dict[Nlri, None]] = {family: {} for family in Family}
        self._resolved: dict[IPAddress, Resolved] = {}
        self._interned: dict[Members, Members] = {}
        self._prune_at = _PRUNE_AT

    # -- what changes it --

    def announce(
        self, peer: PeerId, family: Family, nlris: Iterable[Nlri], path: Path, policy: ImportPolicy
    ) -> None:
        self._mark(family, self.adj(peer, family).announce(nlris, path, policy))

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

    def set_max_paths(self, max_paths: int) -> None:
        if max_paths != self.max_paths:
            self.max_paths = max_paths
            self._mark_all()

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
        """Choose again where something changed; what came out different."""
        if not any(self._dirty.values()):
            return
        self._resolve_again(self._touched())
        dirty, self._dirty = self._dirty, {family: {} for family in Family}
        for family, nlris in dirty.items():
            routes, held = self.routes[family], self.reach.bootstrap.get(family, frozenset())
            for nlri in nlris:
                members = () if nlri in held else self._choose(family, nlri)
                if routes.get(nlri, ()) == members:
                    continue
                if members:
                    routes[nlri] = members
                else:
                    del routes[nlri]
                yield Change(family, nlri, members)

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

    def _choose(self, family: Family, nlri: Nlri) -> Members:
        members: dict[Member, None] = {}
        for path in self.select(family, nlri).best:
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
        for next_hop in next_hops:
            before = self._resolved[next_hop]
            now = self._resolved[next_hop] = resolve(next_hop, self.reach, self._directly)
            if now.hops != before.hops:
                changed.add(next_hop)
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
        chosen = {members for routes in self.routes.values() for members in routes.values()}
        self._interned = {members: members for members in chosen}
        self._prune_at = max(_PRUNE_AT, 2 * len(self._resolved))

    def _mark(self, family: Family, nlris: Iterable[Nlri]) -> None:
        self._dirty[family].update(dict.fromkeys(nlris))

    def _mark_all(self) -> None:
        for of_peer in self.adj_in.values():
            for adj in of_peer.values():
                self._mark(adj.family, adj.paths)
