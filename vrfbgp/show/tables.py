"""Aligned tables and paragraphs that fit the terminal, or 100 columns where there is none.

Much of what is shown comes from peers and files of others: nothing in it is taken for markup, and control
characters, which a terminal would obey, become visible.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH = 100
"""Columns, where the output is no terminal."""
LONG = 200
"""Rows of a table beyond which it is neither folded nor coloured: to lay it out would take seconds, and what
reads it is a program, or a pager that folds by itself."""

_GOOD = frozenset({"ok", "established", "installed", "best", "multipath", "yes", "forwarded"})
_BAD = frozenset(
    {
        "degraded",
        "drained",
        "refused",
        "down",
        "isolated",
        "blocked",
        "failed",
        "unreachable",
        "nothing",
        "missing",
    }
)
_GREY = frozenset({"disabled", "notice", "local", "main"})


class Page:
    """One command's output: lines, tables and headings, collected and then printed."""

    def __init__(self, file: TextIO | None = None) -> None:
        out = file or sys.stdout
        self._out = out
        self._begun = False
        self._terminal = out.isatty()
        self._console = Console(
            file=out,
            width=None if self._terminal else WIDTH,
            color_system="auto" if self._terminal else None,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def line(self, *words: object, indent: int = 0) -> None:
        """A paragraph; what is too long goes on below, indented alike."""
        self._print(Padding(Text(" ").join(cell(word) for word in words if word != ""), (0, 0, 0, indent)))

    def entry(self, head: str, text: str, *, alarming: bool) -> None:
        """A line that is never folded, so that it can be searched for."""
        line = Text(plain(head), style="yellow" if alarming else "bright_black")
        line.append(" " + plain(text).replace("\n", " "), "default")
        self._console.print(line, soft_wrap=True)
        self._begun = True

    def gap(self) -> None:
        """An empty line, but for the first of all."""
        if self._begun:
            self._print(Text(""))

    def heading(self, text: str) -> None:
        self._print(Text(plain(text), style="bold"))

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[object]],
        indent: int = 0,
        *,
        header: bool = True,
    ) -> None:
        """A table; a column whose name ends in `#` is aligned to the right and never folded, one that
        ends in `@` has addresses and is never too narrow for one of IPv4."""
        cells = list(rows)
        if len(cells) > LONG:
            self._long_table(columns, cells, indent, header=header)
            return
        table = Table(
            box=None,
            pad_edge=False,
            padding=(0, 2, 0, 0),
            header_style="bold",
            show_edge=False,
            show_header=header,
        )
        for column in columns:
            name, number = column.rstrip("#@"), column.endswith("#")
            at = len(table.columns)
            longest = max((len(str(row[at])) for row in cells), default=0) if column.endswith("@") else 0
            table.add_column(
                name,
                justify="right" if number else "left",
                no_wrap=number,
                overflow="fold",
                min_width=max(len(name), min(longest, len("255.255.255.255/32"))),
            )
        for row in cells:
            table.add_row(*(cell(value) for value in row))
        self._print(Padding(table, (0, 0, 0, indent)))

    def _long_table(
        self, columns: Sequence[str], rows: list[Sequence[object]], indent: int, *, header: bool
    ) -> None:
        names = [column.rstrip("#@") for column in columns]
        texts = [[_text(value).replace("\n", " ") for value in row] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(names, *texts, strict=True)]
        if header:
            head = Text(" " * indent + _aligned(names, widths, columns), style="bold")
            self._console.print(head, soft_wrap=True)
        self._out.writelines(" " * indent + _aligned(row, widths, columns) + "\n" for row in texts)
        self._begun = True

    def _print(self, what: RenderableType) -> None:
        self._begun = True
        if self._terminal:
            self._console.print(what)
            return
        with self._console.capture() as captured:
            self._console.print(what)
        lines = captured.get().splitlines()
        self._out.writelines(f"{line.rstrip()}\n" for line in lines)


def cell(value: object) -> Text:
    """A value as it is shown; words that name a state have its colour."""
    text = _text(value)
    return Text(text, style=_style(text))


def _text(value: object) -> str:
    if isinstance(value, bool):
        value = "yes" if value else "no"
    return "-" if value is None or value == "" else plain(str(value))


def _aligned(texts: Sequence[str], widths: Sequence[int], columns: Sequence[str]) -> str:
    words = []
    for text, width, column in zip(texts, widths, columns, strict=True):
        blank = " " * (width - cell_len(text))
        words.append(blank + text if column.endswith("#") else text + blank)
    return "  ".join(words).rstrip()


def _style(word: str) -> str:
    if word in _GOOD:
        return "green"
    if word in _BAD:
        return "red"
    return "bright_black" if word in _GREY else ""


def plain(text: str) -> str:
    """Without characters that a terminal would obey; line breaks are kept."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def duration(seconds: int | None) -> str:
    """`42s`, `3m 5s`, `2h 10m`, `8d 4h`."""
    if seconds is None:
        return "-"
    for unit, below, name, smaller in ((86400, 3600, "d", "h"), (3600, 60, "h", "m"), (60, 1, "m", "s")):
        if seconds >= unit:
            return f"{seconds // unit}{name} {seconds % unit // below}{smaller}"
    return f"{seconds}s"


def moment(time: str) -> str:
    """An RFC 3339 time, to the second, in the reader's own zone."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}"


def past(seconds: float) -> str:
    """When that was, in the reader's own zone: `20:09:44`, with the date if it is not today's."""
    now = datetime.now().astimezone()
    then = now - timedelta(seconds=seconds)
    return f"{then:%H:%M:%S}" if then.date() == now.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def table_word(table: int) -> str:
    """A table as `ip rule` calls it (linux/rtnetlink.h)."""
    return {253: "default", 254: "main", 255: "local"}.get(table, str(table))


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 peer`, `2 peers`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
