"""Keeps an operator's word to drain over restarts of the daemon, up to the next boot of the node.

A daemon that dies, or is updated, while its node is drained must not call traffic back to a node that is
about to leave. After a boot the node is a fresh one, and so it serves.
"""

from __future__ import annotations

import logging
from pathlib import Path

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Made anew at each boot (random(4))."""


class DrainMark:
    """A file in the state directory that holds the boot it belongs to."""

    def __init__(self, state_dir: Path, boot_id: Path = BOOT_ID) -> None:
        self.path = state_dir / "drained"
        self._boot_id = boot_id

    def set(self) -> bool:
        """The node is to stay drained; whether that could be kept. If not, the log says why."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_text(self._boot_id.read_text())
            fresh.replace(self.path)
        except OSError as error:
            log.warning("a restart of this daemon ends the drain: %s can't be written: %s", self.path, error)
            return False
        return True

    def clear(self) -> bool:
        """The node serves again; whether a restart does, too. If not, the log says why."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a restart of this daemon drains again: %s can't be removed: %s", self.path, error)
            return False
        return True

    def holds(self) -> bool:
        """Whether the node was to stay drained, since it booted."""
        try:
            return self.path.read_text() == self._boot_id.read_text()
        except FileNotFoundError:
            return False
        except OSError as error:
            log.warning("not drained, as %s can't be read: %s", error.filename, error)
            return False
