"""What every scenario needs: a contender on a stage, under the gauge, and what one reading of it says."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

from bench.contender import Contender
from bench.feed import Cache
from bench.gauge import Gauge
from bench.kernel import Kernel
from bench.reading import Reading
from bench.script import Script
from bench.stage import Network, Peer, Stage
from bench.tables import Sentinel, Tables

PATIENCE = 240.0
"""Seconds after which a contender has failed, however large the scenario."""
PROBE_RATE = 1000
PROBED = 200
"""Prefixes that the probe and the sentinels are spread over."""
MEGA = 1e6

Anyone = Contender | Kernel


@dataclass(frozen=True)
class Bench:
    """What every measure needs."""

    cache: Cache
    idle_seconds: float = 30.0
    """How long idleness is watched."""


class Play(ExitStack):
    """A contender on a stage, under the gauge; leaving the block takes all of it down."""

    def __init__(self, contender: Anyone, networks: tuple[Network, ...], *, apart: bool = False):
        super().__init__()
        self.contender = contender
        self.networks = networks
        self.stage = self.enter_context(Stage(networks, apart=apart))
        self.tables = self.enter_context(Tables(self.stage.node))
        if not contender.steers:
            self.stage.steer({network.number: contender.table(network) for network in networks})
        self.before = self.tables.counts()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if error is not None and isinstance(self.contender, Contender):
            for process in self.contender.processes:
                error.add_note(process.tail(4))
        return super().__exit__(kind, error, trace)

    def start(self) -> float:
        """Start a daemon under the gauge; the time just before."""
        assert isinstance(self.contender, Contender)
        self.gauge = self.enter_context(Gauge(self.stage.pids))
        return self._begin(again=False)

    def restart(self) -> float:
        """Start it again; the time just before."""
        return self._begin(again=True)

    def still(self) -> None:
        """Wait until it is at rest, so that the next figure is of what comes then alone."""
        self.gauge.wait_idle(PATIENCE)

    def _begin(self, *, again: bool) -> float:
        assert isinstance(self.contender, Contender)
        at = time.monotonic()
        self.contender.start(self.stage, self.networks, again=again)
        return at

    def trouble(self) -> str:
        return self.contender.trouble()

    def wanted(self, count: int) -> dict[int, int]:
        """How many routes each table holds once all networks have `count`, beyond what was there before."""
        found: dict[int, int] = {}
        for network in self.networks:
            table = self.contender.table(network)
            found[table] = found.get(table, self.before.get(table, 0)) + count
        return found

    def probe(self, sentinels: list[Sentinel]) -> Script:
        """Start the probe, and wait until answers come."""
        setting = {"source": self.networks[0].gateway, "rate": PROBE_RATE}
        destinations = [sentinel.address for sentinel in sentinels]
        probe = self.stage.script("probe", {**setting, "destinations": destinations})
        probe.wait("answered")
        return probe


def alone() -> tuple[Network, ...]:
    """One network of one peer."""
    return (Network(0, (Peer(0),)),)


Measure = Callable[[Bench, Anyone, int], Reading]
"""A scenario at work, with so many prefixes in each network: a new stage, one contender, one reading."""
