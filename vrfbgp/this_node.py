"""What all commands that see a node as its daemon does have in common: its name, its labels, what it kept."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

STATE_DIR = Path("/var/lib/vrfbgp")
StateDir = Annotated[
    Path, typer.Option("--state-dir", envvar="VRFBGP_STATE_DIR", help="Directory of what survives a restart.")
]
Node = Annotated[
    str | None,
    typer.Option("--node", envvar="VRFBGP_NODE", help="Name of this node.", show_default="the host name"),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--label",
        metavar="KEY=VALUE",
        envvar="VRFBGP_LABELS",
        help="A label of this node, beside those of its Node object. Repeat it, or separate by commas.",
    ),
]


def labels_of(given: list[str] | None) -> dict[str, str]:
    """The labels of the command line; ends the command if they are none."""
    labels: dict[str, str] = {}
    for word in re.split(r"[,\s]+", ",".join(given or ())):
        key, equals, value = word.partition("=")
        if not word:
            continue
        if not equals or not key:
            raise typer.BadParameter(f"{word!r} is no KEY=VALUE", param_hint="--label (VRFBGP_LABELS)")
        labels[key] = value
    return labels
