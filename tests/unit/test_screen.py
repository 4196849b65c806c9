"""A watched screen: cleared between two looks on a terminal, and there alone."""

from __future__ import annotations

import io
from itertools import count, islice

from vrfbgp.show.screen import watched


class Terminal(io.StringIO):
    """Something with a screen."""

    def isatty(self) -> bool:
        return True


def test_the_screen_is_cleared_when_the_answer_is_there() -> None:
    out = Terminal()
    numbers = count()

    def look() -> int:
        assert not out.getvalue().endswith("\x1b[3J"), "nobody looks at an empty screen"
        return next(numbers)

    for found in islice(watched(look, out, every=0), 3):
        assert out.getvalue().endswith("\x1b[H\x1b[2J\x1b[3J")
        out.write(f"look {found}\n")
    assert out.getvalue().count("\x1b[2J") == 3


def test_nothing_is_cleared_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    assert list(islice(watched(lambda: 7, out, every=0), 2)) == [7, 7]
    assert out.getvalue() == ""
