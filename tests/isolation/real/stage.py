"""Carries out a script, line by line: the arena, its routers, the daemon, and whoever meddles.

A line is a few words, and means the same whoever wrote it: chance, or a person who makes a script shorter.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

from labs.netns.daemon import ConfigDirectory, Daemon
from labs.netns.lab import Lab
from labs.netns.supervisor import processes_in
from labs.netns.waiting import wait_for
from tests.isolation.ledger import Ledger
from tests.isolation.real.arena import FABRIC_DEVICE, PLACES, WIRES, Arena, fixed
from tests.isolation.real.judge import Broken, Judge
from tests.isolation.real.kernel import OURS, Kernel
from tests.isolation.real.plot import BAD, CLUSTER, NODE_NAME, ROUTERS, Plot, announcement
from tests.isolation.real.routers import Bird, Frr, Gobgp, Router, Said, has_gobgp
from tests.isolation.real.uptimes import Uptimes
from tests.isolation.real.wires import Wires
from tests.isolation.truth import Announcement, Facts, Net
from vrfbgp.control import NotAnswered, ask
from vrfbgp.events import DownKind
from vrfbgp.model import PeerId

PATIENCE = 60.0
"""Seconds after which what is not right counts as never right."""
GRACEFUL = 100
"""Seconds that a BIRD which restarts gracefully asks for."""


class Stage:
    """One script's world, as a `with` block."""

    def __init__(self, seed: int) -> None:
        self.plot = Plot()
        self.said: dict[str, dict[str, Said]] = {name: {} for name in ROUTERS}
        """What each router announces, or will when it is started."""
        self._heard: dict[str, dict[str, Announcement]] = {name: {} for name in ROUTERS}
        """The same as it got to the node."""
        self._uptimes = Uptimes(lambda: self.daemon.log())
        self.waited = ""
        """What was wrong last, before the present rest."""
        self._logged = 0
        """How much of the log is of an earlier life."""
        self.down: set[str] = set()
        """Wires that are down, without a carrier, or without their address."""
        self.drained = self.alive = self.begun = False
        self.ledger: Ledger[Announcement] = Ledger()
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
                routers[name] = Bird(plan, namespace, self._rng.choice((0, GRACEFUL)))
        return routers

    # -- the facts -----------------------------------------------------------------------------------

    def facts(self) -> Facts:
        """As they are."""
        now = time.monotonic()

        def counting(name: str) -> dict[Net, Announcement]:
            account = self.ledger.accounts.get(_peer(name))
            said = account.counting(now) if account is not None else {}
            return {ip_network(prefix): words for prefix, words in said.items()}

        return Facts(
            enabled=self.plot.enabled,
            networks=self.plot.networks(counting),
            gateways=self.plot.gateways(),
            cluster=CLUSTER,
            devices=self.kernel.devices(),
            routes=self.kernel.routes(),
            steered=not self.drained,
        )

    def reached(self) -> list[str]:
        """The routers that a session must be up with: alive, configured, and at the end of a good wire."""
        return [
            name
            for name in sorted(self.plot.sessions())
            if self.routers[name].running and ROUTERS[name].device not in self.down
        ]

    def _follow_sessions(self) -> None:
        """Who is to have a session has one soon, and says all it has."""
        self.ledger.keep_only(_peer(name) for name in self.plot.sessions())
        for name in self.reached():
            router, account = self.routers[name], self.ledger.accounts.get(_peer(name))
            if account is None or not account.up:
                forgets, now = not router.keeps_forwarding, time.monotonic()
                self.ledger.up(_peer(name), self._heard[name], router.graceful, forgets, now)
                self.ledger.end_of_rib(_peer(name))

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
        if self.alive and not self._doubt:
            self.judge.rested()
        elif wrong := self.judge.astray():
            raise Broken(wrong)
        if "Traceback" in self.daemon.log()[self._logged :]:
            raise Broken("the daemon has logged a traceback")

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
        for name in self.reached():
            found = peers.get(name)
            if found is None or found["state"] != "established":
                return f"no session with {name}: {found and (found['state'], found['reason'])}"
            echoed = range(found["announced"] + 1) if self.routers[name].echoes else (0,)
            if found["received"] - len(self.said[name]) not in echoed or not self._is_heard(name):
                return f"{name} said {sorted(self.said[name])}, but {found['received']} prefixes are received"
        kernel = status["kernel"]
        if kernel["pending"] != kernel["blocked"]["count"] or kernel["failed"]:
            return f"the kernel's objects are not all there: {kernel}"
        return ""

    def _is_heard(self, name: str) -> bool:
        """Whether the daemon has got just what a router announces now."""
        request = {"command": "received", "network": ROUTERS[name].network, "limit": 1000}
        found = ask(self.daemon.run_directory, request)["received"]
        heard = {row["prefix"]: row["next_hop"] for row in found if row["peer"] == name}
        said = {prefix: one.next_hop or ROUTERS[name].address for prefix, one in self.said[name].items()}
        return said.items() <= heard.items()

    def _misled(self) -> str:
        """A router that knows other gateways than its own network's."""
        for name in self.reached():
            plan, heard = ROUTERS[name], self.routers[name].heard()
            wanted = {
                str(ip_network(address))
                for place in PLACES
                for address in place.addresses
                if plan.network in self.plot.orders.get(place.name, ())
                and ip_network(address).version == plan.version
                and not self.drained
            }
            if heard != wanted:
                return f"{name} is told of {sorted(heard)}, and must be of {sorted(wanted)}"
        return ""

    # -- lines ---------------------------------------------------------------------------------------

    def perform(self, line: str) -> None:
        """Do what a line says, and wait until all has come to rest. Raises Broken."""
        words = line.split()
        deed = getattr(self, f"_do_{words[0]}", None)
        assert deed is not None, f"nobody knows how to {line}"
        watch = self._uptimes.before(words, self.down)
        deed(*words[1:])
        self._follow_sessions()
        self.rest()
        self._uptimes.after(watch)

    def _do_announce(self, name: str, prefix: str, *more: str) -> None:
        """announce ROUTER PREFIX [via HOST] [path AS,AS]"""
        words = dict(zip(more[::2], more[1::2], strict=True))
        path = tuple(int(asn) for asn in words.get("path", "").split(",") if asn)
        said = Said(words.get("via", ""), path)
        self.said[name][prefix] = said
        self._tell(name)

    def _do_withdraw(self, name: str, prefix: str) -> None:
        """withdraw ROUTER PREFIX"""
        self.said[name].pop(prefix, None)
        self._tell(name)

    def _tell(self, name: str) -> None:
        if self.routers[name].running:
            self.judge.look()
            self.routers[name].tell(self.said[name])
        self._hear()

    def _hear(self) -> None:
        """What was said gets to the node by a wire that is up."""
        for name, said in self.said.items():
            if ROUTERS[name].device not in self.down:
                self._heard[name].clear()
                self._heard[name] |= {
                    prefix: announcement(ROUTERS[name], one) for prefix, one in said.items()
                }

    def _do_router(self, name: str, what: str) -> None:
        """router ROUTER start|kill|stop"""
        router = self.routers[name]
        if what == "start" and not router.running:
            router.start(self.said[name])
        elif what in ("kill", "stop") and router.running:
            kind = DownKind.CONNECTION_LOST if what == "kill" else DownKind.NOTIFICATION_RECEIVED
            reached = ROUTERS[name].device not in self.down
            router.kill() if what == "kill" else router.stop()
            self.ledger.down(_peer(name), kind, reached, time.monotonic())

    def _mended(self, device: str) -> None:
        """A wire is up again: what was last heard by it holds, and then what was said since."""
        self.down.discard(device)
        self.judge.look()
        self._hear()

    def _do_link(self, device: str, what: str) -> None:
        """link DEVICE down|up|flap"""
        if what in ("down", "flap"):
            self.node.ip(f"link set {device} down")
            self.down.add(device)
            self.judge.look()
        if what in ("up", "flap"):
            self.node.ip(f"link set {device} up")
            self._mended(device)

    def _do_carrier(self, device: str, what: str) -> None:
        """carrier DEVICE off|on"""
        self.arena.switches[device].ip(f"link set node {'up' if what == 'on' else 'down'}")
        self._mended(device) if what == "on" else self.down.add(device)

    def _do_address(self, device: str, what: str) -> None:
        """address DEVICE away|back"""
        word = "add" if what == "back" else "del"
        (wire,) = [wire for wire in WIRES if wire.device == device]
        self.node.ip(*(f"addr {word} {one} dev {device}{fixed(one)}" for one in wire.addresses))
        self._mended(device) if what == "back" else self.down.add(device)

    def _do_daemon(self, what: str) -> None:
        """daemon kill|stop|start"""
        if what == "start" and not self.alive:
            self.daemon.start()
            self.alive, self._doubt = True, self.begun
            self.begun = True
            self.ledger.forget()
        elif what in ("kill", "stop") and self.alive:
            self.daemon.kill() if what == "kill" else self.daemon.stop()
            self.alive = False
            self._logged = len(self.daemon.log())

    def _do_speaker(self, number: str) -> None:
        """speaker NUMBER: one of the daemon's processes dies, that it can do without."""
        assert self.daemon.process is not None
        spared = {self.daemon.process.pid}
        children = [pid for pid in sorted(processes_in([self.node.path])) if pid not in spared]
        victims = [pid for pid in children if b"scribe.py" not in _command(pid)]
        if victims:
            with suppress(ProcessLookupError):
                os.kill(victims[int(number) % len(victims)], signal.SIGKILL)

    def _do_drain(self, what: str) -> None:
        """drain on|off"""
        words: dict[str, Any] = {"wait": 0} if what == "on" else {"undo": True}
        ask(self.daemon.run_directory, {"command": "drain", **words})
        self.drained = what == "on"

    def _do_foreign(self, verb: str, kind: str, *words: str) -> None:
        """foreign add|del route|rule WORDS: as ip(8) has it"""
        line = " ".join(words)
        self.node.try_ip(f"{'-6 ' if ':' in line else ''}{kind} {verb} {line}")

    def _do_meddle(self, kind: str, number: str) -> None:
        """meddle route|rule|nexthop|astray NUMBER: with one of ours; astray: a route, out by another wire"""
        self.judge.excuse_gaps()
        if kind == "rule":
            rules = [rule for rule in self.node.rules() if rule.get("protocol") == OURS]
            if rules:
                rule = rules[int(number) % len(rules)]
                if rule.get("action") == "unreachable":
                    self.judge.excuse()
                to = f" to {rule['dst']}/{rule.get('dstlen', 32)}" if "dst" in rule else ""
                source = f"{rule['src']}/{rule.get('srclen', 32)}"
                self.node.try_ip(f"rule del priority {rule['priority']} from {source}{to}")
        elif kind == "nexthop":
            found = [one for one in self.node.show("nexthop show") if one.get("protocol") == OURS]
            if found:
                self.node.try_ip(f"nexthop del id {found[int(number) % len(found)]['id']}")
        else:
            routes = [one for one in self.node.routes("all") if one.get("protocol") == OURS]
            if routes:
                one = routes[int(number) % len(routes)]
                words = f"{one['dst']} table {one['table']} metric {one['metric']} proto {OURS}"
                if kind == "route":
                    self.node.try_ip(f"route del {words}")
                else:
                    self.judge.excuse()
                    self.node.try_ip(f"route change {words} dev {WIRES[int(number) % len(WIRES)].device}")

    def _do_config(self, what: str, *words: str) -> None:
        """config … : an edit, as `Plot.edit` has it; or `config bad KIND`, which is refused"""
        if what == "bad":
            self.config.save("bad.yaml", BAD[words[0]])
            self._await_config(lambda found: bool(found["refused"]))
            self.config.remove("bad.yaml")
            self._await_config(lambda found: not found["refused"])
            return
        self.judge.look()
        before, last = self.plot.manifests(), self._config()
        self.plot.edit(what, *words)
        if what == "table":
            self.judge.excuse_gaps()  # one that goes to another network has to be empty first
        if self.plot.manifests() != before:
            self.save()
            self._await_config(lambda found: last is not None and found["read"] != last["read"])

    def _await_config(self, is_read: Callable[[Any], bool]) -> None:
        """Wait until the daemon has made up its mind about what was saved."""
        if self.alive:
            wait_for(lambda: (found := self._config()) and is_read(found), PATIENCE, "read", interval=0.02)

    def _config(self) -> Any:
        """What `status` says of it, with times; None if there is no answer, or nothing was read yet."""
        with suppress(NotAnswered):
            found = ask(self.daemon.run_directory, {"command": "status"})["config"]
            return found if found["read"] else None
        return None

    def save(self) -> None:
        """The config as it is."""
        self.config.save("all.yaml", *self.plot.manifests())

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


def _peer(name: str) -> PeerId:
    return PeerId(ROUTERS[name].network, ip_address(ROUTERS[name].address))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
