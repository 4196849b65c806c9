"""The BGP sessions: one ExaBGP process for each ExternalNetwork, and what the daemon needs to run it.

On the daemon's side: `render` makes ExaBGP's configuration, `command` the lines that ask for something,
`process` supervises the process, which comes from the `nursery`, and `report` reads what it tells. On the
other side: `entry` loads ExaBGP with some parts replaced and others left out (`spared`), `brood` forks a
process for each speaker, and in that run `channel` (its API), `neighbors` and `routes` (its parsers),
`connection` (its sockets), `session` (what it tells of a peer) and `lane` (its reading of messages), in a
`reactor` that sleeps. `wire` is what both sides agree on.

`Speaker` is loaded when it is asked for: the process itself shall load only what it uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vrfbgp.speaker.process import Speaker

__all__ = ["Speaker"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from vrfbgp.speaker.process import Speaker

    return Speaker
