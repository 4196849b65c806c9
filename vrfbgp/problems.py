"""What is wrong now, so that people are told once when something breaks and once when it heals."""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.intent import Problem, Severity
from vrfbgp.notes import Code, Note


class Problems:
    """The problems that stand."""

    def __init__(self) -> None:
        self.standing: tuple[Problem, ...] = ()
        self.degraded: frozenset[str] = frozenset()
        """The objects that have a problem which is more than a notice."""

    def now(self, problems: Iterable[Problem]) -> list[Note]:
        """Just these stand now; what to tell about the difference."""
        found = tuple(dict.fromkeys(problems))
        notes = [
            Note(
                Code.NOTICE if problem.severity is Severity.NOTICE else Code.DEGRADED,
                problem.subject,
                _words(problem),
                warning=problem.severity is not Severity.NOTICE,
            )
            for problem in found
            if problem not in self.standing
        ]
        notes += [
            Note(Code.HEALED, problem.subject, f"no longer {problem.reason}")
            for problem in self.standing
            if problem not in found and problem.severity is not Severity.NOTICE
        ]
        self.standing = found
        self.degraded = frozenset(p.subject for p in found if p.severity is not Severity.NOTICE)
        return notes

    def about(self, subject: str) -> list[Problem]:
        """The standing problems of one object."""
        return [problem for problem in self.standing if problem.subject == subject]


def _words(problem: Problem) -> str:
    where = f" ({problem.place})" if problem.place.file else ""
    return f"{problem.text} [{problem.reason}]{where}"
