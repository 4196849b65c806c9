"""Which files a path of the config stands for."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

SUFFIXES = (".yaml", ".yml", ".json")


def files_of(path: Path) -> list[Path]:
    """The files that a path stands for: itself, or a directory's that count. OSError if it can't be read.

    Of a directory *.yaml, *.yml and *.json count, but no dotfiles: a ConfigMap's mount keeps its versions
    in them, and shows the present one by symlinks.
    """
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix in SUFFIXES and not file.name.startswith(".") and file.is_file()
    )


def texts_of(paths: Iterable[Path]) -> list[tuple[str, str]]:
    """Names and texts of all these files; `-` stands for standard input. OSError if one can't be read.

    What is no UTF-8 is kept in a form that the parser refuses.
    """
    found = []
    for path in paths:
        if str(path) == "-":
            found.append(("<stdin>", sys.stdin.buffer.read().decode(errors="replace")))
            continue
        found += [(str(file), file.read_bytes().decode(errors="replace")) for file in files_of(path)]
    return found
