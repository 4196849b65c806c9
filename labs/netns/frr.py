"""A real router: FRR's zebra and bgpd, started straight from their binaries in a namespace.

Each has its configuration, pid files and vty sockets in a directory of its own, so that any number of them
run side by side on one machine, beside the machine's own FRR too. FRR 8.4 of Debian 12 or later.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from labs.netns.namespace import Namespace
from labs.netns.process import Process
from labs.netns.waiting import wait_for

BINARIES = Path("/usr/lib/frr")
USER = "frr"
"""Whom the daemons become; FRR insists on a member of its vty group, which root is not."""
OUT = "OUT"
"""Name of the route map on the way to each neighbor; one sequence number for each prefix that needs one."""
PLAIN = 60000
"""Its last sequence number: everything else, as it is."""


def missing() -> str:
    """What FRR lacks on this machine, and how to get it; empty if nothing."""
    if not (BINARIES / "bgpd").exists() or shutil.which("vtysh") is None:
        return "FRR is not installed (apt-get install frr)"
    return ""


class Router:
    """A BGP router. It accepts sessions from any address in `listen`, and from none but AS `peer_as`."""

    def __init__(
        self,
        namespace: Namespace,
        asn: int,
        router_id: str,
        *,
        peer_as: int,
        listen: Iterable[str],
        hops: int = 1,
    ) -> None:
        self.namespace = namespace
        self.asn = asn
        self.router_id = router_id
        self.peer_as = peer_as
        self.listen = tuple(listen)
        self.hops = hops
        self.port = 179
        """That it listens on, from its next start on."""
        self.graceful_restart = 0
        """Seconds for which neighbors are asked to keep its routes, from its next start on; 0: not at all."""
        self.directory = namespace.directory / f"frr-{namespace.role}"
        self.announced: dict[str, int] = {}
        self._sequence = 0
        self._processes: list[Process] = []

    # -- life ------------------------------------------------------------------------------------

    def start(self, *prefixes: str) -> None:
        """Start zebra and bgpd and wait until both take commands; `prefixes` are originated from the first
        session on."""
        self.directory.mkdir(exist_ok=True)
        shutil.chown(self.directory, USER, USER)
        (self.directory / "zebra.conf").write_text("")
        (self.directory / "bgpd.conf").write_text(self._configuration(prefixes))
        (self.directory / "vtysh.conf").write_text("no service integrated-vtysh-config\n")
        self.announced = dict.fromkeys(prefixes, 0)
        zebra_socket = self.directory / "zserv.api"
        for daemon in ("zebra", "bgpd"):
            command = [str(BINARIES / daemon), "-P", "0"]
            command += ["-f", str(self.directory / f"{daemon}.conf"), "-z", str(zebra_socket)]
            command += ["-i", str(self.directory / f"{daemon}.pid"), "--vty_socket", str(self.directory)]
            command += ["--log", "stdout"]
            if daemon == "bgpd":
                command += ["-p", str(self.port)]
            if daemon == "zebra" and self.graceful_restart:
                command += ["-K", str(self.graceful_restart)]
            self._processes.append(self.namespace.start(daemon, *command))
            socket = zebra_socket if daemon == "zebra" else self.directory / "bgpd.vty"
            wait_for(socket.exists, describe=lambda: self.log(), interval=0.01)

    def _configuration(self, prefixes: Iterable[str]) -> str:
        # The route map comes first: one that is made after its use counts as absent for 5 seconds.
        lines = [
            "bgp route-map delay-timer 0",
            f"route-map {OUT} permit {PLAIN}",
            "exit",
            f"router bgp {self.asn}",
            f" bgp router-id {self.router_id}",
            " coalesce-time 0",
            " bgp log-neighbor-changes",
            " no bgp ebgp-requires-policy",
            " no bgp network import-check",
            " no bgp default ipv4-unicast",
            " bgp graceful-restart stalepath-time 10",
            *self._graceful_restart(),
            " neighbor NODES peer-group",
            f" neighbor NODES remote-as {self.peer_as}",
            " neighbor NODES advertisement-interval 0",
        ]
        if self.asn != self.peer_as:
            lines += [f" neighbor NODES ebgp-multihop {self.hops + 1}"]
        lines += [f" bgp listen range {subnet} peer-group NODES" for subnet in self.listen]
        lines += [
            " address-family ipv4 unicast",
            "  neighbor NODES activate",
            "  neighbor NODES soft-reconfiguration inbound",
            f"  neighbor NODES route-map {OUT} out",
            *(f"  network {prefix}" for prefix in prefixes),
            " exit-address-family",
            "exit",
        ]
        return "".join(f"{line}\n" for line in lines)

    def _graceful_restart(self) -> list[str]:
        if not self.graceful_restart:
            return []
        time = f" bgp graceful-restart restart-time {self.graceful_restart}"
        return [" bgp graceful-restart", " bgp graceful-restart preserve-fw-state", time]

    def stop(self) -> None:
        """End both daemons by SIGTERM: bgpd sends a Cease."""
        for process in reversed(self._processes):
            process.stop()
        self._forget()

    def kill(self) -> None:
        """End both daemons by SIGKILL; the kernel closes their connections."""
        for process in reversed(self._processes):
            process.kill()
        self._forget()

    def _forget(self) -> None:
        self._processes.clear()
        for name in ("zserv.api", "zebra.vty", "bgpd.vty"):
            (self.directory / name).unlink(missing_ok=True)

    def log(self) -> str:
        """What both daemons said last."""
        return "\n".join(process.tail(20) for process in self._processes)

    # -- words to it -----------------------------------------------------------------------------

    def vtysh(self, *commands: str) -> str:
        """What vtysh prints for these commands."""
        argv = ["vtysh", "--vty_socket", str(self.directory), "--config_dir", str(self.directory)]
        for command in commands:
            argv += ["-c", command]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise RuntimeError(
                f"{self.namespace.role}: vtysh {commands}: {done.stdout}{done.stderr}\n{self.log()}"
            )
        return done.stdout

    def configure(self, *lines: str) -> None:
        """Enter lines of configuration."""
        said = self.vtysh("configure terminal", *lines)
        if "% " in said:
            raise RuntimeError(f"{self.namespace.role}: FRR refuses {lines}: {said}")

    def ask(self, command: str) -> Any:
        """What a `show … json` command answers."""
        return json.loads(self.vtysh(f"{command} json") or "{}")

    # -- what it announces -----------------------------------------------------------------------

    def announce(
        self,
        *prefixes: str,
        next_hop: str | None = None,
        prepend: Iterable[int] = (),
        med: int | None = None,
        local_preference: int | None = None,
        communities: Iterable[str] = (),
        large_communities: Iterable[str] = (),
    ) -> None:
        """Originate prefixes; the attributes are set on the way out, so that any value goes."""
        lines: list[str] = []
        settings = []
        if next_hop is not None:
            settings.append(f"set ip next-hop {next_hop}")
        if path := " ".join(map(str, prepend)):
            settings.append(f"set as-path prepend {path}")
        if med is not None:
            settings.append(f"set metric {med}")
        if local_preference is not None:
            settings.append(f"set local-preference {local_preference}")
        if words := " ".join(communities):
            settings.append(f"set community {words}")
        if words := " ".join(large_communities):
            settings.append(f"set large-community {words}")
        for prefix in prefixes:
            lines += self._forget_settings(prefix)
            self.announced[prefix] = 0
            if settings:
                self._sequence += 1
                self.announced[prefix] = self._sequence
                lines += [
                    f"ip prefix-list P{self._sequence} permit {prefix}",
                    f"route-map {OUT} permit {self._sequence}",
                    f"match ip address prefix-list P{self._sequence}",
                    *settings,
                    "exit",
                ]
        lines += [f"router bgp {self.asn}", "address-family ipv4 unicast"]
        lines += [f"network {prefix}" for prefix in prefixes]
        self.configure(*lines)
        self.vtysh("clear bgp ipv4 unicast * soft out")

    def withdraw(self, *prefixes: str) -> None:
        """Originate prefixes no longer."""
        lines = [f"router bgp {self.asn}", "address-family ipv4 unicast"]
        lines += [f"no network {prefix}" for prefix in prefixes]
        lines += ["exit-address-family", "exit"]
        for prefix in prefixes:
            lines += self._forget_settings(prefix)
        self.configure(*lines)

    def _forget_settings(self, prefix: str) -> list[str]:
        sequence = self.announced.pop(prefix, 0)
        return [f"no route-map {OUT} permit {sequence}", f"no ip prefix-list P{sequence}"] if sequence else []

    # -- what it sees ----------------------------------------------------------------------------

    def neighbors(self) -> dict[str, dict[str, Any]]:
        """Its neighbors by address, as `show bgp summary` describes them."""
        return dict(self.ask("show bgp ipv4 unicast summary").get("peers", {}))

    def established(self, address: str | None = None) -> bool:
        """Whether a session (with that address) is up."""
        return any(
            peer["state"] == "Established"
            for name, peer in self.neighbors().items()
            if address in (None, name)
        )

    def received(self) -> dict[str, set[str]]:
        """The prefixes that its neighbors announced to it, with the next hops of each."""
        routes: dict[str, list[dict[str, Any]]] = self.ask("show bgp ipv4 unicast").get("routes", {})
        found: dict[str, set[str]] = {}
        for prefix, paths in routes.items():
            hops = {
                hop["ip"]
                for path in paths
                if path.get("peerId", "(unspec)") != "(unspec)"
                for hop in path["nexthops"]
            }
            if hops:
                found[prefix] = hops
        return found

    def neighbor(self, address: str) -> dict[str, Any]:
        """All that it tells of one neighbor; nothing if it has no such neighbor."""
        found: dict[str, Any] = self.ask(f"show bgp neighbors {address}").get(address, {})
        return found

    def sessions_begun(self, address: str) -> int:
        """How often a session with an address has reached Established: 1 means that it never flapped."""
        return sum(f"neighbor {address}(" in line and line.endswith(" Up") for line in self._log("bgpd"))

    def _log(self, daemon: str) -> list[str]:
        path = self.namespace.directory / f"{self.namespace.role}-{daemon}.log"
        return path.read_text(errors="replace").splitlines()

    def describe(self) -> str:
        """Its sessions, for a person who looks for a fault."""
        if not self._processes:
            return f"== {self.namespace.role}: FRR is not running"
        try:
            seen = self.vtysh("show bgp ipv4 unicast summary", "show bgp ipv4 unicast")
        except RuntimeError as error:
            seen = str(error)
        return f"== {self.namespace.role}: {seen}"
