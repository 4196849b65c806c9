"""It is killed and started again, while the routers' tables change."""

from __future__ import annotations

from bench.contender import Contender
from bench.feed import Feed
from bench.play import MEGA, PATIENCE, PROBED, Anyone, Bench, Play, alone
from bench.reading import Reading
from bench.tables import Writes, sentinels


def restart(bench: Bench, contender: Anyone, size: int) -> Reading:
    """All its processes are killed; 2 in 1,000 prefixes go and 1 in 1,000 comes; it is started again.

    Seconds: from the start until its table is right again.
    """
    assert isinstance(contender, Contender)
    networks = alone()
    peer = networks[0].peers[0]
    gone, fresh = size // 500, size // 1000
    first = bench.cache.feed(Feed(0, size, peer.address, peer.asn))
    second = bench.cache.feed(Feed(gone, size - gone + fresh, peer.address, peer.asn))
    kept = sentinels(networks[0].gateway, bench.cache.prefixes(gone, size - gone), PROBED)
    with Play(contender, networks) as play:
        play.stage.start_routers({0: first})
        router = play.stage.routers[0]
        play.start()
        play.tables.wait_full(kept, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
        play.gauge.wait_idle(PATIENCE)
        table = contender.table(networks[0])
        held = play.tables.counts()[table]
        probe = play.probe(kept)
        with Writes(play.stage.node) as writes:
            router.say(f"feed 0 {second}")
            router.wait("changed")
            play.stage.kill_contender()
            router.wait("closed")
            cpu = play.gauge.cpu()
            begin = play.restart()
            end = play.tables.wait_full(
                sentinels(networks[0].gateway, bench.cache.prefixes(size, fresh), 20),
                {table: held - gone + fresh},
                absent=sentinels(networks[0].gateway, bench.cache.prefixes(0, gone), 20),
                exact=True,
                seconds=PATIENCE,
                alive=play.trouble,
            )
            cpu = play.gauge.cpu() - cpu
            play.gauge.wait_idle(PATIENCE)
        play.gauge.memory()
        probe.close()
        tally = probe.wait("tally")[0]
        more = {"lost": tally["lost"], "writes": writes.count}
        if not writes.complete:
            more["writes_at_least"] = 1
        return Reading(end - begin, cpu, play.gauge.peak / MEGA, more)
