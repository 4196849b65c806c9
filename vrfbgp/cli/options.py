"""Options that several commands have, and what they must look like; each error names the option."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

RUN_DIR = Path("/run/vrfbgp")
RunDir = Annotated[
    Path,
    typer.Option(
        "--run-dir",
        envvar="VRFBGP_RUN_DIR",
        readable=False,  # Who may not look into it is told so by `ask`, with what to do.
        help="Directory of the daemon's sockets.",
    ),
]
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def labels_of(given: list[str] | None) -> dict[str, str]:
    """`--label`: KEY=VALUE, repeated or separated by commas."""
    found: dict[str, str] = {}
    for word in re.split(r"[,\s]+", ",".join(given or ())):
        key, equals, value = word.partition("=")
        if not word:
            continue
        if not equals or not key:
            raise typer.BadParameter(f"{word!r} is no KEY=VALUE", param_hint="--label (VRFBGP_LABELS)")
        found[key] = value
    return found


def one_of(option: str, given: str, known: tuple[str, ...]) -> None:
    """One of a few words."""
    if given not in known:
        raise typer.BadParameter(f"{given!r} is none of {', '.join(known)}", param_hint=option)


def check_address(listen: str | None) -> None:
    """`--listen`: see `observe/http.address_of`."""
    if listen:
        from vrfbgp.observe.http import address_of

        try:
            address_of(listen)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--listen (VRFBGP_LISTEN)") from None
