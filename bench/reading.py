"""What one measure gives, of whatever contender."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Reading:
    """What one measure gave."""

    seconds: float
    cpu: float | None = None
    """CPU seconds of the contender's processes over the same time."""
    memory: float | None = None
    """The most that its processes had, in MB (PSS)."""
    more: dict[str, float] = field(default_factory=dict)
