"""FRR of Debian: zebra and bgpd, in the node's main table.

A table for each network would need a VRF device or a namespace each; one default table is the simplest for
it. Several networks are several neighbors of the one instance then, with prefixes that do not overlap.
"""

from __future__ import annotations

import shutil
import subprocess

from bench.contender import Contender
from bench.stage import LOCAL_AS, Network, Stage
from bench.tables import MAIN
from labs.netns import frr
from labs.netns.waiting import wait_for

KEEP_SECONDS = 30
"""How long zebra, started again, keeps the routes of its former life (`-K`), and then sweeps."""


class Frr(Contender):
    """zebra and bgpd, straight from their binaries."""

    name = "frr"

    def missing(self) -> str:
        return frr.missing()

    def version(self) -> str:
        command = [str(frr.BINARIES / "bgpd"), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout.partition("\n")[0]

    def table(self, network: Network) -> int:
        return MAIN

    def start(self, stage: Stage, networks: tuple[Network, ...], *, again: bool = False) -> None:
        directory = stage.directory / "frr"
        directory.mkdir(exist_ok=True)
        shutil.chown(directory, frr.USER, frr.USER)
        (directory / "zebra.conf").write_text("")
        (directory / "bgpd.conf").write_text(configuration(networks))
        for left in directory.glob("*"):
            if left.suffix != ".conf":
                left.unlink()
        self.processes = []
        zebra_socket = directory / "zserv.api"
        keep = ("-K", str(KEEP_SECONDS)) if again else ()
        for daemon, options in (("zebra", (*keep, "-s", "90000000")), ("bgpd", ("-p", "0"))):
            command = [
                str(frr.BINARIES / daemon),
                *options,
                "-P",
                "0",
                "-f",
                str(directory / f"{daemon}.conf"),
            ]
            command += ["-z", str(zebra_socket), "-i", str(directory / f"{daemon}.pid")]
            command += ["--vty_socket", str(directory), "--log", "stdout", "--log-level", "warnings"]
            self.processes.append(stage.node.start(daemon, *command))
            if daemon == "zebra":
                wait_for(zebra_socket.exists, describe=self.trouble, interval=0.01)


def configuration(networks: tuple[Network, ...]) -> str:
    """bgpd.conf"""
    lines = [
        f"router bgp {LOCAL_AS}",
        " bgp router-id 10.0.0.2",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " bgp graceful-restart",
        " bgp graceful-restart preserve-fw-state",
    ]
    equal = any(network.equal for network in networks)
    if equal:
        lines += [" bgp bestpath as-path multipath-relax"]
    peers = [peer for network in networks for peer in network.peers]
    for peer in peers:
        lines += [
            f" neighbor {peer.address} remote-as {peer.asn}",
            f" neighbor {peer.address} timers connect 1",
        ]
    lines += [" address-family ipv4 unicast"]
    lines += [f"  neighbor {peer.address} activate" for peer in peers]
    if equal:
        lines += [f"  maximum-paths {len(peers)}"]
    lines += [" exit-address-family", "exit"]
    return "".join(f"{line}\n" for line in lines)
