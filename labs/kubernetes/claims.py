"""What the manifests of config/kubernetes promise, claim by claim, in the order in which they are tried.

All through the first ones packets go from both gateways to their servers, and none may be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from labs.kubernetes.world import GATEWAY, World
from labs.netns.daemon import PROJECT
from labs.netns.server import ECHO_PORT, TAG
from labs.netns.topology import SERVED, SERVER
from labs.netns.traffic import Capture, Probe, outcome
from labs.netns.waiting import wait_for

MANIFESTS = PROJECT / "config" / "kubernetes"
DAEMON_SET = "ds/vrfbgp"
SIDECAR = "deploy/gateway-red"
CAP_NET_ADMIN = 1 << 12
"""linux/capability.h"""
PATIENCE = 60.0
UNBOUND = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    one.settimeout(3)
    one.sendto(bytes({TAG}), ("{SERVER}", {ECHO_PORT}))
    print(one.recv(99)[{TAG}:].decode())
"""
YELLOW = """\
---
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: {name: yellow}
spec: {routeTableIndex: 501}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: yellow-1}
spec: {externalNetwork: yellow, peerIP: 172.16.2.140, asNumber: 63400, sourceAddress: None}
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: {name: yellow, namespace: default}
spec: {ipPools: [{cidr: 10.50.0.4/32}], externalNetworks: [yellow]}
"""


class Claims:
    """The claims, about one world. `next_image` is another name of the image that the manifests name."""

    def __init__(self, world: World, next_image: str) -> None:
        self.world = world
        self.cluster = world.cluster
        self.next_image = next_image
        self.topology = world.topology

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, *words: str) -> str:
        """What a command of vrfbgp prints in the DaemonSet's pod."""
        return self.cluster.try_kubectl("exec", DAEMON_SET, "--", "vrfbgp", *words).stdout

    def pods(self, name: str = "vrfbgp") -> list[dict[str, Any]]:
        """The pods of an application, without those that are ending."""
        found = self.cluster.get("pods", f"--selector=app.kubernetes.io/name={name}")["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self) -> bool:
        """Whether the one pod of the DaemonSet is ready."""
        [pod] = self.pods()
        return all(one["ready"] for one in pod["status"].get("containerStatuses", [{"ready": False}]))

    def reached(self, gateway: str) -> str:
        """Who answers a gateway."""
        return outcome(self.topology.workloads[gateway].namespace, SERVER)

    def edit(self, name: str, text: str) -> None:
        """Change a file of the ConfigMap."""
        changed = json.dumps({"data": {name: text}})
        self.cluster.kubectl("patch", "configmap/vrfbgp", "--type=merge", f"--patch={changed}")

    def file(self, name: str) -> str:
        """A file of the ConfigMap."""
        return str(self.cluster.get("configmap/vrfbgp")["data"][name])

    @contextmanager
    def traffic(self, *gateways: str) -> Iterator[None]:
        """Packets from these gateways to the server, none of which may be lost or take the way by main."""
        with ExitStack() as stack:
            fabric = stack.enter_context(Capture(self.topology.node, "eth0"))
            probes = {
                name: stack.enter_context(Probe(self.topology.workloads[name].namespace, SERVER))
                for name in gateways
            }
            for name, probe in probes.items():
                probe.wait_answers(name)
            yield
            for name, probe in probes.items():
                probe.wait_answers(name)
            sources = [self.topology.workloads[name].address for name in gateways]
            leaked = fabric.packets(src=sources, dst=SERVER)
        for name, probe in probes.items():
            tally = probe.tally
            assert tally.answered[name] == tally.sent, f"gateway {name}: {tally}"
        assert not leaked, f"{len(leaked)} packets took the way by main"

    # -- the DaemonSet ---------------------------------------------------------------------------

    def ready_as_shipped(self) -> None:
        """the DaemonSet becomes ready as it is shipped, on the node with the label alone"""
        self.cluster.apply(MANIFESTS / "1-config.yaml", MANIFESTS / "2-daemonset.yaml")
        self.cluster.rolled_out(DAEMON_SET)
        places = [pod["spec"]["nodeName"] for pod in self.pods()]
        assert places == ["egress-1"], places
        assert self.reached("red") == "red"
        assert self.reached("yellow") == "fabric", "no gateway of ours yet"

    def least_privilege(self) -> None:
        """one process of the pod has a capability, and it is CAP_NET_ADMIN; the root is read-only"""
        script = "grep -h -E '^(Uid|CapEff|Seccomp):' /proc/[0-9]*/status; touch /written 2>&1 || true"
        said = self.cluster.kubectl("exec", DAEMON_SET, "--", "sh", "-c", script)
        values = [line.split() for line in said.splitlines() if line[:3] in ("Uid", "Cap", "Sec")]
        assert {value for key, value, *_ in values if key == "Uid:"} == {"979"}, said
        assert {value for key, value, *_ in values if key == "Seccomp:"} == {"2"}, said
        held = [int(value, 16) for key, value, *_ in values if key == "CapEff:"]
        assert sorted(filter(None, held)) == [CAP_NET_ADMIN], said
        assert "Read-only file system" in said, said

    def edit_is_followed(self) -> None:
        """an edit of the ConfigMap adds a network, in the running pod, and disturbs nothing"""
        [before] = self.pods()
        with self.traffic("red"):
            self.edit("yellow.yaml", YELLOW)
            wait_for(lambda: self.reached("yellow") == "yellow", PATIENCE, lambda: self.ask("status"))
        [after] = self.pods()
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["status"]["containerStatuses"][0]["restartCount"] == 0

    def bad_edit(self) -> None:
        """a bad edit changes nothing; a pod that starts with it takes the last good config, and is ready"""
        with self.traffic("red", "yellow"):
            self.edit("yellow.yaml", YELLOW.replace("501", "500"))
            wait_for(lambda: "a refused config" in self.ask("status"), PATIENCE, lambda: self.ask("status"))
            assert self.ready()
            self.cluster.kubectl("delete", "pods", "--selector=app.kubernetes.io/name=vrfbgp")
            self.cluster.rolled_out(DAEMON_SET)
            assert "the last good one runs" in self.ask("status"), self.ask("status")
            self.edit("yellow.yaml", YELLOW)
            wait_for(lambda: "it is the newest" in self.ask("status"), PATIENCE, lambda: self.ask("status"))

    def update(self) -> None:
        """an update of the image replaces the pod, and no packet is lost"""
        [before] = self.pods()
        with self.traffic("red", "yellow"):
            images = [f"{name}={self.next_image}" for name in ("vrfbgp", "state")]
            self.cluster.kubectl("set", "image", DAEMON_SET, *images)
            self.cluster.rolled_out(DAEMON_SET)
        [after] = self.pods()
        assert after["spec"]["containers"][0]["image"] == self.next_image
        assert after["metadata"]["uid"] != before["metadata"]["uid"]

    def killed(self) -> None:
        """a pod that is deleted by force, without a moment to end in, costs no packet either"""
        with self.traffic("red", "yellow"):
            self.cluster.kubectl(
                *("delete", "pods", "--selector=app.kubernetes.io/name=vrfbgp"),
                *("--grace-period=0", "--force"),
            )
            self.cluster.rolled_out(DAEMON_SET)

    def drained(self) -> None:
        """a node that is drained is not ready, announces nothing, and stays so over a new pod"""
        self.ask("drain", "--wait", "0")
        wait_for(lambda: not self.ready(), PATIENCE)
        self.cluster.kubectl("rollout", "restart", DAEMON_SET)
        wait_for(lambda: "This node leaves" in self.ask("status"), PATIENCE, self.cluster.describe)
        assert not self.ready()
        wait_for(lambda: self.reached("red") in ("unreachable", "timeout"))
        assert f"{GATEWAY}/32" not in self.topology.red.router.received()

    # -- the sidecar -----------------------------------------------------------------------------

    def sidecar(self) -> None:
        """the sidecar form, as shipped, with Multus: the gateway's packets leave by the uplink in its pod"""
        self.world.offer_uplink()
        with Capture(self.world.worker, "eth0") as fabric:
            self.cluster.apply(MANIFESTS / "sidecar.yaml")
            self.cluster.rolled_out(SIDECAR)
            wait_for(
                lambda: self.page("--interface", GATEWAY) == ["red", GATEWAY],
                PATIENCE,
                lambda: self.in_sidecar("vrfbgp", "vrfbgp", "status"),
            )
            # Neither bound nor connected: its first packet is routed before it has an address.
            assert self.in_sidecar("gateway", "python3", "-c", UNBOUND).split()[0] == "red"
            assert not fabric.packets(dst=SERVER)
        # It was there before the gateway, which had no moment of its own without rules.
        [pod] = self.pods("gateway-red")
        kinds = ("initContainerStatuses", "containerStatuses")
        begun = [pod["status"][kind][0]["state"]["running"]["startedAt"] for kind in kinds]
        assert begun == sorted(begun), begun
        assert set(self.topology.red.router.received()) == {f"{GATEWAY}/32"}

    def sidecar_closed(self) -> None:
        """a gateway whose network has no route any more is closed: nothing takes the pod's own way out"""
        with Capture(self.world.worker, "eth0") as fabric:
            self.topology.red.router.withdraw(SERVED)
            wait_for(
                lambda: self.page() == [], PATIENCE, lambda: self.in_sidecar("vrfbgp", "vrfbgp", "status")
            )
            assert self.in_sidecar("gateway", "python3", "-c", UNBOUND) == ""
            assert not fabric.packets(dst=SERVER)

    def in_sidecar(self, container: str, *command: str) -> str:
        """What a command prints in a container of the sidecar's pod."""
        return self.cluster.try_kubectl("exec", SIDECAR, f"--container={container}", "--", *command).stdout

    def page(self, *options: str) -> list[str]:
        """Who answers the gateway in the sidecar's pod, and whom it saw; nothing if nobody does."""
        curl = ("curl", "--silent", "--max-time", "2", *options, f"http://{SERVER}/")
        return self.in_sidecar("gateway", *curl).split()

    def all(self) -> tuple[Callable[[], None], ...]:
        """The claims in their order; the docstring of each is its wording."""
        return (
            self.ready_as_shipped,
            self.least_privilege,
            self.edit_is_followed,
            self.bad_edit,
            self.update,
            self.killed,
            self.drained,
            self.sidecar,
            self.sidecar_closed,
        )


def image() -> str:
    """The image that the manifests name."""
    for line in (MANIFESTS / "2-daemonset.yaml").read_text().splitlines():
        key, _, value = line.strip().partition(": ")
        if key == "image":
            return value
    raise RuntimeError("config/kubernetes/2-daemonset.yaml names no image")


def gateway_image() -> str:
    """The image that stands for a gateway in the manifest of the sidecar."""
    [found] = {
        value
        for line in (MANIFESTS / "sidecar.yaml").read_text().splitlines()
        for key, _, value in [line.strip().partition(": ")]
        if key == "image" and value != image()
    }
    return found
