"""The bare kernel as a contender: what no daemon can beat, since these writes are all it would do."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

from bench.feed import Cache
from bench.script import Script
from bench.stage import Network, Stage

if TYPE_CHECKING:
    from bench.measures import Reading

BATCH = 20_000
"""Routes in a `send`; more gain nothing."""


class Kernel:
    """Writes routes `inline` or with `nexthop` objects, from messages made before the clock starts."""

    steers = False

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.name = f"kernel-{mode}"
        self._script: Script | None = None

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return f"Linux {platform.release()}"

    def table(self, network: Network) -> int:
        return network.table

    def trouble(self) -> str:
        return ""

    def fill(self, cache: Cache, stage: Stage, stretches: list[tuple[Network, int, int]]) -> Reading:
        """Fill each network's table with a stretch of prefixes; of two peers, the second is the backup."""
        from bench.measures import Reading

        tables = [
            {
                "table": network.table,
                "prefixes": str(cache.packed_prefixes(start, count)),
                "hops": [(peer.address, peer.device) for peer in network.peers],
            }
            for network, start, count in stretches
        ]
        self._script = stage.script("raw", {"mode": self.mode, "batch": BATCH, "tables": tables})
        self._script.wait("ready", seconds=120)
        self._script.say("go")
        done = self._script.wait("done", seconds=240)[0]
        return Reading(done["end"] - done["begin"], done["cpu"])

    def peer_died(self) -> None:
        """Delete the next hop object of the first peer: one message."""
        assert self._script is not None
        self._script.say("dead")
