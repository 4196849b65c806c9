"""The control plane of a small cluster: etcd, API server, scheduler and controllers, in one namespace.

What it leaves out is what no manifest of ours needs: certificates of its own for each part (one token is
everybody's), service networking, DNS, and all controllers but those that make pods.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from labs.netns.namespace import Namespace
from labs.netns.waiting import wait_for

CONTROLLERS = (
    "daemonset-controller",
    "deployment-controller",
    "replicaset-controller",
    "serviceaccount-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "garbage-collector-controller",
)
SERVICES = "10.96.0.0/12"
TOKEN = "lab"
PATIENCE = 90.0
"""Seconds that a pod, or the API server, may take to be ready on a machine that is busy."""


class Refused(Exception):
    """kubectl ended with another status than 0; the text is what it said."""


class Cluster:
    """A control plane in `namespace`, whose API server listens on `address`. The lab takes it down."""

    def __init__(self, namespace: Namespace, address: str, binaries: Path) -> None:
        self.namespace = namespace
        self.address = address
        self.binaries = binaries
        self.directory = namespace.directory / "cluster"
        self.kubeconfig = self.directory / "kubeconfig"

    def start(self) -> None:
        """Start all of it, and wait until the API server is ready. Raises NeverTrue."""
        self.directory.mkdir()
        self._write_kubeconfig()
        (self.directory / "tokens.csv").write_text(f"{TOKEN},lab,lab,system:masters\n")
        key = self.directory / "accounts.key"
        self.namespace.run("openssl", "genrsa", "-out", str(key), "2048")
        self.namespace.start(
            "etcd",
            *("etcd", "--data-dir", str(self.directory / "etcd"), "--log-level", "error"),
            "--unsafe-no-fsync",
        )
        api = self._start(
            "kube-apiserver",
            "--etcd-servers=http://127.0.0.1:2379",
            f"--bind-address={self.address}",
            f"--advertise-address={self.address}",
            f"--cert-dir={self.directory}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={SERVICES}",
            "--kubelet-preferred-address-types=InternalIP",
        )
        wait_for(lambda: self.try_kubectl("get", "--raw", "/readyz").stdout == "ok", PATIENCE, api.tail)
        own = (f"--kubeconfig={self.kubeconfig}", "--leader-elect=false")
        self._start("kube-scheduler", *own)
        self._start(
            "kube-controller-manager",
            *own,
            f"--service-account-private-key-file={key}",
            f"--controllers={','.join(CONTROLLERS)}",
        )

    def _start(self, program: str, *options: str) -> Any:
        return self.namespace.start(program, str(self.binaries / program), *options)

    def _write_kubeconfig(self) -> None:
        server = {"server": f"https://{self.address}:6443", "insecure-skip-tls-verify": True}
        described = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "lab", "cluster": server}],
            "users": [{"name": "lab", "user": {"token": TOKEN}}],
            "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
            "current-context": "lab",
        }
        self.kubeconfig.write_text(json.dumps(described))

    # -- words to it -----------------------------------------------------------------------------

    def try_kubectl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever its status; its streams are kept apart."""
        return subprocess.run(
            [
                *("ip", "netns", "exec", self.namespace.name, str(self.binaries / "kubectl")),
                *("--kubeconfig", str(self.kubeconfig), "--namespace", "vrfbgp", *words),
            ],
            env={**os.environ, "HOME": str(self.directory)},
            capture_output=True,
            text=True,
            timeout=PATIENCE + 30,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def kubectl(self, *words: str) -> str:
        """What kubectl prints, in the manifests' own namespace. Raises Refused."""
        done = self.try_kubectl(*words)
        if done.returncode:
            raise Refused(f"kubectl {' '.join(words)}: status {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def get(self, kind: str, *words: str) -> dict[str, Any]:
        """An object, or a list of them, as JSON."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, *words, "--output", "json"))
        return found

    def apply(self, *files: Path) -> None:
        """Create or change what these files describe; a field that the API does not know is refused."""
        named = [word for file in files for word in ("--filename", str(file))]
        self.kubectl("apply", "--validate=strict", *named)

    def apply_object(self, described: dict[str, Any]) -> None:
        """Create or change one object."""
        file = self.directory / "object.json"
        file.write_text(json.dumps(described))
        self.apply(file)

    def rolled_out(self, what: str) -> None:
        """Wait until all pods of a DaemonSet or Deployment (`ds/vrfbgp`) are of the newest kind and ready."""
        self.kubectl("rollout", "status", what, f"--timeout={PATIENCE:g}s")

    def describe(self) -> str:
        """Pods and events, for a person who looks for a fault."""
        asked = ("get nodes,pods -A -o wide", "describe pods", "get events --sort-by=.lastTimestamp")
        return "\n".join(f"== kubectl {line}\n{self.try_kubectl(*line.split()).stdout}" for line in asked)
