"""A node as `verify` sees it, with nothing wrong, and what is found once a test has altered it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

from tests.unit.nodes import ADDRESSES, LINKS, MAIN, MAIN_RULES, intent
from vrfbgp.events import LinksRead
from vrfbgp.fib.nexthops import FIRST_ID
from vrfbgp.intent import Intent
from vrfbgp.model import (
    MAIN_TABLE,
    METRIC,
    PROTOCOL,
    Action,
    Family,
    KernelNexthop,
    KernelRoute,
    Link,
    NexthopGroup,
    NexthopObject,
    Nlri,
    RouteKey,
    Rule,
    nlri_of,
)
from vrfbgp.survey import Bunch, TableSurvey
from vrfbgp.verify.checker import check
from vrfbgp.verify.findings import Finding, Flaw
from vrfbgp.verify.ground import ground_of
from vrfbgp.verify.opinion import Ask
from vrfbgp.verify.sight import LOCAL_TABLE, Sight

V4 = Family.IPV4
RED_GATEWAY, YELLOW_GATEWAY = ip_network("10.50.0.2/32"), ip_network("10.50.0.4/32")
PODS = ip_network("10.244.0.0/16")
RED0, YELLOW0, FABRIC = 2, 3, 9
"""Devices: the two uplinks, and one that is nobody's."""
RED_OBJECT, RED_GROUP, YELLOW_OBJECT, YELLOW_GROUP = range(FIRST_ID, FIRST_ID + 4)
RULES = (
    Rule(V4, 101, RED_GATEWAY, PODS, table=MAIN_TABLE),
    Rule(V4, 101, YELLOW_GATEWAY, PODS, table=MAIN_TABLE),
    Rule(V4, 101, ip_network("172.16.1.1"), ip_network("172.16.1.140"), table=500),
    Rule(V4, 101, ip_network("172.16.2.1"), ip_network("172.16.2.140"), table=501),
    Rule(V4, 102, RED_GATEWAY, table=500),
    Rule(V4, 102, YELLOW_GATEWAY, table=501),
    Rule(V4, 103, RED_GATEWAY, action=Action.UNREACHABLE),
    Rule(V4, 103, YELLOW_GATEWAY, action=Action.UNREACHABLE),
)
"""Those of ours, in the kernel's order."""
STEER_RED, CLOSE_RED = RULES[4], RULES[6]
NEXTHOPS = (
    KernelNexthop(RED_OBJECT, PROTOCOL, NexthopObject(ip_address("172.16.1.140"), RED0)),
    KernelNexthop(RED_GROUP, PROTOCOL, NexthopGroup((RED_OBJECT,))),
    KernelNexthop(YELLOW_OBJECT, PROTOCOL, NexthopObject(ip_address("172.16.2.140"), YELLOW0)),
    KernelNexthop(YELLOW_GROUP, PROTOCOL, NexthopGroup((YELLOW_OBJECT,))),
)
WANTED = intent(cluster=(PODS,))


def nlri(prefix: str) -> Nlri:
    return nlri_of(ip_network(prefix))


def route(prefix: str, table: int, ifindex: int, protocol: int = PROTOCOL, **changes: Any) -> KernelRoute:
    """A route with a next hop of its own; `metric` is ours if nothing else is said."""
    network = ip_network(prefix)
    key = RouteKey(table, Family.of(network), nlri_of(network), changes.pop("metric", METRIC))
    return KernelRoute(key, protocol, nexthops=changes.pop("nexthops", ((None, ifindex),)), **changes)


class Scene:
    """What the kernel holds; tests change it."""

    def __init__(self, wanted: Intent = WANTED) -> None:
        self.intent = wanted
        self.drained = False
        self.skipped = 0
        self.rules = list(RULES)
        self.foreign_rules: list[Rule] = []
        self.links = {**LINKS, 5: Link(5, "gw-yellow", True, True), FABRIC: Link(FABRIC, "eth0", True, True)}
        self.addresses = ADDRESSES
        self.nexthops = {nexthop.id: nexthop for nexthop in NEXTHOPS}
        self.bunches: dict[int, dict[tuple[int, int], Bunch]] = {
            500: {(METRIC, RED_GROUP): Bunch(1000, nlri("105.8.10.0/24"))},
            501: {(METRIC, YELLOW_GROUP): Bunch(2, nlri("105.8.10.0/24"))},
        }
        self.routes: dict[int, list[KernelRoute]] = {
            MAIN_TABLE: [
                *MAIN,
                route("10.50.0.4/32", MAIN_TABLE, 5, 3, metric=0),
                route("0.0.0.0/0", MAIN_TABLE, FABRIC, 3, metric=0),
            ],
            LOCAL_TABLE: [],
            500: [route("172.16.1.0/24", 500, RED0)],
            501: [route("172.16.2.0/24", 501, YELLOW0)],
        }
        self.status: dict[str, Any] | None = None
        self.refused: list[dict[str, Any]] = []
        self.ask: Ask = lambda src, dst, iif: None

    def sight(self) -> Sight:
        rules = sorted((*self.rules, *self.foreign_rules, *MAIN_RULES), key=lambda rule: rule.priority)
        # A route's family is told by its key: each table is surveyed in both.
        tables = {
            (table, family): TableSurvey(
                table,
                family,
                self.bunches.get(table, {}) if family is V4 else {},
                tuple(found for found in self.routes.get(table, ()) if found.key.family is family),
            )
            for table in self.routes.keys() | self.bunches.keys()
            for family in Family
        }
        by_family = {family: tuple(rule for rule in rules if rule.family is family) for family in Family}
        links = LinksRead(self.links, tuple(self.addresses))
        return Sight(links, by_family, self.nexthops, tables, self.skipped)

    def findings(self) -> tuple[Finding, ...]:
        sight = self.sight()
        ground = ground_of(self.intent, sight, drained=self.drained)
        return check(ground, sight, self.ask, self.status, self.refused).findings

    def flaws(self) -> dict[Flaw, str]:
        """What is wrong, with the subject of (the last of) each kind."""
        return {finding.flaw: finding.subject for finding in self.findings()}

    def one(self) -> Finding:
        """The only thing that is wrong."""
        (found,) = self.findings()
        return found

    def replace_rule(self, old: Rule, *new: Rule) -> None:
        place = self.rules.index(old)
        self.rules[place : place + 1] = new


def status(**changes: Any) -> dict[str, Any]:
    """What the daemon says of `WANTED`, if nothing else is said."""
    told: Mapping[str, Any] = {
        "enabled": True,
        "drain": {"state": "serving"},
        "config": {"refused": []},
        "networks": [
            network_status("red", 500, "red0", "172.16.1.140"),
            network_status("yellow", 501, "yellow0", "172.16.2.140"),
        ],
        "gateways": [
            {"name": "default/red", "ranges": ["10.50.0.2/32"], "networks": ["red"], "closed": True},
            {"name": "default/yellow", "ranges": ["10.50.0.4/32"], "networks": ["yellow"], "closed": True},
        ],
    }
    return {**told, **changes}


def network_status(
    name: str, table: int, uplink: str, peer: str, state: str = "established"
) -> dict[str, Any]:
    return {
        "name": name,
        "table": table,
        "uplinks": [{"device": uplink, "running": True}],
        "peers": [{"address": peer, "port": 179, "state": state}],
    }


def flaws_of(findings: Iterable[Finding]) -> set[Flaw]:
    return {finding.flaw for finding in findings}
