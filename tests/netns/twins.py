"""Two routers of one network, each on a wire of its own: the better and its backup, or two equals.

Both announce the same prefixes, and answer for the probed one by a banner of their own. A router that is
struck dead stops forwarding first and speaking then, without a word; its wire stays up.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from labs.netns.frr import OUT, PLAIN, Router
from labs.netns.manifests import Manifest, felix, gateway, network, node, peer
from labs.netns.namespace import Namespace, join
from labs.netns.topology import LOCAL_AS, NODE
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import METRIC, NODE_NAME, PROTOCOL, RED, World

TABLE = 500
GATEWAY6 = "2001:db8:50::2"
"""The red gateway's other address."""
PREFIXES = 150


Paths = dict[tuple[str, ...], int]
"""How many routes go by which gateways."""


@dataclass(frozen=True)
class Plan:
    """The addresses of one family."""

    family: int
    subnet: str
    """Of a wire, with the place of its number."""
    length: int
    prefix: str
    """What is announced, with the place of its number."""
    gateway: str
    probed: str
    """An address in the first of the prefixes."""
    lone: str
    """What one router alone announces."""
    lone_address: str


PLANS = {
    4: Plan(
        4, "172.16.3{}.", 24, "198.18.{}.0/24", "10.50.0.2", "198.18.1.1", "203.0.113.0/24", "203.0.113.1"
    ),
    6: Plan(
        6,
        "fd00:3{}::",
        64,
        "2001:db8:{:x}::/48",
        GATEWAY6,
        "2001:db8:1::1",
        "2001:db8:fff::/48",
        "2001:db8:fff::1",
    ),
}


class Twin:
    """One router: AS 6510`number`, on a device `twin`number of the node."""

    def __init__(self, world: World, plan: Plan, number: int) -> None:
        self.plan = plan
        self.name = f"twin-{number}"
        self.device = f"twin{number}"
        self.asn = 65100 + number
        self._world = world
        subnet = plan.subnet.format(number)
        self.address, self.node_address = f"{subnet}140", f"{subnet}10"
        self.namespace: Namespace = world.topology.lab.namespace(self.name)
        join(world.node, self.device, self.namespace, "eth0")
        fixed = " nodad" if plan.family == 6 else ""
        world.node.ip(f"addr add {self.node_address}/{plan.length} dev {self.device}{fixed}")
        self._way_back = f"route add {plan.gateway} via {self.node_address} dev eth0"
        self.namespace.sysctl(ipv6__conf__all__keep_addr_on_down=1)
        self.namespace.ip(
            f"addr add {self.address}/{plan.length} dev eth0{fixed}",
            f"addr add {plan.probed} dev lo{fixed}",
            f"addr add {plan.lone_address} dev lo{fixed}",
            self._way_back,
        )
        self.router = Router(
            self.namespace, self.asn, f"172.16.3{number}.140", peer_as=LOCAL_AS, listen=("172.16.0.0/16",)
        )
        self.router.start()
        if plan.family == 6:
            self.router.configure(
                f"router bgp {self.asn}",
                "neighbor NODES6 peer-group",
                f"neighbor NODES6 remote-as {LOCAL_AS}",
                "neighbor NODES6 ebgp-multihop 2",
                "neighbor NODES6 advertisement-interval 0",
                "bgp listen range fd00::/16 peer-group NODES6",
                "address-family ipv6 unicast",
                "neighbor NODES6 activate",
                f"neighbor NODES6 route-map {OUT} out",
            )
        world.topology.serve(self.namespace, self.name, plan.probed, plan.lone_address)

    def announce(self, prefixes: Iterable[str], *, worse: bool = False, next_hop: str = "") -> None:
        """Originate prefixes; all of its announcements get a longer AS path, or this next hop."""
        lines = [f"route-map {OUT} permit {PLAIN}"]
        if worse:
            lines.append(f"set as-path prepend {self.asn} {self.asn}")
        if next_hop:
            word = "ip next-hop" if self.plan.family == 4 else "ipv6 next-hop global"
            lines.append(f"set {word} {next_hop}")
        lines += ["exit", f"router bgp {self.asn}", f"address-family ipv{self.plan.family} unicast"]
        self.router.configure(*lines, *(f"network {prefix}" for prefix in prefixes))

    def manifest(self) -> Manifest:
        """Its BGPPeer."""
        return peer(self.name, "red", self.address, self.asn)

    def go_silent(self) -> None:
        """Drop what is sent to the served addresses, from now on."""
        family = self.plan.family
        addresses = self.plan.probed, self.plan.lone_address
        self.namespace.ip(
            *(f"route add blackhole {address}" for address in addresses),
            *(f"addr del {address}/{32 if family == 4 else 128} dev lo" for address in addresses),
        )

    def strike(self) -> None:
        """Dead at once; only its kernel lives on, and closes the connections."""
        self.go_silent()
        self.router.kill()

    def mend(self) -> None:
        """The wire is whole again."""
        self.namespace.ip("link set eth0 up", self._way_back)

    def cut(self, how: str) -> None:
        """The wire's far end goes `down`, or is `deleted`."""
        self.namespace.ip("link del eth0" if how == "deleted" else "link set eth0 down")


class Twins:
    """The two, the network red with both for its peers, and its gateway."""

    def __init__(self, world: World, family: int) -> None:
        self.world = world
        self.plan = PLANS[family]
        self.prefixes = [self.plan.prefix.format(number) for number in range(1, PREFIXES + 1)]
        if family == 6:
            self._wire_workload()
        world.node.sysctl(ipv4__fib_multipath_hash_policy=1, ipv6__fib_multipath_hash_policy=1)
        self.first, self.second = (Twin(world, self.plan, number) for number in (1, 2))

    def _wire_workload(self) -> None:
        """The second address of the red gateway; where it sends to is answered by the node's fe80::1."""
        node, workload = self.world.node, self.world.topology.workloads["red"]
        node.sysctl(ipv6__conf__all__forwarding=1)
        node.ip(f"addr add fe80::1/64 dev {workload.device} nodad")
        node.ip(f"route add {GATEWAY6} dev {workload.device}")
        workload.namespace.ip(
            f"addr add {GATEWAY6}/128 dev eth0 nodad", "route add ::/0 via fe80::1 dev eth0"
        )

    def start(self, *, lone: bool = False, equal: bool = False, **spec: Any) -> None:
        """Start the daemon, and wait until both routers' paths are in the table, to be used or as backup.

        `lone`: the first router alone has one more prefix. `spec` are fields of the network.
        """
        self.first.announce([*self.prefixes, *([self.plan.lone] if lone else [])])
        self.second.announce(self.prefixes, worse=not equal)
        self.save(self.first, self.second, **spec)
        self.world.daemon.start()
        if equal:
            self.wait_paths({self.both: PREFIXES}, {})
        elif spec.get("backupRoutes") == "Disabled":
            self.wait_heard()
            self.wait_paths({(self.first.address,): PREFIXES + lone}, {})
        else:
            self.wait_paths({(self.first.address,): PREFIXES + lone}, {(self.second.address,): PREFIXES})

    def save(self, *twins: Twin, **spec: Any) -> None:
        """The config, with these for the network's peers."""
        config = self.world.config
        version = {"api_version": "vrfbgp.io/v1alpha1"} if spec else {}
        ranges = [RED] if self.plan.family == 4 else [RED, f"{GATEWAY6}/127"]
        config.save("network.yaml", network("red", TABLE, **version, **spec), felix(), node(NODE_NAME, NODE))
        config.save("gateways.yaml", gateway("red", ["red"], *ranges))
        config.save("peers.yaml", *(twin.manifest() for twin in twins))

    @property
    def both(self) -> tuple[str, ...]:
        """The gateways of a route that both have a part in."""
        return tuple(sorted((self.first.address, self.second.address)))

    def paths(self, metric: int) -> Counter[tuple[str, ...]]:
        """How many of our learned routes of this metric go by which gateways."""
        found: Counter[tuple[str, ...]] = Counter()
        for route in self.world.node.routes(TABLE, family=self.plan.family):
            hops = route.get("nexthops", [route])
            gateways = tuple(sorted(hop["gateway"] for hop in hops if "gateway" in hop))
            if route.get("protocol") == str(PROTOCOL) and route.get("metric") == metric and gateways:
                found[gateways] += 1
        return found

    def table(self) -> str:
        """What stands in the table, for a person who looks for a fault."""
        self.world.alive()
        return f"routes {self.paths(METRIC)}, backups {self.paths(METRIC + 1)}"

    def wait_paths(self, routes: Paths, backups: Paths) -> None:
        """Wait until the table holds so many routes, and so many backups, by these gateways."""
        wait_for(
            lambda: (self.paths(METRIC), self.paths(METRIC + 1)) == (routes, backups),
            60,
            lambda: f"routes {routes}, backups {backups}; there are {self.table()}",
        )

    def wait_only(self, twin: Twin, count: int = PREFIXES) -> None:
        """Wait until all of the routes go by one router, and no backup is left."""
        self.wait_paths({(twin.address,): count}, {})

    def wait_heard(self) -> None:
        """Wait until the daemon has the prefixes of both."""

        def heard() -> bool:
            self.world.alive()
            peers = self.world.network_status("red")["peers"]
            return [peer["received"] >= PREFIXES for peer in peers] == [True, True]

        wait_for(heard, 60, self.table)

    def probe(self, *, address: str = "", rate: int = 250) -> Probe:
        """A flow from the gateway to the probed address."""
        return Probe(
            self.world.workload("red"), address or self.plan.probed, rate=rate, source=self.plan.gateway
        )

    def flows(self, stack: ExitStack, count: int) -> list[Probe]:
        """So many flows, together 400 packets a second, all of them answered."""
        probes = [stack.enter_context(self.probe(rate=400 // count)) for _ in range(count)]
        wait_for(lambda: all(len(probe.tally.answered) == 1 for probe in probes), describe=self.table)
        return probes

    def freeze(self) -> None:
        """The daemon does nothing more, until it is thawed."""
        assert self.world.daemon.process is not None
        self.world.daemon.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.world.daemon.process is not None
        self.world.daemon.process.signal(signal.SIGCONT)
