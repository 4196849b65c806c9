"""The stage: one node, routers on wires of their own, all in network namespaces that end with this process.

    router 0  10.0.0.1 ── w0 ═══ n0 ── 10.0.0.2 ┐
    router 1  10.0.1.1 ── w1 ═══ n1 ── 10.0.1.2 ┤ node, and a gateway's address for each network
    …                                           ┘

What is under test runs in the node's namespace, alone but for scripts of ours whose pids are known. Each
router takes every address of the world for its own, so that any destination answers. Each network has an
egress gateway, here an address of the node itself: what has it for its source uses the network's table, by
a rule that vrfbgp makes by itself, and the stage for the others.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.script import Script
from labs.netns.lab import Lab
from labs.netns.namespace import Namespace, join
from labs.netns.supervisor import kill, processes_in

LOCAL_AS = 64512
FIRST_AS = 65001
FIRST_TABLE = 500
RULE_PRIORITY = 102
QUIET_SHARE = 0.06
"""Of one processor: below it, the machine counts as quiet."""


@dataclass(frozen=True)
class Peer:
    """A router as the node sees it."""

    number: int

    @property
    def address(self) -> str:
        return f"10.0.{self.number}.1"

    @property
    def node_address(self) -> str:
        return f"10.0.{self.number}.2"

    @property
    def device(self) -> str:
        """The node's."""
        return f"n{self.number}"

    @property
    def far_device(self) -> str:
        return f"w{self.number}"

    @property
    def asn(self) -> int:
        return FIRST_AS + self.number


@dataclass(frozen=True)
class Network:
    """An external network: its number and its peers, the best first unless all are equal."""

    number: int
    peers: tuple[Peer, ...]
    equal: bool = False
    """Its peers are as good as each other, and share the traffic (ECMP)."""

    @property
    def name(self) -> str:
        return f"net{self.number}"

    @property
    def table(self) -> int:
        return FIRST_TABLE + self.number

    @property
    def gateway(self) -> str:
        """The address of its egress gateway."""
        return f"10.50.{self.number}.1"


class Stage:
    """Namespaces and wires for some networks, as a `with` block.

    With `apart`, each router is a process of its own in a namespace of its own, so that it can be killed;
    else one process in one namespace stands for all.
    """

    def __init__(self, networks: tuple[Network, ...], *, apart: bool = False) -> None:
        self.networks = networks
        self.apart = apart
        self.routers: list[Script] = []
        self.scripts: list[Script] = []
        self._idle_pids: set[int] = set()
        self.lab = Lab()
        try:
            self._build()
        except BaseException:
            self.lab.close()
            raise

    @property
    def peers(self) -> list[Peer]:
        return [peer for network in self.networks for peer in network.peers]

    @property
    def directory(self) -> Path:
        return self.lab.directory

    def _build(self) -> None:
        self.node = self.lab.namespace("node")
        names = [f"world{peer.number}" for peer in self.peers] if self.apart else ["world"]
        self.worlds = [self.lab.namespace(name) for name in names]
        loose: dict[str, int | str] = {f"ipv4/conf/{name}/rp_filter": 0 for name in ("all", "default")}
        # Addresses are there at once: their detection (RFC 4862 5.4) would end amid what is measured.
        at_once: dict[str, int | str] = {f"ipv6/conf/{name}/accept_dad": 0 for name in ("all", "default")}
        self.node.set_sysctls({**loose, **at_once, "ipv4/ip_forward": 1})
        self.node.ip(*(f"addr add {network.gateway}/32 dev lo" for network in self.networks))
        for peer in self.peers:
            world = self.world(peer)
            join(self.node, peer.device, world, peer.far_device)
            self.node.ip(f"addr add {peer.node_address}/24 dev {peer.device}")
            world.ip(f"addr add {peer.address}/24 dev {peer.far_device}")
        for world in self.worlds:
            first = self.peers[self.worlds.index(world)]
            world.set_sysctls(loose)
            world.ip(
                f"route add 10.50.0.0/16 via {first.node_address} dev {first.far_device}",
                "route add local default dev lo table main",
            )

    def steer(self, tables: dict[int, int]) -> None:
        """Let what a network's gateway sends use a table, given by the network's number."""
        gateways = {network.number: network.gateway for network in self.networks}
        self.node.ip(
            *(
                f"rule add pref {RULE_PRIORITY} from {gateways[at]} lookup {table}"
                for at, table in tables.items()
            )
        )

    def world(self, peer: Peer) -> Namespace:
        """The namespace of a router."""
        return self.worlds[self.peers.index(peer) if self.apart else 0]

    def start_routers(self, feeds: dict[int, Path], *, go: bool = True, graceful: bool = True) -> None:
        """Start them, with the feed of each peer by its number, and wait until they listen.

        They send to each session that comes up, at once or when `go` is said. `graceful`: they announce
        graceful restart, so that their routes would outlive their sessions.
        """
        sites = [
            {
                "tag": peer.number,
                "address": peer.address,
                "device": peer.far_device,
                "asn": peer.asn,
                "feed": str(feeds[peer.number]),
            }
            for peer in self.peers
        ]
        for world, some in zip(
            self.worlds, [[site] for site in sites] if self.apart else [sites], strict=True
        ):
            router = Script(world, "router", {"go": go, "graceful": graceful, "sites": some})
            self.routers.append(router)
            router.wait("listening")

    def script(self, name: str, setting: object) -> Script:
        """Start a script of ours on the node; it is not under test."""
        script = Script(self.node, name, setting)
        self.scripts.append(script)
        return script

    def pids(self) -> list[int]:
        """The processes under test: all in the node's namespace but our scripts."""
        ours = {script.pid for script in self.scripts}
        return [pid for pid in processes_in([self.node.path]) if pid not in ours]

    def kill_contender(self) -> float:
        """End all processes under test by SIGKILL, at once; the time just before."""
        at = time.monotonic()
        while pids := self.pids():
            kill(pids)
            for process in self.lab.processes:
                process.popen.poll()
        return at

    def __enter__(self) -> Stage:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for script in (*self.routers, *self.scripts):
            script.popen.kill()
            script.popen.wait(15)
        self.lab.close()


def busy_shares(seconds: float) -> Iterator[float]:
    """The share of one processor that all of the machine used, over and over, for each so many seconds."""
    before = processor_times()
    while True:
        time.sleep(seconds)
        after = processor_times()
        yield (after - before) / os.sysconf("SC_CLK_TCK") / seconds
        before = after


def processor_times() -> int:
    """Clock ticks that all processors were busy since the boot (proc(5), /proc/stat)."""
    fields = [int(value) for value in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(fields) - fields[3] - fields[4]


def wait_quiet(limit: float) -> float:
    """Wait until the machine is quiet, also the kernel that takes an old stage down; at most `limit` seconds.

    Gives the share of one processor that was busy at last: what disturbs the measure that follows.
    """
    deadline = time.monotonic() + limit
    share = 0.0
    for share in busy_shares(0.25):
        if share < QUIET_SHARE or time.monotonic() > deadline:
            break
    return share
