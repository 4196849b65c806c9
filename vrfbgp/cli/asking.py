"""How a command asks the daemon, how it ends without an answer, and how it prints what it found."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from vrfbgp.show.tables import Page

Json = dict[str, Any]

NO_DAEMON = 3
"""Exit status."""


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


def printed(found: Json, as_json: bool, show: Callable[[Page], None], indent: int | None = 2) -> None:
    """Print what was found, as JSON or for people."""
    if as_json:
        json.dump(found, sys.stdout, indent=indent)
        sys.stdout.write("\n")
        return
    from vrfbgp.show.tables import Page

    show(Page())
