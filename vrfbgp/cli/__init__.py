"""The command line. What only one command needs is imported in it, so that `run` starts quickly.

Exit statuses: 0 done; 1 the answer is bad news (`check`, `plan`, `verify`, `reload`), or there is none to
this question; 2 the command line is wrong; 3 the daemon can't be asked.
"""

from __future__ import annotations

from typing import Annotated

import typer

from vrfbgp import __version__
from vrfbgp.cli.act import drain, purge, reload
from vrfbgp.cli.config import check, plan, schema
from vrfbgp.cli.look import events, explain, routes, status
from vrfbgp.cli.prove import verify
from vrfbgp.cli.run import run

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="BGP/VRF route controller for the egress nodes of a cluster.",
)


def main() -> None:
    """Entry point of the `vrfbgp` command."""
    app(prog_name="vrfbgp")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"vrfbgp {__version__}")
        raise typer.Exit


@app.callback()
def common(
    _: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """BGP/VRF route controller for the egress nodes of a cluster."""


for command in (run, check, plan, schema, status, routes, explain, events, verify, reload, drain, purge):
    app.command()(command)
