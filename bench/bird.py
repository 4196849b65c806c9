"""BIRD 2 of Debian, as Calico runs it: one process, a table and a kernel protocol for each network."""

from __future__ import annotations

import shutil
import subprocess

from bench.contender import Contender
from bench.stage import LOCAL_AS, Network, Stage

RECEIVE_OCTETS = 64 << 20
"""For its own echoes: with the default, it warns that the kernel dropped some when it writes fast."""


class Bird(Contender):
    """`bird -f`; started again, with graceful restart recovery (`-R`), which writes after all End-of-RIB."""

    name = "bird"

    def missing(self) -> str:
        return "" if shutil.which("bird") else "BIRD is not installed (apt-get install bird2)"

    def version(self) -> str:
        done = subprocess.run(["bird", "--version"], capture_output=True, text=True, check=False)
        return (done.stderr + done.stdout).strip()

    def start(self, stage: Stage, networks: tuple[Network, ...], *, again: bool = False) -> None:
        path = stage.directory / "bird.conf"
        path.write_text(configuration(networks))
        files = ("-c", str(path), "-s", str(stage.directory / "bird.ctl"))
        self.processes = [stage.node.start("bird", "bird", "-f", *files, *(["-R"] if again else []))]


def configuration(networks: tuple[Network, ...]) -> str:
    """bird.conf"""
    lines = ["log stderr { warning, error, fatal, bug };", "router id 10.0.0.2;", "protocol device { }"]
    for network in networks:
        lines += [
            f"ipv4 table {network.name};",
            f"protocol kernel kernel_{network.name} {{",
            f"  persist; graceful restart; netlink rx buffer {RECEIVE_OCTETS};",
            *(["  merge paths yes;"] if network.equal else []),
            f"  ipv4 {{ table {network.name}; import none; export all; }};",
            f"  kernel table {network.table};",
            "}",
        ]
        for peer in network.peers:
            lines += [
                f"protocol bgp peer{peer.number} {{",
                f"  local {peer.node_address} as {LOCAL_AS};",
                f"  neighbor {peer.address} as {peer.asn};",
                "  direct; connect delay time 1; connect retry time 1; graceful restart on;",
                f"  ipv4 {{ table {network.name}; import all; export none; }};",
                "}",
            ]
    return "".join(f"{line}\n" for line in lines)
