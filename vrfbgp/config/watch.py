"""Tells when config files may have changed: an edit in place, a save by rename, a ConfigMap's `..data` swap.

Directories are watched, never files: a watch on a file ends with the inode that a save by rename replaces.
What is told is only that it is worth loading again, after nothing has changed for `SETTLE` seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from watchfiles import awatch

SETTLE = 0.5
"""Seconds of quiet after a change; several files that are edited together are one change."""
_LONGEST = 5.0
"""Seconds after which a change is told even if there is no quiet."""
_POLL = 2.0
"""Seconds between two looks for a directory that does not exist."""


async def changes(paths: Sequence[Path]) -> AsyncIterator[None]:
    """Yields whenever something changed in or beside the paths. Ends only when it is cancelled."""
    directories = sorted({path if path.is_dir() else path.parent for path in paths})
    while True:
        existing = [directory for directory in directories if directory.is_dir()]
        if not existing:
            await asyncio.sleep(_POLL)
            continue
        try:
            settle, longest = int(SETTLE * 1000), int(_LONGEST * 1000)
            async for _ in awatch(
                *existing, watch_filter=None, debounce=longest, step=settle, recursive=False
            ):
                yield
                if any(not directory.is_dir() for directory in existing):
                    break
        except FileNotFoundError:
            pass
        yield
        await asyncio.sleep(_POLL)
