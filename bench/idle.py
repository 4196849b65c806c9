"""Nothing happens: what it costs to be there."""

from __future__ import annotations

import time

from bench.contender import Contender
from bench.feed import Feed
from bench.play import MEGA, PATIENCE, Anyone, Bench, Play
from bench.reading import Reading
from bench.stage import Network, Peer


def idle(bench: Bench, contender: Anyone, size: int) -> Reading:
    """4 networks, and nothing happens. Seconds: how long that was watched."""
    assert isinstance(contender, Contender)
    networks = tuple(Network(number, (Peer(number),)) for number in range(4))
    with Play(contender, networks) as play:
        feeds = {
            network.number: bench.cache.feed(
                Feed(network.number * size, size, network.peers[0].address, network.peers[0].asn)
            )
            for network in networks
        }
        play.stage.start_routers(feeds)
        play.start()
        play.stage.routers[0].wait("sent", len(networks), seconds=PATIENCE, alive=play.trouble)
        play.tables.wait_full([], play.wanted(size), seconds=PATIENCE, alive=play.trouble)
        play.gauge.wait_idle(PATIENCE)
        play.gauge.memory()
        begin, cpu = time.monotonic(), play.gauge.cpu()
        time.sleep(bench.idle_seconds)
        cpu = play.gauge.cpu() - cpu
        seconds = time.monotonic() - begin
        return Reading(seconds, cpu, play.gauge.peak / MEGA, {"percent": 100 * cpu / seconds})
