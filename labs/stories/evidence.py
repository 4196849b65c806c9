"""What a story that failed leaves behind, for whoever looks for the reason: one folder, two files a node."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Protocol

from labs.stories import clab

KERNEL = (
    ("ip", "address"),
    ("ip", "rule"),
    ("ip", "-6", "rule"),
    ("ip", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "nexthop"),
    ("ip", "-s", "link"),
)
FRR = tuple(
    ("vtysh", "-c", question)
    for question in (
        "show running-config",
        "show bgp summary",
        "show bgp ipv4 unicast",
        "show bgp ipv6 unicast",
        "show ip route",
        "show bgp neighbors",
    )
)
CONTROLLER = (("vrfbgp", "status"), ("vrfbgp", "status", "--json"))


class Standing(Protocol):
    """A story that is up, however it was deployed."""

    topology: clab.Lab

    def ask(self, node: str, *command: str) -> str:
        """What a command in a node prints."""

    def log(self, node: str) -> str:
        """What a node's own program printed."""


def collect(standing: Standing, folder: Path, failure: str) -> None:
    """Write all of it into an empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "failure.txt").write_text(failure)
    for node in standing.topology.nodes.values():
        questions = {"VRFBGP_IMAGE": CONTROLLER, "FRR_IMAGE": (*FRR, *KERNEL)}.get(
            node.image_variable, KERNEL
        )
        parts = [f"# {' '.join(words)}\n{_answer(standing, node.name, words)}" for words in questions]
        (folder / f"{node.name}.txt").write_text("\n".join(parts))
        (folder / f"{node.name}.log").write_text(standing.log(node.name))


def _answer(standing: Standing, node: str, words: tuple[str, ...]) -> str:
    try:
        return standing.ask(node, *words)
    except (OSError, subprocess.SubprocessError) as error:
        return f"{error}\n"
