"""The command line. What only one command needs is imported in it, so that `run` starts quickly.

Exit statuses: 0 done; 1 the answer is bad news (`check`), or there is none to this question; 2 the command
line is wrong; 3 the daemon can't be asked.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vrfbgp import __version__, given
from vrfbgp.asking import RUN_DIR, AsJson, Json, RunDir
from vrfbgp.asking import ask as _ask
from vrfbgp.cli_observe import events, status

if TYPE_CHECKING:
    from vrfbgp.show.tables import Page

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="BGP/VRF route controller for the egress nodes of a cluster.",
)

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

STATE_DIR = Path("/var/lib/vrfbgp")
LARGEST_PAGE = 5000
"""Rows that are asked for at a time."""
PLANNING = 100.0
"""Seconds that a plan may take: more than the daemon allows itself."""
DRAIN_LOOK = 0.1
DRAIN_PATIENCE = 20.0
"""Seconds between two looks whether a drain is done, and that it may take beyond its own waiting."""


def main() -> None:
    """Entry point of the `vrfbgp` command."""
    app()


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


@app.command()
def run(
    config: Annotated[
        list[Path],
        typer.Option(
            "--config", envvar="VRFBGP_CONFIG", help="A file or directory of manifests. Repeatable."
        ),
    ],
    node: Node = None,
    label: Labels = None,
    run_dir: RunDir = RUN_DIR,
    state_dir: StateDir = STATE_DIR,
    compare_every: Annotated[
        float,
        typer.Option(
            "--compare-every",
            metavar="SECONDS",
            min=0,
            envvar="VRFBGP_COMPARE_EVERY",
            help="In how many seconds all in the kernel is compared with what is wanted; 0: never.",
        ),
    ] = 300,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            envvar="VRFBGP_LISTEN",
            help="Serve /metrics, /livez and /readyz there; a port alone is one of 127.0.0.1.",
        ),
    ] = None,
    log_format: Annotated[
        str, typer.Option("--log-format", envvar="VRFBGP_LOG_FORMAT", help="text or json.")
    ] = "text",
    log_level: Annotated[
        str, typer.Option("--log-level", envvar="VRFBGP_LOG_LEVEL", help="debug, info, warning or error.")
    ] = "info",
) -> None:
    """Run the daemon in the foreground, in the current network namespace; it logs to stderr."""
    given.address(listen)
    given.one_of("--log-format", log_format, ("text", "json"))
    given.one_of("--log-level", log_level, ("debug", "info", "warning", "error"))
    labels = given.labels(label)
    from vrfbgp.itself import become
    from vrfbgp.options import DaemonOptions

    options = DaemonOptions(
        config=tuple(config),
        node=node,
        labels=labels,
        run_dir=run_dir,
        state_dir=state_dir,
        compare_every=compare_every or None,
        listen=listen or None,
        log_format=log_format,
        log_level=log_level,
    )
    become("vrfbgp.daemon", options.text())


@app.command()
def check(
    paths: Annotated[
        list[Path], typer.Argument(envvar="VRFBGP_CONFIG", help="Files or directories of manifests.")
    ],
    node: Node = None,
    label: Labels = None,
    as_json: AsJson = False,
) -> None:
    """Say what a config would do on this node, and all that is wrong with it. Needs no daemon.

    Ends with 1 if anything is refused or degraded.
    """
    from vrfbgp.check import check as check_config

    outcome = check_config(paths, node, given.labels(label))

    def show(page: Page) -> None:
        from vrfbgp.show.check import show_check

        show_check(page, outcome)

    _print(outcome, as_json, show)
    raise typer.Exit(0 if outcome["verdict"] == "ok" else 1)


@app.command()
def plan(
    paths: Annotated[
        list[Path], typer.Argument(help="Files or directories of manifests: all of the config; - is stdin.")
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
        raise typer.BadParameter(f"{error.filename}: {error.strerror}", param_hint="PATHS") from None
    found = _ask(run_dir, {"command": "plan", "files": [{"name": n, "text": t} for n, t in files]}, PLANNING)

    def show(page: Page) -> None:
        from vrfbgp.show.plan import show_plan

        show_plan(page, found, verbose)

    _print(found, as_json, show)
    raise typer.Exit(1 if found["refused"] else 0)


@app.command()
def schema(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="A kind, as BGPPeer; all, if it is not given.")
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


app.command()(status)
app.command()(events)


@app.command()
def routes(
    network: Annotated[str, typer.Argument(help="Name of the ExternalNetwork.")],
    within: Annotated[
        str | None, typer.Option("--within", metavar="PREFIX", help="Only what this prefix covers.")
    ] = None,
    state: Annotated[
        str | None,
        typer.Option("--state", help="installed, pending, failed, blocked, leaving or unused."),
    ] = None,
    received: Annotated[
        bool,
        typer.Option("--received", help="Each peer's own announcements: taken, or refused by which rule."),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="How many prefixes; 0: all.")] = 1000,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """What a network's peers announced, and what became of it."""
    if received and state is not None:
        raise typer.BadParameter(
            "--state is about the table, not about what was received", param_hint="--state"
        )
    of = "received" if received else "routes"
    request: Json = {"command": of, "network": network, "within": within, "state": state}
    found = _ask(run_dir, request | {"limit": limit or LARGEST_PAGE})
    rows = found[of]
    while found["next"] is not None and (not limit or len(rows) < limit):
        page = {"offset": found["next"], "limit": limit - len(rows) if limit else LARGEST_PAGE}
        found = _ask(run_dir, request | page)
        rows += found[of]
    found[of] = rows

    def show(page: Page) -> None:
        from vrfbgp.show.routes import show_received, show_routes

        (show_received if received else show_routes)(page, found)

    _print(found, as_json, show)


@app.command()
def explain(
    first: Annotated[str, typer.Argument(metavar="DST|NETWORK", help="A destination, or a network's name.")],
    prefix: Annotated[str | None, typer.Argument(metavar="[PREFIX]", help="A prefix of the network.")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="SRC", help="Explain packets from this address to DST.")
    ] = None,
    run_dir: RunDir = RUN_DIR,
    as_json: AsJson = False,
) -> None:
    """Why packets go where they go (--from SRC DST), or why a prefix is used or not (NETWORK PREFIX)."""
    if (source is None) == (prefix is None):
        raise typer.BadParameter("give either --from SRC DST, or NETWORK PREFIX", param_hint="explain")
    if source is not None:
        found = _ask(run_dir, {"command": "explain-flow", "source": source, "destination": first})
    else:
        found = _ask(run_dir, {"command": "explain-prefix", "network": first, "prefix": prefix})

    def show(page: Page) -> None:
        from vrfbgp.show.explain import show_flow, show_prefix

        (show_prefix if source is None else show_flow)(page, found)

    _print(found, as_json, show)


@app.command()
def verify(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PATHS]...",
            help="Files or directories of manifests; without them the config that the daemon last took.",
            show_default=False,
        ),
    ] = None,
    node: Node = None,
    label: Labels = None,
    run_dir: RunDir = RUN_DIR,
    state_dir: StateDir = STATE_DIR,
    as_json: AsJson = False,
) -> None:
    """Prove on this node, from what the kernel says, that the networks are kept apart. Needs no daemon.

    Ends with 1 if packets can go where they must not, or anything is not as the config wants it.
    """
    from vrfbgp.verify.edge import NoConfig
    from vrfbgp.verify.edge import verify as verify_node

    labels = given.labels(label)
    try:
        found = verify_node(paths or (), node=node, labels=labels, run_dir=run_dir, state_dir=state_dir)
    except NoConfig as error:
        raise typer.BadParameter(str(error), param_hint="PATHS") from None
    except OSError as error:
        typer.echo(f"vrfbgp: the kernel can't be read: {error.strerror or error}", err=True)
        raise typer.Exit(1) from None

    def show(page: Page) -> None:
        from vrfbgp.show.verify import show_verify

        show_verify(page, found)

    _print(found, as_json, show)
    raise typer.Exit(0 if found["verdict"] == "ok" else 1)


@app.command()
def reload(run_dir: RunDir = RUN_DIR, as_json: AsJson = False) -> None:
    """Have the daemon read its config again now. (It follows changes of the files by itself.)"""
    found = _ask(run_dir, {"command": "reload"})

    def show(page: Page) -> None:
        if found["refused"]:
            page.line("The config is refused, the one before still runs:")
        else:
            page.line("The new config is taken." if found["changed"] else "The config has not changed.")
        for problem in found["refused"]:
            page.line(problem, indent=2)

    _print(found, as_json, show)
    raise typer.Exit(1 if found["refused"] else 0)


@app.command()
def drain(
    wait: Annotated[
        float | None,
        typer.Option(
            "--wait",
            metavar="SECONDS",
            min=0,
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
    request: Json = {"command": "drain", "undo": True} if undo else {"command": "drain"}
    told = _ask(run_dir, request if wait is None else request | {"wait": wait})
    deadline = time.monotonic() + told["wait"] + DRAIN_PATIENCE
    while True:
        found = _ask(run_dir, {"command": "drain-state"})
        done = found["state"] == "serving" and not found["waiting"] if undo else found["state"] == "drained"
        if done or time.monotonic() > deadline:
            break
        time.sleep(DRAIN_LOOK)
    found |= {"done": done, "kept": told["kept"]}

    def show(page: Page) -> None:
        from vrfbgp.show.drain import show_drain

        show_drain(page, found, undo)

    _print(found, as_json, show)
    raise typer.Exit(0 if done else 1)


@app.command()
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

    _print(outcome, as_json, show)
    raise typer.Exit(0 if dry_run or outcome["done"] else 1)


def _print(found: Json, as_json: bool, show: Callable[[Page], None]) -> None:
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        sys.stdout.write("\n")
        return
    from vrfbgp.show.tables import Page

    show(Page())
