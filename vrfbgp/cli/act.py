"""The commands that have something done: to the running daemon, or, without one, to the kernel."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated

import typer

from vrfbgp.cli.asking import Json, ask, printed
from vrfbgp.cli.options import RUN_DIR, AsJson, RunDir
from vrfbgp.drain import LONGEST_WAIT

if TYPE_CHECKING:
    from vrfbgp.show.tables import Page

DRAIN_LOOK = 0.1
DRAIN_PATIENCE = 20.0
"""Seconds between two looks whether a drain is done, and that it may take beyond its own waiting."""


def reload(run_dir: RunDir = RUN_DIR, as_json: AsJson = False) -> None:
    """Have the daemon read its config again now. (It follows changes of the files by itself.)"""
    found = ask(run_dir, {"command": "reload"})

    def show(page: Page) -> None:
        if found["refused"]:
            page.line("The config is refused, the one before still runs:")
        else:
            page.line("The new config is taken." if found["changed"] else "The config has not changed.")
        for problem in found["refused"]:
            page.line(problem, indent=2)

    printed(found, as_json, show)
    raise typer.Exit(1 if found["refused"] else 0)


def drain(
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
            max=LONGEST_WAIT,
            help="Between withdrawal and the end of steering. 5 if it is not given.",
        ),
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back: serve again.")] = False,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """Have this node leave: withdraw all announcements, wait, then make its gateways unreachable.

    Holds, whatever is edited or restarted, until it is taken back (--undo) or the node boots anew. Ends when
    it is done, with 1 if that takes unreasonably long; the daemon goes on with it then.
    """
    if undo and wait is not None:
        raise typer.BadParameter("--undo waits for nothing", param_hint="--wait")
    request: Json = {"command": "drain", "undo": True} if undo else {"command": "drain"}
    told = ask(run_dir, request if wait is None else request | {"wait": wait})
    deadline = time.monotonic() + told["wait"] + DRAIN_PATIENCE
    while True:
        found = ask(run_dir, {"command": "drain-state"})
        done = found["state"] == "serving" and not found["waiting"] if undo else found["state"] == "drained"
        if done or time.monotonic() > deadline:
            break
        time.sleep(DRAIN_LOOK)
    found |= {"done": done, "kept": told["kept"]}

    def show(page: Page) -> None:
        from vrfbgp.show.drain import show_drain

        show_drain(page, found, undo)

    printed(found, as_json, show)
    raise typer.Exit(0 if done else 1)


def purge(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed; a daemon may run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove all that is vrfbgp's from the kernel of this network namespace: rules, routes, next hops.

    Needs no daemon, and none may run. Gateways' packets are unreachable until everything else is gone; then
    they take the node's own routes. Ends with 1 if anything is left.
    """
    from vrfbgp.alone import AnotherDaemon, alone
    from vrfbgp.kernel.preflight import Unfit
    from vrfbgp.purge import purge as purge_kernel

    try:
        with contextlib.nullcontext() if dry_run else alone():
            outcome = purge_kernel(dry_run=dry_run)
    except (AnotherDaemon, Unfit) as error:
        typer.echo(f"vrfbgp: {error}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:
        typer.echo(f"vrfbgp: the kernel can't be read: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None

    def show(page: Page) -> None:
        from vrfbgp.show.purge import show_purge

        show_purge(page, outcome)

    printed(outcome, as_json, show)
    raise typer.Exit(0 if dry_run or outcome["done"] else 1)
