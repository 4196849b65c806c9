"""The scenarios: each sets a stage, lets one contender play, and gives one reading.

"Established → all in the kernel" begins when the router, on its side, has the session Established, which is
when it begins to send, and ends when the kernel's table holds all.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from bench.contender import Contender
from bench.feed import Cache, Feed
from bench.gauge import Gauge
from bench.kernel import Kernel
from bench.script import Script
from bench.stage import Network, Peer, Stage
from bench.tables import Sentinel, Tables, Writes, sentinels

PATIENCE = 240.0
"""Seconds after which a contender has failed, however large the scenario."""
PROBE_RATE = 1000
PROBED = 200
"""Prefixes that the probe and the sentinels are spread over."""
MEGA = 1e6
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40
"""linux/sockios.h, linux/if.h"""


@dataclass(frozen=True)
class Reading:
    """What one measure gave."""

    seconds: float
    cpu: float | None = None
    """CPU seconds of the contender's processes over the same time."""
    memory: float | None = None
    """The most that its processes had, in MB (PSS)."""
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Sizes:
    """How much of it: the counts of the scenarios times `scale`."""

    scale: float = 1.0
    idle_seconds: float = 30.0

    def of(self, count: int, least: int = 100) -> int:
        """A count at this scale."""
        return max(least, int(count * self.scale))


@dataclass(frozen=True)
class Bench:
    """What every measure needs."""

    cache: Cache
    sizes: Sizes


class Play(ExitStack):
    """A contender on a stage, under the gauge; leaving the block takes all of it down."""

    def __init__(self, contender: Contender | Kernel, networks: tuple[Network, ...], *, apart: bool = False):
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


# -- a table is filled ------------------------------------------------------------------------------


def filled(count: int, mean: float) -> Callable[[Bench, Contender | Kernel], Reading]:
    """One peer announces so many prefixes, `mean` of them in an UPDATE."""

    def measure(bench: Bench, contender: Contender | Kernel) -> Reading:
        networks = alone()
        size = bench.sizes.of(count)
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


# -- a peer is lost ---------------------------------------------------------------------------------


def failover(cut: bool) -> Callable[[Bench, Contender | Kernel], Reading]:
    """Two peers announce the same prefixes; the better one is killed, or its link is cut, under the probe.

    Seconds: from then on until the last packet was lost. No graceful restart, which would keep the dead
    peer's.
    """

    def measure(bench: Bench, contender: Contender | Kernel) -> Reading:
        best, backup = Peer(0), Peer(1)
        networks = (Network(0, (best, backup)),)
        size = bench.sizes.of(500_000)
        probed = sentinels(networks[0].gateway, bench.cache.prefixes(0, size), PROBED)
        with Play(contender, networks, apart=True) as play:
            feeds = {
                peer.number: bench.cache.feed(
                    Feed(0, size, peer.address, peer.asn, prepended=2 * peer.number)
                )
                for peer in (best, backup)
            }
            play.stage.start_routers(feeds, graceful=False)
            if isinstance(contender, Kernel):
                contender.fill(bench.cache, play.stage, [(networks[0], 0, size)])
                play.gauge = play.enter_context(Gauge(play.stage.pids))
            else:
                play.start()
                for router in play.stage.routers:
                    router.wait("sent", seconds=PATIENCE, alive=play.trouble)
                play.tables.wait_full(probed, play.wanted(size), seconds=PATIENCE, alive=play.trouble)
                play.gauge.wait_idle(PATIENCE)
            devices = {entry["ifname"]: entry["ifindex"] for entry in play.stage.node.show("link show")}
            wait_moved(play, probed, devices[best.device])
            probe = play.probe(probed)
            cpu = play.gauge.cpu()
            if cut:
                begin = time.monotonic()
                play.stage.world(best).ip(f"link set {best.far_device} down")
                detected = wait_no_carrier(play, best.device)
            else:
                begin = detected = play.stage.routers[0].kill()
                if isinstance(contender, Kernel):
                    contender.peer_died()
            wait_moved(play, probed, devices[backup.device])
            if not isinstance(contender, Kernel):
                play.gauge.wait_idle(PATIENCE)
            cpu = play.gauge.cpu() - cpu
            play.gauge.memory()
            probe.close()
            tally = probe.wait("tally")[0]
            last_lost = tally["last_lost"] or begin
            outage = max(0.0, last_lost - begin)
            memory = None if isinstance(contender, Kernel) else play.gauge.peak / MEGA
            return Reading(
                outage,
                None if memory is None else cpu,
                memory,
                {
                    "lost": tally["lost"],
                    "beyond_carrier": max(0.0, last_lost - detected),
                    "answered": sum(tally["answered"].values()),
                },
            )

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


# -- it is killed and started again -----------------------------------------------------------------


def restart(bench: Bench, contender: Contender | Kernel) -> Reading:
    """All its processes are killed; 2 in 1,000 prefixes go and 1 in 1,000 comes; it is started again.

    Seconds: from the start until its table is right again.
    """
    assert isinstance(contender, Contender)
    networks = alone()
    peer = networks[0].peers[0]
    size = bench.sizes.of(500_000, least=1000)
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


# -- many networks ----------------------------------------------------------------------------------


def many(bench: Bench, contender: Contender | Kernel) -> Reading:
    """50 networks of 4,000 prefixes each. Seconds: from the routers' go until all tables are full.

    `up` is the time from its start until the last of the 50 sessions is Established.
    """
    networks = tuple(Network(number, (Peer(number),)) for number in range(50))
    size = bench.sizes.of(4000)
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


def idle(bench: Bench, contender: Contender | Kernel) -> Reading:
    """4 networks of 1,000 prefixes, and nothing happens. Seconds: how long that was watched."""
    assert isinstance(contender, Contender)
    networks = tuple(Network(number, (Peer(number),)) for number in range(4))
    size = 1000
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
        time.sleep(bench.sizes.idle_seconds)
        cpu = play.gauge.cpu() - cpu
        seconds = time.monotonic() - begin
        return Reading(seconds, cpu, play.gauge.peak / MEGA, {"percent": 100 * cpu / seconds})


@dataclass(frozen=True)
class Scenario:
    """A measure with its name, and what its figures mean."""

    name: str
    title: str
    measure: Callable[[Bench, Contender | Kernel], Reading]
    kernel: tuple[str, ...]
    """Which of the kernel's two ways it can be compared with; the last is the limit."""
    seconds: str = "to full"


INLINE_AND_NEXTHOP = ("kernel-inline", "kernel-nexthop")
SCENARIOS = (
    Scenario(
        "full", "full table: {:,} prefixes, about 6 an UPDATE", filled(1_000_000, 5.5), INLINE_AND_NEXTHOP
    ),
    Scenario("dense", "{:,} prefixes, 400 an UPDATE", filled(100_000, 400), INLINE_AND_NEXTHOP),
    Scenario("single", "{:,} prefixes, 1 an UPDATE", filled(100_000, 1), INLINE_AND_NEXTHOP),
    Scenario("peer-killed", "best of two peers killed, {:,} prefixes", failover(False), ("kernel-nexthop",)),
    Scenario(
        "link-cut", "link to the best of two peers cut, {:,} prefixes", failover(True), ("kernel-nexthop",)
    ),
    Scenario("restart", "killed and started again, {:,} prefixes", restart, ()),
    Scenario("networks", "50 networks of {:,} prefixes", many, INLINE_AND_NEXTHOP),
    Scenario("idle", "idle, 4 networks of {:,} prefixes", idle, ()),
)
