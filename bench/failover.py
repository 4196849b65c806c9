"""One of two peers is lost under the probe: the better one, or one of two that share the traffic."""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from enum import Enum

from bench.feed import Feed
from bench.gauge import Gauge
from bench.kernel import Kernel
from bench.play import MEGA, PATIENCE, PROBED, Anyone, Bench, Measure, Play
from bench.reading import Reading
from bench.stage import Network, Peer
from bench.tables import MULTIPATH, Sentinel, sentinels

SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
"""linux/sockios.h, linux/if.h"""


class Loss(Enum):
    """How a peer is lost."""

    KILLED = "killed"
    CUT = "cut"
    """Its link loses the carrier."""


def failover(loss: Loss, *, equal: bool = False) -> Measure:
    """Two peers announce the same prefixes; the better, or the first if they are equal, is lost.

    Seconds: from then on until the last packet was lost. No graceful restart, which would keep the dead
    peer's.
    """

    def measure(bench: Bench, contender: Anyone, size: int) -> Reading:
        first, other = Peer(0), Peer(1)
        networks = (Network(0, (first, other), equal),)
        probed = sentinels(networks[0].gateway, bench.cache.prefixes(0, size), PROBED)
        with Play(contender, networks, apart=True) as play:
            feeds = {}
            for peer in (first, other):
                worse = 0 if equal else 2 * peer.number
                feed = Feed(0, size, peer.address, peer.asn, prepended=worse)
                feeds[peer.number] = bench.cache.feed(feed)
            play.stage.start_routers(feeds, graceful=False)
            if isinstance(contender, Kernel):
                contender.fill(bench.cache, play.stage, [(networks[0], 0, size)])
                play.gauge = play.enter_context(Gauge(play.stage.pids))
            else:
                play.start()
                for router in play.stage.routers:
                    router.wait("sent", seconds=PATIENCE, alive=play.trouble)
                play.tables.wait_full(probed, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
                play.still()
            devices = {entry["ifname"]: entry["ifindex"] for entry in play.stage.node.show("link show")}
            wait_moved(play, probed, MULTIPATH if equal else devices[first.device])
            probe = play.probe(probed)
            cpu = play.gauge.cpu()
            if loss is Loss.CUT:
                begin = time.monotonic()
                play.stage.world(first).ip(f"link set {first.far_device} down")
                detected = wait_no_carrier(play, first.device)
            else:
                begin = detected = play.stage.routers[0].kill()
                if isinstance(contender, Kernel):
                    contender.peer_died()
            wait_moved(play, probed, devices[other.device])
            if not isinstance(contender, Kernel):
                play.still()
            cpu = play.gauge.cpu() - cpu
            play.gauge.memory()
            probe.close()
            tally = probe.wait("tally")[0]
            last_lost = tally["last_lost"] or begin
            more = {"lost": tally["lost"], "answered": tally["sent"] - tally["lost"]}
            if loss is Loss.CUT:
                more["beyond_carrier"] = max(0.0, last_lost - detected)
            if equal:
                more["lost_by_other"] = tally["lost_by"].get(str(other.number), 0)
                more["lost_share"] = 100 * tally["lost"] / max(1, tally["sent_meanwhile"])
            outage = max(0.0, last_lost - begin)
            if isinstance(contender, Kernel):
                return Reading(outage, more=more)
            return Reading(outage, cpu, play.gauge.peak / MEGA, more)

    return measure


def wait_no_carrier(play: Play, device: str) -> float:
    """Wait until the node's kernel knows that a device has no carrier, and give the time; TimeoutError.

    The kernel looks at most once a second (net/core/link_watch.c): nobody can act before.
    """
    deadline = time.monotonic() + PATIENCE
    request = struct.pack("16sH14x", device.encode(), 0)
    with play.stage.node.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        while time.monotonic() < deadline:
            at = time.monotonic()
            flags = struct.unpack_from("=H", fcntl.ioctl(asker, SIOCGIFFLAGS, request), 16)[0]
            if not flags & IFF_RUNNING:
                return at
            time.sleep(0.001)
    raise TimeoutError(f"{device} still has its carrier")


def wait_moved(play: Play, probed: list[Sentinel], device: int) -> None:
    """Wait until all these prefixes leave by a device; TimeoutError."""
    deadline = time.monotonic() + PATIENCE
    for sentinel in probed:
        while (seen := play.tables.device(sentinel)) != device:
            if reason := play.trouble():
                raise RuntimeError(reason)
            if time.monotonic() > deadline:
                raise TimeoutError(f"{sentinel.address} leaves by device {seen}, not {device}")
            time.sleep(0.005)
