"""What a story of the property test may be about: configs, prefixes, next hops, devices.

Two networks may share an uplink, or have the same peer address on wires of their own; networks overlap in all
that is announced, and some of it is hostile. A `Plot` is a config that is edited bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field

NODE = """
link eth0 192.168.0.10/24
somebody adds route 0.0.0.0/0 via 192.168.0.1 dev eth0
link eth1 172.16.1.10/24
link eth2 172.16.2.10/24
link eth3 172.16.3.10/24 2001:db8:3::10/64
link eth4 172.16.1.20/32
"""
TWIN = "somebody adds route 172.16.1.0/24 metric 100 dev eth4"
"""The subnet of eth1 is that of eth4, too."""
BEGINNING = """
the daemon starts
all routers come up
red/172.16.1.140 announces 105.8.10.0/24 192.0.2.0/24
red/172.16.1.141 announces 105.8.10.0/24 192.0.2.0/24 path 64502,65000
yellow/172.16.2.140 announces 105.8.10.0/24 198.51.100.0/24
yellow/172.16.1.140 announces 198.51.100.0/24
"""
"""Both networks overlap, some prefixes have a backup, others two equal paths."""
ADDRESSES = {"eth1": "172.16.1.10/24", "eth2": "172.16.2.10/24", "eth3": "172.16.3.10/24"}
UPLINKS = ("eth1", "eth2", "eth3", "eth4")
PEERS = {
    "red": (
        "172.16.1.140 as 64501 interface=eth1",
        "172.16.1.141 as 64502 interface=eth1",
        "172.16.3.140 as 64512",
        "2001:db8:3::140 as 64501",
        "10.99.0.1 as 64501 reachable-by=172.16.3.1",
    ),
    "yellow": (
        "172.16.2.140 as 64502",
        "172.16.1.140 as 64502 interface=eth4",
        "172.16.2.141 as 64512",
    ),
    "green": (
        "172.16.3.150 as 64503",
        "2001:db8:3::150 as 64512",
        "172.16.3.151 as 64512",
    ),
}
MARKS = ("", "hold=30", "no-secret", "reject=192.0.2.0/24,2001:db8:8::/48", "allow-own-as=1")
"""What may be said of a peer besides."""
DEVICES = "eth0,eth1,eth2,eth3,eth4"
"""Which ones are whose, the judge knows better than the scenarios' promises: a user's own route may lead
anywhere."""
TABLES = (500, 501, 502, 600)
OPTIONS = (
    "",
    "open",
    "max-paths=1",
    "backup-routes=off",
    "metric=777",
    "no-default-route",
    "refuse=10.244.0.0/16,192.168.0.0/24",
)
RANGES = {
    "egress/one": "10.50.0.2/31",
    "egress/two": "10.50.0.4/31,2001:db8:50::4/127",
    "egress/three": "10.50.0.8/29",
}
ORDERS = (
    "red",
    "yellow",
    "red yellow",
    "yellow red",
    "green red",
    "red green yellow",
    "red missing",
    "red isolated",
)
PREFIXES = {
    4: (
        "105.8.10.0/24",
        "192.0.2.0/24",
        "192.0.2.128/25",
        "198.51.100.0/24",
        "0.0.0.0/0",
        "10.9.0.0/16",
        "10.0.0.0/8",
        # its own subnet, and what draws its own peers' sessions; another network's; the fabric's
        "172.16.1.0/24",
        "172.16.1.128/25",
        "172.16.2.0/24",
        "192.168.0.0/16",
        # the cluster's, the gateways', a martian
        "10.244.0.0/16",
        "10.50.0.0/24",
        "127.0.0.0/8",
    ),
    6: ("2001:db8:8::/48", "2001:db8:8:1::/64", "::/0", "2001:db8:50::/64"),
}
NEXT_HOPS = {
    4: (
        "",
        "172.16.1.141",
        "172.16.3.140",
        "172.16.2.140",
        "10.9.9.9",
        "192.168.0.1",
        "8.8.8.8",
        "172.16.1.10",
        "172.16.1.255",
    ),
    6: ("", "2001:db8:3::150", "2001:db8:3::10", "2001:db8:8::1"),
}
"""Empty: the peer itself. The others are neighbours', the node's own, or nobody's."""


@dataclass
class Plot:
    """The config as it is, in a form that can be edited; `lines` are what a `config` step takes."""

    tables: dict[str, int] = field(default_factory=lambda: {"red": 500, "yellow": 501, "green": 502})
    options: dict[str, str] = field(default_factory=dict)
    present: set[str] = field(default_factory=lambda: {"red", "yellow"})
    peers: dict[str, set[int]] = field(
        default_factory=lambda: {"red": {0, 1}, "yellow": {0, 1}, "green": {0}}
    )
    marks: dict[tuple[str, int], str] = field(default_factory=dict)
    """More words for a peer."""
    orders: dict[str, str] = field(default_factory=lambda: {"egress/one": "red", "egress/two": "yellow red"})
    priority: int = 102
    disabled: bool = False

    def move(self, network: str, table: int) -> None:
        """Give a network another table; who has that one takes the one that is left."""
        for other, taken in self.tables.items():
            if taken == table:
                self.tables[other] = self.tables[network]
        self.tables[network] = table

    def lines(self) -> list[str]:
        made = ["cluster 10.244.0.0/16 192.168.0.0/24", f"priority {self.priority}"]
        for name in sorted(self.present):
            made.append(
                f"network {name} {self.tables[name]} dev {DEVICES} {self.options.get(name, '')}".strip()
            )
            made += [
                f"peer {PEERS[name][number]} {self.marks.get((name, number), '')}".strip()
                for number in sorted(self.peers[name])
            ]
        made += [f"gateway {name} {RANGES[name]} = {order}" for name, order in sorted(self.orders.items())]
        return made + ["disabled"] * self.disabled
