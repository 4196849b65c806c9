"""From files to an answer: `load` and `resolve` in one step."""

from __future__ import annotations

from vrfbgp.config.load import read
from vrfbgp.config.question import Answer, Question
from vrfbgp.config.resolve import Refused, resolve
from vrfbgp.intent import Severity


def understand(question: Question) -> Answer:
    """Read the files; never raises on what they hold."""
    loaded = read(question.paths, lenient=question.lenient)
    refused = tuple(problem for problem in loaded.problems if problem.severity is Severity.REFUSED)
    if refused and not question.lenient:
        return refused
    found = resolve(
        loaded.objects,
        node=question.node,
        labels=question.labels,
        host=question.host,
        lenient=question.lenient,
    )
    return found.problems if isinstance(found, Refused) else found
