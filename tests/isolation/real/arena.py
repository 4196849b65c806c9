"""The node and all around it: three wires, a fabric behind main's default route, gateways, a pod.

```
red    r1 .140  r2 .141 ─── 172.16.1.0/24 ─ red0 .10 ┐        ┌ cali-one   10.50.0.2
yellow y1 .140  y2 .142 ─── 172.16.1.0/24 ─ yel0 .20 ┤  node  ├ cali-two   10.50.0.4, 2001:db8:50::4
green  g4 .140  g6 ::140 ┐                           │        ├ cali-three 10.50.0.8
blue   b4 .150           ┴─ 172.16.3.0/24 ─ grn0 .10 ┤        └ cali-pod   10.48.0.9, fd00:48::9: no gateway
                           2001:db8:3::/64           └ eth0 ── fabric 10.240.0.1, fd00:240::1
```

Red and yellow have the same subnet and a peer with the same address; green and blue share a wire.
"""

from __future__ import annotations

from dataclasses import dataclass

from labs.netns.lab import Lab
from labs.netns.namespace import Namespace, join

NODE, OTHER_NODE = "10.240.0.10", "10.240.0.11"
NODE6, OTHER_NODE6 = "fd00:240::10", "fd00:240::11"
FABRIC, FABRIC6 = "10.240.0.1", "fd00:240::1"
FABRIC_DEVICE = "eth0"


@dataclass(frozen=True)
class WirePlan:
    """A device of the node, and its addresses with the length of their subnet."""

    device: str
    addresses: tuple[str, ...]


@dataclass(frozen=True)
class PlacePlan:
    """A namespace behind the node, wired as Calico wires a pod."""

    name: str
    addresses: tuple[str, ...]

    @property
    def device(self) -> str:
        """Its device on the node."""
        return f"cali-{self.name}"


WIRES = (
    WirePlan("red0", ("172.16.1.10/24",)),
    WirePlan("yel0", ("172.16.1.20/24",)),
    WirePlan("grn0", ("172.16.3.10/24", "2001:db8:3::10/64")),
)
PLACES = (
    PlacePlan("one", ("10.50.0.2",)),
    PlacePlan("two", ("10.50.0.4", "2001:db8:50::4")),
    PlacePlan("three", ("10.50.0.8",)),
    PlacePlan("pod", ("10.48.0.9", "fd00:48::9")),
)


class Arena:
    """All of it, built; the lab takes it down."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.node = lab.namespace("node")
        self.fabric = lab.namespace("fabric")
        self.switches = {plan.device: lab.namespace(f"{plan.device}-switch") for plan in WIRES}
        self.places = {plan.name: lab.namespace(plan.name) for plan in PLACES}
        filters = {f"ipv4/conf/{name}/rp_filter": 0 for name in ("all", "default", *self.node.links())}
        self.node.set_sysctls(
            {
                "ipv4/ip_forward": 1,
                "ipv6/conf/all/forwarding": 1,
                "ipv6/conf/all/keep_addr_on_down": 1,
                "ipv6/conf/default/keep_addr_on_down": 1,
                **filters,
            }
        )
        self._build_fabric()
        for wire in WIRES:
            self._build_wire(wire)
        for place in PLACES:
            self._build_place(place)

    def _build_fabric(self) -> None:
        join(self.node, FABRIC_DEVICE, self.fabric, "eth0")
        self.fabric.ip(
            f"addr add {FABRIC}/24 dev eth0",
            f"addr add {OTHER_NODE}/24 dev eth0",
            f"addr add {FABRIC6}/64 dev eth0 nodad",
            f"addr add {OTHER_NODE6}/64 dev eth0 nodad",
        )
        self.node.ip(
            f"addr add {NODE}/24 dev eth0",
            f"addr add {NODE6}/64 dev eth0 nodad",
            f"route add default via {FABRIC} dev eth0",
            f"route add default via {FABRIC6} dev eth0",
        )

    def _build_wire(self, wire: WirePlan) -> None:
        switch = self.switches[wire.device]
        switch.ip("link add br0 type bridge", "link set br0 up")
        join(self.node, wire.device, switch, "node")
        switch.ip("link set node master br0")
        self.node.ip(*(f"addr add {address} dev {wire.device}{fixed(address)}" for address in wire.addresses))

    def _build_place(self, place: PlacePlan) -> None:
        namespace, device = self.places[place.name], place.device
        join(self.node, device, namespace, "eth0")
        self.node.set_sysctls({f"ipv4/conf/{device}/proxy_arp": 1, f"ipv4/neigh/{device}/proxy_delay": 0})
        self.node.ip(f"addr add fe80::1/64 dev {device} nodad")
        namespace.ip(
            "route add 169.254.1.1 dev eth0 scope link", "route add default via 169.254.1.1 dev eth0"
        )
        for address in place.addresses:
            bits = 128 if ":" in address else 32
            self.node.ip(f"route add {address}/{bits} dev {device}")
            namespace.ip(f"addr add {address}/{bits} dev eth0{fixed(address)}")
            if bits == 128:
                namespace.ip("route add ::/0 via fe80::1 dev eth0")

    def host(self, role: str, device: str, address: str) -> Namespace:
        """A namespace with an address on a wire."""
        namespace, switch = self.lab.namespace(role), self.switches[device]
        join(namespace, "eth0", switch, role)
        switch.ip(f"link set {role} master br0")
        length = 64 if ":" in address else 24
        namespace.ip(f"addr add {address}/{length} dev eth0{fixed(address)}")
        return namespace


def fixed(address: str) -> str:
    """What follows an address in `ip addr add`: of IPv6, that nobody has to be asked whether it is free."""
    return " nodad" if ":" in address else ""
