"""Which files a path of the config stands for."""

from __future__ import annotations

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
