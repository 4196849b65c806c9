"""Reads a `.clab.yml`, the part of containerlab's language that the stories use.

What containerlab would do with a key that is not known here, another way of running the story would silently
leave out: so an unknown key is an error, and names itself.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, IPv6Network, ip_interface, ip_network
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

TOP = {"name", "mgmt", "topology"}
MGMT = {"network", "ipv4-subnet", "ipv6-subnet", "external-access"}
TOPOLOGY = {"defaults", "nodes", "links"}
NODE = {
    *("kind", "image", "network-mode", "mgmt-ipv4", "mgmt-ipv6"),
    *("binds", "cap-add", "cmd", "env", "exec", "privileged", "sysctls"),
}
VARIABLE = re.compile(r"\$\{(\w+)(?::?[-=]([^}]*))?\}")
"""`${NAME}` or `${NAME:-default}`, which containerlab fills in from the environment."""
NAME = re.compile(r"[a-z][a-z0-9-]*")
DEVICE = re.compile(r"[a-z][a-z0-9.-]{0,14}")


class Unreadable(Exception):
    """A `.clab.yml` says something that is wrong, or not known here; the text says what and where."""


@dataclass(frozen=True, slots=True)
class Bind:
    """A file or a directory of the machine, as a node sees it."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A container, or what stands for it."""

    name: str
    image: str
    """As it is written, `${FRR_IMAGE:-…}`."""
    command: tuple[str, ...]
    """What runs in it; empty: what its image says."""
    shares: str | None
    """The node whose network it has, if it has none of its own."""
    management: bool
    """Whether it has an `eth0` in the management network."""
    addresses: tuple[IPv4Interface | IPv6Interface, ...]
    """Those of its `eth0` that were chosen by hand."""
    binds: tuple[Bind, ...]
    environment: Mapping[str, str]
    execute: tuple[tuple[str, ...], ...]
    """Commands that are run in it once its links are there."""
    sysctls: Mapping[str, str]
    """Names with dots, `net.ipv4.ip_forward`."""

    @property
    def image_variable(self) -> str:
        """The variable that chooses its image, which says what kind of node it is; empty if there is none."""
        match = VARIABLE.match(self.image)
        return match[1] if match is not None else ""


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link."""

    node: str
    device: str


@dataclass(frozen=True, slots=True)
class Lab:
    """All of a `.clab.yml`."""

    name: str
    subnets: tuple[IPv4Network | IPv6Network, ...]
    """Those of the management network."""
    nodes: Mapping[str, Node]
    links: tuple[tuple[End, End], ...]


def filled(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """A text with its `${NAME:-default}` filled in, as containerlab does. Raises Unreadable."""

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1]) or match[2]
        if found is None:
            raise Unreadable(f"{match[0]}: {match[1]} is not set, and has no default here")
        return found

    return VARIABLE.sub(value, text)


def read(path: Path) -> Lab:
    """Read a topology. Raises Unreadable."""
    try:
        document = YAML(typ="safe", pure=True).load(path.read_text())
    except (OSError, YAMLError) as error:
        raise Unreadable(f"{path}: {error}") from error
    try:
        return _lab(document, path.resolve().parent)
    except Unreadable as error:
        raise Unreadable(f"{path}: {error}") from error


def _lab(document: Any, folder: Path) -> Lab:
    top = _mapping(document, "the document", TOP)
    management = _mapping(top.get("mgmt") or {}, "mgmt", MGMT)
    topology = _mapping(top.get("topology") or {}, "topology", TOPOLOGY)
    defaults = _mapping(topology.get("defaults") or {}, "topology.defaults", NODE)
    subnets = tuple(
        ip_network(management[key]) for key in ("ipv4-subnet", "ipv6-subnet") if key in management
    )
    nodes = {
        name: _node(name, fields or {}, defaults, subnets, folder)
        for name, fields in _mapping(topology.get("nodes") or {}, "topology.nodes", None).items()
    }
    for node in nodes.values():
        if node.shares is not None and node.shares not in nodes:
            raise Unreadable(f"topology.nodes.{node.name}.network-mode: there is no node {node.shares}")
    links = tuple(_link(link, nodes, place) for place, link in enumerate(topology.get("links") or []))
    return Lab(_name(top.get("name"), "name"), subnets, nodes, links)


def _node(
    name: Any,
    given: Any,
    defaults: dict[str, Any],
    subnets: tuple[IPv4Network | IPv6Network, ...],
    folder: Path,
) -> Node:
    where = f"topology.nodes.{_name(name, 'topology.nodes')}"
    own = _mapping(given, where, NODE)
    fields = {**defaults, **own}
    # As containerlab merges them: lists and mappings of the defaults stay, those of the node are added.
    for key in ("binds", "exec"):
        fields[key] = [*(defaults.get(key) or []), *(own.get(key) or [])]
    for key in ("env", "sysctls"):
        fields[key] = {**(defaults.get(key) or {}), **(own.get(key) or {})}
    if fields.get("kind") != "linux":
        raise Unreadable(f"{where}.kind: {fields.get('kind')} is not known here, only linux")
    if fields.get("privileged") is not False:
        raise Unreadable(f"{where}.privileged: must be false; cap-add names what a node may do")
    mode = str(fields.get("network-mode", "bridge"))
    kind, _, shares = mode.partition(":")
    if kind not in ("bridge", "none", "container") or bool(shares) is not (kind == "container"):
        raise Unreadable(f"{where}.network-mode: {mode} is not known here")
    addresses = []
    for key, version in (("mgmt-ipv4", 4), ("mgmt-ipv6", 6)):
        if key in fields:
            subnet = next((net for net in subnets if net.version == version), None)
            if subnet is None:
                raise Unreadable(f"{where}.{key}: mgmt has no ipv{version}-subnet")
            addresses.append(ip_interface(f"{fields[key]}/{subnet.prefixlen}"))
    return Node(
        name=name,
        image=str(fields.get("image", "")),
        command=tuple(shlex.split(str(fields.get("cmd", "")))),
        shares=shares or None,
        management=kind == "bridge",
        addresses=tuple(addresses),
        binds=tuple(_bind(text, folder, f"{where}.binds") for text in fields["binds"]),
        environment={str(key): filled(str(value)) for key, value in fields["env"].items()},
        execute=tuple(tuple(shlex.split(line)) for line in fields["exec"]),
        sysctls={str(key): str(value) for key, value in fields["sysctls"].items()},
    )


def _bind(text: Any, folder: Path, where: str) -> Bind:
    parts = str(text).split(":")
    if len(parts) not in (2, 3) or parts[2:] not in ([], ["ro"]) or not parts[1].startswith("/"):
        raise Unreadable(f"{where}: {text} is not SOURCE:/TARGET or SOURCE:/TARGET:ro")
    source = (folder / parts[0]).resolve()
    if not source.exists():
        raise Unreadable(f"{where}: {text}: there is no {source}")
    return Bind(source, parts[1], parts[2:] == ["ro"])


def _link(given: Any, nodes: dict[str, Node], place: int) -> tuple[End, End]:
    where = f"topology.links[{place}]"
    ends = _mapping(given, where, {"endpoints"}).get("endpoints")
    if not isinstance(ends, list) or len(ends) != 2:
        raise Unreadable(f"{where}.endpoints: two are needed, NODE:DEVICE each")
    found = []
    for end in ends:
        name, _, device = str(end).partition(":")
        if name not in nodes:
            raise Unreadable(f"{where}.endpoints: {end}: there is no node {name}")
        if nodes[name].shares is not None:
            raise Unreadable(f"{where}.endpoints: {end}: {name} has no network of its own")
        if not DEVICE.fullmatch(device):
            raise Unreadable(f"{where}.endpoints: {end}: {device!r} is no name of a device")
        found.append(End(name, device))
    return found[0], found[1]


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise Unreadable(f"{where}: {value!r} is no name (a letter, then letters, digits and -)")
    return value


def _mapping(value: Any, where: str, known: set[str] | None) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{where}: must be a mapping")
    if known is not None and (unknown := sorted(str(key) for key in value if key not in known)):
        raise Unreadable(
            f"{where}: {', '.join(unknown)}: not known here; known are {', '.join(sorted(known))}"
        )
    return value
