"""What of ours others had changed or deleted: counted, told, and slowed down where it is a fight.

Most of it is told by the kernel as it happens. What a comparison finds (`fib/rounds`) was missed, by the
kernel or by us, and is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set

from vrfbgp.events import TableCounted
from vrfbgp.fib.draft import Key, key_of
from vrfbgp.fib.missing import Missing
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.rounds import Rounds
from vrfbgp.intent import Problem, Reason, Severity
from vrfbgp.model import RouteKey, Rule
from vrfbgp.notes import Code, Note
from vrfbgp.operations import Failure
from vrfbgp.requests import CountTable, ReadNexthops, ReadRequest, ReadTable

DOUBT = 1.0
"""Seconds that an event may take."""
TOLD = 20
"""Lines that the repairs of one turn, or the refusals of one batch, may cause."""


class Repairs:
    """All repairs of one life."""

    def __init__(self, reconciler: Reconciler, rounds: Rounds) -> None:
        self.rounds = rounds
        self.found: Counter[str] = Counter()
        """By kind of object: `routes`, `rules`, `next hops`."""
        self.missed = 0
        """Objects, among these, that only a comparison found."""
        self._alleged: list[tuple[float, str, str, int]] = []
        """What a comparison found, until it is known whether an event was on its way."""
        self._reconciler = reconciler
        self._contests = reconciler.contests
        self._suspected: set[ReadRequest] = set()
        """What is read since a count of it differed, or for the comparison's sake."""
        self._missing = Missing()
        self._notes: list[Note] = []
        self._untold = 0
        self._fought: set[Key] = set()

    @property
    def total(self) -> int:
        """Objects repaired, each as often as it was."""
        return self.found.total()

    def undone(self, key: Key, now: float) -> None:
        """The kernel tells that somebody changed or deleted an object of ours."""
        self.found[kind(key)] += 1
        self._note(_table(key), f"{name(key)} was changed or deleted by somebody else; it is put right")
        self._contests.undone(key, now)

    def went(self, key: Key, devices: frozenset[int]) -> None:
        """The kernel tells that an object of ours, that led to these devices, is gone.

        Whether that counts, the next read of the links tells; it is put right at once.
        """
        self._missing.put(key, kind(key), devices)

    def links_read(self, changed: Set[int], lost: Set[int], now: float) -> None:
        """Links were read: these devices changed, and `lost` may have taken along what stood on them."""
        named, more = self._missing.links_read(changed, lost, now)
        for key in named:
            self.undone(key, now)
        self.found += more
        self._untold += more.total()
        if changed:
            self.explain()

    def compare(self, now: float) -> list[ReadRequest]:
        """What is to be asked for the comparison's sake, once all that was handed out is acknowledged."""
        request = self.rounds.due(now, self._reconciler.slices)
        if isinstance(request, CountTable):
            return [request]
        if request is not None:
            self._reconciler.read_again(request)
        if request == ReadNexthops():
            self._suspected.add(request)  # Of rules, each one is told.
        return []

    def counted(self, event: TableCounted, now: float) -> None:
        """A table was counted; one that differs is read."""
        if self.rounds.differs(event, now):
            request = ReadTable(event.table, event.family)
            self._reconciler.read_again(request)
            self._suspected.add(request)

    def read(self, request: ReadTable | ReadNexthops, wrong: int, now: float) -> None:
        """So many objects were not as they should be; that counts, if it was read by suspicion."""
        if request in self._suspected:
            self._suspected.discard(request)
            if wrong and isinstance(request, ReadTable):
                self.compared(f"table {request.table}", "routes", wrong, now)
            elif wrong:
                self.compared("next hops", "next hops", wrong, now)

    def compared(self, what: str, of_kind: str, wrong: int, now: float) -> None:
        """A comparison found so many."""
        self._alleged.append((now + DOUBT, what, of_kind, wrong))

    def explain(self) -> None:
        """A link, or a next hop with it, went: what was found just now was on its way as an event."""
        self._alleged.clear()

    def settle(self, now: float) -> None:
        """Count what nothing has explained."""
        for _, what, of_kind, wrong in (found for found in self._alleged if found[0] <= now):
            self.found[of_kind] += wrong
            self.missed += wrong
            self._note(what, f"the comparison found {wrong} {of_kind} that were not right; now they are")
        self._alleged = [found for found in self._alleged if found[0] > now]

    def deadline(self, now: float) -> float | None:
        """When `settle` or `compare` has something to do."""
        times = [found[0] for found in self._alleged]
        if (comparison := self.rounds.deadline()) is not None:
            # What is outstanding comes first, and may end without a word.
            times.append(max(comparison, now + DOUBT))
        return min(times, default=None)

    def fights_changed(self, now: float) -> bool:
        """Whether a fight has begun or ended since the last call."""
        before, self._fought = self._fought, {key for key, _ in self._contests.fights(now)}
        return before != self._fought

    def problems(self, now: float) -> Iterator[Problem]:
        """A fight is for a person to end."""
        for key, contest in self._contests.fights(now):
            if key in self._fought:
                text = (
                    f"{name(key)} is changed or deleted by somebody else again and again; it is put right "
                    f"at most every {contest.every:g} s now. Find who does it: another routing program, or a "
                    "network daemon that removes what it does not know (systemd-networkd: "
                    "ManageForeignRoutes, ManageForeignRoutingPolicyRules, ManageForeignNextHops = no)."
                )
                yield Problem(Severity.DEGRADED, Reason.CONTESTED, name(key), text)

    def notes(self) -> list[Note]:
        """What is to be told of this turn."""
        if self._untold:
            text = f"{self._untold} more objects were changed or deleted by somebody else; they are put right"
            self._notes.append(Note(Code.KERNEL_REPAIRED, "", text, warning=True))
        notes, self._notes, self._untold = self._notes, [], 0
        return notes

    def _note(self, subject: str, text: str) -> None:
        if len(self._notes) < TOLD:
            self._notes.append(Note(Code.KERNEL_REPAIRED, subject, text, warning=True))
        else:
            self._untold += 1


def told_refused(failures: list[Failure]) -> list[Note]:
    """What is told of operations that the kernel refused: of the first ones, what each was."""
    return [
        Note(
            Code.KERNEL_REFUSED,
            _table(key_of(failed.operation)),
            f"{failed}; it is tried again",
            warning=True,
        )
        for failed in failures[:TOLD]
    ]


def _table(key: Key) -> str:
    """The subject of what is told of an object: a route's table."""
    return f"table {key.table}" if isinstance(key, RouteKey) else ""


def kind(key: Key) -> str:
    """Which kind of object a key is of."""
    match key:
        case RouteKey():
            return "routes"
        case Rule():
            return "rules"
        case _:
            return "next hops"


def name(key: Key) -> str:
    """An object in words."""
    match key:
        case RouteKey():
            return str(key)
        case Rule():
            return f"rule {key}"
        case _:
            return f"next hop {key}"
