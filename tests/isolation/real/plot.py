"""What a script may be about, and the config as it is edited: as manifests, and in the model's terms.

The two are made of the same few fields side by side; what the product makes of the manifests has no part in
it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from labs.netns.manifests import OURS, Manifest, bgp_filter, felix, gateway, manifest, network, node, peer
from tests.isolation.real.arena import NODE, NODE6, OTHER_NODE, OTHER_NODE6
from tests.isolation.real.routers import LOCAL_AS, RouterPlan, Said
from tests.isolation.truth import Announcement, Gateway, Net, Network, Peer

NODE_NAME = "node-1"
RED, YELLOW, GREEN, GREEN6 = "172.16.1.10", "172.16.1.20", "172.16.3.10", "2001:db8:3::10"
ROUTERS = {
    plan.name: plan
    for plan in (
        RouterPlan("r1", "red", "red0", "172.16.1.140", 65001, RED),
        RouterPlan("r2", "red", "red0", "172.16.1.141", 65002, RED),
        RouterPlan("y1", "yellow", "yel0", "172.16.1.140", 65001, YELLOW),
        RouterPlan("y2", "yellow", "yel0", "172.16.1.142", LOCAL_AS, YELLOW),
        RouterPlan("g4", "green", "grn0", "172.16.3.140", LOCAL_AS, GREEN),
        RouterPlan("g6", "green", "grn0", "2001:db8:3::140", 65003, GREEN6),
        RouterPlan("b4", "blue", "grn0", "172.16.3.150", 65004, GREEN),
    )
}
"""Red's r1 and yellow's y1 have one address and one AS; y2 and g4 are internal."""
NETWORKS = ("red", "yellow", "green", "blue")
TABLES = (500, 501, 502, 503, 600)
RANGES = {
    "one": ("10.50.0.2/31",),
    "two": ("10.50.0.4/31", "2001:db8:50::4/127"),
    "three": ("10.50.0.8/29",),
}
ORDERS = (
    ("red",),
    ("yellow",),
    ("red", "yellow"),
    ("yellow", "red"),
    ("green", "red"),
    ("red", "green", "yellow"),
    ("blue", "yellow"),
    ("red", "missing"),
)
OPTIONS: dict[str, dict[str, str | int]] = {
    "plain": {},
    "open": {"failureMode": "Open"},
    "one-path": {"maxPaths": 1},
    "no-backups": {"backupRoutes": "Disabled"},
    "no-default": {"defaultRoute": "Reject"},
    "metric-777": {"metric": 777},
}
PRIORITIES = (102, 50, 200, 103)
REJECTED = {4: "192.0.2.0/24", 6: "2001:db8:8::/48"}
PODS, SERVICES, PODS6 = "10.48.0.0/16", "10.96.0.0/12", "fd00:48::/32"
CLUSTER = tuple(
    ip_network(one)
    for one in (PODS, SERVICES, PODS6, NODE, OTHER_NODE, NODE6, OTHER_NODE6, "169.254.0.0/16", "fe80::/10")
)
PREFIXES = {
    4: (
        "105.8.10.0/24",
        "105.8.10.128/25",
        "192.0.2.0/24",
        "198.51.100.0/24",
        "0.0.0.0/0",
        # it covers the cluster, the gateways and the fabric
        "10.0.0.0/8",
        "10.240.0.0/24",
        "10.48.1.0/24",
        "10.50.0.0/24",
        # its own peers' subnet, the other wire's, and what draws sessions
        "172.16.0.0/16",
        "172.16.1.0/24",
        "172.16.1.128/25",
        "172.16.3.0/24",
    ),
    6: ("2001:db8:8::/48", "2001:db8:8:1::/64", "::/0", "2001:db8:50::/64", "fd00:48::/32"),
}
NEXT_HOPS = {
    4: (
        "",
        "172.16.1.141",
        "172.16.1.142",
        "172.16.3.140",
        "172.16.3.150",
        # nobody's; the fabric's; the node's own; what another learned prefix, or a default, covers
        "172.16.1.99",
        "10.240.0.1",
        "10.240.0.10",
        "105.8.10.1",
        "8.8.8.8",
    ),
    6: ("", "2001:db8:3::150", "fd00:240::1", "fd00:240::10", "2001:db8:8::1"),
}
PATHS = ((), (65000,), (65000, 65000), (LOCAL_AS, 65000))
FAR = ("203.0.113.77", "10.48.1.9", "10.96.0.10", "10.240.0.11", "2001:db8:ffff::77", "fd00:48:1::9")
"""What no prefix but a default covers; the cluster's."""

BAD: dict[str, Manifest | str] = {
    "syntax": "kind: ExternalNetwork\nspec: [",
    "table": network("thief", 500),
    "overlap": gateway("wide", ["green", "red", "yellow"], "10.50.0.0/28"),
}
"""Edits that are refused whole while the daemon runs."""


@dataclass
class Plot:
    """The config."""

    tables: dict[str, int] = field(
        default_factory=lambda: {"red": 500, "yellow": 501, "green": 502, "blue": 503}
    )
    present: set[str] = field(default_factory=lambda: {"red", "yellow", "green"})
    peers: set[str] = field(default_factory=lambda: set(ROUTERS))
    options: dict[str, str] = field(default_factory=dict)
    rejecting: set[str] = field(default_factory=set)
    """Peers with an import filter."""
    holds: dict[str, int] = field(default_factory=dict)
    orders: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"one": ("red",), "two": ("yellow", "green")}
    )
    priority: int = 102
    enabled: bool = True

    def edit(self, what: str, *words: str) -> None:
        """What follows `config` in a script's line."""
        match what, *words:
            case "network", name:
                self.present ^= {name}
            case "peer", name:
                self.peers ^= {name}
            case "table", name, table:
                self.move(name, int(table))
            case "option", name, option:
                self.options[name] = option
            case "reject", name:
                self.rejecting ^= {name}
            case "hold", name, seconds:
                self.holds[name] = int(seconds)
            case "gateway", name, *order:
                self.orders[name] = tuple(order)
                if not order:
                    del self.orders[name]
            case "priority", number:
                self.priority = int(number)
            case "support", ("on" | "off") as word:
                self.enabled = word == "on"
            case _:
                raise AssertionError(f"nobody knows the edit {what} {words}")

    def move(self, name: str, table: int) -> None:
        """Give a network another table; who has that one takes the one that is left."""
        for other, taken in self.tables.items():
            if taken == table:
                self.tables[other] = self.tables[name]
        self.tables[name] = table

    def routers_of(self, name: str) -> list[RouterPlan]:
        """The configured peers of a network."""
        return [plan for plan in ROUTERS.values() if plan.network == name and plan.name in self.peers]

    def sessions(self) -> set[str]:
        """The routers that a session is configured with."""
        if not self.enabled:
            return set()
        return {plan.name for name in self.present for plan in self.routers_of(name)}

    # -- as manifests ------------------------------------------------------------------------------

    def manifests(self) -> list[Manifest]:
        """All of it, for one file."""
        cluster = {"serviceClusterIPs": [{"cidr": SERVICES}], "clusterCIDRs": [PODS, PODS6]}
        made = [
            manifest(OURS, "BGPConfiguration", "default", cluster),
            felix(
                "Enabled" if self.enabled else "Disabled", externalNetworkRoutingRulePriority=self.priority
            ),
            _both(node(NODE_NAME, NODE), NODE6),
            _both(node("node-2", OTHER_NODE), OTHER_NODE6),
            bgp_filter(
                "none-of-these",
                importV4=[{"action": "Reject", "matchOperator": "In", "cidr": REJECTED[4]}],
                importV6=[{"action": "Reject", "matchOperator": "In", "cidr": REJECTED[6]}],
            ),
        ]
        for name in sorted(self.present):
            made.append(network(name, self.tables[name], api_version=OURS, **self._options(name)))
            made += [self._peer(plan) for plan in self.routers_of(name)]
        made += [gateway(name, list(order), *RANGES[name]) for name, order in sorted(self.orders.items())]
        return made

    def _options(self, name: str) -> dict[str, str | int]:
        return OPTIONS[self.options.get(name, "plain")]

    def _peer(self, plan: RouterPlan) -> Manifest:
        fields = {"sourceInterface": plan.device, "holdTime": f"{self.holds.get(plan.name, 90)}s"}
        filters = {"filters": ["none-of-these"]} if plan.name in self.rejecting else {}
        return peer(plan.name, plan.network, plan.address, plan.asn, api_version=OURS, **fields, **filters)

    # -- in the model's terms ----------------------------------------------------------------------

    def networks(self, counting: Callable[[str], Mapping[Net, Announcement]]) -> tuple[Network, ...]:
        """The networks, with what counts of all that each router has announced."""
        return tuple(
            Network(
                name=name,
                table=self.tables[name],
                peers=tuple(self._truly(plan, counting(plan.name)) for plan in self.routers_of(name)),
                open=self._options(name).get("failureMode") == "Open",
                max_paths=int(self._options(name).get("maxPaths", 16)),
                metric=int(self._options(name).get("metric", 20000)),
                refuses=CLUSTER,
                default_route=self._options(name).get("defaultRoute") != "Reject",
            )
            for name in sorted(self.present)
        )

    def _truly(self, plan: RouterPlan, paths: Mapping[Net, Announcement]) -> Peer:
        return Peer(
            address=ip_address(plan.address),
            remote_as=plan.asn,
            local_as=LOCAL_AS,
            paths=paths,
            interface=plan.device,
            rejects=tuple(map(ip_network, REJECTED.values())) if plan.name in self.rejecting else (),
            families=frozenset({plan.version}),
        )

    def gateways(self) -> tuple[Gateway, ...]:
        return tuple(
            Gateway(tuple(map(ip_network, RANGES[name])), order)
            for name, order in sorted(self.orders.items())
        )


def announcement(plan: RouterPlan, said: Said) -> Announcement:
    """How the node sees it: an external peer's own AS is in front (RFC 4271 5.1.2)."""
    own = () if plan.asn == LOCAL_AS else (plan.asn,)
    return Announcement(ip_address(said.next_hop or plan.address), (*own, *said.path))


def _both(one: Manifest, address: str) -> Manifest:
    one["status"]["addresses"].append({"type": "InternalIP", "address": address})
    return one
