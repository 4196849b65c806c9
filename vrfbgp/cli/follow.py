"""Asks for events, and for what happens after them, also over a restart of the daemon.

Short questions, one after the other: none keeps one of the control socket's few places. What was forgotten
between two of them is told as a number, and a new life of the daemon is followed from its beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from vrfbgp.control import Json, NotAnswered, ask

PAUSE = 0.5
"""Seconds between two questions."""
AT_ONCE = 1000
"""Events that are asked for at a time once the first ones were shown."""

Ask = Callable[[Path, Json], Json]


def pages(
    run_dir: Path, request: Json, *, follow: bool, ask: Ask = ask, pause: float = PAUSE
) -> Iterator[Json]:
    """Answers with something to tell: the first one, then, while it follows, endless. NotAnswered, Refused.

    A daemon that goes away is waited for: `away` is True in one answer then.
    """
    page = ask(run_dir, request)
    yield page | {"away": False}
    while follow:
        if not page["more"]:
            time.sleep(pause)
        try:
            page = _next(run_dir, request, page, ask)
        except NotAnswered:
            yield {"events": [], "lost": 0, "away": True}
            page = _awaited(run_dir, request, ask, pause)
        if page["events"] or page["lost"]:
            yield page | {"away": False}


def _next(run_dir: Path, request: Json, page: Json, ask: Ask) -> Json:
    """What came since."""
    more = request | {"limit": AT_ONCE}
    found = ask(run_dir, more | {"since": page["next"]})
    # Another daemon's numbers say nothing about what we have seen: its story is new from the start.
    return found if found["life"] == page["life"] else ask(run_dir, more | {"since": 0})


def _awaited(run_dir: Path, request: Json, ask: Ask, pause: float) -> Json:
    while True:
        time.sleep(pause)
        try:
            return ask(run_dir, request | {"limit": AT_ONCE, "since": 0})
        except NotAnswered:
            continue
