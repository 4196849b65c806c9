"""What should be: the config in force, what the routers announce; and from it, what the kernel is to hold.

This is the judge of the soak, so nothing here asks the daemon what it wants. The rules of the first moment
are the measure of those that come later; that these are right is proved by the acceptance tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from labs.netns.manifests import OURS, felix, gateway, network, peer
from labs.netns.topology import LOCAL_AS, SERVED, Site
from tests.netns.world import METRIC, RED, YELLOW, World
from vrfbgp.control import ask

PREFIXES = [f"198.51.{number}.0/24" for number in range(30)]
"""Beside the served one; each router announces some of them."""
BASE = 102
COMPARE_EVERY = 5
"""Seconds."""
FIRST_TABLES = {"red": 500, "yellow": 501}
Route = tuple[int, str, int, frozenset[tuple[str | None, str]]]
"""Table, prefix, metric, and (gateway, device) of each next hop."""
RuleKey = tuple[int, str, str, str]
"""Priority, source, destination, and table or action."""


@dataclass
class State:
    """The world as it should be."""

    world: World
    priority: int = BASE
    tables: dict[str, int] = field(default_factory=FIRST_TABLES.copy)
    hold_time: int = 90
    announced: dict[str, set[str]] = field(default_factory=lambda: {"red": {SERVED}, "yellow": {SERVED}})
    deaf: bool = False
    """The daemon was made to miss events: what a comparison finds in its present life is no fault."""
    looked: int = 0
    """How much of the log may have a traceback: that of an end which was meant."""
    first_rules: frozenset[RuleKey] = frozenset()

    # -- the daemon --

    def start(self) -> None:
        """It compares often, so that the run sees what events did not tell."""
        self.deaf = False
        self.world.daemon.start("env", f"VRFBGP_COMPARE_EVERY={COMPARE_EVERY}")

    def status(self) -> Any:
        """As `vrfbgp status --json`, without a process for each question. Raises OSError, NotAnswered."""
        return ask(self.world.daemon.run_directory, {"command": "status"})

    # -- the config --

    def save_networks(self) -> None:
        networks = [network(name, table) for name, table in self.tables.items()]
        self.world.config.save("networks.yaml", *networks)

    def save_peers(self) -> None:
        held = {"api_version": OURS, "holdTime": f"{self.hold_time}s"}
        red, yellow = self.world.topology.sites
        self.world.config.save(
            "peers.yaml",
            peer("red-1", "red", red.router_address, LOCAL_AS, **held),
            peer("yellow-1", "yellow", yellow.router_address, 63400),
        )

    def save_gateways(self, *more: dict[str, Any]) -> None:
        both = gateway("red", ["red"], RED), gateway("yellow", ["yellow"], YELLOW)
        self.world.config.save("gateways.yaml", *both, *more)

    def save_felix(self, support: str = "Enabled") -> None:
        self.world.config.save("felix.yaml", felix(support, externalNetworkRoutingRulePriority=self.priority))

    # -- what the kernel is to hold --

    def routes(self) -> set[Route]:
        wanted: set[Route] = set()
        for site in self.world.topology.sites:
            table = self.tables[site.name]
            wanted.add((table, site.subnet, METRIC, frozenset({(None, site.uplink)})))
            hops: frozenset[tuple[str | None, str]] = frozenset({(site.router_address, site.uplink)})
            wanted.update((table, prefix, METRIC, hops) for prefix in self.announced[site.name])
        return wanted

    def rules(self) -> set[RuleKey]:
        moved = {str(first): str(self.tables[name]) for name, first in FIRST_TABLES.items()}
        shift = self.priority - BASE
        return {(p + shift, src, dst, moved.get(to, to)) for p, src, dst, to in self.first_rules}

    def site(self, name: str) -> Site:
        return next(site for site in self.world.topology.sites if site.name == name)


def found_rules(world: World) -> list[RuleKey]:
    """The rules of ours, in the kernel's order."""
    return [
        (
            rule["priority"],
            f"{rule['src']}/{rule.get('srclen', 32)}",
            f"{rule['dst']}/{rule.get('dstlen', 32)}" if "dst" in rule else "",
            str(rule.get("table") or rule.get("action")),
        )
        for rule in world.our_rules()
    ]


def differences(state: State) -> list[str]:
    """Everything in the kernel that is not as it should be, in words; empty: it is right."""
    traces = state.world.traces()
    held = {entry["id"]: entry for entry in traces["nexthops"]}
    wrong: list[str] = []
    routes: list[Route] = []
    used: set[int] = set()
    for route in traces["routes"]:
        hops = {(route.get("gateway"), route.get("dev"))}
        if "nhid" in route:
            members = [member["id"] for member in held.get(route["nhid"], {}).get("group", [])]
            used.update((route["nhid"], *members))
            hops = {(held[id_].get("gateway"), held[id_].get("dev")) for id_ in members if id_ in held}
        if route.get("type", "unicast") != "unicast" or "linkdown" in route.get("flags", []):
            wrong.append(f"{route['dst']} is {route.get('type')} {route.get('flags')}")
        table = {"main": 254, "local": 255, "default": 253}.get(route.get("table"), route.get("table", 254))
        routes.append((int(table), route["dst"], int(route.get("metric", 0)), frozenset(hops)))
    rules = found_rules(state.world)
    for what, found, wanted in (("route", routes, state.routes()), ("rule", rules, state.rules())):
        there = set(found)  # type: ignore[call-overload]
        wrong += [f"{what} missing: {one}" for one in sorted(wanted - there, key=str)]
        wrong += [f"{what} too many: {one}" for one in sorted(there - wanted, key=str)]
        if len(found) != len(there):
            wrong.append(f"{what}s twice: {len(found)} for {len(there)}")
    wrong += [f"next hop of nobody: {held[id_]}" for id_ in held.keys() - used]
    wrong += [f"next hop missing: {id_}" for id_ in used - held.keys()]
    return wrong
