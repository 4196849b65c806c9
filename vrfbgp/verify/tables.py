"""Each route of a network's table leaves by an uplink of that network; and nothing of ours is elsewhere.

Routes are judged by next hop: a million of them lead to a few. So that routes of two networks that share an
uplink are told apart, too, no next hop group may be in the tables of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from vrfbgp.host import STATIC_PROTOCOLS
from vrfbgp.model import RESERVED_TABLES, Family, KernelRoute, network_of
from vrfbgp.survey import Bunch, TableSurvey
from vrfbgp.verify.findings import REPAIR, Finding, Flaw
from vrfbgp.verify.ground import FAMILY_WORDS, Ground, Network, table_name
from vrfbgp.verify.sight import Sight

_UNASKED = "a running vrfbgp removes them; without one, `vrfbgp purge` removes all that is ours"


def check_tables(ground: Ground, sight: Sight) -> Iterator[Finding]:
    """What is wrong with routes of ours, and with everybody's in the networks' tables."""
    users: dict[int, dict[str, str]] = {}
    for (table, family), found in sight.tables.items():
        name = ground.tables.get(table)
        if name is None:
            yield from _outside(ground, found)
            continue
        network, survey = ground.networks[name], gathered(found)
        for (_, nexthop), bunch in survey.bunches.items():
            users.setdefault(nexthop, {})[name] = str(network_of(family, bunch.example))
        yield from _learned(ground, sight, network, survey)
        yield from _single(ground, sight, network, survey)
        yield from _bootstrap(sight, network, survey)
    for nexthop, held in users.items():
        if len(held) > 1:
            where = ", ".join(f"{name} ({example})" for name, example in held.items())
            text = f"routes of more than one network are on it: {where}"
            yield Finding(Flaw.SHARED_NEXTHOP, f"next hop {nexthop}", text, REPAIR)


def gathered(found: TableSurvey) -> TableSurvey:
    """The same, with all routes of ours that are on a next hop object among the bunches."""
    bunches = dict(found.bunches)
    rest: list[KernelRoute] = []
    for route in found.routes:
        if route.ours and route.nhid is not None and route.kind == "unicast":
            of = route.key.metric, route.nhid
            before = bunches.get(of, Bunch(0, route.key.nlri))
            bunches[of] = Bunch(before.routes + 1, before.example)
        else:
            rest.append(route)
    return replace(found, bunches=bunches, routes=tuple(rest))


def _learned(ground: Ground, sight: Sight, network: Network, survey: TableSurvey) -> Iterator[Finding]:
    """Routes of ours on next hops."""
    for (metric, nexthop), bunch in survey.bunches.items():
        subject = f"next hop {nexthop} in table {table_name(ground, survey.table)}"
        routes = _routes(survey, bunch)
        if metric not in network.metrics:
            yield _left(subject, f"{routes}: metric {metric} is not that of the network")
        devices = sight.devices(nexthop)
        if devices is None:
            text = f"where {routes} leave by can't be told: it is none of the kind that vrfbgp makes"
            yield Finding(Flaw.UNKNOWN_NEXTHOP, subject, text, REPAIR)
        elif astray := devices - network.uplinks:
            text = f"{routes}: {_astray(ground, sight, network, astray)}"
            yield Finding(Flaw.WRONG_UPLINK, subject, text, REPAIR)


def _single(ground: Ground, sight: Sight, network: Network, survey: TableSurvey) -> Iterator[Finding]:
    """Bootstrap routes, and those of somebody else."""
    learned: dict[int, list[KernelRoute]] = {}
    strays: dict[frozenset[int], list[KernelRoute]] = {}
    for route in survey.routes:
        devices = sight.leaves_by(route)
        subject = f"route {route.key}"
        if route.ours:
            if route.kind != "unicast" or route.key.metric not in network.metrics:
                yield _left(subject, f"{route.kind}, metric {route.key.metric}: none that we make")
            if devices is None or devices - network.uplinks:
                text = _astray(ground, sight, network, (devices or frozenset()) - network.uplinks)
                yield Finding(Flaw.WRONG_UPLINK, subject, text, REPAIR)
            continue
        if route.protocol not in STATIC_PROTOCOLS:
            learned.setdefault(route.protocol, []).append(route)
        if devices is None or devices - network.uplinks:
            strays.setdefault((devices or frozenset()) - network.uplinks, []).append(route)
    for astray, routes in strays.items():
        subject = f"somebody else's routes in table {table_name(ground, survey.table)}"
        text = f"{_first(routes)}: {_astray(ground, sight, network, astray)}"
        remedy = "remove it, or have it leave by an uplink of that network"
        yield Finding(Flaw.FOREIGN_ROUTE_ASTRAY, subject, text, remedy)
    for protocol, routes in learned.items():
        text = f"another routing program (protocol {protocol}) has {_first(routes)} there"
        remedy = "keep it out of that table, or give the network another routeTableIndex"
        yield Finding(Flaw.TABLE_IN_USE, f"table {survey.table} (network {network.name})", text, remedy)


def _bootstrap(sight: Sight, network: Network, survey: TableSurvey) -> Iterator[Finding]:
    """Routes that lead to the peers and are missing."""
    there = {(route.key.nlri, route.nexthops) for route in survey.routes if route.kind == "unicast"}
    for nlri, inline in network.attached.bootstrap[survey.family].items():
        if inline.ifindex not in network.attached.reach.running:
            continue
        if (nlri, ((inline.gateway, inline.ifindex),)) not in there:
            prefix = network_of(survey.family, nlri)
            via = f"via {inline.gateway} " if inline.gateway else ""
            text = (
                f"there is no route {prefix} {via}by {sight.device(inline.ifindex)}, which leads to its peers"
            )
            subject = f"table {survey.table} (network {network.name})"
            yield Finding(Flaw.BOOTSTRAP_MISSING, subject, text, REPAIR)


def _outside(ground: Ground, found: TableSurvey) -> Iterator[Finding]:
    """Routes of ours in a table that is no network's."""
    survey = gathered(found)
    mine = [route for route in survey.routes if route.ours]
    number = sum(bunch.routes for bunch in survey.bunches.values()) + len(mine)
    if not number:
        return
    examples = [bunch.example for bunch in survey.bunches.values()] + [route.key.nlri for route in mine]
    table = table_name(ground, survey.table)
    subject, routes = f"table {table}", _routes(survey, Bunch(number, examples[0]))
    if survey.table in RESERVED_TABLES:
        text = f"{routes} of vrfbgp's, where none belongs: packets of everybody take them"
        remedy = (
            f"remove them: ip -{4 if survey.family is Family.IPV4 else 6} route flush table {table} proto 179"
        )
        yield Finding(Flaw.ROUTE_OUTSIDE, subject, text, remedy)
    elif not ground.intent.partial:
        yield _left(subject, f"{routes}: the table is that of no network that works here")


def _left(subject: str, what: str) -> Finding:
    return Finding(Flaw.ROUTE_LEFT, subject, f"nothing asks for {what}", _UNASKED)


def _astray(ground: Ground, sight: Sight, network: Network, devices: frozenset[int]) -> str:
    """By which devices it leaves, and whose they are."""
    words = []
    for ifindex in sorted(devices):
        whose = ", ".join(f"network {name}" for name in ground.uplink_of(ifindex))
        words.append(sight.device(ifindex) + (f" (an uplink of {whose})" if whose else ""))
    own = ", ".join(sorted(map(sight.device, network.uplinks))) or "none that is known"
    return f"the way out is {', '.join(words) or 'not known'}; uplinks of network {network.name}: {own}"


def _routes(survey: TableSurvey, bunch: Bunch) -> str:
    """`route 10.0.0.0/8`, `9 IPv4 routes, as 10.0.0.0/8,`."""
    example = network_of(survey.family, bunch.example)
    if bunch.routes == 1:
        return f"route {example}"
    return f"{bunch.routes} {FAMILY_WORDS[survey.family]} routes (one is {example})"


def _first(routes: list[KernelRoute]) -> str:
    rest = f" and {len(routes) - 1} more" if len(routes) > 1 else ""
    return f"route {routes[0].key}{rest}"
