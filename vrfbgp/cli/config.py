"""The commands about configs: what one comes to, what it would change, and how one is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrfbgp.cli.asking import ask, printed
from vrfbgp.cli.options import RUN_DIR, AsJson, Labels, Node, RunDir, labels_of

if TYPE_CHECKING:
    from vrfbgp.show.tables import Page

PLANNING = 100.0
"""Seconds that a plan may take: more than the daemon allows itself."""


def check(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", envvar="VRFBGP_CONFIG", help="Files or directories of manifests."),
    ],
    node: Node = None,
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Say what a config would do on this node, and all that is wrong with it. Needs no daemon.

    Ends with 1 if anything is refused or degraded.
    """
    from vrfbgp.check import check as check_config

    outcome = check_config(paths, node, labels_of(label))

    def show(page: Page) -> None:
        from vrfbgp.show.check import show_check

        show_check(page, outcome)

    printed(outcome, as_json, show)
    raise typer.Exit(0 if outcome["verdict"] == "ok" else 1)


def plan(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH", help="Files or directories of manifests: all of the config; - is stdin."
        ),
    ],
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="With every operation on the kernel.")
    ] = False,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """Say what the running daemon would change, were this its config: sessions, rules, routes, announcements.

    Nothing is changed. Ends with 1 if the config would be refused.
    """
    from vrfbgp.config.files import texts_of

    try:
        files = texts_of(paths)
    except OSError as error:
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="PATH") from None
    found = ask(run_dir, {"command": "plan", "files": [{"name": n, "text": t} for n, t in files]}, PLANNING)

    def show(page: Page) -> None:
        from vrfbgp.show.plan import show_plan

        show_plan(page, found, verbose)

    printed(found, as_json, show)
    raise typer.Exit(1 if found["refused"] else 0)


def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A kind, as BGPPeer; all, if it is not given.")
    ] = None,
) -> None:
    """Print JSON Schema (draft 2020-12) of the config's kinds, for editors."""
    from vrfbgp.config.schema.editor import UnknownKind, json_schema

    try:
        found = json_schema(kind)
    except UnknownKind as error:
        raise typer.BadParameter(str(error), param_hint="KIND") from None
    json.dump(found, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
