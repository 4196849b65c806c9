"""vrfbgp itself, by its command line, with manifests and defaults as a user has them."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from bench.contender import Contender
from bench.stage import LOCAL_AS, Network, Stage
from labs.netns import manifests
from labs.netns.daemon import ConfigDirectory, Daemon


class Vrfbgp(Contender):
    """`python -m vrfbgp run`: an ExternalNetwork for each network, a BGPPeer for each router, a gateway."""

    name = "vrfbgp"
    steers = True

    def missing(self) -> str:
        try:
            importlib.metadata.version("exabgp")
        except importlib.metadata.PackageNotFoundError:
            return "this Python has not the packages that vrfbgp needs (make venv)"
        return ""

    def version(self) -> str:
        text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
        return next(line.split('"')[1] for line in text.splitlines() if line.startswith("version"))

    def start(self, stage: Stage, networks: tuple[Network, ...], *, again: bool = False) -> None:
        config = ConfigDirectory(stage.directory / "config")
        found = [manifests.felix(), manifests.bgp(asNumber=LOCAL_AS), manifests.node("bench", "10.0.0.2")]
        for network in networks:
            found.append(manifests.network(network.name, network.table))
            found.append(manifests.gateway(network.name, [network.name], f"{network.gateway}/32"))
            for peer in network.peers:
                name = f"peer{peer.number}"
                found.append(manifests.peer(name, network.name, peer.address, peer.asn))
        config.save("bench.yaml", *found)
        self.processes = [Daemon(stage.node, config, "bench").start()]
