"""The routers of the scripts: BIRD, FRR and GoBGP with one face. Each holds one session, with the node.

A router is told all that it is to announce at once; it finds out what is new by itself. Their keepalives are
frequent, so that a router soon learns of a session that the node has given up while the wire was dead.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from labs.netns.frr import Router as FrrProcesses
from labs.netns.namespace import CommandFailed, Namespace
from labs.netns.process import Process
from labs.netns.waiting import wait_for

LOCAL_AS = 64512
"""The node's."""
HOLD, KEEPALIVE = 30, 1
"""Seconds."""
LAST_LINE = re.compile(r"^\d{4} ", re.MULTILINE)
"""Of an answer of BIRD; those before have a dash, or nothing."""


@dataclass(frozen=True)
class Said:
    """What is announced of a prefix: the next hop, if it is not the router itself, and what stands in AS_PATH
    behind the router's own AS."""

    next_hop: str = ""
    path: tuple[int, ...] = ()


@dataclass(frozen=True)
class RouterPlan:
    """Where a router is, and how it is peered with."""

    name: str
    network: str
    device: str
    """The wire."""
    address: str
    asn: int
    node: str
    """The node's address on that wire."""

    @property
    def version(self) -> int:
        return 6 if ":" in self.address else 4


class Router(ABC):
    """One router; `said` is what it announces, also over its deaths."""

    graceful = 0
    """Seconds for which it asks to have its routes kept."""
    keeps_forwarding = False
    """Whether it says so after a restart."""
    echoes = False
    """Whether it sends back what it was told."""
    kind = ""

    def __init__(self, plan: RouterPlan, namespace: Namespace) -> None:
        self.plan = plan
        self.namespace = namespace
        self.said: dict[str, Said] = {}
        self.running = False

    def start(self, said: Mapping[str, Said]) -> None:
        """Start it; this is what it has to say."""
        self.said = dict(said)
        self._begin()
        self.running = True
        self.tell(self.said)

    def kill(self) -> None:
        """End it by SIGKILL: its kernel closes the connection."""
        self._end(9)
        self.running = False

    def stop(self) -> None:
        """End it by SIGTERM: it says goodbye."""
        self._end(15)
        self.running = False

    @abstractmethod
    def tell(self, said: Mapping[str, Said]) -> None:
        """Announce this, and nothing else."""

    @abstractmethod
    def heard(self) -> set[str]:
        """The prefixes that the node announces to it."""

    @abstractmethod
    def _begin(self) -> None: ...

    @abstractmethod
    def _end(self, signal: int) -> None: ...


class Bird(Router):
    """BIRD 2; `graceful` decides whether it restarts gracefully (RFC 4724), forwarding on."""

    kind = "bird"

    def __init__(self, plan: RouterPlan, namespace: Namespace, graceful: int) -> None:
        super().__init__(plan, namespace)
        self.graceful, self.keeps_forwarding = graceful, bool(graceful)
        self._directory = namespace.directory / f"bird-{plan.name}"
        self._directory.mkdir()
        self._socket = self._directory / "ctl"
        self._process: Process | None = None
        self._begun = False

    def _write(self) -> None:
        plan, family = self.plan, f"ipv{self.plan.version}"
        routes = "".join(f"  route {prefix} blackhole;\n" for prefix in self.said)
        settings = []
        for prefix, said in self.said.items():
            words = [f"bgp_path.prepend({asn});" for asn in reversed(said.path)]
            words += [f"bgp_next_hop = {said.next_hop};"] if said.next_hop else []
            if words:
                settings.append(f"  if net = {prefix} then {{ {' '.join(words)} }}\n")
        restart = f"graceful restart yes; graceful restart time {self.graceful};" if self.graceful else ""
        identifier = plan.address if plan.version == 4 else "10.255.0.6"
        (self._directory / "conf").write_text(
            f"""log stderr all;
router id {identifier};
graceful restart wait 2;
protocol device {{ }}
protocol static said {{
  {family};
{routes}}}
filter saying {{
  if source != RTS_STATIC then reject;
{"".join(settings)}  accept;
}}
protocol bgp node {{
  local {plan.address} as {plan.asn};
  neighbor {plan.node} as {LOCAL_AS};
  direct;
  passive;
  hold time {HOLD};
  keepalive time {KEEPALIVE};
  error wait time 1, 2;
  {restart}
  {family} {{ import all; export filter saying; }};
}}
"""
        )

    def _begin(self) -> None:
        self._write()
        again = ["-R"] if self._begun and self.graceful else []
        words = ["-f", *again, "-c", str(self._directory / "conf"), "-s", str(self._socket)]
        self._socket.unlink(missing_ok=True)
        self._process = self.namespace.start("bird", "bird", *words)
        self._begun = True
        wait_for(lambda: "BIRD" in self._ask("show status"), describe=self._process.output, interval=0.02)

    def _end(self, signal: int) -> None:
        assert self._process is not None
        self._process.stop() if signal == 15 else self._process.kill()

    def tell(self, said: Mapping[str, Said]) -> None:
        if said != self.said:
            self.said = dict(said)
            self._write()
            if self.running:
                answer = self._ask("configure")
                assert "Reconfigur" in answer, f"{self.plan.name}: {answer}"

    def heard(self) -> set[str]:
        found = re.findall(r"^(?:\d{4}.)?\s*(\S+/\d+)\s+\w+ \[node", self._ask("show route"), re.MULTILINE)
        return {str(ip_network(prefix)) for prefix in found}

    def _ask(self, command: str) -> str:
        """What BIRD says, by its control socket; nothing if it does not listen yet."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(30)
            with contextlib.suppress(FileNotFoundError, ConnectionRefusedError):
                connection.connect(str(self._socket))
                self._answer(connection)
                connection.sendall(command.encode() + b"\n")
                return self._answer(connection)
        return ""

    def _answer(self, connection: socket.socket) -> str:
        text = ""
        while not (text.endswith("\n") and LAST_LINE.search(text)):
            if not (piece := connection.recv(65536)):
                break
            text += piece.decode()
        return text


class Frr(Router):
    """FRR's bgpd, without graceful restart."""

    kind = "frr"
    echoes = True

    def __init__(self, plan: RouterPlan, namespace: Namespace) -> None:
        super().__init__(plan, namespace)
        subnet = str(ip_network(f"{plan.address}/24", strict=False))
        self._router = FrrProcesses(
            namespace, plan.asn, plan.address, peer_as=LOCAL_AS, listen=(subnet,), hops=1
        )
        self._told: dict[str, Said] = {}

    def _begin(self) -> None:
        self._router.start()
        self._told = {}
        timers = f"neighbor NODES timers {KEEPALIVE} {HOLD}"
        self._router.configure(f"router bgp {self.plan.asn}", timers)

    def _end(self, signal: int) -> None:
        self._router.stop() if signal == 15 else self._router.kill()

    def tell(self, said: Mapping[str, Said]) -> None:
        self.said = dict(said)
        if not self.running:
            return
        if gone := self._told.keys() - said.keys():
            self._router.withdraw(*sorted(gone))
        for prefix, words in said.items():
            if self._told.get(prefix) != words:
                self._router.announce(prefix, next_hop=words.next_hop or None, prepend=words.path)
        self._told = dict(said)

    def heard(self) -> set[str]:
        return set(self._router.received())


class Gobgp(Router):
    """GoBGP, without graceful restart but for End-of-RIB."""

    kind = "gobgp"
    echoes = True

    def __init__(self, plan: RouterPlan, namespace: Namespace) -> None:
        super().__init__(plan, namespace)
        self._path = namespace.directory / f"gobgp-{plan.name}.toml"
        self._process: Process | None = None
        self._told: dict[str, Said] = {}
        family = f"ipv{plan.version}-unicast"
        self._path.write_text(
            f"""[global.config]
as = {plan.asn}
router-id = "{plan.address}"
local-address-list = ["{plan.address}"]
[[neighbors]]
[neighbors.config]
neighbor-address = "{plan.node}"
peer-as = {LOCAL_AS}
[neighbors.transport.config]
passive-mode = true
[neighbors.timers.config]
hold-time = {HOLD}
keepalive-interval = {KEEPALIVE}
idle-hold-time-after-reset = 1
[neighbors.graceful-restart.config]
enabled = true
restart-time = 60
notification-enabled = false
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "{family}"
"""
        )

    def _begin(self) -> None:
        self._process = self.namespace.start("gobgp", "gobgpd", "-f", str(self._path), "--pprof-disable")
        self._told = {}
        wait_for(self._answers, describe=self._process.output, interval=0.02)

    def _answers(self) -> bool:
        try:
            return self.plan.node in self._ask("neighbor")
        except CommandFailed:
            return False

    def _end(self, signal: int) -> None:
        assert self._process is not None
        self._process.stop() if signal == 15 else self._process.kill()

    def tell(self, said: Mapping[str, Said]) -> None:
        self.said = dict(said)
        if not self.running:
            return
        for prefix in self._told.keys() - said.keys():
            self._ask("global", "rib", "del", prefix)
        for prefix, words in said.items():
            if self._told.get(prefix) != words:
                more = ["nexthop", words.next_hop] if words.next_hop else []
                more += ["aspath", ",".join(map(str, words.path))] if words.path else []
                self._ask("global", "rib", "add", prefix, "origin", "igp", *more)
        self._told = dict(said)

    def heard(self) -> set[str]:
        try:
            return set(json.loads(self._ask("-j", "neighbor", self.plan.node, "adj-in") or "{}"))
        except CommandFailed as error:
            if "not established" not in str(error):
                raise
            return set()

    def _ask(self, *words: str) -> str:
        return self.namespace.run("gobgp", *words)


def missing() -> str:
    """What the scripts need on this machine beside the labs' requirements; empty if nothing."""
    return "" if shutil.which("bird") else "BIRD is not installed (apt-get install bird2)"


def has_gobgp() -> bool:
    """Whether one router may be a GoBGP (apt-get install gobgpd)."""
    return shutil.which("gobgpd") is not None
