"""What the config's defaults need to know of the node: its name, and the address that it is known by."""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.config.facts import HostFacts
from vrfbgp.events import LinksRead, TableRead
from vrfbgp.model import Family, IPAddress


def host_facts(hostname: str, links: LinksRead, main: Iterable[TableRead]) -> HostFacts:
    """The node's address is that of the interface of table main's default route."""
    addresses = {table.family: _address(table, links) for table in main}
    return HostFacts(hostname, addresses.get(Family.IPV4), addresses.get(Family.IPV6))


def _address(main: TableRead, links: LinksRead) -> IPAddress | None:
    defaults = [r for r in main.routes if r.key.nlri[0] == 0 and r.kind == "unicast" and r.nexthops]
    for route in sorted(defaults, key=lambda route: route.key.metric):
        if route.prefsrc is not None:
            return route.prefsrc
        for _, ifindex in route.nexthops:
            for address in links.addresses:
                if (
                    address.ifindex == ifindex
                    and Family.of(address.address) is main.family
                    and not address.address.is_link_local
                ):
                    return address.address
    return None
