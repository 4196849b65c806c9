"""The config as it is on disk, and what becomes of it: the loop `load, resolve, compare` around the files.

A config that can't be understood is refused whole, and the one before stays. At a start there is none
before: then what can be understood runs, and objects that exclude each other stay out, all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from vrfbgp.config import watch
from vrfbgp.config.load import read
from vrfbgp.config.resolve import HostFacts, Refused, resolve
from vrfbgp.events import ConfigEvent, ConfigLoaded, ConfigRefused
from vrfbgp.intent import Intent, Problem, Severity


class Source:
    """The files of one daemon."""

    def __init__(
        self, paths: Sequence[Path], node: str | None, labels: Mapping[str, str], host: HostFacts
    ) -> None:
        self._paths = tuple(paths)
        self._node = node or host.hostname
        self._labels = dict(labels)
        self._host = host
        self._running: Intent | None = None
        self._lock = asyncio.Lock()
        self.refused: tuple[Problem, ...] = ()
        """Why the files as they are now are not what runs; empty if they are."""

    def first(self) -> list[ConfigEvent]:
        """The config to start with."""
        found = self._load(lenient=False)
        if isinstance(found, Intent):
            self._running = found
            return [ConfigLoaded(found)]
        self.refused = found
        rest = self._load(lenient=True)
        self._running = rest if isinstance(rest, Intent) else Intent(self._node, enabled=False)
        return [ConfigLoaded(self._running), ConfigRefused(found)]

    async def again(self) -> ConfigEvent | None:
        """Look once more; None if nothing changed. Files are read beside the event loop."""
        async with self._lock:
            return self._compare(await asyncio.to_thread(self._load, lenient=False))

    def _compare(self, found: Intent | tuple[Problem, ...]) -> ConfigEvent | None:
        if not isinstance(found, Intent):
            if found == self.refused:
                return None
            self.refused = found
            return ConfigRefused(found)
        if found == self._running and not self.refused:
            return None
        self._running, self.refused = found, ()
        return ConfigLoaded(found)

    async def changes(self) -> AsyncIterator[ConfigEvent]:
        """What becomes of each change of the files."""
        async for _ in watch.changes(self._paths):
            event = await self.again()
            if event is not None:
                yield event

    def _load(self, *, lenient: bool) -> Intent | tuple[Problem, ...]:
        loaded = read(self._paths, lenient=lenient)
        refused = tuple(problem for problem in loaded.problems if problem.severity is Severity.REFUSED)
        if refused and not lenient:
            return refused
        found = resolve(
            loaded.objects, node=self._node, labels=self._labels, host=self._host, lenient=lenient
        )
        return found.problems if isinstance(found, Refused) else found
