"""What the core has to tell people: stable codes, the object they are about, and a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Stable names of what happens; logs, `events`, metrics and tests rely on them (docs/events.md)."""

    STARTED = "daemon.started"
    WARNING = "daemon.warning"
    """What a part of the daemon logs that has no code of its own."""
    RELOADED = "reload.applied"
    RELOAD_IDLE = "reload.unchanged"
    RELOAD_REFUSED = "reload.refused"
    CONFIG_APPLIED = "config.applied"
    CONFIG_REFUSED = "config.refused"
    DEGRADED = "object.degraded"
    HEALED = "object.healed"
    NOTICE = "object.notice"
    PEER_UP = "peer.up"
    PEER_DOWN = "peer.down"
    PEER_FAILED = "peer.failed"
    PEER_RESET = "peer.reset"
    PEER_REFRESH = "peer.refresh"
    MALFORMED = "update.malformed"
    SPEAKER_ENDED = "speaker.ended"
    IN_SYNC = "network.in-sync"
    KERNEL_REFUSED = "kernel.refused"
    KERNEL_REPAIRED = "kernel.repaired"
    KERNEL_OVERRUN = "kernel.overrun"
    REFUSED = "route.refused"
    ANNOUNCED = "route.announced"
    WITHDRAWN = "route.withdrawn"
    FAILCLOSED_HIT = "failclosed.hit"
    DRAINING = "node.draining"
    DRAINED = "node.drained"
    SERVING = "node.serving"


@dataclass(frozen=True, slots=True)
class Note:
    """One line of the log. `warning`: somebody may have to act."""

    code: Code
    subject: str
    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.code} {self.subject}: {self.text}" if self.subject else f"{self.code} {self.text}"
