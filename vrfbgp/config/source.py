"""The config as it is on disk, and what becomes of it: the loop `load, resolve, compare` around the files.

A config that can't be understood is refused whole, and the one before stays. At a start the last good one
takes its place. If there is none either, what can be understood runs, objects that exclude each other stay
out, all of them, and what an earlier life left in the kernel is let be: nobody said that it is not wanted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vrfbgp.config import watch
from vrfbgp.config.facts import HostFacts
from vrfbgp.config.files import files_of
from vrfbgp.config.last_good import LastGood
from vrfbgp.config.question import Answer, Question, Understand
from vrfbgp.events import ConfigEvent, ConfigLoaded, ConfigRefused
from vrfbgp.intent import Intent, Problem, Reason, Severity

log = logging.getLogger(__name__)


class Source:
    """The files of one daemon; `understand` says what they mean."""

    def __init__(
        self,
        paths: Sequence[Path],
        state_dir: Path,
        *,
        node: str | None,
        labels: Mapping[str, str],
        host: HostFacts,
        understand: Understand,
    ) -> None:
        self._paths = tuple(paths)
        self._last_good = LastGood(state_dir)
        self._node = node or host.hostname
        self._labels = dict(labels)
        self._host = host
        self._understand = understand
        self._running: Intent | None = None
        self._lock = asyncio.Lock()
        self.refused: tuple[Problem, ...] = ()
        """Why the files as they are now are not what runs; empty if they are."""

    async def proposed(self, paths: Sequence[Path]) -> Answer:
        """What these files would come to in place of ours; without any, ours would be taken for gone."""
        if not paths and self._had_files:
            text = "There is no file: this is taken for a volume that is not there. What runs would run on."
            return (Problem(Severity.REFUSED, Reason.NO_EFFECT, "config", text),)
        return await asyncio.to_thread(self._load, paths)

    def first(self) -> list[ConfigEvent]:
        """The config to start with."""
        found = self._load(self._paths)
        if isinstance(found, Intent):
            return [ConfigLoaded(self._take(found))]
        self.refused = found
        self._running = self._instead()
        return [ConfigLoaded(self._running), ConfigRefused(found)]

    def _instead(self) -> Intent:
        """What to start with in place of a refused config."""
        if kept := self._last_good.paths:
            found = self._load(kept)
            if isinstance(found, Intent):
                text = "The config is refused; the last good one runs in its place until it is corrected."
                notice = Problem(Severity.DEGRADED, Reason.LAST_GOOD, "config", text)
                return replace(found, problems=(notice, *found.problems))
        rest = self._load(self._paths, lenient=True)
        understood = rest if isinstance(rest, Intent) else Intent(self._node, enabled=False)
        return replace(understood, partial=True)

    async def again(self) -> ConfigEvent | None:
        """Look once more; None if nothing changed. Files are read beside the event loop."""
        async with self._lock:
            return self._compare(await asyncio.to_thread(self._load, self._paths))

    def _compare(self, found: Answer) -> ConfigEvent | None:
        # That there is none any more is an accident, not a wish to have nothing.
        if isinstance(found, Intent) and self._had_files and not _holds_files(self._paths):
            found = (_vanished(self._paths),)
        if not isinstance(found, Intent):
            if found == self.refused:
                return None
            self.refused = found
            return ConfigRefused(found)
        if found == self._running and not self.refused:
            return None
        return ConfigLoaded(self._take(found))

    async def changes(self, looked: Callable[[], None] = lambda: None) -> AsyncIterator[ConfigEvent]:
        """What becomes of each change of the files; `looked` is called at each look."""
        async for _ in watch.changes(self._paths, looked):
            event = await self.again()
            if event is not None:
                yield event

    def _take(self, found: Intent) -> Intent:
        """This runs from now on, and is what to fall back to."""
        unsettled = self._running is None or self._running.partial
        # Not a single file is a volume that is not there yet, rather than a wish to have nothing.
        empty = unsettled and not _holds_files(self._paths)
        self._running, self.refused = replace(found, partial=empty), ()
        if not empty:
            self._keep()
        return self._running

    @property
    def _had_files(self) -> bool:
        return self._running is not None and not self._running.partial

    def _keep(self) -> None:
        try:
            self._last_good.keep(self._paths)
        except OSError as error:
            log.warning("the config can't be kept for a start with a bad one: %s", error)

    def _load(self, paths: Sequence[Path], *, lenient: bool = False) -> Answer:
        return self._understand(Question(tuple(paths), self._node, self._labels, self._host, lenient))


def _holds_files(paths: Sequence[Path]) -> bool:
    try:
        return any(files_of(path) for path in paths)
    except OSError:
        # Something is there that can't be read: not the same as nothing.
        return True


def _vanished(paths: Sequence[Path]) -> Problem:
    names = ", ".join(map(str, paths))
    text = f"No file is left in {names}: put the files back. What ran before runs on."
    return Problem(Severity.REFUSED, Reason.NO_EFFECT, "config", text)
