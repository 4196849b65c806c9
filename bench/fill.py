"""A table is filled: by one peer, or many tables by a peer each."""

from __future__ import annotations

from bench.feed import Feed
from bench.kernel import Kernel
from bench.play import MEGA, PATIENCE, Anyone, Bench, Measure, Play, alone
from bench.reading import Reading
from bench.stage import Network, Peer
from bench.tables import sentinels


def filled(mean: float) -> Measure:
    """One peer announces all prefixes, `mean` of them in an UPDATE.

    Seconds: from when the router has the session Established until all are in the kernel.
    """

    def measure(bench: Bench, contender: Anyone, size: int) -> Reading:
        networks = alone()
        if isinstance(contender, Kernel):
            with Play(contender, networks) as play:
                return contender.fill(bench.cache, play.stage, [(network, 0, size) for network in networks])
        peer = networks[0].peers[0]
        feed = bench.cache.feed(Feed(0, size, peer.address, peer.asn, mean))
        late = sentinels(networks[0].gateway, bench.cache.prefixes(0, size), 20)
        with Play(contender, networks) as play:
            play.stage.start_routers({0: feed})
            router = play.stage.routers[0]
            play.start()
            begin = router.wait("established", seconds=PATIENCE, alive=play.trouble)[0]["at"]
            cpu = play.gauge.cpu()
            end = play.tables.wait_full(late, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
            cpu = play.gauge.cpu() - cpu
            play.gauge.memory()
            sent = router.wait("sent")[0]["at"]
            return Reading(end - begin, cpu, play.gauge.peak / MEGA, {"sent": sent - begin})

    return measure


def many(bench: Bench, contender: Anyone, size: int) -> Reading:
    """50 networks. Seconds: from the routers' go until all tables are full.

    `up` is the time from its start until the last of the 50 sessions is Established.
    """
    networks = tuple(Network(number, (Peer(number),)) for number in range(50))
    late = [
        sentinels(network.gateway, bench.cache.prefixes(network.number * size, size), 1)[-1]
        for network in networks
    ]
    with Play(contender, networks) as play:
        if isinstance(contender, Kernel):
            stretches = [(network, network.number * size, size) for network in networks]
            return contender.fill(bench.cache, play.stage, stretches)
        feeds = {
            network.number: bench.cache.feed(
                Feed(network.number * size, size, network.peers[0].address, network.peers[0].asn)
            )
            for network in networks
        }
        play.stage.start_routers(feeds, go=False)
        router = play.stage.routers[0]
        started = play.start()
        up = router.wait("established", len(networks), seconds=PATIENCE, alive=play.trouble)[-1]["at"]
        up_cpu = play.gauge.cpu()
        play.gauge.wait_idle(PATIENCE)
        cpu = play.gauge.cpu()
        router.say("go")
        begin = router.wait("go")[0]["at"]
        end = play.tables.wait_full(late, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
        cpu = play.gauge.cpu() - cpu
        play.gauge.memory()
        return Reading(end - begin, cpu, play.gauge.peak / MEGA, {"up": up - started, "up_cpu": up_cpu})
