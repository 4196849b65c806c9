"""Tells when config files may have changed: an edit in place, a save by rename, a ConfigMap's `..data` swap.

Directories are watched, never files: a watch on a file ends with the inode that a save by rename replaces.
A directory that is itself replaced, appears later, or is a symlink that is turned elsewhere is noticed by a
look every `LOOK` seconds, since a watch stays with the inode it began with.
What is told is only that it is worth loading again, after nothing has changed for `SETTLE` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from watchfiles import awatch

SETTLE = 0.5
"""Seconds of quiet after a change; several files that are edited together are one change."""
LOOK = 2.0
"""Seconds between two looks whether the directories are still the same ones."""
_LONGEST = 5.0
"""Seconds after which a change is told even if there is no quiet."""

_Watched = dict[Path, tuple[int, int]]
"""Directories, with device and inode."""


async def changes(paths: Sequence[Path], looked: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
    """Yields whenever something changed in or beside the paths. Ends only when it is cancelled.

    `looked` is called at each look.
    """
    while True:
        looked()
        watched = _directories(paths)
        if watched:
            async for _ in _until_replaced(paths, watched, looked):
                yield
        else:
            await asyncio.sleep(LOOK)
        if _directories(paths) != watched:
            yield


async def _until_replaced(
    paths: Sequence[Path], watched: _Watched, looked: Callable[[], None]
) -> AsyncIterator[None]:
    try:
        async for found in awatch(
            *watched,
            watch_filter=None,
            debounce=int(_LONGEST * 1000),
            step=int(SETTLE * 1000),
            rust_timeout=int(LOOK * 1000),
            yield_on_timeout=True,
            recursive=False,
        ):
            looked()
            if _directories(paths) != watched:
                return
            if found:
                yield
    except FileNotFoundError:
        # Gone between the look and the watch.
        await asyncio.sleep(SETTLE)


def _directories(paths: Sequence[Path]) -> _Watched:
    """What is to be watched now: each path that is a directory, and the directory of each that isn't."""
    watched: _Watched = {}
    for path in paths:
        directory = path if path.is_dir() else path.parent
        try:
            stat = directory.stat()
        except OSError:
            continue
        watched[directory] = stat.st_dev, stat.st_ino
    return watched
