"""A node for tests: links by name, addresses, and the routes of table main that come of them."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface, ip_network

from vrfbgp.host import Host
from vrfbgp.intent import NetworkIntent, PeerIntent, SourceMode
from vrfbgp.model import MAIN_TABLE, Address, Family, KernelRoute, Link, PeerId, RouteKey, nlri_of


def route(text: str, *, protocol: int = 4, table: int = MAIN_TABLE, metric: int = 0) -> KernelRoute:
    """`PREFIX [via A] dev INDEX`, somebody else's."""
    words = text.split()
    network = ip_network(words[0])
    gateway = ip_address(words[words.index("via") + 1]) if "via" in words else None
    hop = (gateway, int(words[words.index("dev") + 1]))
    key = RouteKey(table, Family.of(network), nlri_of(network), metric)
    return KernelRoute(key, protocol, nexthops=(hop,))


def host(links: dict[str, str], *others: KernelRoute, down: tuple[str, ...] = ()) -> Host:
    """Devices 2, 3, … with an address each (or several, by spaces), and routes besides the connected ones."""
    made = Host()
    found: list[Address] = []
    connected: list[KernelRoute] = []
    devices = {}
    for index, (name, addresses) in enumerate(links.items(), 2):
        devices[index] = Link(index, name, name not in down, name not in down)
        for text in addresses.split():
            one = ip_interface(text)
            found.append(Address(index, one.ip, one.network.prefixlen))
            if one.network.prefixlen < one.max_prefixlen:
                key = RouteKey(MAIN_TABLE, Family.of(one.ip), nlri_of(one.network), 0)
                connected.append(KernelRoute(key, 2, scope=253, nexthops=((None, index),), prefsrc=one.ip))
    made.links_read(devices, tuple(found))
    for entry in (*connected, *others):
        made.route_seen(entry)
    return made


def peer(address: str, network: str = "red", **options: object) -> PeerIntent:
    options.setdefault("source", SourceMode.UPLINK)
    options.setdefault("families", frozenset({Family.of(ip_address(address))}))
    return PeerIntent(
        id=PeerId(network, ip_address(address)),
        name=f"{network}-1",
        peer_as=64501,
        local_as=64512,
        router_id="10.0.0.1",
        **options,  # type: ignore[arg-type]
    )


def network(*peers: PeerIntent, name: str = "red", table: int = 500, **options: object) -> NetworkIntent:
    return NetworkIntent(name, table, peers, **options)  # type: ignore[arg-type]
