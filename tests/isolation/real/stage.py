"""One script's world: the arena, its routers, the daemon and the judge; and what it is to be at rest."""

from __future__ import annotations

import random
import re
import time
from contextlib import ExitStack
from ipaddress import ip_network
from typing import Any

from labs.netns.daemon import ConfigDirectory, Daemon
from labs.netns.lab import Lab
from tests.isolation.real.arena import FABRIC_DEVICE, PLACES, Arena
from tests.isolation.real.judge import Broken, Judge
from tests.isolation.real.kernel import Kernel
from tests.isolation.real.plot import CLUSTER, NODE_NAME, ROUTERS, Plot
from tests.isolation.real.routers import Bird, Frr, Gobgp, Router, has_gobgp
from tests.isolation.real.sessions import Sessions
from tests.isolation.real.wires import Wires
from tests.isolation.truth import Facts, Net
from vrfbgp.control import NotAnswered, ask

PATIENCE = 60.0
"""Seconds after which what is not right counts as never right."""
GRACEFUL = (0, 10, 100)
"""Seconds that a BIRD may ask to have its routes kept; 0: not at all."""

ENDED = re.compile(r"peer\.down peer \S+: (connection lost|hold timer|notification)")
"""A router gave a session up, maybe long after its wire was down: its routes go, and come again."""


class Stage:
    """One script's world, as a `with` block."""

    def __init__(self, seed: int) -> None:
        self.plot = Plot()
        self.waited = ""
        """What was wrong last, before the present rest."""
        self._logged = 0
        """How much of the log was looked at, or is of an earlier life."""
        self.drained = self.alive = False
        self.away: set[str] = set()
        """Gateways whose address is not on this node."""
        self._begun = False
        self._rng = random.Random(seed)
        self._stack = ExitStack()
        self._doubt = False
        """Routes of an earlier life are in the kernel, and not all peers were heard."""

    def __enter__(self) -> Stage:
        try:
            self.arena = Arena(self._stack.enter_context(Lab()))
            self.node = self.arena.node
            self.kernel = Kernel(self.node)
            self._stack.callback(self.kernel.close)
            self.routers = self._routers()
            self.sessions = Sessions(self.plot, self.routers)
            self.config = ConfigDirectory(self.arena.lab.directory / "config")
            self.daemon = Daemon(self.node, self.config, NODE_NAME)
            self._stack.callback(self.daemon.reap)
            ends = {name: (switch, "node") for name, switch in self.arena.switches.items()}
            ends[FABRIC_DEVICE] = self.arena.fabric, "eth0"
            sources = {
                address: self.arena.places[place.name] for place in PLACES for address in place.addresses
            }
            self.wires = self._stack.enter_context(Wires(sources, ends))
            self.judge = Judge(self.kernel, self.wires, self.facts)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _routers(self) -> dict[str, Router]:
        """BIRDs, but one FRR and (if it is installed) one GoBGP, where chance wants them."""
        others = self._rng.sample([plan.name for plan in ROUTERS.values() if plan.version == 4], 2)
        routers: dict[str, Router] = {}
        for name, plan in ROUTERS.items():
            namespace = self.arena.host(name, plan.device, plan.address)
            if name == others[0]:
                routers[name] = Frr(plan, namespace)
            elif name == others[1] and has_gobgp():
                routers[name] = Gobgp(plan, namespace)
            else:
                routers[name] = Bird(plan, namespace, self._rng.choice(GRACEFUL))
        return routers

    # -- the facts -----------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """As they are."""
        return Facts(
            enabled=self.plot.enabled,
            networks=self.plot.networks(self.sessions.counting),
            gateways=self.plot.gateways(),
            cluster=CLUSTER,
            devices=self.kernel.devices(),
            routes=self.kernel.routes(),
            steered=not self.drained,
        )

    # -- rest ----------------------------------------------------------------------------------------

    def rest(self) -> None:
        """Wait until all is as it must be, and see that it is. Raises Broken."""
        deadline = time.monotonic() + PATIENCE
        self.waited = ""
        while True:
            self.judge.judge_packets()
            if self.alive and not self.daemon.running:
                raise Broken("the daemon has ended")
            wrong = self._what_is_wrong() if self.alive else ""
            if not wrong:
                break
            if time.monotonic() > deadline:
                raise Broken(f"not right in {PATIENCE:g} s: {wrong}")
            self.waited = wrong
            time.sleep(0.02)
        log = self.daemon.log()
        if ENDED.search(log, self._logged):
            self.judge.excuse_gaps()
        if self.alive and not self._doubt:
            self.judge.rested()
        else:
            self.judge.rested_for_now()
        if "Traceback" in log[self._logged :]:
            raise Broken("the daemon has logged a traceback")
        self._logged = len(log)

    def _what_is_wrong(self) -> str:
        """Empty: the daemon follows, the kernel is right, and the routers know what they must."""
        try:
            status = ask(self.daemon.run_directory, {"command": "status"})
        except NotAnswered as error:
            return str(error)
        if wrong := self._unsettled(status):
            return wrong
        if self._doubt and all(network["in_sync"] for network in status["networks"]):
            self._doubt = False
        if self._doubt:
            return ""
        return self.judge.differences() or self._misled()

    def _unsettled(self, status: dict[str, Any]) -> str:
        peers = {peer["name"]: peer for network in status["networks"] for peer in network["peers"]}
        for name in self.sessions.reached():
            found = peers.get(name)
            if found is None or found["state"] != "established":
                return f"no session with {name}: {found and (found['state'], found['reason'])}"
            if not self._is_heard(name, found["received"], found["announced"]):
                said = sorted(self.sessions.said[name])
                return f"{name} said {said}, but {found['received']} prefixes are received"
        kernel = status["kernel"]
        if kernel["pending"] != kernel["blocked"]["count"] or kernel["failed"]:
            return f"the kernel's objects are not all there: {kernel}"
        return ""

    def _is_heard(self, name: str, received: int, announced: int) -> bool:
        """Whether the daemon has got just what a router announces now."""
        echoed = announced if self.routers[name].echoes else 0
        if not 0 <= received - len(self.sessions.said[name]) <= echoed:
            return False
        request = {"command": "received", "network": ROUTERS[name].network, "limit": 1000}
        found = ask(self.daemon.run_directory, request)["received"]
        heard = {row["prefix"]: row["next_hop"] for row in found if row["peer"] == name}
        return all(
            heard.get(prefix) == (said.next_hop or ROUTERS[name].address)
            for prefix, said in self.sessions.said[name].items()
        )

    def _misled(self) -> str:
        """A router that knows other gateways than its own network's."""
        for name in self.sessions.reached():
            plan, heard = ROUTERS[name], self.routers[name].heard()
            wanted = {
                str(ip_network(address))
                for place in PLACES
                for address in place.addresses
                if plan.network in self.plot.orders.get(place.name, ())
                and ip_network(address).version == plan.version
                and not self.drained
                and place.name not in self.away
            }
            if heard != wanted:
                return f"{name} is told of {sorted(heard)}, and must be of {sorted(wanted)}"
        return ""

    # -- the daemon ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it; of routes that an earlier one left it is known later what counts."""
        self.daemon.start()
        self.sessions.forget()
        self.alive, self._doubt, self._begun = True, self._begun, True

    def end(self, *, kill: bool) -> None:
        """End it."""
        self.daemon.kill() if kill else self.daemon.stop()
        self.alive = False
        self._logged = len(self.daemon.log())

    def save(self) -> None:
        """The config as it is."""
        self.config.save("all.yaml", *self.plot.manifests())

    def explain(self) -> str:
        """The kernel's words for the packet that went wrong: its route, and the rules that it meets."""
        if self.judge.suspect is None:
            return ""
        src, dst, device = self.judge.suspect
        by = f" iif {device}" if device else ""
        route = self.node.text(f"route get fibmatch {dst} from {src}{by}")
        rules = [
            line
            for line in self.node.text(f"-{src.version} rule show").splitlines()
            if "from all" in line or any(src in network for network in _sources(line))
        ]
        return "\n".join([f"ip route get fibmatch {dst} from {src}{by}", route.strip(), *rules])

    def describe(self) -> str:
        """Everything, for a person who looks for a fault."""
        lines = ["rule show", "-6 rule show", "nexthop show", "route show table all", "addr show"]
        shown = [f"== ip {line}\n{self.node.text(line)}" for line in lines]
        if self.daemon.running:
            asked = ("status", *(f"routes {name} --received" for name in sorted(self.plot.present)))
            shown += [f"== vrfbgp {one}\n{self.daemon.ask(*one.split()).stdout}" for one in asked]
        log = "\n".join(self.daemon.log().splitlines()[-150:])
        kinds = {name: f"{router.kind}, graceful {router.graceful}" for name, router in self.routers.items()}
        return "\n".join([f"== routers\n{kinds}", *shown, f"== the daemon's log\n{log}"])


def _sources(rule: str) -> list[Net]:
    """The source of a rule, as ip(8) prints it."""
    return [ip_network(source) for source in re.findall(r"from ([0-9a-f.:]+[0-9a-f/]*)", rule)]
