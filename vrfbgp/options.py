"""What the command line of `vrfbgp run` says, as it is handed to the daemon."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

RUN_DIR = Path("/run/vrfbgp")
STATE_DIR = Path("/var/lib/vrfbgp")
"""Defaults of the directories for sockets and speaker configs, and for what must survive a restart."""


@dataclass(frozen=True, slots=True)
class DaemonOptions:
    """The command line of `vrfbgp run`."""

    config: tuple[Path, ...]
    node: str | None = None
    """Name of this node; None: the host name."""
    labels: dict[str, str] = field(default_factory=dict)
    run_dir: Path = RUN_DIR
    state_dir: Path = STATE_DIR
    compare_every: float | None = 300.0
    """Seconds in which all that is ours in the kernel is compared once; None: never."""
    listen: str | None = None
    """Where metrics and health are served (`observe/http.address_of`); None: nowhere."""
    log_format: str = "text"
    log_level: str = "info"

    def text(self) -> str:
        """One word that `from_text` understands."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_text(cls, text: str) -> DaemonOptions:
        """Raises ValueError, KeyError or TypeError if this is no `text`."""
        given = json.loads(text)
        for name in ("run_dir", "state_dir"):
            given[name] = Path(given[name])
        return cls(**{**given, "config": tuple(map(Path, given["config"]))})
