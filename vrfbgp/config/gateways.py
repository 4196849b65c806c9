"""EgressGateways that may run on this node: their source ranges and their networks, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from vrfbgp.config.findings import Findings, degrading
from vrfbgp.config.node import NodeIdentity
from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.ranges import overlaps, sources, without
from vrfbgp.config.schema.gateway import EgressGateway
from vrfbgp.config.schema.pool import IPPool
from vrfbgp.intent import GatewayIntent, Problem, Reason
from vrfbgp.model import IPNetwork


@dataclass(slots=True)
class _Draft:
    """A gateway in the making; several if a name was given twice and the config is read leniently."""

    entry: Entry[EgressGateway]
    ranges: tuple[IPNetwork, ...]
    networks: tuple[str, ...]
    reasons: list[Problem] = field(default_factory=list)
    isolated: bool = False


def gateways_of(objects: Objects, node: NodeIdentity, findings: Findings) -> tuple[GatewayIntent, ...]:
    """The gateways of this node, sorted by name. Those without a network are none of ours."""
    drafts: dict[str, _Draft] = {}
    for entry in objects.gateways:
        if not runs_on(entry, node):
            continue
        draft = _draft(entry, objects, findings)
        first = drafts.setdefault(entry.full_name, draft)
        if first is not draft:
            first.ranges = sources((*first.ranges, *draft.ranges))
            first.reasons += draft.reasons
    _isolate_overlapping(list(drafts.values()), findings)
    _tell_masqueraded(drafts, objects, findings)
    hidden = [entry.model.spec.cidr for entry in objects.pools if entry.model.spec.disable_bgp_export]
    return tuple(
        GatewayIntent(
            name=name,
            ranges=draft.ranges,
            networks=draft.networks,
            exported=without(draft.ranges, hidden),
            isolated=draft.isolated,
            degraded=tuple(draft.reasons),
        )
        for name, draft in sorted(drafts.items())
        if draft.networks or draft.entry.broken
    )


def _tell_masqueraded(drafts: Mapping[str, _Draft], objects: Objects, findings: Findings) -> None:
    """What leaves the cluster from a pool with natOutgoing bears the node's address, not the gateway's."""
    for pool in objects.pools:
        spec = pool.model.spec
        if not (spec.nat_outgoing or spec.old_nat_outgoing):
            continue
        for name, draft in sorted(drafts.items()):
            if draft.networks and any(range_.overlaps(spec.cidr) for range_ in draft.ranges):
                text = (
                    "Calico masquerades what leaves the cluster from this pool, which EgressGateway "
                    f"{name} takes addresses from: external networks see the node's address and not the "
                    "gateway's. Set natOutgoing to false: the gateway masquerades its clients itself."
                )
                findings.tell(pool.notice(Reason.MASQUERADED, text, "spec", "natOutgoing"))


def runs_on(entry: Entry[EgressGateway], node: NodeIdentity) -> bool:
    """Whether the gateway's pods may be scheduled on the node."""
    template = entry.model.spec.template
    wanted = template.spec.node_selector if template and template.spec else {}
    return all(node.labels.get(label) == value for label, value in wanted.items())


def pools_used(objects: Objects) -> Iterator[Entry[IPPool]]:
    """The pools that gateways take their addresses from, on whatever node."""
    names = {ref.name for entry in objects.gateways for ref in entry.model.spec.ip_pools if ref.name}
    cidrs = {ref.cidr for entry in objects.gateways for ref in entry.model.spec.ip_pools if ref.cidr}
    for pool in objects.pools:
        if pool.name in names or pool.model.spec.cidr in cidrs:
            yield pool


def _draft(entry: Entry[EgressGateway], objects: Objects, findings: Findings) -> _Draft:
    spec = entry.model.spec
    reasons: list[Problem] = []
    ranges = sources(_ranges(entry, objects, reasons))
    networks = tuple(dict.fromkeys(name for name in spec.external_networks if name))
    if not networks and not entry.broken:
        text = "It has no externalNetworks, so its traffic is left alone: name the networks that it reaches."
        findings.tell(entry.notice(Reason.NO_EFFECT, text, "spec"))
    known = {network.name for network in objects.networks}
    for index, name in enumerate(spec.external_networks):
        if name and name not in known:
            text = f"There is no ExternalNetwork {name}: add it, or take it out of externalNetworks."
            reasons.append(entry.degraded(Reason.MISSING_NETWORK, text, "spec", "externalNetworks", index))
    for problem in reasons:
        findings.tell(problem)
    return _Draft(entry, ranges, networks, [*degrading(entry.broken), *reasons], isolated=bool(entry.broken))


def _ranges(entry: Entry[EgressGateway], objects: Objects, reasons: list[Problem]) -> Iterator[IPNetwork]:
    for index, ref in enumerate(entry.model.spec.ip_pools):
        path = ("spec", "ipPools", index)
        pools = [pool.model.spec.cidr for pool in objects.pools if ref.name and pool.name == ref.name]
        if ref.name and not pools:
            text = f"There is no IPPool {ref.name}: add it, or give its cidr here."
            reasons.append(entry.degraded(Reason.MISSING_POOL, text, *path, "name"))
        if ref.cidr is None:
            yield from pools
            continue
        yield ref.cidr
        if pools and not any(_inside(ref.cidr, pool) for pool in pools):
            # Which of the two the addresses are from can't be known: both are closed to main.
            yield from pools
            text = f"{ref.cidr} is no part of IPPool {ref.name}, which is {pools[0]}: correct one of them."
            reasons.append(entry.degraded(Reason.OUT_OF_RANGE, text, *path, "cidr"))


def _inside(inner: IPNetwork, outer: IPNetwork) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]


def _isolate_overlapping(drafts: list[_Draft], findings: Findings) -> None:
    """A source address decides the network, so gateways that share one must share their networks."""
    owned = [(prefix, index) for index, draft in enumerate(drafts) for prefix in draft.ranges]
    pairs = {
        (min(left, right), max(left, right), prefix)
        for prefix, left, right in overlaps(owned)
        if drafts[left].networks != drafts[right].networks
    }
    seen: set[tuple[int, int]] = set()
    for left, right, prefix in sorted(pairs, key=lambda pair: (pair[0], pair[1], str(pair[2]))):
        for one, other in ((left, right), (right, left)):
            drafts[one].isolated = True
            if (one, other) not in seen:
                seen.add((one, other))
                drafts[one].reasons.append(findings.exclude(_overlap(drafts[one], drafts[other], prefix)))


def _overlap(draft: _Draft, other: _Draft, prefix: IPNetwork) -> Problem:
    mine, theirs = (", ".join(one.networks) or "none" for one in (draft, other))
    text = (
        f"{prefix} is also a range of EgressGateway {other.entry.full_name}, whose networks are other ones "
        f"({theirs}; here {mine}): give them ranges of their own."
    )
    return draft.entry.degraded(Reason.RANGES_OVERLAP, text, "spec", "ipPools")


def longest_list(gateways: Iterable[Entry[EgressGateway]]) -> int:
    """How many networks the gateway has that has most: the rules must fit them all."""
    return max((len(set(entry.model.spec.external_networks)) for entry in gateways), default=0)
