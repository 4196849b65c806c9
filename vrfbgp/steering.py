"""Egress gateways: the rules that steer their packets, and the addresses that are announced for them.

For a gateway's range R with the networks N1 … Nn and the base priority B
(`externalNetworkRoutingRulePriority`):

    B-1    from R to CLUSTER    lookup main      pods, services and nodes stay reachable
    B      from R               lookup N1        the order of the list decides, always
    B+1    from R               lookup N2        a missing network keeps its place
    B+n    from R               unreachable      fail closed: never main

Matching by source alone needs no fwmark and passes a strict rp_filter. The last rule is left out only if
every network of the gateway is there and `Open`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network

from vrfbgp.host import Host
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent
from vrfbgp.model import MAIN_TABLE, Action, Family, IPAddress, IPNetwork, PeerId, Rule


def gateway_rules(intent: Intent, usable: Mapping[str, int]) -> Iterator[Rule]:
    """The rules of all gateways; `usable` has the tables that may be steered into, by network."""
    networks = {network.name: network for network in intent.networks}
    for gateway in intent.gateways:
        for source in gateway.ranges:
            yield from _rules(intent, gateway, source, networks, usable)


def _rules(
    intent: Intent,
    gateway: GatewayIntent,
    source: IPNetwork,
    networks: Mapping[str, NetworkIntent],
    usable: Mapping[str, int],
) -> Iterator[Rule]:
    family, base = Family.of(source), intent.rule_priority
    for destination in intent.cluster:
        if Family.of(destination) is family:
            yield Rule(family, base - 1, source, destination, table=MAIN_TABLE)
    if not gateway.isolated:
        for place, name in enumerate(gateway.networks):
            if name in usable:
                yield Rule(family, base + place, source, table=usable[name])
    if not is_open(gateway, networks):
        yield Rule(family, base + len(gateway.networks), source, action=Action.UNREACHABLE)


def is_open(gateway: GatewayIntent, networks: Mapping[str, NetworkIntent]) -> bool:
    """Whether packets that no network has a route for may fall through to main."""
    if gateway.isolated or not gateway.networks:
        return False
    return all(name in networks and networks[name].fail_open for name in gateway.networks)


def session_rule(base: int, local: IPAddress, peer: PeerId, table: int) -> Rule:
    """The rule that leads a session's own packets through its network's table."""
    family = Family.of(local)
    return Rule(family, base - 1, host_prefix(local), host_prefix(peer.address), table=table)


def addresses_here(gateway: GatewayIntent, host: Host) -> list[IPAddress]:
    """The gateway's addresses that are on this node: of an interface, or behind a host route."""
    found = {address for prefix in gateway.exported for address in host.present(prefix)}
    return sorted(found, key=lambda address: (address.version, int(address)))


def host_prefix(address: IPAddress) -> IPNetwork:
    """The prefix of one address (/32 or /128)."""
    return ip_network(address)
