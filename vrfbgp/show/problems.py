"""Problems for people: what, why and what to do, then where in the files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vrfbgp.show.tables import Page


def show_problems(page: Page, problems: Iterable[dict[str, Any]], heading: str = "Problems") -> None:
    """A paragraph for each; nothing if there are none."""
    found = list(problems)
    if not found:
        return
    page.gap()
    page.heading(heading)
    for problem in found:
        page.line(problem["severity"], f"{problem['subject']} [{problem['reason']}]", indent=2)
        page.line(problem["text"], indent=6)
        if problem["file"]:
            page.line(_place(problem), indent=6)


def _place(problem: dict[str, Any]) -> str:
    at = f"{problem['file']}:{problem['line']}" if problem["line"] else str(problem["file"])
    return f"{at}: {problem['path']}" if problem["path"] else at
