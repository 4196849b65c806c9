"""What one slice of a table is to hold: bootstrap routes, and learned routes on next hop groups.

The learned ones are not kept here. What is chosen for each prefix is looked up in the network's Loc-RIB, and
the group of that here: so a full table is held once, and not twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, MutableMapping
from operator import attrgetter
from typing import Protocol

from vrfbgp.fib.delta import Delta
from vrfbgp.fib.draft import Slot
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.model import Chosen, Members, Nlri, PeerId

ROUTE: Callable[[Chosen], Members] = attrgetter("members")
BACKUP: Callable[[Chosen], Members] = attrgetter("backup")
"""What a slice makes routes of."""


class Learned(Protocol):
    """What is chosen in a network, by prefix."""

    def get(self, nlri: Nlri, /) -> Chosen | None: ...
    def runs(self) -> Iterator[tuple[Nlri, Chosen]]:
        """All of it."""


class Groups(dict[Chosen, int]):
    """The id of the next hop group of each choice that a route is made of; counted by routes."""

    def __init__(self, nexthops: Nexthops, part: Callable[[Chosen], Members]) -> None:
        super().__init__()
        self._nexthops = nexthops
        self._part = part
        self._routes: Counter[Chosen] = Counter()

    @property
    def routes(self) -> int:
        return self._routes.total()

    def by_peer(self) -> Counter[PeerId]:
        """How many of them lead to each peer: of several that share a route, to each."""
        found: Counter[PeerId] = Counter()
        for chosen, routes in self._routes.items():
            for peer in {member.peer for member in self._part(chosen)}:
                found[peer] += routes
        return found

    def enter(self, chosen: Chosen, routes: int) -> int | None:
        """So many more routes are made of this; on which group, if any."""
        members = self._part(chosen)
        if not members:
            return None
        if chosen not in self:
            self[chosen] = self._nexthops.acquire(members)
        self._routes[chosen] += routes
        return self[chosen]

    def leave(self, chosen: Chosen, routes: int) -> int | None:
        """So many less are; on which group they were, if any."""
        group = self.get(chosen)
        if group is not None:
            self._routes[chosen] -= routes
            if not self._routes[chosen]:
                del self[chosen], self._routes[chosen]
                self._nexthops.release(group)
        return group

    def release(self) -> None:
        """There are no more routes."""
        for group in self.values():
            self._nexthops.release(group)
        self.clear()
        self._routes.clear()


class Desired(MutableMapping[Nlri, Slot]):
    """By prefix: what was set here, and beneath it what is learned."""

    def __init__(self) -> None:
        self.own: dict[Nlri, Slot] = {}
        self.groups: Groups | None = None
        self._learned: Learned | None = None

    def follow(self, learned: Learned, groups: Groups) -> None:
        """Learned routes are those of this Loc-RIB, from now on."""
        self._learned, self.groups = learned, groups

    def get(self, nlri: Nlri, default: Slot | None = None) -> Slot | None:  # type: ignore[override]
        own = self.own.get(nlri) if self.own else None
        if own is not None:
            return own
        chosen = self._learned.get(nlri) if self._learned is not None else None
        if chosen is None:
            return default
        assert self.groups is not None
        return self.groups.get(chosen, default)

    def items(self) -> Iterator[tuple[Nlri, Slot]]:  # type: ignore[override]
        yield from self.own.items()
        if self._learned is None or not self.groups:
            return
        own, groups = self.own, self.groups
        last, group = None, None
        for nlri, chosen in self._learned.runs():
            if chosen is not last:
                last, group = chosen, groups.get(chosen)
            if group is not None and nlri not in own:
                yield nlri, group

    def __getitem__(self, nlri: Nlri) -> Slot:
        found = self.get(nlri)
        if found is None:
            raise KeyError(nlri)
        return found

    def __contains__(self, nlri: object) -> bool:
        return self.get(nlri) is not None  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Nlri]:
        return (nlri for nlri, _ in self.items())

    def __len__(self) -> int:
        return len(self.own) + (self.groups.routes if self.groups else 0)

    def __setitem__(self, nlri: Nlri, slot: Slot) -> None:
        self.own[nlri] = slot

    def __delitem__(self, nlri: Nlri) -> None:
        del self.own[nlri]

    def clear(self) -> None:
        """Nothing is desired any more."""
        self.own.clear()
        if self.groups is not None:
            self.groups.release()
        self._learned = self.groups = None


class RouteDelta(Delta[Nlri, Slot]):
    """Desired and actual state of one slice."""

    desired: Desired

    def __init__(self) -> None:
        super().__init__(Desired())
