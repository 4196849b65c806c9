"""A story in network namespaces: each node is a namespace of its own, with the programs of this machine.

What stands for a container is a process tree with mount and pid namespaces of its own: /etc, /var and /srv
are this machine's with a layer above, in which the story's files are; /run is empty. So FRR starts by its own
init script, and several of them are side by side. Each node has a script by which it is reached (`exec`),
ended (`kill`) and started again (`start`).

Not as in containers: programs are of this machine's versions, and run as root, with CAP_NET_ADMIN alone where
it is the controller.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from labs.netns.daemon import PROJECT
from labs.netns.lab import Lab as NamespaceLab
from labs.netns.namespace import Namespace, join
from labs.netns.waiting import wait_for
from labs.stories import clab

CONTROLLER = "VRFBGP_IMAGE"
ROUTER = "FRR_IMAGE"
HOST = "HOST_IMAGE"
PRIVATE = ("etc", "var", "srv")
"""Directories of the root in which a node may have files of its own."""
STARTED_BY = {
    CONTROLLER: ("vrfbgp", "run"),
    ROUTER: (str(PROJECT / "labs" / "images" / "frr-start"),),
    HOST: ("sleep", "infinity"),
}
"""What the image runs that a variable in `image:` chooses."""
SETTINGS = {CONTROLLER: {"VRFBGP_CONFIG": "/etc/vrfbgp"}}
"""What the image sets in the environment."""
KEPT = {CONTROLLER: ("/var/lib/vrfbgp",)}
"""Directories that outlive their node's end, the image's volumes."""
PREFIX = {CONTROLLER: ("setpriv", "--bounding-set=-all,+net_admin", "--inh-caps=-all,+net_admin")}
"""What takes away the rights that the container would not have."""


class Namespaces:
    """A story that is up in network namespaces, until the block ends."""

    name = "namespaces"

    def __init__(self, topology: clab.Lab) -> None:
        self.topology = topology
        self._lab = NamespaceLab()
        self._scripts = self._lab.directory / "nodes"
        self._namespaces: dict[str, Namespace] = {}

    def deploy(self) -> None:
        """Build it. Raises Unreadable for what this way can't do, CommandFailed for what did not work."""
        for node in self.topology.nodes.values():
            if node.image_variable not in STARTED_BY:
                raise clab.Unreadable(
                    f"node {node.name}: image: {node.image} is not known here, "
                    f"only {', '.join(f'${{{name}:-…}}' for name in STARTED_BY)}"
                )
            for bind in node.binds:
                if bind.target.split("/")[1] not in (*PRIVATE, "run"):
                    raise clab.Unreadable(
                        f"node {node.name}: binds: {bind.target} must be below /{', /'.join(PRIVATE)}"
                    )
        self._scripts.mkdir()
        owners = [node for node in self.topology.nodes.values() if node.shares is None]
        for node in owners:
            namespace = self._namespaces[node.name] = self._lab.namespace(node.name)
            namespace.set_sysctls(
                {name.removeprefix("net.").replace(".", "/"): value for name, value in node.sysctls.items()}
            )
        self._wire_management([node for node in owners if node.management])
        for first, second in self.topology.links:
            join(self._namespaces[first.node], first.device, self._namespaces[second.node], second.device)
        # Those that share a network come after the one whose network it is.
        for node in sorted(self.topology.nodes.values(), key=lambda node: node.shares is not None):
            self._write_scripts(node)
            self._script(node.name, "start")
        for node in self.topology.nodes.values():
            for command in node.execute:
                self._script(node.name, "exec", *command)

    def _wire_management(self, nodes: list[clab.Node]) -> None:
        if not nodes:
            return
        fabric = self._lab.namespace("mgmt")
        fabric.ip("link add br0 type bridge", "link set br0 up")
        taken = {str(address.ip) for node in nodes for address in node.addresses}
        for place, node in enumerate(nodes):
            port = f"port{place}"
            join(self._namespaces[node.name], "eth0", fabric, port)
            fabric.ip(f"link set {port} master br0")
        for subnet in self.topology.subnets:
            hosts = subnet.hosts()
            first = next(hosts)
            fabric.ip(f"addr add {first}/{subnet.prefixlen} dev br0")
            for node in nodes:
                chosen = next((a for a in node.addresses if a.version == subnet.version), None)
                address = chosen or f"{next(h for h in hosts if str(h) not in taken)}/{subnet.prefixlen}"
                nodad = " nodad" if subnet.version == 6 else ""
                self._namespaces[node.name].ip(
                    f"addr add {address} dev eth0{nodad}", f"route add default via {first} dev eth0"
                )

    # -- a node ----------------------------------------------------------------------------------

    def _write_scripts(self, node: clab.Node) -> None:
        variable = node.image_variable
        namespace = self._namespaces[node.shares or node.name]
        pid = self._scripts / f"{node.name}.pid"
        log = self._lab.directory / f"{node.name}.log"
        environment = {
            "PATH": f"{self._programs()}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            **SETTINGS.get(variable, {}),
            **node.environment,
        }
        setting = ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]
        init = self._scripts / f"{node.name}.init"
        init.write_text(
            "\n".join(
                [
                    "set -e",
                    "read -r pid _ </proc/self/stat",
                    *self._mounts(node),
                    "mount -t proc proc /proc",
                    f'echo "$pid" >{shlex.quote(str(pid))}.new',
                    f"mv {shlex.quote(str(pid))}.new {shlex.quote(str(pid))}",
                    shlex.join(
                        [
                            "exec",
                            *setting,
                            *PREFIX.get(variable, ()),
                            *(node.command or STARTED_BY[variable]),
                        ]
                    ),
                    "",
                ]
            )
        )
        script = self._scripts / node.name
        inside = ["nsenter", "--net", "--mount", "--pid", "--wd=/"]
        script.write_text(
            SCRIPT.format(
                name=node.name,
                namespace=shlex.quote(str(namespace.path)),
                pid=shlex.quote(str(pid)),
                log=shlex.quote(str(log)),
                init=shlex.quote(str(init)),
                inside=shlex.join(inside),
                setting=shlex.join(setting),
            )
        )
        script.chmod(0o755)

    def _mounts(self, node: clab.Node) -> list[str]:
        """The node's view of the files, in words of a shell."""
        lines = ["mount -t tmpfs -o mode=755 tmpfs /run"]
        for name in PRIVATE:
            layer = f"/run/.layers/{name}"
            lines += [
                f"mkdir -p {layer}/upper {layer}/work",
                f"mount -t overlay -o lowerdir=/{name},upperdir={layer}/upper,workdir={layer}/work "
                f"overlay /{name}",
            ]
        for place in KEPT.get(node.image_variable, ()):
            kept = self._lab.directory / "kept" / f"{node.name}{place.replace('/', '-')}"
            kept.mkdir(parents=True)
            lines += [f"mkdir -p {place}", shlex.join(["mount", "--bind", str(kept), place])]
        for bind in node.binds:
            source, target = shlex.quote(str(bind.source)), shlex.quote(bind.target)
            if bind.source.is_dir():
                lines.append(f"mkdir -p {target}")
            else:
                lines.append(f"mkdir -p $(dirname {target}) && rm -f {target} && : >{target}")
            lines.append(f"mount --bind {source} {target}")
            if bind.read_only:
                lines.append(f"mount -o remount,bind,ro {target}")
        return lines

    def _programs(self) -> Path:
        """A directory with the commands that the images of ours have and this machine may lack."""
        directory = self._lab.directory / "bin"
        if not directory.exists():
            directory.mkdir()
            for name, words in (
                ("vrfbgp", ["env", f"PYTHONPATH={PROJECT}", sys.executable, "-m", "vrfbgp"]),
                ("python3", [sys.executable]),
            ):
                (directory / name).write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
                (directory / name).chmod(0o755)
        return directory

    def _script(self, node: str, *words: str) -> None:
        done = self.run(node, *words)
        if done.returncode:
            raise RuntimeError(
                f"node {node}: {shlex.join(words)}: status {done.returncode}\n{done.stdout}{done.stderr}"
            )

    # -- what a way must know --------------------------------------------------------------------

    @property
    def environment(self) -> Mapping[str, str]:
        """What tells `verify.sh` how to reach the nodes."""
        return {"LAB_WAY": self.name, "LAB_NODES": str(self._scripts)}

    def run(self, node: str, *words: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the script of a node."""
        return subprocess.run(
            [str(self._scripts / node), *words],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def ask(self, node: str, *command: str) -> str:
        """What a command in a node prints, on both streams, whatever becomes of it."""
        done = self.run(node, "exec", *command)
        return done.stdout + done.stderr

    def log(self, node: str) -> str:
        """What a node's own program printed."""
        path = self._lab.directory / f"{node}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def destroy(self) -> None:
        """Take all of it down."""
        self._lab.close()
        wait_for(lambda: not self._lab.directory.exists(), describe=f"the end of {self._lab.name}")


SCRIPT = """\
#!/bin/bash
# Reaches node {name}: exec COMMAND…, kill, start.
set -euo pipefail
pid={pid}
case $1 in
exec)
    exec {inside} --target "$(<"$pid")" {setting} "${{@:2}}"
    ;;
kill)
    kill -KILL "$(<"$pid")"
    while [[ -e /proc/$(<"$pid") ]]; do sleep 0.01; done
    rm "$pid"
    ;;
start)
    nsenter --net={namespace} setsid unshare --mount --pid --fork --kill-child \\
        bash {init} </dev/null >>{log} 2>&1 &
    starter=$!
    until [[ -e $pid ]]; do
        kill -0 "$starter" 2>/dev/null || {{ cat {log} >&2; exit 1; }}
        sleep 0.01
    done
    ;;
esac
"""
