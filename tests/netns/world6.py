"""Topology A in both families: what the acceptance tests of IPv6 add to a world before the daemon starts.

Everything that the topology has in IPv4 stands here too, under the same last numbers: the uplinks' subnets,
routers that take sessions from them, one server address in red, in yellow and behind main's default route,
gateways whose neighbour is the node's fe80::1, and a cluster on the fabric.
"""

from __future__ import annotations

from typing import Any

from labs.netns.frr import OUT, Router
from labs.netns.manifests import Manifest, bgp, felix, gateway, network, node, peer, pool
from labs.netns.topology import LOCAL_AS, NODE, Site
from labs.netns.waiting import wait_for
from tests.netns.world import NODE_NAME, RED, YELLOW, World

SERVER6 = "2001:db8:105::1"
SERVED6 = "2001:db8:105::/48"
RED6 = "2001:db8:50::2/127"
"""The red gateway's range; the gateway itself is ::2."""
YELLOW6 = "2001:db8:50::4/127"
GATEWAYS6 = {"red": "2001:db8:50::2", "yellow": "2001:db8:50::4"}
NODE6 = "fd00:240::10"
OTHER_NODE6 = "fd00:240::11"
FABRIC6 = "fd00:240::1"
POD6 = "fd00:48::9"
REMOTE_POD6 = "fd00:48:1::9"
SERVICE6 = "fd00:96::10"
LINK_LOCAL_NODE = "fe80::10"
LINK_LOCAL_ROUTER = "fe80::140"
DEFAULT6 = "::/0"


class Site6:
    """What an external network has in IPv6."""

    def __init__(self, site: Site, number: int) -> None:
        self.site = site
        self.table = site.table
        self.uplink = site.uplink
        self.subnet = f"fd00:{number}::/64"
        self.node_address = f"fd00:{number}::10"
        self.router_address = f"fd00:{number}::140"

    @property
    def router(self) -> Router:
        return self.site.router

    def wire(self) -> None:
        """Give the router its addresses, and let it take sessions over IPv6."""
        router = self.router
        router.namespace.ip(
            f"addr add {self.router_address}/64 dev eth0 nodad", f"addr add {SERVER6} dev lo nodad"
        )
        external = router.asn != router.peer_as
        router.configure(
            f"router bgp {router.asn}",
            "neighbor NODES6 peer-group",
            f"neighbor NODES6 remote-as {router.peer_as}",
            "neighbor NODES6 advertisement-interval 0",
            *(["neighbor NODES6 ebgp-multihop 2"] if external else []),
            f"bgp listen range {self.subnet} peer-group NODES6",
            "address-family ipv6 unicast",
            "neighbor NODES6 activate",
            f"neighbor NODES6 route-map {OUT} out",
        )

    def listen_link_local(self, world: World) -> None:
        """Let the router take a session of fe80::10 with fe80::140, and give both to the link."""
        world.node.ip(f"addr add {LINK_LOCAL_NODE}/64 dev {self.uplink} nodad")
        self.router.namespace.ip(f"addr add {LINK_LOCAL_ROUTER}/64 dev eth0 nodad")
        self.router.configure(
            f"router bgp {self.router.asn}",
            f"neighbor {LINK_LOCAL_NODE} peer-group NODES6",
            f"neighbor {LINK_LOCAL_NODE} interface eth0",
            f"neighbor {LINK_LOCAL_NODE} passive",
        )

    def address_again(self, world: World, *, checked: bool = False) -> None:
        """Give the node its address on the uplink; `checked`: it is tentative first (RFC 4862 5.4)."""
        word = "" if checked else "nodad"
        world.node.ip(f"addr add {self.node_address}/64 dev {self.uplink} {word}")
        wait_for(lambda: not self._tentative(world), describe="the address is no duplicate")

    def _tentative(self, world: World) -> bool:
        return "tentative" in world.node.text(f"-6 addr show dev {self.uplink} to {self.node_address}")

    def announce(self, *prefixes: str) -> None:
        """Originate prefixes."""
        self._originate("network", prefixes)

    def withdraw(self, *prefixes: str) -> None:
        """Originate prefixes no longer."""
        self._originate("no network", prefixes)

    def _originate(self, word: str, prefixes: tuple[str, ...]) -> None:
        lines = [f"router bgp {self.router.asn}", "address-family ipv6 unicast"]
        self.router.configure(*lines, *(f"{word} {prefix}" for prefix in prefixes))

    def received(self) -> dict[str, set[str]]:
        """The prefixes that its neighbors announced to it, with the next hops of each."""
        routes: dict[str, list[dict[str, Any]]] = self.router.ask("show bgp ipv6 unicast").get("routes", {})
        return {
            prefix: {hop["ip"] for path in paths for hop in path["nexthops"]}
            for prefix, paths in routes.items()
            if any(path.get("peerId", "(unspec)") != "(unspec)" for path in paths)
        }


class World6:
    """A started topology in both families."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.node = world.node
        self.red, self.yellow = Site6(world.red, 1), Site6(world.yellow, 2)
        world.node.sysctl(ipv6__conf__all__forwarding=1, ipv6__icmp__ratelimit=0)
        self._start_fabric()
        for site in self.sites:
            site.address_again(world)
            site.wire()
            world.topology.serve(site.router.namespace, site.site.name, SERVER6, site.router_address)
            site.announce(SERVED6)
        for name, address in (*GATEWAYS6.items(), ("pod", POD6)):
            self._wire_workload(name, address)

    @property
    def sites(self) -> tuple[Site6, Site6]:
        return self.red, self.yellow

    def _start_fabric(self) -> None:
        fabric, others = self.world.topology.fabric, (SERVER6, SERVICE6, REMOTE_POD6)
        self.node.ip(f"addr add {NODE6}/64 dev eth0 nodad", f"route add {DEFAULT6} via {FABRIC6} dev eth0")
        fabric.ip(
            f"addr add {FABRIC6}/64 dev eth0 nodad",
            f"addr add {OTHER_NODE6}/64 dev eth0 nodad",
            *(f"addr add {address}/128 dev lo nodad" for address in others),
            f"route add {DEFAULT6} via {NODE6} dev eth0",
        )
        self.world.topology.serve(fabric, "fabric", FABRIC6, OTHER_NODE6, *others)

    def _wire_workload(self, name: str, address: str) -> None:
        workload = self.world.topology.workloads[name]
        self.node.ip(f"addr add fe80::1/64 dev {workload.device} nodad")
        self.node.ip(f"route add {address} dev {workload.device}")
        workload.namespace.ip(
            f"addr add {address}/128 dev eth0 nodad", f"route add {DEFAULT6} via fe80::1 dev eth0"
        )

    # -- configs and life ------------------------------------------------------------------------

    def save_basics(self) -> None:
        """Two networks with an IPv6 peer each; gateways with a range of each family; the cluster."""
        config = self.world.config
        config.save("networks.yaml", network("red", 500), network("yellow", 501), felix())
        config.save(
            "peers.yaml",
            peer("red-6", "red", self.red.router_address, LOCAL_AS),
            peer("yellow-6", "yellow", self.yellow.router_address, 63400),
        )
        config.save(
            "gateways.yaml",
            gateway("red", ["red"], RED, RED6),
            gateway("yellow", ["yellow"], YELLOW, YELLOW6),
        )
        config.save(
            "cluster.yaml",
            pool("pods", "fd00:48::/32"),
            bgp(serviceClusterIPs=[{"cidr": "fd00:96::/112"}]),
            _both(node(NODE_NAME, NODE), NODE6),
            node("node-2", OTHER_NODE6),
        )

    def ipv4_peers(self) -> list[Manifest]:
        """A peer more for each network, by the router's IPv4 address."""
        return [
            peer(f"{site.site.name}-4", site.site.name, site.site.router_address, site.router.asn)
            for site in self.sites
        ]

    def start(self) -> None:
        """Start the daemon, and wait until both gateways reach their networks' own server."""
        self.world.daemon.start()
        for site in self.sites:
            self.world.wait_route(site.table, SERVED6, site.router_address)
        self.wait_working("red", "yellow")

    def wait_working(self, *names: str) -> None:
        """Wait until these gateways reach their networks' own server."""
        for name in names:
            self.world.wait_outcome(name, name, address=SERVER6)

    def wait_in_sync(self) -> None:
        """Wait until the daemon knows all that its peers have."""
        status = self.world.network_status
        wait_for(lambda: all(status(name)["in_sync"] for name in ("red", "yellow")), 90, "in sync")


def _both(one: Manifest, address: str) -> Manifest:
    one["status"]["addresses"].append({"type": "InternalIP", "address": address})
    return one
