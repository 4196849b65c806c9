"""A second opinion: the kernel itself is asked about packets of the gateways, as by `ip route get`.

It judges the answer by what is promised, and by no rule: whatever the way, it ends in a network of the
gateway's own and on an uplink of it, in the cluster by another table, or nowhere. The destinations are some
of each network's prefixes, also of networks that are none of the gateway's, some of the cluster, and one
that nobody should know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import islice

from vrfbgp.intent import GatewayIntent
from vrfbgp.model import Family, IPAddress, IPNetwork, KernelRoute, network_of
from vrfbgp.steering import host_prefix, is_open
from vrfbgp.verify.findings import Finding, Flaw
from vrfbgp.verify.ground import Ground, table_name
from vrfbgp.verify.sight import LOCAL_TABLE, Sight

Ask = Callable[[IPAddress, IPAddress, int], KernelRoute | None]
"""What the kernel does with a packet (source, destination, device it comes in by); None: it goes nowhere.
OSError if it can't say."""

ADDRESSES = 2
"""Of a gateway's addresses on this node, for how many it is asked."""
PREFIXES = 4
"""Of a table, for how many."""
MOST = 5000
LEAST = 4
"""Questions in all, but for so many of each gateway: some 100 µs each."""
NOBODYS = {Family.IPV4: ip_address("192.0.2.1"), Family.IPV6: ip_address("2001:db8:ffff:ffff::1")}
"""Documentation addresses (RFC 5737, RFC 3849), which no network should announce."""
_REMEDY = "compare `ip rule` and `ip route get {dst} from {src} iif DEVICE` with the findings above"


@dataclass(frozen=True, slots=True)
class Question:
    """A packet of a gateway's."""

    gateway: GatewayIntent
    src: IPAddress
    dst: IPAddress
    iif: int


@dataclass
class Opinion:
    """What came of asking."""

    asked: int = 0
    unanswered: int = 0


def questions(ground: Ground, sight: Sight) -> Iterator[Question]:
    """What to ask, gateway by gateway, but for those of which no host is behind a device of this node."""
    destinations = {family: _destinations(ground, sight, family) for family in Family}
    share = max(LEAST, MOST // max(1, len(ground.gateways)))
    for gateway in ground.gateways:
        behind = [one for range_ in gateway.ranges for one in ground.connected.inside(range_)]
        hosts = [one for one in behind if one.prefix.prefixlen == one.prefix.max_prefixlen]
        pairs = (
            Question(gateway, host.prefix.network_address, dst, host.ifindex)
            for host in hosts[:ADDRESSES]
            for dst in destinations[Family.of(host.prefix)]
        )
        yield from islice(pairs, share)


def check_opinion(ground: Ground, sight: Sight, ask: Ask, opinion: Opinion) -> Iterator[Finding]:
    """Where the kernel says otherwise than what is promised."""
    wrong: dict[tuple[str, str], list[Question]] = {}
    for question in questions(ground, sight):
        try:
            answer = ask(question.src, question.dst, question.iif)
        except OSError:
            opinion.unanswered += 1
            continue
        opinion.asked += 1
        if answer is not None and (text := _wrong(ground, sight, question, answer)):
            wrong.setdefault((question.gateway.name, text), []).append(question)
    for (gateway, text), asked in wrong.items():
        first, more = asked[0], f" and {len(asked) - 1} more" if len(asked) > 1 else ""
        yield Finding(
            Flaw.KERNEL_DISAGREES,
            f"EgressGateway {gateway}",
            f"asked for a packet from {first.src} to {first.dst}{more}, the kernel says {text}",
            _REMEDY.format(dst=first.dst, src=first.src),
        )


def _wrong(ground: Ground, sight: Sight, question: Question, answer: KernelRoute) -> str | None:
    """What is wrong with an answer, if anything."""
    table = answer.key.table
    if table == LOCAL_TABLE and answer.kind != "unicast":
        return None
    devices = frozenset(ifindex for _, ifindex in answer.nexthops)
    by = f"route {answer.key} by {', '.join(sorted(map(sight.device, devices))) or 'nothing'}"
    name = ground.tables.get(table)
    if ground.in_cluster(host_prefix(question.dst)):
        return f"{by}, though it is in the cluster" if name is not None else None
    if name is not None:
        if table not in ground.tables_of(question.gateway):
            return f"{by}, of network {name}, which is none of the gateway's"
        astray = devices - ground.networks[name].uplinks
        return f"{by}, which is no uplink of network {name}" if astray else None
    networks = {network.name: network for network in ground.intent.networks}
    if is_open(question.gateway, networks):
        return None
    return f"{by}, of table {table_name(ground, table)}, though the gateway is closed"


def _destinations(ground: Ground, sight: Sight, family: Family) -> list[IPAddress]:
    found: list[IPAddress] = [NOBODYS[family]]
    for table in ground.tables:
        survey = sight.table(table, family)
        nlris = [bunch.example for bunch in survey.bunches.values()]
        nlris += [route.key.nlri for route in survey.routes if route.kind == "unicast"]
        found += [_within(network_of(family, nlri)) for nlri in nlris[:PREFIXES]]
    cluster = [range_ for range_ in ground.intent.cluster if Family.of(range_) is family]
    found += [_within(range_) for range_ in cluster[:PREFIXES]]
    return list(dict.fromkeys(address for address in found if not _is_no_destination(address)))


def _within(prefix: IPNetwork) -> IPAddress:
    """An address of a prefix that is no network address."""
    if prefix.num_addresses < 3:
        return prefix.network_address
    return prefix.network_address + 1


def _is_no_destination(address: IPAddress) -> bool:
    return address.is_unspecified or address.is_multicast or address.is_loopback or address.is_link_local
