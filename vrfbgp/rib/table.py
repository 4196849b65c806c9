"""What all peers of a network announce in one family, and what was chosen: one entry a prefix.

A full table is a million prefixes, and every dict that holds them costs 42 octets for each. So there is this
one: the Adj-RIBs-In (`adj_in.py`) and the desired routes of the FIB are views of it.

    prefix ──▶ Path                            one peer alone announces it; the chooser knows where it leads
           ──▶ Contested(chosen, path, path…)  several do; or the network's own route *holds* the prefix

Whoever acts upon what is chosen is told each step from one choice to the next, in order and in runs of
prefixes (`take`). The view is ahead of those until they are taken: take them before you look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vrfbgp.model import NO_ROUTE, Chosen, Family, Nlri, Path, PeerId

_LONGEST_RUN = 4096
"""Prefixes."""


class Contested(tuple[Any, ...]):
    """What was chosen, and the paths: in one tuple, since there may be one for each prefix."""

    __slots__ = ()


Entry = Path | Contested


def paths_of(entry: Entry | None) -> tuple[Path, ...]:
    """The paths of a prefix, one of each peer that announces it."""
    if entry is None:
        return ()
    return entry[1:] if isinstance(entry, Contested) else (entry,)


def path_of(entry: Entry | None, peer: PeerId) -> Path | None:
    """The peer's path among them."""
    if entry is None:
        return None
    if isinstance(entry, Contested):
        for place in range(1, len(entry)):
            path: Path = entry[place]
            if path.peer is peer or path.peer == peer:
                return path
        return None
    return entry if entry.peer is peer or entry.peer == peer else None


class Choose(Protocol):
    """Chooses among the paths of a prefix."""

    def sole(self, path: Path) -> Chosen:
        """What is chosen where there is but one."""

    def among(self, paths: tuple[Path, ...]) -> Chosen:
        """What is chosen of several."""


@dataclass(frozen=True, slots=True)
class Change:
    """One step of these prefixes from what was chosen to what is."""

    family: Family
    nlris: list[Nlri]
    before: Chosen
    now: Chosen


_Step = tuple[Entry | None, Entry | None, Chosen, Chosen, int]
"""Entry before and after, what is chosen by each, and how many paths the peer has more."""


class Table(Mapping[Nlri, Chosen]):
    """What is chosen, by prefix; `entries` has the paths."""

    def __init__(self, family: Family, choose: Choose) -> None:
        self.family = family
        self.entries: dict[Nlri, Entry] = {}
        self.held: frozenset[Nlri] = frozenset()
        """Prefixes that no learned route may have."""
        self._choose = choose
        self._changes: list[Change] = []

    # -- what is announced --

    def put(self, peer: PeerId, nlris: list[Nlri], path: Path) -> int:
        """The peer announces these with `path`; for how many of them it had none before."""
        entries, held = self.entries, self.held
        if not entries.keys().isdisjoint(nlris) or (held and not held.isdisjoint(nlris)):
            return self._step_all(peer, nlris, path)
        before = len(entries)
        for nlri in nlris:
            entries[nlri] = path
        count = len(entries) - before
        now = self._choose.sole(path)
        if now is not NO_ROUTE:
            self._tell(nlris if count == len(nlris) else list(dict.fromkeys(nlris)), NO_ROUTE, now)
        return count

    def drop(self, peer: PeerId, nlris: list[Nlri]) -> int:
        """The peer doesn't announce these any more; how many of them it did."""
        count = -self._step_all(peer, nlris, None)
        if not self.entries:
            self.entries.clear()  # a dict never shrinks by itself
        return count

    def of_peer(self, peer: PeerId) -> Iterator[tuple[Nlri, Path]]:
        """All that a peer announces."""
        last = path = None
        for nlri, entry in self.entries.items():
            if entry is not last:  # neighbours mostly came in one UPDATE
                last, path = entry, path_of(entry, peer)
            if path is not None:
                yield nlri, path

    # -- what is chosen --

    def hold(self, held: frozenset[Nlri]) -> None:
        """No learned route may have these prefixes from now on, and no others."""
        changed, self.held = self.held ^ held, held
        for nlri in changed:
            entry = self.entries.get(nlri)
            if entry is not None:
                before = self.chosen(entry)
                made = self._made(paths_of(entry), nlri in held)
                assert made is not None
                self.entries[nlri] = made
                self._tell([nlri], before, self.chosen(made))

    def standing(self, concerned: Callable[[Path], bool]) -> list[tuple[Entry, Chosen, list[Nlri]]]:
        """The entries with such a path, what is chosen by each, and their prefixes: for `renew`."""
        found: list[tuple[Entry, Chosen, list[Nlri]]] = []
        last: Entry | None = None
        nlris: list[Nlri] | None = None
        for nlri, entry in self.entries.items():
            if entry is not last:
                last, nlris = entry, None
                if any(map(concerned, paths_of(entry))):
                    nlris = []
                    found.append((entry, self.chosen(entry), nlris))
            if nlris is not None:
                nlris.append(nlri)
        return found

    def renew(self, standing: list[tuple[Entry, Chosen, list[Nlri]]]) -> None:
        """Choose again for these, since the chooser learned something."""
        for entry, before, nlris in standing:
            made = self._made(paths_of(entry), nlris[0] in self.held)
            assert made is not None
            if made is not entry:
                self.entries.update(dict.fromkeys(nlris, made))
            self._tell(nlris, before, self.chosen(made))

    def take(self) -> list[Change]:
        """What changed since the last call, in order."""
        changes, self._changes = self._changes, []
        return changes

    def tell_all(self) -> None:
        """Have `take` tell of every prefix as if nothing had been chosen before."""
        self._changes.clear()
        for _, now, nlris in self.standing(lambda _: True):
            self._tell(nlris, NO_ROUTE, now)

    def chosen(self, entry: Entry | None) -> Chosen:
        """What is chosen by an entry."""
        if isinstance(entry, Contested):
            chosen: Chosen = entry[0]
            return chosen
        return NO_ROUTE if entry is None else self._choose.sole(entry)

    # -- as a mapping --

    def __getitem__(self, nlri: Nlri) -> Chosen:
        return self.chosen(self.entries[nlri])

    def __contains__(self, nlri: object) -> bool:
        return nlri in self.entries

    def __iter__(self) -> Iterator[Nlri]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def runs(self) -> Iterator[tuple[Nlri, Chosen]]:
        """Its items, in much less time."""
        last, chosen = None, NO_ROUTE
        for nlri, entry in self.entries.items():
            if entry is not last:
                last, chosen = entry, self.chosen(entry)
            yield nlri, chosen

    # -- within --

    def _step_all(self, peer: PeerId, nlris: list[Nlri], path: Path | None) -> int:
        entries, held = self.entries, self.held
        known: dict[int, _Step] = {}
        count = 0
        for nlri in nlris:
            entry = entries.get(nlri)
            step = known.get(id(entry))
            if held and nlri in held:
                step = self._step(entry, peer, path, held=True)
            elif step is None:
                # It has the entry, too, so that its identity stays its own.
                step = known[id(entry)] = self._step(entry, peer, path, held=False)
            _, made, before, now, more = step
            if made is entry:
                continue
            count += more
            if made is None:
                del entries[nlri]
            else:
                entries[nlri] = made
            if now is not before:
                self._tell([nlri], before, now)
        return count

    def _step(self, entry: Entry | None, peer: PeerId, path: Path | None, *, held: bool) -> _Step:
        before = self.chosen(entry)
        own = path_of(entry, peer)
        if own is path or (own is not None and own == path):
            return entry, entry, before, before, 0
        others = tuple(other for other in paths_of(entry) if other is not own)
        made = self._made(others if path is None else (*others, path), held)
        now = self.chosen(made)
        return entry, made, before, before if now == before else now, (path is not None) - (own is not None)

    def _made(self, paths: tuple[Path, ...], held: bool) -> Entry | None:
        if not paths:
            return None
        if held:
            return Contested((NO_ROUTE, *paths))
        return paths[0] if len(paths) == 1 else Contested((self._choose.among(paths), *paths))

    def _tell(self, nlris: list[Nlri], before: Chosen, now: Chosen) -> None:
        if self._changes:
            last = self._changes[-1]
            if last.now is now and last.before is before and len(last.nlris) < _LONGEST_RUN:
                last.nlris.extend(nlris)
                return
        if now is not before and now != before:
            self._changes.append(Change(self.family, nlris.copy(), before, now))
