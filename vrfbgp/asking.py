"""What all commands that ask the daemon have in common: whom they ask, and how they end without an answer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

Json = dict[str, Any]

NO_DAEMON = 3
"""Exit status."""
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
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def ask(run_dir: Path, request: Json, timeout: float = 30.0) -> Json:
    """The daemon's response; ends the command if there is none."""
    from vrfbgp.control import ask

    with ended_with_status():
        return ask(run_dir, request, timeout)


@contextlib.contextmanager
def ended_with_status() -> Iterator[None]:
    """End the command as it has to when the daemon does not answer, or says no."""
    from vrfbgp.control import NotAnswered, Refused

    try:
        yield
    except Refused as error:
        typer.echo(f"vrfbgp: {error}", err=True)
        raise typer.Exit(1) from None
    except NotAnswered as error:
        typer.echo(f"vrfbgp: {error}", err=True)
        raise typer.Exit(NO_DAEMON) from None


def until_interrupted() -> contextlib.AbstractContextManager[None]:
    """Ctrl-C is how one ends what goes on for ever: nothing to complain of."""
    return contextlib.suppress(KeyboardInterrupt)
