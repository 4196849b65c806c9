"""What all peers of a network announce in one family, and what was chosen: one entry a prefix.

A full table is a million prefixes, and every dict that holds them costs 42 octets for each. So there is this
one: the Adj-RIBs-In (`adj_in.py`) and the desired routes of the FIB are views of it.

    prefix ──▶ Path                            one peer alone announces it; the chooser knows where it leads
           ──▶ Contested(chosen, path, path…)  several do; or the network's own route *holds* the prefix

Whoever acts upon what is chosen is told each step from one choice to the next, in order and in runs of
prefixes (`take`). The view is ahead of those until they are taken: take them before you look.

All paths of a peer have one and the same object for it: peers are told apart by identity here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from vrfbgp.model import NO_ROUTE, Chosen, Family, Nlri, Path, PeerId

UNLIMITED = sys.maxsize
"""Of numbers of prefixes."""
_LONGEST_RUN, _SHORT_RUN = 4096, 16
"""Prefixes. A run is also looked for behind a short one: announcements and withdrawals may take turns."""


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
            if path.peer is peer:
                return path
        return None
    return entry if entry.peer is peer else None


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


class Table(Mapping[Nlri, Chosen]):
    """What is chosen, by prefix; `entries` has the paths."""

    def __init__(self, family: Family, choose: Choose) -> None:
        self.family = family
        self.entries: dict[Nlri, Entry] = {}
        self.held: frozenset[Nlri] = frozenset()
        """Prefixes that no learned route may have."""
        self.most = UNLIMITED
        """Prefixes that there may be. Who puts them sees to it."""
        self._choose = choose
        self._changes: list[Change] = []

    # -- what is announced --

    def put(self, nlris: list[Nlri], path: Path) -> int:
        """The path's peer announces these with it; for how many of them it had none before."""
        entries, held = self.entries, self.held
        if not entries.keys().isdisjoint(nlris) or (held and not held.isdisjoint(nlris)):
            return self._step_all(path.peer, nlris, path)
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
        entries, sole = self.entries, self._choose.sole
        run: list[Nlri] = []
        contested: list[Nlri] = []
        count, led = 0, NO_ROUTE
        for nlri in nlris:
            entry = entries.get(nlri)
            if entry is None:
                continue
            if isinstance(entry, Contested):
                contested.append(nlri)
            elif entry.peer is peer:
                before = sole(entry)
                if before is not led:
                    self._tell(run, led, NO_ROUTE)
                    run, led = [], before
                del entries[nlri]
                run.append(nlri)
                count += 1
        self._tell(run, led, NO_ROUTE)
        if contested:
            count -= self._step_all(peer, contested, None)
        if not entries:
            entries.clear()  # a dict never shrinks by itself
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
        last: Entry | None = None
        made: Entry | None = None
        before = now = NO_ROUTE
        equal, more, count = path, 0, 0
        for nlri in nlris:
            entry = entries.get(nlri)
            if entry is None or entry is not last:
                own = path_of(entry, peer)
                if own is not path and own is not equal and own is not None and own == path:
                    equal = own
                last, made, more = entry, entry, 0
                if own is not path and own is not equal:
                    made = self._with(entry, peer, path, nlri in held)
                    before, now = self.chosen(entry), self.chosen(made)
                    more = (path is not None) - (own is not None)
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

    def _with(self, entry: Entry | None, peer: PeerId, path: Path | None, held: bool) -> Entry | None:
        others = tuple(other for other in paths_of(entry) if other.peer is not peer)
        return self._made(others if path is None else (*others, path), held)

    def _made(self, paths: tuple[Path, ...], held: bool) -> Entry | None:
        if not paths:
            return None
        if held:
            return Contested((NO_ROUTE, *paths))
        return paths[0] if len(paths) == 1 else Contested((self._choose.among(paths), *paths))

    def _tell(self, nlris: list[Nlri], before: Chosen, now: Chosen) -> None:
        if before is now:
            return
        changes = self._changes
        if changes:
            last = changes[-1]
            if last.now is now and last.before is before and len(last.nlris) < _LONGEST_RUN:
                last.nlris.extend(nlris)
                return
            if len(changes) > 1 and len(last.nlris) <= _SHORT_RUN:
                other = changes[-2]
                alike = other.now is now and other.before is before and len(other.nlris) < _LONGEST_RUN
                # What took the last step, too, takes this one behind it.
                if alike and not any(nlri in last.nlris for nlri in nlris):
                    other.nlris.extend(nlris)
                    return
        if now != before:
            changes.append(Change(self.family, nlris.copy(), before, now))
