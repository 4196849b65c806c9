"""What the demo says: numbered steps, the commands as they can be repeated by hand, and what they print."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

INDENT = "    "


class Voice:
    """Prints to stdout. Bold and dim on a terminal, plain text elsewhere (and with NO_COLOR)."""

    def __init__(self, steps: int) -> None:
        self._steps = steps
        self._step = 0
        self._started = time.monotonic()
        self._styled = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self._short: list[tuple[str, str]] = []

    def shorten(self, text: str, written: str) -> None:
        """From now on, write `written` in commands where `text` stands, the one told last first."""
        self._short.insert(0, (text, written))

    def step(self, title: str) -> None:
        """Begin the next step."""
        self._step += 1
        self._print(f"\n{self._style(f'[{self._step}/{self._steps}] {title}', 1)}")

    def say(self, text: str) -> None:
        """Lines as they are, indented."""
        for line in text.rstrip("\n").splitlines():
            self._print(f"{INDENT}{line}".rstrip())

    def command(self, argv: Sequence[str], *, background: bool = False) -> None:
        """A command line, as the reader can repeat it in a shell."""
        self._print(f"{INDENT}{self._style('$ ' + self.written(argv) + (' &' if background else ''), 36)}")

    def written(self, argv: Sequence[str]) -> str:
        """A command line for a shell, with the short forms."""
        return " ".join(self._word(word) for word in argv)

    def elapsed(self) -> float:
        """Seconds since the demo began."""
        return time.monotonic() - self._started

    def _word(self, word: str) -> str:
        marked = word
        for text, written in self._short:
            marked = marked.replace(text, written)
        # What is left must not need quotes; a variable must not get any.
        return marked if re.fullmatch(r"[\w@%+=:,./$~-]*", marked) else shlex.quote(marked)

    def _style(self, text: str, code: int) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._styled else text

    def _print(self, text: str) -> None:
        print(text, flush=True)


def relative(path: Path) -> str:
    """A path as seen from the current directory, if that is shorter to write."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
