"""Routes come and go at a steady rate on top of a standing table: how long each takes to reach the kernel.

The router sends one message at a time, each when it is due, and notes when. Meanwhile single lookups of some
of these prefixes, from the moment when each is due, tell when the kernel has it, or has it no more. All that
are due are looked up in turn however late others are, so that a contender that lags is not asked less often.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.contender import Contender
from bench.feed import Feed, Prefix
from bench.lock import LockWait
from bench.play import MEGA, PATIENCE, Anyone, Bench, Play, alone
from bench.reading import Reading
from bench.tables import Sentinel, Tables, sentinels

RATE = 1000
"""Announcements a second, and as many withdrawals."""
SECONDS = 10
SAMPLED = 10
"""One in so many prefixes is looked up."""
POLL_SECONDS = 0.0002
"""Between two rounds of lookups: how exact each latency is."""
LAG_LIMIT = 10.0
"""Seconds beyond the last message after which what is not seen counts as missed."""
UNWATCHED_SECONDS = 0.5
"""At the end: the router's report would hold up the last lookups."""
READY_SECONDS = 0.05


@dataclass(frozen=True)
class Sample:
    """A message whose effect is watched for."""

    index: int
    """Which of all messages it is."""
    sentinel: Sentinel
    announced: bool
    """Else withdrawn."""


def churn(bench: Bench, contender: Anyone, size: int) -> Reading:
    """One peer announces 1,000 prefixes a second and withdraws its oldest 1,000, one in an UPDATE.

    Seconds: the 99th percentile, from the sending of a message until the kernel's table shows it.
    """
    assert isinstance(contender, Contender)
    network = alone()[0]
    peer = network.peers[0]
    ticks = RATE * SECONDS
    standing = bench.cache.feed(Feed(0, size, peer.address, peer.asn))
    coming = bench.cache.churn(Feed(size, ticks, peer.address, peer.asn, mean=1))
    prefixes = bench.cache.prefixes(0, size + ticks)
    chosen = samples(network.gateway, prefixes, size)
    with Play(contender, (network,)) as play:
        play.stage.start_routers({peer.number: standing})
        router = play.stage.routers[0]
        play.start()
        late = sentinels(network.gateway, prefixes[:size], 20)
        play.tables.wait_full(late, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
        play.still()
        table = contender.table(network)
        held = play.tables.counts()[table]
        with play.gauge.paused():
            router.say(f"pace 0 {2 * RATE} {coming}")
            begin = router.wait("pacing")[0]["begin"]
            time.sleep(max(0.0, begin - READY_SECONDS - time.monotonic()))
            cpu, since = play.gauge.cpu(), time.monotonic()
            with LockWait(play.stage.node) as lock:
                seen = watch(play.tables, chosen, begin)
            sent = router.wait("paced", seconds=PATIENCE, alive=play.trouble)[0]["times"]
            cpu, elapsed = play.gauge.cpu() - cpu, time.monotonic() - since
        play.tables.wait_full([], {table: held}, exact=True, seconds=PATIENCE, alive=play.trouble)
        play.gauge.memory()
    end = begin + SECONDS + LAG_LIMIT
    latencies = {sample: seen.get(sample, end) - sent[sample.index] for sample in chosen}
    lateness = [at - begin - index / (2 * RATE) for index, at in enumerate(sent)]
    more = {
        "median": median(latencies.values()),
        "announced": percentile([value for sample, value in latencies.items() if sample.announced]),
        "withdrawn": percentile([value for sample, value in latencies.items() if not sample.announced]),
        "percent": 100 * cpu / elapsed,
        "lock_wait": lock.longest,
        "missed": len(chosen) - len(seen),
        "samples": len(chosen),
        "router_late": percentile(lateness),
    }
    return Reading(percentile(list(latencies.values())), cpu, play.gauge.peak / MEGA, more)


def samples(gateway: str, prefixes: Sequence[Prefix], standing: int) -> list[Sample]:
    """The messages to watch for, in the order in which they are sent; of /24 only, as all sentinels."""
    found = []
    for tick in range(0, int(RATE * (SECONDS - UNWATCHED_SECONDS)), SAMPLED):
        for index, prefix in ((2 * tick, prefixes[standing + tick]), (2 * tick + 1, prefixes[tick])):
            if prefix[1] == 24:
                found.append(Sample(index, Sentinel(gateway, prefix), index % 2 == 0))
    return found


def watch(tables: Tables, chosen: list[Sample], begin: float) -> dict[Sample, float]:
    """When the table first showed each; those that it did not within the limit are missing."""
    seen: dict[Sample, float] = {}
    pending: list[Sample] = []
    following = 0
    end = begin + SECONDS + LAG_LIMIT
    while (following < len(chosen) or pending) and time.monotonic() < end:
        while following < len(chosen) and due(chosen[following], begin) <= time.monotonic():
            pending.append(chosen[following])
            following += 1
        for sample in pending:
            if (tables.device(sample.sentinel) is not None) is sample.announced:
                seen[sample] = time.monotonic()
        pending = [sample for sample in pending if sample not in seen]
        pause = POLL_SECONDS
        if not pending and following < len(chosen):
            pause = due(chosen[following], begin) - time.monotonic()
        time.sleep(max(0.0, pause))
    return seen


def due(sample: Sample, begin: float) -> float:
    """When its message is to be sent."""
    return begin + sample.index / (2 * RATE)


def percentile(values: list[float], share: float = 0.99) -> float:
    """The least of the values that so many of them do not exceed."""
    return sorted(values)[math.ceil(share * len(values)) - 1]
