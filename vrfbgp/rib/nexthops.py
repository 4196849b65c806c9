"""Where the next hops of a network's paths lead: each is resolved once, and again when its ground moves.

Learned routes may have a part in that (iBGP): a next hop is then looked up among the learned prefixes whose
own paths need no other, and again whenever one of these changes. While no next hop in use is of that kind,
nobody needs to know which prefixes changed (`recursive`).

Every one of that kind has to be resolved again when one learned route flaps that covers them all, and a peer
may make up any number. So there are at most `MOST_LEARNED`; the rest waits for others to go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from vrfbgp.model import Family, IPAddress, Nlri, Path
from vrfbgp.rib.best import Selection
from vrfbgp.rib.reach import Hop, Reach, Resolution, Resolved, covering, directly, resolve
from vrfbgp.rib.refusal import Refusal

PRUNE_AT = 10_000
MOST_LEARNED = 2048
"""Next hops that are looked up among learned routes: 0.15 s of work for one withdrawal. A network has one for
each of its border routers."""
CROWDED_OUT = Resolved(Refusal.NEXT_HOP_TOO_MANY, False)


class NextHops:
    """The next hops in use, each with the answer."""

    def __init__(
        self,
        select: Callable[[Sequence[Path]], Selection],
        candidates: Callable[[Family, Nlri], Sequence[Path]],
        in_use: Callable[[], set[IPAddress]],
        on_pruned: Callable[[], None] = lambda: None,
    ) -> None:
        """`select`: the best of some paths; `candidates`: all paths of a prefix; `in_use`: the next hops that
        any path has; `on_pruned` is called when answers were forgotten, that are not to be remembered
        elsewhere either."""
        self.reach = Reach()
        self.recursive = False
        """Learned routes have, or would have, a part in the resolution of a next hop."""
        self._select = select
        self._candidates = candidates
        self._in_use = in_use
        self._on_pruned = on_pruned
        self._resolved: dict[IPAddress, Resolved] = {}
        self._learned = 0
        """How many of them are looked up among learned routes."""
        self.crowded = False
        """Some had no room."""
        self._prune_at = PRUNE_AT

    def hops(self, path: Path) -> Resolution:
        """Where the path leads, or why it leads nowhere."""
        next_hop = path.next_hop
        resolved = self._resolved.get(next_hop)
        if resolved is None:
            self._prune()
            resolved = self._resolved[next_hop] = self._resolve(next_hop, self._learned < MOST_LEARNED)
            self._learned += resolved.learned
            self.recursive |= resolved.learned
        return resolved.hops

    @property
    def refused(self) -> bool:
        """Whether any next hop in use leads nowhere."""
        return any(isinstance(resolved.hops, Refusal) for resolved in self._resolved.values())

    def touched(self, changed: Mapping[Family, AbstractSet[Nlri]]) -> list[IPAddress]:
        """The next hops in whose resolution a changed prefix may have a part."""
        lengths = {family: {nlri[0] for nlri in nlris} - {0} for family, nlris in changed.items()}
        found = []
        for next_hop, resolved in self._resolved.items():
            family = Family.of(next_hop)
            if resolved.learned and any(n in changed[family] for n in covering(next_hop, lengths[family])):
                found.append(next_hop)
        return found

    def again(self, next_hops: Iterable[IPAddress] | None = None) -> dict[IPAddress, Resolved]:
        """The answers that are others by now, of these or of all; `adopt` has them count."""
        asked = list(self._resolved) if next_hops is None else next_hops
        answers, room = {}, MOST_LEARNED - self._learned
        for next_hop in asked:
            known = self._resolved[next_hop]
            now = self._resolve(next_hop, known.learned or room > 0)
            room += known.learned - now.learned
            if now != known:
                answers[next_hop] = now
        return answers

    def relieved(self) -> list[IPAddress]:
        """Those that had no room and have it now, after the ones that nobody uses any more were forgotten."""
        self._forget_unused()
        room = max(0, MOST_LEARNED - self._learned)
        waiting = [next_hop for next_hop, resolved in self._resolved.items() if resolved is CROWDED_OUT]
        self.crowded = len(waiting) > room
        return waiting[:room]

    def adopt(self, answers: Mapping[IPAddress, Resolved]) -> None:
        """Answer so from now on."""
        self._resolved.update(answers)
        self._count()

    def __len__(self) -> int:
        return len(self._resolved)

    def _directly(self, family: Family, nlri: Nlri) -> Resolution | None:
        """The hops of a prefix by those of its paths whose next hops need no learned route."""
        candidates = self._candidates(family, nlri)
        if not candidates:
            return None
        answers = {path: directly(path.next_hop, self.reach) for path in candidates}
        eligible = [path for path, answer in answers.items() if isinstance(answer, tuple)]
        hops: dict[Hop, None] = {}
        for path in self._select(eligible).best:
            answer = answers[path]
            assert isinstance(answer, tuple)
            hops.update(dict.fromkeys(answer))
        return tuple(hops) or Refusal.NEXT_HOP_LOOP

    def _resolve(self, next_hop: IPAddress, may_learn: bool) -> Resolved:
        if may_learn or directly(next_hop, self.reach) is not None:
            return resolve(next_hop, self.reach, self._directly)
        self.crowded = True
        return CROWDED_OUT

    def _count(self) -> None:
        self._learned = sum(resolved.learned for resolved in self._resolved.values())
        self.recursive = self._learned > 0

    def _prune(self) -> None:
        """Forget next hops that nobody uses: a peer may make up ever new ones."""
        if len(self._resolved) >= self._prune_at:
            self._forget_unused()

    def _forget_unused(self) -> None:
        used = self._in_use()
        self._resolved = {nh: resolved for nh, resolved in self._resolved.items() if nh in used}
        self._count()
        self._prune_at = max(PRUNE_AT, 2 * len(self._resolved))
        self._on_pruned()
