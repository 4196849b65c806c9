"""Which config a node is compared with: the paths that were named, else the one that the daemon last took."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vrfbgp.config.facts import HostFacts
from vrfbgp.config.last_good import LastGood
from vrfbgp.config.question import Question
from vrfbgp.config.understand import understand
from vrfbgp.intent import Intent, Problem
from vrfbgp.started import Started


class NoConfig(Exception):
    """There is nothing to compare with; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What a node is compared with."""

    intent: Intent
    paths: tuple[Path, ...]
    last_good: bool
    """It is the config that the daemon last took, and not what was named."""
    refused: tuple[Problem, ...] = ()
    """Why what was named is not it."""


def config_of(
    paths: Sequence[Path],
    state_dir: Path,
    *,
    node: str | None,
    labels: Mapping[str, str],
    host: HostFacts,
    answering: str | None = None,
) -> Compared:
    """What is wanted of this node. Node and labels are those of the daemon's last start, unless told.

    Where that start is not known, the node is the one that the `answering` daemon says, else the host's name.

    Named files that are refused give way as they do in the daemon: to the last good ones, and where there are
    none, to what can be understood of them. Raises NoConfig.
    """
    started = Started(state_dir).read()
    name = node or (started.node if started else None) or answering or host.hostname
    known = dict(labels) or (started.labels if started else {})
    closed = state_dir.is_dir() and not os.access(state_dir, os.R_OK | os.X_OK)
    kept = () if closed else tuple(LastGood(state_dir).paths)
    if not paths and not kept and started:
        paths = started.config  # Never good: it runs in part.
    refused: tuple[Problem, ...] = ()
    for of, last_good in ((tuple(paths), False), (kept, True)):
        if not of:
            continue
        found = understand(Question(of, name, known, host))
        if isinstance(found, Intent):
            return Compared(found, of, last_good, refused)
        refused = refused or found
    if not refused and closed:
        raise NoConfig(
            f"{state_dir}, with the config that the daemon last took, may not be read by this user: be root, "
            "or name the config to compare with (vrfbgp verify PATH)"
        )
    if not refused:
        raise NoConfig(
            f"no daemon has left a config in {state_dir}: name the one to compare with "
            "(vrfbgp verify PATH), or its state directory (--state-dir)"
        )
    of = tuple(paths) or kept
    lenient = understand(Question(of, name, known, host, lenient=True))
    intent = lenient if isinstance(lenient, Intent) else Intent(name, enabled=False)
    return Compared(replace(intent, partial=True), of, not paths, refused)
