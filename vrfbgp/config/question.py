"""What the daemon asks about its files, and what it is answered: values that go from process to process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from vrfbgp.config.facts import HostFacts
from vrfbgp.intent import Intent, Problem


@dataclass(frozen=True, slots=True)
class Question:
    """What do these files come to on this node?"""

    paths: tuple[Path, ...]
    node: str
    labels: Mapping[str, str]
    host: HostFacts
    lenient: bool = False
    """Leave out what is not understood and what excludes each other, and refuse nothing."""


Answer = Intent | tuple[Problem, ...]
"""What is wanted, or why the files are refused."""
Understand = Callable[[Question], Answer]
