"""The files are understood in another process just as in this one, and its failure is a refusal."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vrfbgp.config.apart import understand_apart
from vrfbgp.config.facts import HostFacts
from vrfbgp.config.question import Answer, Question
from vrfbgp.config.understand import understand
from vrfbgp.intent import Intent, Reason, Severity

EXAMPLES = Path(__file__).parents[3] / "config" / "example"


def ask(*paths: Path, lenient: bool = False) -> tuple[Answer, Answer]:
    question = Question(paths, "egress-1", {"egress": "red"}, HostFacts("egress-1"), lenient)
    return understand_apart(question), understand(question)


def test_the_answer_is_the_same_apart(capfd: pytest.CaptureFixture[str]) -> None:
    apart, here = ask(EXAMPLES)
    assert isinstance(apart, Intent)
    assert apart.networks
    assert apart == here
    assert capfd.readouterr() == ("", "")


def test_so_are_the_refusal_and_what_is_understood_nevertheless(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("{{{ [")
    apart, here = ask(tmp_path)
    assert isinstance(apart, tuple)
    assert apart == here
    apart, here = ask(tmp_path, lenient=True)
    assert isinstance(apart, Intent)
    assert apart == here


@pytest.mark.parametrize(
    ("program", "cause"),
    [
        ((sys.executable, "-c", "raise SystemExit(3)"), "ended with status 3"),
        ((sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"), "ended with status -9"),
        ((sys.executable, "-c", "import sys; sys.stdin.buffer.read()"), "without an answer"),
        (("/nowhere/python",), "/nowhere/python cannot be started: No such file or directory"),
    ],
)
def test_a_process_that_fails_refuses_the_files(program: tuple[str, ...], cause: str) -> None:
    found = understand_apart(Question((EXAMPLES,), "egress-1", {}, HostFacts("egress-1")), program)
    assert isinstance(found, tuple)
    (problem,) = found
    assert (problem.severity, problem.reason) == (Severity.REFUSED, Reason.NO_EFFECT)
    assert cause in str(problem)
