"""A node of the cluster: containerd and a kubelet, with a network namespace for the network of the host."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from labs.kubernetes.cluster import Cluster
from labs.netns.namespace import Namespace
from labs.netns.process import Process
from labs.netns.supervisor import NAME, start_time
from labs.netns.waiting import NeverTrue, wait_for

CGROUPS = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")
SANDBOX = "vrfbgp-lab-host:latest"
"""Stands for the image that does nothing but hold a pod's namespaces: it sleeps."""


class Node:
    """A node in a namespace. `pods` is a CNI configuration; without it the node takes no pod but such as use
    the host's network.

    Its processes, pods included, are in one PID namespace, and end with its first; whoever ends the lab ends
    that. `close` waits for it, and takes its control groups away.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: Namespace,
        name: str,
        address: str,
        *,
        labels: str = "",
        pods: dict[str, Any] | None = None,
    ) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.name = name
        self.address = address
        self.labels = labels
        self.pods = pods
        self.directory = namespace.directory / f"node-{name}"
        self._group = f"{namespace.name.rpartition('.')[0]}.{name}"
        self._process: Process | None = None

    def start(self, images: Path) -> None:
        """Start it, with the images in a file that `docker save` wrote. It joins the cluster by itself."""
        self.directory.mkdir()
        for path in self._groups():
            sweep(path.parent)
            path.mkdir()
        (self.directory / "containerd.toml").write_text(CONTAINERD)
        (self.directory / "kubelet.json").write_text(json.dumps(self._kubelet()))
        if self.pods is not None:
            for folder in ("cni", "bin"):
                (self.directory / folder).mkdir()
            (self.directory / "cni" / "00-pods.conf").write_text(json.dumps(self.pods))
            (self.directory / "bin" / "multus").symlink_to(self.cluster.binaries / "multus")
        command = [
            # Not `ip netns exec`, which hides the control groups.
            *("nsenter", f"--net={self.namespace.path}"),
            *("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL"),
            *(str(Path(__file__).with_name("node-init")), str(self.directory), str(images)),
            *(str(self.cluster.binaries / "kubelet"), f"--config={self.directory / 'kubelet.json'}"),
            *(f"--kubeconfig={self.cluster.kubeconfig}", f"--hostname-override={self.name}"),
            *(f"--node-ip={self.address}", f"--node-labels={self.labels}"),
        ]
        self._process = Process(command, self.log)
        self.namespace.processes.append(self._process)

    @property
    def log(self) -> Path:
        return self.namespace.directory / f"{self.name}-kubelet.log"

    def close(self) -> None:
        """End the node with all that runs on it."""
        if self._process is not None:
            self._process.kill()
        # What ran there ends a moment after the first process, and its control groups are kept until then.
        with contextlib.suppress(NeverTrue):
            wait_for(lambda: all(removed(path) for path in self._groups()), 10)

    def _groups(self) -> list[Path]:
        """The node's own control groups: two kubelets in one would take each other's pods for orphans."""
        if (CGROUPS / "cgroup.controllers").exists():
            delegated = " ".join(f"+{name}" for name in CONTROLLERS)
            (CGROUPS / "cgroup.subtree_control").write_text(delegated)
            return [CGROUPS / self._group]
        return [path / self._group for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]

    def _kubelet(self) -> dict[str, Any]:
        """What is not the kubelet's default; see KubeletConfiguration, kubelet.config.k8s.io/v1beta1."""
        return {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": f"/{self._group}",
            "enforceNodeAllocatable": ["none"],
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "makeIPTablesUtilChains": False,
            "resolvConf": "",
            # A node of the lab takes what this machine has left, as long as there is any.
            "evictionHard": {
                "memory.available": "1Mi",
                **{f"{place}.{what}": "1%" for place in ("nodefs", "imagefs") for what in FREE},
            },
            "imageGCHighThresholdPercent": 100,
            # Edits of a ConfigMap are brought this often; the default is a minute.
            "syncFrequency": "2s",
        }


def sweep(parent: Path) -> None:
    """Remove the control groups of labs whose supervisor is no longer alive."""
    for left in parent.glob("vrfbgp-lab.*"):
        lab = NAME.match(left.name)
        if lab is not None and start_time(int(lab[1])) != int(lab[2]):
            removed(left)


def removed(group: Path) -> bool:
    """Whether a control group is gone, with those below it; asked again when its processes have ended."""
    if not group.exists():
        return True
    below = sorted((found for found in group.rglob("*") if found.is_dir()), reverse=True)
    try:
        for each in (*below, group):
            each.rmdir()
    except OSError:
        return False
    return True


FREE = ("available", "inodesFree")
CONTAINERD = f"""\
version = 2
# Only root with all capabilities may lower a process's oom_score_adj below its own.
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/{SANDBOX}"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/var/lib/cni/bin"
    conf_dir = "/var/lib/cni/net.d"
"""
