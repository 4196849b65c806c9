"""The bare kernel as a contender: what no daemon can beat, since these writes are all it would do."""

from __future__ import annotations

import platform

from bench.feed import Cache
from bench.reading import Reading
from bench.script import Script
from bench.stage import Network, Stage

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

    def fill(
        self, cache: Cache, stage: Stage, stretches: list[tuple[Network, int, int]], *, withdraw: bool = False
    ) -> Reading:
        """Fill each network's table with a stretch of prefixes; of unequal peers, the second is the backup.

        `withdraw`: make ready to delete all of them as well.
        """
        tables = [
            {
                "table": network.table,
                "prefixes": str(cache.packed_prefixes(start, count)),
                "hops": [(peer.address, peer.device) for peer in network.peers],
                "equal": network.equal,
            }
            for network, start, count in stretches
        ]
        setting = {"mode": self.mode, "batch": BATCH, "withdraw": withdraw, "tables": tables}
        self._script = stage.script("raw", setting)
        self._script.wait("ready", seconds=120)
        self._script.say("go")
        return self._reading("done")

    def withdraw(self) -> Reading:
        """Delete all routes, a message for each."""
        assert self._script is not None
        self._script.say("withdraw")
        return self._reading("withdraw")

    def peer_died(self) -> Reading:
        """Delete the next hop object of the first peer: one message."""
        assert self._script is not None
        self._script.say("dead")
        return self._reading("dead")

    def _reading(self, event: str) -> Reading:
        assert self._script is not None
        done = self._script.wait(event, seconds=240)[0]
        return Reading(done["end"] - done["begin"], done["cpu"])
