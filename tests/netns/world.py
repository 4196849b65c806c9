"""What the acceptance tests ask of the node's kernel and of the daemon, in the scenarios' words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from labs.netns.daemon import ConfigDirectory, Daemon, command
from labs.netns.manifests import Manifest, felix, gateway, network, node, peer
from labs.netns.namespace import Namespace
from labs.netns.supervisor import processes_in
from labs.netns.topology import LOCAL_AS, NODE, SERVED, SERVER, Site, Topology
from labs.netns.traffic import outcome
from labs.netns.waiting import PATIENCE, wait_for

PROTOCOL = 179
METRIC = 20000
NODE_NAME = "node-1"
RED = "10.50.0.2/31"
"""The red gateway's range; the gateway itself is .2."""
YELLOW = "10.50.0.4/31"


MARKS = {4: ("192.0.2.253", "192.0.2.254"), 6: ("2001:db8:ffff::fd", "2001:db8:ffff::fe")}
"""Sources of rules that come and go, by which a monitor knows that it has seen all between them."""


@dataclass(frozen=True)
class Event:
    """A change in the kernel, as `ip monitor` tells it; `time` is in seconds since the epoch."""

    time: float
    text: str


class World:
    """A started topology, and the daemon that a test starts in its node."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.node = topology.node
        self.red = topology.red
        self.yellow = topology.yellow
        self.config = ConfigDirectory(topology.lab.directory / "config")
        self.daemon = Daemon(topology.node, self.config, NODE_NAME)

    def workload(self, name: str) -> Namespace:
        """The namespace of a gateway (`red`, `yellow`) or of `pod`."""
        return self.topology.workloads[name].namespace

    # -- configs ---------------------------------------------------------------------------------

    def save_basics(
        self, *, red: Manifest | None = None, yellow: Manifest | None = None, **red_peer: Any
    ) -> None:
        """Two networks, a peer and a gateway each: files networks, peers, gateways, node and felix.yaml."""
        self.config.save("networks.yaml", red or network("red", 500), yellow or network("yellow", 501))
        self.config.save(
            "peers.yaml",
            peer("red-1", "red", self.red.router_address, LOCAL_AS, **red_peer),
            peer("yellow-1", "yellow", self.yellow.router_address, 63400),
        )
        self.config.save(
            "gateways.yaml",
            gateway("red", ["red"], RED),
            gateway("yellow", ["yellow"], YELLOW),
        )
        self.config.save("node.yaml", node(NODE_NAME, NODE))
        self.config.save("felix.yaml", felix())

    def save_both(self, *order: str) -> None:
        """The basics, but the red gateway uses both networks; yellow also serves 105.9.0.1."""
        router = self.yellow.router.namespace
        router.ip("addr add 105.9.0.1/32 dev lo")
        self.topology.serve(router, "yellow-only", "105.9.0.1")
        self.save_basics()
        self.config.save(
            "gateways.yaml", gateway("red", list(order), RED), gateway("yellow", ["yellow"], YELLOW)
        )

    def start(self) -> None:
        """Start the daemon and wait until both networks have their served route and both gateways arrive."""
        self.daemon.start()
        for site in self.topology.sites:
            wait_for(partial(self.route, site, SERVED), describe=f"the served route of {site.name}")
        self.wait_working("red", "yellow")

    def wait_working(self, *names: str, timeout: float = PATIENCE) -> None:
        """Wait until these gateways reach their networks' own server."""
        for name in names:
            self.wait_outcome(name, name, timeout)

    def wait_outcome(
        self, workload: str, expected: str, timeout: float = PATIENCE, address: str = SERVER
    ) -> None:
        """Wait until what a workload gets from an address is this banner or error."""

        def arrives() -> bool:
            self.alive()
            found = outcome(self.workload(workload), address, timeout=0.5)
            assert found == expected, f"{workload} gets {found}"
            return True

        wait_for(arrives, timeout, f"workload {workload} gets {expected} from {address}")

    def alive(self) -> None:
        """Fail at once, and not by a timeout, when the daemon has died."""
        if self.daemon.process is not None and not self.daemon.running:
            pytest.fail(f"the daemon has ended with status {self.daemon.process.popen.returncode}")

    # -- the kernel ------------------------------------------------------------------------------

    def route(self, site: Site | int, prefix: str) -> dict[str, Any] | None:
        """The route of ours of a prefix in a network's table, the best if there is a backup beside it."""
        table = site if isinstance(site, int) else site.table
        found = [
            route
            for route in self.node.routes(table, "exact", prefix, family=version(prefix))
            if route.get("protocol") == str(PROTOCOL)
        ]
        return min(found, key=lambda route: int(route.get("metric", 0)), default=None)

    def gateways_of(self, site: Site | int, prefix: str) -> set[str]:
        """The gateways of our best route of a prefix, none if there is no route."""
        route = self.route(site, prefix)
        if route is None:
            return set()
        hops = route.get("nexthops", [route])
        return {hop["gateway"] for hop in hops if "gateway" in hop}

    def wait_route(
        self, site: Site | int, prefix: str, *gateways: str, timeout: float = PATIENCE
    ) -> dict[str, Any]:
        """Wait until our route of a prefix goes by exactly these gateways, and return it."""

        def there() -> dict[str, Any] | None:
            self.alive()
            return self.route(site, prefix) if self.gateways_of(site, prefix) == set(gateways) else None

        found = wait_for(
            there, timeout, lambda: f"{prefix} via {gateways}; there is {self.route(site, prefix)}"
        )
        assert found is not None
        return found

    def wait_no_route(self, site: Site | int, prefix: str, timeout: float = PATIENCE) -> None:
        """Wait until a table has no route of ours of a prefix."""
        wait_for(lambda: self.route(site, prefix) is None, timeout, f"no route {prefix} any more")

    def our_rules(self, *families: int) -> list[dict[str, Any]]:
        """The rules of ours, of IPv4 if nothing else is asked for."""
        rules = [rule for family in families or (4,) for rule in self.node.rules(family)]
        return [rule for rule in rules if rule.get("protocol") == str(PROTOCOL)]

    def steering(self, prefix: str) -> list[tuple[int, str]]:
        """(priority, table or action) of our rules of a gateway's range that apply to all destinations."""
        address, _, length = prefix.partition("/")
        family = version(prefix)
        widest = 32 if family == 4 else 128
        return [
            (rule["priority"], str(rule.get("table") or rule.get("action")))
            for rule in self.our_rules(family)
            if rule["src"] == address and rule.get("srclen", widest) == int(length) and "dst" not in rule
        ]

    def wait_steering(self, prefix: str, *expected: tuple[int, str], timeout: float = PATIENCE) -> None:
        """Wait until the rules of a gateway's range are exactly these."""
        wait_for(
            lambda: self.steering(prefix) == list(expected),
            timeout,
            lambda: f"rules {expected} from {prefix}; there are {self.steering(prefix)}",
        )

    def traces(self) -> dict[str, Any]:
        """All that is ours in the node's kernel."""
        held = [route for family in (4, 6) for route in self.node.routes("all", family=family)]
        routes = [route for route in held if route.get("protocol") == str(PROTOCOL)]
        nexthops = [n for n in self.node.show("nexthop show") if n.get("protocol") == str(PROTOCOL)]
        return {"routes": routes, "rules": self.our_rules(4, 6), "nexthops": nexthops}

    @contextmanager
    def monitor(self, *objects: str, family: int = 4) -> Iterator[list[Event]]:
        """What changes in the node's kernel (`rule`, `route`, `nexthop`) in a `with` block, in order.

        The list is filled when the block ends. A time in it is never before that of the change.
        """
        events: list[Event] = []
        first, last = MARKS[family]
        running = self.node.start("monitor", "ip", f"-{family}", "-tshort", "monitor", *objects)

        def sees() -> bool:
            self._mark(first, family)
            return first in running.output()

        wait_for(sees, describe="the monitor sees rules", interval=0.02)
        yield events
        self._mark(last, family)
        wait_for(lambda: last in running.output(), describe="the monitor sees the last mark")
        running.stop()
        for line in running.output().replace("\n\t", " ").splitlines():
            stamp, _, text = line.partition("] ")
            if first not in text and last not in text:
                whole, _, fraction = stamp.lstrip("[").partition(".")
                second = time.mktime(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
                events.append(Event(second + float(f"0.{fraction}"), text.strip()))

    def _mark(self, address: str, family: int) -> None:
        rule = f"from {address} lookup main priority 9"
        assert all(self.node.try_ip(f"-{family} rule {verb} {rule}") for verb in ("add", "del"))

    def daemon_processes(self) -> list[int]:
        """The pids in the node's namespace: the daemon and its children, no other process runs there."""
        return list(processes_in([self.node.path]))

    def writer_process(self) -> int:
        """The pid of the daemon's child that writes to the kernel."""
        pids = self.daemon_processes()
        [pid] = [pid for pid in pids if b"scribe.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        return pid

    # -- the daemon ------------------------------------------------------------------------------

    def network_status(self, name: str) -> dict[str, Any]:
        """What `status` tells of a network."""
        networks = self.daemon.status()["networks"]
        found = [entry for entry in networks if entry["name"] == name]
        assert len(found) == 1, f"status tells of {[entry['name'] for entry in networks]}"
        return dict(found[0])

    def peer_status(self, network: str, address: str) -> dict[str, Any]:
        """What `status` tells of a peer."""
        found = [entry for entry in self.network_status(network)["peers"] if entry["address"] == address]
        assert len(found) == 1, f"status of {network} has no single peer {address}"
        return dict(found[0])

    def wait_told(self, *words: str, timeout: float = PATIENCE) -> None:
        """Wait until one object in `status --json` tells all of these words."""

        def told() -> bool:
            self.alive()
            return tells(self.daemon.status(), *words)

        wait_for(told, timeout, lambda: f"status tells {words}; it is {self.daemon.ask('status').stdout}")

    def wait_logged(self, *words: str, timeout: float = PATIENCE) -> str:
        """Wait until one line of the log has all of these words, and return the line."""

        def logged() -> str | None:
            return next(
                (line for line in self.daemon.log().splitlines() if all(w in line for w in words)), None
            )

        line = wait_for(logged, timeout, f"a line with {words} in the log")
        assert line is not None
        return line

    def check(self, *paths: str) -> Any:
        """`vrfbgp check` of the config directory, or of what is named."""
        return command(self.node, "check", "--node", NODE_NAME, *(paths or (str(self.config.path),)))

    def describe(self) -> str:
        """Everything, for a person who looks for a fault."""
        log = "\n".join(self.daemon.log().splitlines()[-80:])
        return f"== the daemon's log\n{log}\n{self.topology.describe()}"


def version(prefix: str) -> int:
    """The IP version of an address or a prefix in text."""
    return 6 if ":" in prefix else 4


def tells(value: Any, *words: str) -> bool:
    """Whether some text, or the scalars of some mapping, in a JSON value have all of these words."""
    if isinstance(value, dict):
        if any(tells(inner, *words) for inner in value.values()):
            return True
        value = " ".join(str(inner) for inner in value.values() if not isinstance(inner, dict | list))
    if isinstance(value, str):
        return all(word.lower() in value.lower() for word in words)
    return isinstance(value, list) and any(tells(inner, *words) for inner in value)
