"""The commands that look at the running daemon: how it is, and what happened."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from vrfbgp.asking import RUN_DIR, AsJson, Json, RunDir, ask, ended_with_status, until_interrupted


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every 2 s, until Ctrl-C.")] = False,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """The state of networks, peers and gateways, and what is wrong."""
    from vrfbgp.show.screen import watched
    from vrfbgp.show.status import show_status
    from vrfbgp.show.tables import Page

    def look() -> Json:
        return ask(run_dir, {"command": "status"})

    with until_interrupted():
        for found in watched(look) if watch else [look()]:
            if as_json:
                json.dump(found, sys.stdout, indent=None if watch else 2)
                sys.stdout.write("\n")
            else:
                show_status(Page(), found)


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what happens.")] = False,
    newest: Annotated[int, typer.Option("-n", min=0, max=1000, help="How many of the last ones.")] = 50,
    network: Annotated[str | None, typer.Option("--network", help="Only what is about this one.")] = None,
    code: Annotated[
        str | None, typer.Option("--code", metavar="GLOB", help="Only these, such as 'peer.*'.")
    ] = None,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """What happened lately, the newest at the end; --json prints an object a line. Codes: docs/events.md."""
    from vrfbgp.follow import pages
    from vrfbgp.show.events import show_events
    from vrfbgp.show.tables import Page

    request = {"command": "events", "limit": newest, "network": network, "code": code}
    page = Page()
    with ended_with_status(), until_interrupted():
        for found in pages(run_dir, request, follow=follow):
            show_events(page, found, as_json=as_json)
