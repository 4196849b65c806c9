"""What of ours others had changed or deleted: counted, told, and slowed down where it is a fight.

Most of it is told by the kernel as it happens. What a comparison finds (`fib/rounds`) was missed, by the
kernel or by us, and is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from vrfbgp.fib.contests import Contests
from vrfbgp.fib.draft import Key
from vrfbgp.intent import Problem, Reason, Severity
from vrfbgp.model import RouteKey, Rule
from vrfbgp.notes import Code, Note

TOLD = 20
"""Lines that the repairs of one turn may cause."""


class Repairs:
    """All repairs of one life."""

    def __init__(self, contests: Contests) -> None:
        self.found: Counter[str] = Counter()
        """By kind of object: `routes`, `rules`, `next hops`."""
        self.missed = 0
        """Objects, among these, that only a comparison found."""
        self._contests = contests
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
        self._note(f"{name(key)} was changed or deleted by somebody else; it is put right")
        self._contests.undone(key, now)

    def compared(self, what: str, of_kind: str, wrong: int) -> None:
        """A comparison found so many objects that were not as they should be."""
        self.found[of_kind] += wrong
        self.missed += wrong
        self._note(f"{what}: the comparison found {wrong} {of_kind} that were not right; they are put right")

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

    def _note(self, text: str) -> None:
        if len(self._notes) < TOLD:
            self._notes.append(Note(Code.KERNEL_REPAIRED, "", text, warning=True))
        else:
            self._untold += 1


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
