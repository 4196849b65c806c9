"""What on this node stands in the way of the config: what it is, why it matters, and the remedy.

Told as problems of the node, at the start, in `status`, and when it changes. Nothing is changed by us: a
sysctl has more users than one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from vrfbgp.intent import Intent, NetworkIntent, Problem, Reason, Severity
from vrfbgp.model import MAIN_TABLE, Action, Family, IPNetwork, Rule
from vrfbgp.scarcity import is_bounded, most
from vrfbgp.surroundings import Surroundings

SUBJECT = "node"
MANY_ROUTES = 50_000
"""Routes from which on it matters how often the kernel tells of each."""
LOCAL_TABLE = 255
"""RT_TABLE_LOCAL (linux/rtnetlink.h), which each node looks up first."""


def findings(around: Surroundings, intent: Intent, uplinks: Set[str], routes: int) -> Iterator[Problem]:
    """`uplinks` are the devices of all networks; `routes`, how many are wanted in the kernel."""
    families = {Family.of(range_) for gateway in intent.gateways for range_ in gateway.ranges}
    if Family.IPV4 in families and not around.ip_forward:
        yield _degraded(
            "IPv4 packets are not forwarded, so those of the gateways go nowhere: "
            "sysctl -w net.ipv4.ip_forward=1"
        )
    if Family.IPV6 in families and not around.ipv6_forwarding:
        yield _degraded(
            "IPv6 packets are not forwarded, so those of the gateways go nowhere: "
            "sysctl -w net.ipv6.conf.all.forwarding=1"
        )
    if around.networkd:
        names = ", ".join(f"{name}=no" for name in around.networkd)
        yield _notice(
            "systemd-networkd removes routes, rules or next hops that it did not make, when it restarts or a "
            "link changes; they are put back, but packets are lost meanwhile: write [Network] with "
            f"{names} to /etc/systemd/networkd.conf.d/foreign.conf, then systemctl restart systemd-networkd"
        )
    for device in sorted(around.strict & uplinks):
        yield _notice(
            f"the reverse path filter of uplink {device} is strict: ICMP errors of routers whose own address "
            "no learned prefix covers are dropped, and with them the discovery of the path MTU: "
            f"sysctl -w net.ipv4.conf.{device}.rp_filter=2"
        )
    if any(_speaks_ipv6(network) for network in intent.networks):
        for device in sorted(around.drops_addresses & uplinks):
            yield _notice(
                f"uplink {device} loses its IPv6 addresses when it is set down, and the sessions do not come "
                f"back with it: sysctl -w net.ipv6.conf.{device}.keep_addr_on_down=1"
            )
    for family, name in ((Family.IPV4, "ipv4"), (Family.IPV6, "ipv6")):
        if around.hash_policy.get(family, 1) == 0 and any(_balances(n, family) for n in intent.networks):
            yield _notice(
                f"where {name} routes have several next hops, all flows between two addresses take the same "
                "one; a gateway, which is one address, hardly balances: "
                f"sysctl -w net.{name}.fib_multipath_hash_policy=1"
            )
    if around.nexthop_compat_mode and routes >= MANY_ROUTES:
        yield _notice(
            "when a next hop is replaced, the kernel tells whoever listens of each of the many routes on it: "
            "sysctl -w net.ipv4.nexthop_compat_mode=0, if no other program of this node takes gateways from "
            "routes"
        )
    yield from _memory(around, intent)


def rules_ahead(rules: Iterable[Rule], intent: Intent) -> Iterator[Problem]:
    """Rules of others that take gateways' packets before ours do; they are left alone.

    One that asks for more than addresses (a mark, a device) is not told: nothing here says who meets it.
    """
    strangers = [rule for rule in rules if not (rule.ours or rule.others or rule.table == LOCAL_TABLE)]
    for gateway in intent.gateways:
        last = intent.rule_priority + len(gateway.networks)
        for range_ in gateway.ranges:
            for rule in strangers:
                if rule.priority < last and _takes(rule, range_, intent):
                    yield _ahead(rule, gateway.name, range_, last)


def _takes(rule: Rule, range_: IPNetwork, intent: Intent) -> bool:
    if rule.family is not Family.of(range_) or (rule.src is not None and not rule.src.overlaps(range_)):
        return False
    dst = rule.dst
    if dst is None or rule.action is not Action.LOOKUP or rule.table != MAIN_TABLE:
        return True
    # As our own rules to the cluster.
    return not any(
        dst.prefixlen >= own.prefixlen and dst.overlaps(own)
        for own in intent.cluster
        if own.version == dst.version
    )


def _ahead(rule: Rule, gateway: str, range_: IPNetwork, last: int) -> Problem:
    certain = rule.action is not Action.LOOKUP or rule.table == MAIN_TABLE
    text = (
        f"somebody else's rule '{rule}' stands before those of the gateway, and takes packets from {range_}"
        f"{'' if certain else ', if its table has a route'}: remove it, or give it a priority above {last}"
    )
    severity = Severity.DEGRADED if certain else Severity.NOTICE
    return Problem(severity, Reason.FOREIGN_RULE, f"EgressGateway {gateway}", text)


def _memory(around: Surroundings, intent: Intent) -> Iterator[Problem]:
    """The kernel charges routes to the cgroup of who writes them, and ends a process of one that is full."""
    if around.memory_short is not None:
        yield _notice(
            f"the memory limit of {around.memory_short >> 20} MiB is nearly reached; the kernel charges "
            "routes to it, too, and then ends the daemon: raise it (resources.limits.memory, MemoryMax=), or "
            "bound what is learned (maxRoutes, maxPrefixes)"
        )
        return
    limit, networks = around.memory_limit, intent.networks
    if limit is not None and (unbounded := [one for one in networks if not is_bounded(one)]):
        taken = ", ".join(f"{one.name} {most(one, limit, len(networks))}" for one in unbounded)
        yield _notice(
            f"routes count towards the memory limit of {limit >> 20} MiB, at which the kernel ends the "
            f"daemon, for all networks; so this many prefixes are learned at most: {taken}; set maxRoutes, "
            "or maxPrefixes for each peer, if that is not what you want"
        )


def _speaks_ipv6(network: NetworkIntent) -> bool:
    return any(peer.id.address.version == 6 for peer in network.peers)


def _balances(network: NetworkIntent, family: Family) -> bool:
    """Whether routes of a family may come to have several next hops."""
    return network.max_paths > 1 and sum(family in peer.families for peer in network.peers) > 1


def _degraded(text: str) -> Problem:
    return Problem(Severity.DEGRADED, Reason.NODE_SETTING, SUBJECT, text)


def _notice(text: str) -> Problem:
    return Problem(Severity.NOTICE, Reason.NODE_SETTING, SUBJECT, text)
