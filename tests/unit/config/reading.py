"""What the tests of the config have in common: text in, objects or an Intent out."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from textwrap import dedent

from vrfbgp.config.facts import HostFacts
from vrfbgp.config.load import Loaded, read
from vrfbgp.config.resolve import Refused, resolve
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent, PeerIntent, Problem, Reason, Severity

HOST = HostFacts("egress-1", ip_address("10.0.0.1"), ip_address("fd00::1"))


class Files:
    """A directory of config files that a test writes and reads."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def write(self, text: str, name: str = "config.yaml") -> Path:
        path = self.directory / name
        path.write_text(dedent(text), encoding="utf-8")
        return path

    def load(self, text: str, *, name: str = "config.yaml", lenient: bool = False) -> Loaded:
        return read([self.write(text, name)], lenient=lenient)

    def resolve(
        self,
        text: str,
        *,
        node: str = "egress-1",
        labels: Mapping[str, str] | None = None,
        host: HostFacts = HOST,
        lenient: bool = False,
    ) -> Intent | Refused:
        loaded = self.load(text, lenient=lenient)
        return resolve(loaded.objects, node=node, labels=labels or {}, host=host, lenient=lenient)

    def intent(
        self,
        text: str,
        *,
        node: str = "egress-1",
        labels: Mapping[str, str] | None = None,
        host: HostFacts = HOST,
        lenient: bool = False,
    ) -> Intent:
        found = self.resolve(text, node=node, labels=labels, host=host, lenient=lenient)
        assert isinstance(found, Intent), "\n".join(map(str, found.problems))
        return found

    def refusal(self, text: str) -> Problem:
        """The one problem that keeps a text out, be it for itself or for what its objects exclude."""
        found = self.resolve(text)
        assert isinstance(found, Refused), found
        refused = [problem for problem in found.problems if problem.severity is Severity.REFUSED]
        assert len(refused) == 1, "\n".join(map(str, refused))
        return refused[0]


def network(intent: Intent, name: str) -> NetworkIntent:
    return next(found for found in intent.networks if found.name == name)


def peer(intent: Intent, name: str) -> PeerIntent:
    return next(peer for found in intent.networks for peer in found.peers if peer.name == name)


def gateway(intent: Intent, name: str) -> GatewayIntent:
    return next(found for found in intent.gateways if found.name == f"default/{name}")


def reasons(problems: tuple[Problem, ...]) -> list[Reason]:
    return [problem.reason for problem in problems]


ENABLED = """
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {externalNetworkSupport: Enabled}
"""

RED = """
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: {name: red}
spec: {routeTableIndex: 500}
"""

YELLOW = """
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: {name: yellow}
spec: {routeTableIndex: 501}
"""


def ours(text: str) -> str:
    """The same object in our own API version."""
    return text.replace("projectcalico.org/v3", "vrfbgp.io/v1alpha1")


def peer_text(spec: str = "", name: str = "red-1", address: str = "172.16.1.140") -> str:
    return f"""
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {{name: {name}}}
spec:
  externalNetwork: red
  peerIP: "{address}"
  asNumber: 65001
  {spec}
"""


def gateway_text(name: str = "red", pools: str = "[{cidr: 10.50.0.2/32}]", networks: str = "[red]") -> str:
    return f"""
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: {{name: {name}, namespace: default}}
spec:
  ipPools: {pools}
  externalNetworks: {networks}
"""


def joined(*texts: str) -> str:
    return "\n---\n".join(texts)
