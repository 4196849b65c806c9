"""Topology A: a node between two external networks with the same addresses, gateways, and a way out by main.

```
   red router ── 172.16.1.0/24 ─── red0 ┐        ┌ cali-red ── gateway red 10.50.0.2 ── client 192.168.77.2
  105.8.10.1                            │  node  ├ cali-yellow ── gateway yellow 10.50.0.4
yellow router ── 172.16.2.0/24 ─ yellow0 ┤        └ cali-pod ── pod 10.48.0.9, no gateway
  105.8.10.1                            └ eth0 ── fabric 10.240.0.1: main's default route, not to be taken
```

Each external network has a switch (a bridge in a namespace of its own), so that it takes any number of
routers and a port can lose its carrier. The fabric too has a server on 105.8.10.1, so that whoever takes the
wrong way is told so by its banner; it also holds another node, a service and a pod of the cluster.
The workloads are wired as Calico wires them: a /32 each, a route to it on the node, and 169.254.1.1 answered
by proxy ARP.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from ipaddress import ip_interface, ip_network
from pathlib import Path

from labs.netns.frr import Router
from labs.netns.lab import Lab
from labs.netns.namespace import CommandFailed, Namespace, join
from labs.netns.process import Process
from labs.netns.waiting import wait_for

SERVER = "105.8.10.1"
SERVED = "105.8.10.0/24"
FAR_SERVER = "105.8.20.1"
"""Behind a far router; routers on the way have 105.8.10.1 themselves."""
FAR_SERVED = "105.8.20.0/24"
GATEWAYS = "10.50.0.0/24"
"""Where all gateways are: what a router between the node and a far router must know."""
LOCAL_AS = 64512
NODE = "10.240.0.10"
OTHER_NODE = "10.240.0.11"
FABRIC = "10.240.0.1"
POD = "10.48.0.9"
REMOTE_POD = "10.48.1.9"
SERVICE = "10.96.0.10"
CLIENT = "192.168.77.2"
SCRIPTS = Path(__file__).parent


@dataclass
class Site:
    """An external network: its switch, its routers, and the node's way to it."""

    name: str
    table: int
    subnet: str
    uplink: str
    """The node's device."""
    switch: Namespace
    routers: list[Router] = field(default_factory=list)

    def address(self, host: int) -> str:
        """The address of a host in this network's subnet."""
        return str(ip_network(self.subnet)[host])

    @property
    def node_address(self) -> str:
        return self.address(10)

    @property
    def router(self) -> Router:
        """The first router, at host 140."""
        return self.routers[0]

    @property
    def router_address(self) -> str:
        return self.address(140)

    def cut(self) -> None:
        """Take the carrier of the node's uplink away, from the far end."""
        self.switch.ip("link set node down")

    def mend(self) -> None:
        """Give the carrier back."""
        self.switch.ip("link set node up")


@dataclass
class Workload:
    """A namespace with one address, wired to the node as Calico wires a pod."""

    name: str
    address: str
    namespace: Namespace
    device: str
    """Its device on the node."""


class Topology:
    """Topology A. `start` builds it; the lab takes it down."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.node = lab.namespace("node")
        self.fabric = lab.namespace("fabric")
        self.red = self._site("red", 500, "172.16.1.0/24")
        self.yellow = self._site("yellow", 501, "172.16.2.0/24")
        self.workloads: dict[str, Workload] = {}

    @property
    def sites(self) -> tuple[Site, Site]:
        return self.red, self.yellow

    def _site(self, name: str, table: int, subnet: str) -> Site:
        return Site(name, table, subnet, f"{name}0", self.lab.namespace(f"{name}-switch"))

    def start(self) -> None:
        """Build all of it and wait until the routers take commands and the servers answer."""
        filters = {f"ipv4/conf/{name}/rp_filter": 0 for name in ("all", "default", *self.node.links())}
        self.node.set_sysctls({"ipv4/ip_forward": 1, "ipv4/icmp_ratelimit": 0, **filters})
        self._start_fabric()
        for site in self.sites:
            site.switch.ip("link add br0 type bridge", "link set br0 up")
            self.wire(site)
        self.red.routers.append(self.add_router(self.red, 140, LOCAL_AS))
        self.yellow.routers.append(self.add_router(self.yellow, 140, 63400))
        for name, address in (("red", "10.50.0.2"), ("yellow", "10.50.0.4"), ("pod", POD)):
            self.add_workload(name, address)
        self._start_client()
        for site in self.sites:
            site.router.announce(SERVED)

    # -- parts -----------------------------------------------------------------------------------

    def _start_fabric(self) -> None:
        join(self.node, "eth0", self.fabric, "eth0")
        self.node.ip(f"addr add {NODE}/24 dev eth0", f"route add default via {FABRIC} dev eth0")
        others = (SERVER, SERVICE, REMOTE_POD)
        self.fabric.ip(
            f"addr add {FABRIC}/24 dev eth0",
            f"addr add {OTHER_NODE}/24 dev eth0",
            *(f"addr add {address}/32 dev lo" for address in others),
            f"route add default via {NODE} dev eth0",
        )
        self.serve(self.fabric, "fabric", FABRIC, OTHER_NODE, *others)

    def wire(self, site: Site) -> None:
        """Give the node its uplink to a network; also anew, after somebody deleted it."""
        self._wire_to(site, self.node, site.uplink, "node")
        self.node.ip(f"addr add {site.node_address}/24 dev {site.uplink}")

    def _wire_to(self, site: Site, namespace: Namespace, device: str, port: str) -> None:
        join(namespace, device, site.switch, port)
        site.switch.ip(f"link set {port} master br0")

    def add_router(self, site: Site, host: int, asn: int, *, serve: bool = True) -> Router:
        """Start one more router in a network, at a host number of its subnet, with a server on 105.8.10.1."""
        role = f"{site.name}-router" if host == 140 else f"{site.name}-router-{host}"
        namespace = self.lab.namespace(role)
        self._wire_to(site, namespace, "eth0", f"r{host}")
        namespace.sysctl(ipv4__ip_forward=1)
        namespace.ip(
            f"addr add {site.address(host)}/24 dev eth0",
            f"addr add {SERVER}/32 dev lo",
            f"route add {NODE}/32 via {site.node_address} dev eth0",
        )
        router = Router(
            namespace, asn, site.address(host), peer_as=LOCAL_AS, listen=(site.subnet, "10.240.0.0/24")
        )
        router.start()
        if serve:
            self.serve(namespace, role.removesuffix("-router"), SERVER, site.address(host))
        return router

    def add_far_router(self, site: Site, asn: int) -> tuple[Router, str]:
        """Start a router two hops away, behind the first of a network; with it comes its address."""
        far = self.lab.namespace(f"{site.name}-far")
        subnet = ip_network("172.31.7.0/24")
        join(site.router.namespace, "far0", far, "eth0")
        site.router.namespace.ip(
            f"addr add {subnet[1]}/24 dev far0",
            f"route add {GATEWAYS} via {site.node_address} dev eth0",
            f"route add {FAR_SERVED} via {subnet[140]} dev far0",
        )
        far.ip(
            f"addr add {subnet[140]}/24 dev eth0",
            f"addr add {FAR_SERVER}/32 dev lo",
            f"route add default via {subnet[1]} dev eth0",
        )
        router = Router(
            far, asn, str(subnet[140]), peer_as=LOCAL_AS, listen=(site.subnet, "10.240.0.0/24"), hops=2
        )
        router.start()
        self.serve(far, f"{site.name}-far", FAR_SERVER)
        return router, str(subnet[140])

    def add_workload(self, name: str, address: str) -> Workload:
        """A namespace with one address, a route to it on the node, and 169.254.1.1 for its gateway."""
        namespace = self.lab.namespace(f"{name}-workload")
        device = f"cali-{name}"
        join(self.node, device, namespace, "eth0")
        self.node.set_sysctls({f"ipv4/conf/{device}/proxy_arp": 1, f"ipv4/neigh/{device}/proxy_delay": 0})
        namespace.ip(
            f"addr add {address}/32 dev eth0",
            "route add 169.254.1.1 dev eth0 scope link",
            "route add default via 169.254.1.1 dev eth0",
        )
        self.node.ip(f"route add {address}/32 dev {device} scope link")
        workload = Workload(name, address, namespace, device)
        self.workloads[name] = workload
        return workload

    def _start_client(self) -> None:
        gateway = self.workloads["red"].namespace
        self.client = self.lab.namespace("client")
        join(gateway, "in0", self.client, "eth0")
        gateway.sysctl(ipv4__ip_forward=1)
        inside = ip_interface("192.168.77.1/24")
        gateway.ip(f"addr add {inside} dev in0")
        self.client.ip(f"addr add {CLIENT}/24 dev eth0", f"route add default via {inside.ip} dev eth0")
        masquerade(gateway, "eth0")

    def serve(self, namespace: Namespace, banner: str, *addresses: str) -> Process:
        """Start a server with a banner, and wait until it listens."""
        process = namespace.start(
            "server", sys.executable, "-I", "-S", str(SCRIPTS / "server.py"), banner, *addresses
        )
        wait_for(lambda: "serving" in process.output(), describe=process.output, interval=0.02)
        return process

    # -- questions -------------------------------------------------------------------------------

    def describe(self) -> str:
        """What the node's kernel holds and what the routers see, for a person who looks for a fault."""
        shown = []
        for line in (
            "rule show",
            "nexthop show",
            "route show table main",
            "route show table 500",
            "route show table 501",
            "addr show",
        ):
            shown.append(f"== node: ip {line}\n{self.node.text(line)}")
        for site in self.sites:
            shown += [router.describe() for router in site.routers]
        return "\n".join(shown)


def masquerade(namespace: Namespace, device: str) -> None:
    """Give what leaves a namespace by a device that device's address, by nftables, else by iptables."""
    try:
        namespace.run("nft", "add table ip gateway")
        namespace.run("nft", "add chain ip gateway out { type nat hook postrouting priority 100; }")
        namespace.run("nft", f"add rule ip gateway out oifname {device} masquerade")
    except CommandFailed:
        namespace.run("iptables", "-t", "nat", "-A", "POSTROUTING", "-o", device, "-j", "MASQUERADE")
