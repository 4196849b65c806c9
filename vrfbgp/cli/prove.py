"""The `verify` command."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from vrfbgp.cli.options import RUN_DIR, STATE_DIR, AsJson, Labels, RunDir, labels_of


def verify(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Files or directories of manifests; without them the config that the daemon last took.",
            show_default=False,
        ),
    ] = None,
    node: Annotated[
        str | None,
        typer.Option(
            "--node",
            envvar="VRFBGP_NODE",
            help="Name of this node.",
            show_default="the daemon's, else the host name",
        ),
    ] = None,
    label: Labels = None,
    run_dir: RunDir = RUN_DIR,
    state_dir: Annotated[
        Path | None,
        typer.Option(
            "--state-dir",
            envvar="VRFBGP_STATE_DIR",
            help="Directory of what survives a restart.",
            show_default=f"the daemon's, else {STATE_DIR}",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Prove on this node, from what the kernel says, that the networks are kept apart. Needs no daemon.

    Ends with 1 if packets can go where they must not, or anything is not as the config wants it.
    """
    from vrfbgp.verify.edge import Elsewhere, NoConfig
    from vrfbgp.verify.edge import verify as verify_node

    labels = labels_of(label)
    try:
        found = verify_node(paths or (), node=node, labels=labels, run_dir=run_dir, state_dir=state_dir)
    except NoConfig as error:
        raise typer.BadParameter(str(error), param_hint="PATH") from None
    except Elsewhere as error:
        typer.echo(f"vrfbgp: {error}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"vrfbgp: the kernel can't be read: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None

    if as_json:
        json.dump(found, sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        from vrfbgp.show.tables import Page
        from vrfbgp.show.verify import show_verify

        show_verify(Page(), found)
    raise typer.Exit(0 if found["verdict"] == "ok" else 1)
