"""The BGPFilters that a peer names, as lists of rules."""

from __future__ import annotations

from collections.abc import Iterable

from vrfbgp.config.schema import filter as schema
from vrfbgp.filters import Community, FilterRule, Operations, Operator, PrefixMatch, Rules
from vrfbgp.intent import PeerFilters

_MOST_PREFERRED = 2**31 - 1
"""Calico's own way from a priority to LOCAL_PREF, so that its routers and ours understand each other."""


def filters_of(named: Iterable[schema.BGPFilter]) -> PeerFilters:
    """The rules of these filters, one filter's behind the other's: the first match of all decides."""
    found = list(named)
    return PeerFilters(
        import_v4=_rules((f, "importV4", f.spec.import_v4) for f in found),
        import_v6=_rules((f, "importV6", f.spec.import_v6) for f in found),
        export_v4=_rules((f, "exportV4", f.spec.export_v4) for f in found),
        export_v6=_rules((f, "exportV6", f.spec.export_v6) for f in found),
    )


def _rules(lists: Iterable[tuple[schema.BGPFilter, str, tuple[schema.FilterRule, ...]]]) -> Rules:
    return tuple(
        _rule(f"{found.metadata.name} {name}[{index}]", spec)
        for found, name, specs in lists
        for index, spec in enumerate(specs)
    )


def _rule(name: str, spec: schema.FilterRule) -> FilterRule:
    return FilterRule(
        name=name,
        accept=spec.action == "Accept",
        prefix=_prefix(spec),
        internal=None if spec.peer_type is None else spec.peer_type == "iBGP",
        learned=spec.source == "RemotePeers",
        interface=spec.interface,
        communities=tuple(map(_community, spec.communities.values if spec.communities else ())),
        as_path_prefix=spec.as_path_prefix,
        priority=spec.priority,
        operations=_operations(spec.operations),
    )


def _prefix(spec: schema.FilterRule) -> PrefixMatch | None:
    if spec.cidr is None or spec.match_operator is None:
        return None
    lengths = spec.prefix_length or schema.PrefixLength()
    longest = spec.cidr.max_prefixlen if lengths.max is None else lengths.max
    return PrefixMatch(spec.cidr, Operator(spec.match_operator), lengths.min or 0, longest)


def _operations(specs: Iterable[schema.Operation]) -> Operations:
    communities: list[Community] = []
    prepend: tuple[int, ...] = ()
    local_pref = med = None
    for spec in specs:
        if spec.add_community is not None:
            communities.append(_community(spec.add_community.value))
        if spec.prepend_as_path is not None:
            prepend = spec.prepend_as_path.prefix + prepend
        if spec.set_priority is not None:
            local_pref = _MOST_PREFERRED - spec.set_priority.value
        if spec.set_med is not None:
            med = spec.set_med.value
    return Operations(tuple(communities), prepend, local_pref, med)


def _community(text: str) -> Community:
    return tuple(map(int, text.split(":")))
