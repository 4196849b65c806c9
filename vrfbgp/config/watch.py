"""Tells when config files may have changed: an edit in place, a save by rename, a ConfigMap's `..data` swap.

Directories are watched, never files: a watch on a file ends with the inode that a save by rename replaces.
A directory that is itself replaced, appears later, or is a symlink that is turned elsewhere is noticed by a
look every `LOOK` seconds, since a watch stays with the inode it began with.
What is told is only that it is worth loading again, after nothing has changed for `SETTLE` seconds.

A node may be out of watches (inotify(7): 128 instances a user are the default, and each container runtime and
log shipper takes some). Then the files are looked at instead, for `RETRY` seconds at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from watchfiles import awatch

log = logging.getLogger(__name__)

SETTLE = 0.5
"""Seconds of quiet after a change; several files that are edited together are one change."""
LOOK = 2.0
"""Seconds between two looks whether the directories are still the same ones."""
RETRY = 300.0
"""Seconds after which a watch that could not be had is tried again."""
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
    except (OSError, RuntimeError) as error:
        # Out of watches is the one, out of instances the other.
        log.warning(
            "the config can't be watched, so it is looked at every %g s: %s; if watches are short, raise "
            "fs.inotify.max_user_instances and fs.inotify.max_user_watches",
            LOOK,
            error,
        )
        async for _ in _looking(paths, watched, looked):
            yield


async def _looking(
    paths: Sequence[Path], watched: _Watched, looked: Callable[[], None]
) -> AsyncIterator[None]:
    """The same without a watch, for `RETRY` seconds. It may have changed before, so that is told first."""
    yield
    told = seen = _stamps(watched)
    for _ in range(int(RETRY / LOOK)):
        await asyncio.sleep(LOOK)
        looked()
        if _directories(paths) != watched:
            return
        before, seen = seen, _stamps(watched)
        if seen == before != told:
            told = seen
            yield


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


def _stamps(directories: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """What tells, of all that is in the directories, whether it changed; of a symlink, what it leads to."""
    found: dict[str, tuple[int, ...]] = {}
    for directory in directories:
        with contextlib.suppress(OSError):
            for entry in os.scandir(directory):
                with contextlib.suppress(OSError):
                    stat = entry.stat()
                    found[entry.path] = stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size
    return found
