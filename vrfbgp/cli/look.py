"""The commands that look at the running daemon: how it is, what happened, where packets go and why."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from vrfbgp.cli.asking import Json, ask, ended_with_status, printed, until_interrupted
from vrfbgp.cli.complete import DestinationOrNetwork, NetworkName
from vrfbgp.cli.options import RUN_DIR, AsJson, RunDir
from vrfbgp.cli.paging import answers, write_json

if TYPE_CHECKING:
    from vrfbgp.show.tables import Page


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
    from vrfbgp.cli.follow import pages
    from vrfbgp.show.events import show_events
    from vrfbgp.show.tables import Page

    request = {"command": "events", "limit": newest, "network": network, "code": code}
    page = Page()
    with ended_with_status(), until_interrupted():
        for found in pages(run_dir, request, follow=follow):
            show_events(page, found, as_json=as_json)


def routes(
    network: NetworkName,
    prefix: Annotated[
        str | None, typer.Option("--prefix", metavar="PREFIX", help="Only this prefix.")
    ] = None,
    longer: Annotated[
        bool, typer.Option("--longer", help="With --prefix: also what it covers, as --within.")
    ] = False,
    within: Annotated[
        str | None, typer.Option("--within", metavar="PREFIX", help="Only what this prefix covers.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            "--state",
            help="installed, pending, failed, blocked, leaving or unused; with --received best, backup, "
            "accepted, unusable or refused.",
        ),
    ] = None,
    installed: Annotated[bool, typer.Option("--installed", help="As --state installed.")] = False,
    received: Annotated[
        bool,
        typer.Option("--received", help="Each peer's own announcements: taken, or refused by which rule."),
    ] = False,
    best: Annotated[bool, typer.Option("--best", help="As --received --state best.")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="As --received --state refused.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many prefixes; 0: all.")] = 1000,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """What a network's peers announced, and what became of it."""
    short = [
        word for word, given in (("installed", installed), ("best", best), ("refused", refused)) if given
    ]
    if len(short) + (state is not None) > 1:
        given = ", ".join(f"--{word}" for word in [*short, *(["state"] if state is not None else [])])
        raise typer.BadParameter("each is a state of its own; give one", param_hint=given)
    if installed and received:
        raise typer.BadParameter("it is about routes, not about what was received", param_hint="--installed")
    if longer and prefix is None:
        raise typer.BadParameter("it is about --prefix", param_hint="--longer")
    if longer:
        prefix, within = None, prefix
    of = "received" if received or best or refused else "routes"
    narrowed: Json = {"prefix": prefix, "within": within, "state": short[0] if short else state}
    request: Json = {"command": of, "network": network, **narrowed}
    pages = answers(partial(ask, run_dir), request, of, limit)
    if as_json:
        write_json(pages, of, sys.stdout)
        return
    from vrfbgp.show.routes import show_received, show_routes
    from vrfbgp.show.tables import Page

    first = next(pages)
    (show_received if of == "received" else show_routes)(Page(), first, pages)
    if prefix is not None and narrowed["state"] is None and not first[of]:
        typer.echo(
            f"Not exactly this prefix: `vrfbgp explain {network} {prefix}` says which route packets to it "
            "take, --longer what it covers."
        )


def explain(
    first: DestinationOrNetwork,
    prefix: Annotated[str | None, typer.Argument(metavar="PREFIX", help="A prefix of the network.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="SRC", help="Explain packets from this address to DST.")
    ] = None,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """Why packets go where they go (--from SRC DST), or why a prefix is used or not (NETWORK PREFIX).

    Each path is told with when it came: the time of the announcement, if it is among the last 32,768 of its
    peer and family; else that it came as the session began, or between which two times. Withdrawals are
    remembered alike.
    """
    if (source is None) == (prefix is None):
        raise typer.BadParameter("give either --from SRC DST, or NETWORK PREFIX", param_hint="explain")
    if source is not None:
        found = ask(run_dir, {"command": "explain-flow", "source": source, "destination": first})
    else:
        found = ask(run_dir, {"command": "explain-prefix", "network": first, "prefix": prefix})

    def show(page: Page) -> None:
        from vrfbgp.show.explain import show_flow, show_prefix

        (show_prefix if source is None else show_flow)(page, found)

    printed(found, as_json, show)
