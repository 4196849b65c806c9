"""A full table is emptied: its routes are withdrawn one by one, or their peer dies."""

from __future__ import annotations

from dataclasses import dataclass

from bench.contender import Contender
from bench.feed import Feed
from bench.kernel import Kernel
from bench.play import MEGA, PATIENCE, Anyone, Bench, Play, alone
from bench.reading import Reading
from bench.tables import Sentinel, sentinels


@dataclass(frozen=True)
class Full:
    """A table that holds all, and rests."""

    table: int
    left: int
    """How many routes it holds once all that were learned are gone."""
    late: list[Sentinel]
    octets_a_route: float
    """Memory of the contender beyond what it had before the first came, by the number of routes."""


def withdrawn(bench: Bench, contender: Anyone, size: int) -> Reading:
    """One peer withdraws all its prefixes, each by an UPDATE of its own.

    Seconds: from the first until the table is empty.
    """
    gone = bench.cache.withdrawal(0, size)
    with Play(contender, alone()) as play:
        if isinstance(contender, Kernel):
            contender.fill(bench.cache, play.stage, [(play.networks[0], 0, size)], withdraw=True)
            return contender.withdraw()
        full = fill(bench, play, contender, size)
        router = play.stage.routers[0]
        cpu = play.gauge.cpu()
        router.say(f"more 0 {gone}")
        begin = router.wait("more", seconds=PATIENCE)[0]["at"]
        return emptied(play, full, begin, cpu)


def peer_died(bench: Bench, contender: Anyone, size: int) -> Reading:
    """The only peer is killed, which offers no graceful restart.

    Seconds: from its death until the table is empty.
    """
    with Play(contender, alone()) as play:
        if isinstance(contender, Kernel):
            contender.fill(bench.cache, play.stage, [(play.networks[0], 0, size)])
            return contender.peer_died()
        full = fill(bench, play, contender, size)
        cpu = play.gauge.cpu()
        return emptied(play, full, play.stage.routers[0].kill(), cpu)


def fill(bench: Bench, play: Play, contender: Contender, size: int) -> Full:
    """Start it, let it rest, then fill its table and let it rest again."""
    network = play.networks[0]
    peer = network.peers[0]
    late = sentinels(network.gateway, bench.cache.prefixes(0, size), 20)
    feed = bench.cache.feed(Feed(0, size, peer.address, peer.asn))
    play.stage.start_routers({peer.number: feed}, go=False, graceful=False)
    router = play.stage.routers[0]
    play.start()
    router.wait("established", seconds=PATIENCE, alive=play.trouble)
    play.still()
    empty = play.gauge.memory()
    router.say("go")
    play.tables.wait_full(late, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
    play.still()
    table = contender.table(network)
    left = play.tables.counts()[table] - size
    return Full(table, left, late, (play.gauge.memory() - empty) / size)


def emptied(play: Play, full: Full, begin: float, cpu: float) -> Reading:
    """Wait until no route is left; `cpu` is what the contender had used before."""
    end = play.tables.wait_full(
        [], {full.table: full.left}, absent=full.late, exact=True, seconds=PATIENCE, alive=play.trouble
    )
    cpu = play.gauge.cpu() - cpu
    play.gauge.memory()
    return Reading(end - begin, cpu, play.gauge.peak / MEGA, {"octets_a_route": full.octets_a_route})
