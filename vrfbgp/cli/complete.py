"""Arguments that a shell completes by what the running daemon knows (docs/cli.md)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PATIENCE = 1.0
"""Seconds: who presses Tab waits no longer."""


def networks(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of networks that begin so; none if no daemon answers."""
    from vrfbgp.control import NotAnswered, Refused, ask

    try:
        found = ask(Path(ctx.params["run_dir"]), {"command": "status"}, PATIENCE)
    except (KeyError, NotAnswered, Refused):
        return []
    names = [str(network["name"]) for network in found["networks"]]
    return [name for name in names if name.startswith(incomplete)]


NetworkName = Annotated[
    str, typer.Argument(metavar="NETWORK", help="Name of the ExternalNetwork.", autocompletion=networks)
]
DestinationOrNetwork = Annotated[
    str,
    typer.Argument(
        metavar="DST|NETWORK", help="A destination, or a network's name.", autocompletion=networks
    ),
]
