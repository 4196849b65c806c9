"""How the daemon was last started: what a command needs to know to see this node as the daemon does."""

from __future__ import annotations

import logging
from pathlib import Path

from vrfbgp.options import DaemonOptions

log = logging.getLogger(__name__)


class Started:
    """A file in the state directory."""

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / "started.json"

    def keep(self, options: DaemonOptions) -> None:
        """Remember the options of this start. If that can't be, the log says why."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".new")
            fresh.write_text(options.text())
            fresh.replace(self._path)
        except OSError as error:
            log.warning("`vrfbgp verify` has to be told --node and --label: %s", error)

    def read(self) -> DaemonOptions | None:
        """The options of the last start; None if they are not known."""
        try:
            return DaemonOptions.from_text(self._path.read_text())
        except (OSError, ValueError, KeyError, TypeError):
            return None
