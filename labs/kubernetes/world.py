"""Where the manifests are tried: topology A with a control plane in the fabric, and two nodes.

`egress-1` is topology A's node; it has the label `egress`, and no network for pods. `worker-1` has a network
for pods, and no label; a pod there can ask Multus for a device in the red network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labs.kubernetes.cluster import PATIENCE, Cluster
from labs.kubernetes.node import Node
from labs.netns.lab import Lab
from labs.netns.namespace import join
from labs.netns.topology import FABRIC, NODE, Topology
from labs.netns.waiting import wait_for

GATEWAY = "10.50.0.2"
"""The red gateway of the manifests, which have its pod here on one node, there on the other."""
PASSWORD = "change-me"
"""Of the session with egress-1, in the Secret of the manifests."""
WORKER = "10.240.1.12"
WORKER_LINK = "10.240.1.1"
UPLINK = Path(__file__).with_name("uplink.yaml")


class World:
    """The cluster in a lab. `close` ends the nodes, before the lab takes down the rest."""

    def __init__(self, lab: Lab, binaries: Path) -> None:
        self.topology = Topology(lab)
        self.worker = lab.namespace("worker")
        self.cluster = Cluster(self.topology.fabric, FABRIC, binaries)
        self.nodes = (
            Node(self.cluster, self.topology.node, "egress-1", NODE, labels="egress=true"),
            Node(self.cluster, self.worker, "worker-1", WORKER, pods=self._pods()),
        )

    def _pods(self) -> dict[str, Any]:
        """Multus's configuration; it gives a pod the gateway's address, as Calico's annotation asks."""
        address = {"address": f"{GATEWAY}/24", "gateway": "10.50.0.1"}
        ipam = {"type": "static", "addresses": [address], "routes": [{"dst": "0.0.0.0/0"}]}
        return {
            "cniVersion": "0.3.1",
            "name": "pods",
            "type": "multus",
            "kubeconfig": str(self.cluster.kubeconfig),
            "binDir": "/var/lib/cni/bin",
            "delegates": [{"cniVersion": "0.3.1", "name": "pods", "type": "ptp", "ipam": ipam}],
        }

    def start(self, images: Path) -> None:
        """Build all of it, and wait until both nodes have joined. Raises NeverTrue, Refused."""
        self.topology.start()
        red = self.topology.red
        neighbor = f"neighbor {red.node_address}"
        red.router.configure(
            f"router bgp {red.router.asn}",
            f"{neighbor} peer-group NODES",
            f"{neighbor} password {PASSWORD}",
        )
        for site in self.topology.sites:
            # The topology's own is 10 s, for tests of what comes after it: less than a pod may take to start.
            site.router.configure(f"router bgp {site.router.asn}", "bgp graceful-restart stalepath-time 360")
        join(self.worker, "eth0", self.topology.fabric, "worker0")
        self.topology.fabric.ip(f"addr add {WORKER_LINK}/24 dev worker0")
        self.worker.ip(f"addr add {WORKER}/24 dev eth0", f"route add default via {WORKER_LINK}")
        join(self.worker, "red-pod", red.switch, "pod")
        red.switch.ip("link set pod master br0")
        self.cluster.start()
        for node in self.nodes:
            node.start(images)
        names = {node.name for node in self.nodes}
        wait_for(
            lambda: names == {one["metadata"]["name"] for one in self.cluster.get("nodes")["items"]},
            PATIENCE,
            lambda: "\n".join(node.log.read_text() for node in self.nodes),
            interval=0.5,
        )

    def offer_uplink(self) -> None:
        """Let pods ask for a device in the red network, as `red-uplink`."""
        self.cluster.apply(UPLINK)
        self.cluster.kubectl(
            "wait", "--for=condition=Established", "crd", "--all", f"--timeout={PATIENCE:g}s"
        )
        ipam = {"type": "static", "addresses": [{"address": f"{self.topology.red.address(20)}/24"}]}
        device = {"cniVersion": "0.3.1", "name": "red-uplink", "type": "host-device", "device": "red-pod"}
        self.cluster.apply_object(
            {
                "apiVersion": "k8s.cni.cncf.io/v1",
                "kind": "NetworkAttachmentDefinition",
                "metadata": {"name": "red-uplink", "namespace": "vrfbgp"},
                "spec": {"config": json.dumps({**device, "ipam": ipam})},
            }
        )

    def close(self) -> None:
        """End the nodes."""
        for node in self.nodes:
            node.close()

    def describe(self) -> str:
        """All that helps to find out why something failed."""
        logs = self.cluster.try_kubectl("logs", "ds/vrfbgp", "--tail=100").stdout
        ends = "\n".join(f"== {node.name}\n{tail(node.log)}" for node in self.nodes)
        return f"{self.cluster.describe()}\n== log\n{logs}\n{ends}\n{self.topology.describe()}"


def tail(log: Path) -> str:
    """The last lines of a log, if there is one."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-60:]) if log.exists() else ""
