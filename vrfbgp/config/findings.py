"""What resolving brings up, kept apart by what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from vrfbgp.intent import Problem, Severity

_ORDER = {Severity.REFUSED: 0, Severity.DEGRADED: 1, Severity.NOTICE: 2}


@dataclass(slots=True)
class Findings:
    """`told` are problems that leave the config usable; `exclusions` are objects that exclude each other."""

    told: list[Problem] = field(default_factory=list)
    exclusions: list[Problem] = field(default_factory=list)

    def tell(self, problem: Problem) -> Problem:
        """Note a problem that degrades an object or is worth a line."""
        self.told.append(problem)
        return problem

    def exclude(self, problem: Problem) -> Problem:
        """Note that an object excludes another. Returns it as the object's own reason to be degraded."""
        self.exclusions.append(replace(problem, severity=Severity.REFUSED))
        return replace(problem, severity=Severity.DEGRADED)


def degrading(problems: Iterable[Problem]) -> list[Problem]:
    """The reasons of an object that was kept although it was not fully understood."""
    return [replace(problem, severity=Severity.DEGRADED) for problem in problems]


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Each problem once, the worst first, then by place: equal configs tell equal lists."""
    return tuple(
        sorted(
            dict.fromkeys(problems),
            key=lambda problem: (
                _ORDER[problem.severity],
                problem.place.file,
                problem.place.line,
                problem.subject,
                problem.place.path,
                problem.text,
            ),
        )
    )
