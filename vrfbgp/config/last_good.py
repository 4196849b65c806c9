"""The last config that was good, as copies of its files: what to start with when the present one is refused.

The copies hold Secrets, so nobody else may read them (0700, 0600). They are made right after the files were
read; should one have changed in between, the copy is refused at the start that needs it, no earlier.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from vrfbgp.config.files import files_of


class LastGood:
    """A directory of its own below the state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._place = state_dir / "last-good"

    @property
    def paths(self) -> list[Path]:
        """What to read: a directory for each path of the config; none if nothing was ever kept."""
        return sorted(self._place.iterdir()) if self._place.is_dir() else []

    def keep(self, paths: Sequence[Path]) -> None:
        """Replace what is kept by the files as they are now. OSError if that cannot be."""
        fresh, stale = self._place.with_suffix(".new"), self._place.with_suffix(".old")
        self._place.parent.mkdir(parents=True, exist_ok=True)
        for leftover in (fresh, stale):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        for number, path in enumerate(paths):
            directory = fresh / f"{number:03}"
            directory.mkdir(mode=0o700)
            for file in files_of(path):
                copy = directory / file.name
                copy.touch(mode=0o600)
                copy.write_bytes(file.read_bytes())
        if self._place.exists():
            self._place.rename(stale)
        fresh.rename(self._place)
        shutil.rmtree(stale, ignore_errors=True)
