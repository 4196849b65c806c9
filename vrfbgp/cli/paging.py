"""Long answers, page after page: each is printed as it comes, so a million rows need no memory here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TextIO

from vrfbgp.cli.asking import Json

LARGEST_PAGE = 2000
"""Rows that are asked for at a time: the daemon does nothing else while it tells them."""


def answers(ask: Callable[[Json], Json], request: Json, rows: str, limit: int) -> Iterator[Json]:
    """The answers that hold the first `limit` rows, 0: all; `rows` is their name in an answer. The last one's
    `next` tells whether there are more."""
    left, place = limit, 0
    while True:
        asked = min(left, LARGEST_PAGE) if limit else LARGEST_PAGE
        found = ask(request | {"limit": asked, "offset": place})
        yield found
        left -= len(found[rows])
        if found["next"] is None or (limit and left <= 0):
            return
        place = found["next"]


def write_json(found: Iterator[Json], rows: str, out: TextIO) -> None:
    """All pages as one object, a row a line."""
    first = next(found)
    out.write("{\n")
    for name, value in first.items():
        if name not in (rows, "next"):
            out.write(f"  {json.dumps(name)}: {json.dumps(value)},\n")
    out.write(f"  {json.dumps(rows)}: [")
    mark, last = "\n    ", first
    for last in chain([first], found):
        for row in last[rows]:
            out.write(mark + json.dumps(row))
            mark = ",\n    "
    out.write(f'\n  ],\n  "next": {json.dumps(last["next"])}\n}}\n')
