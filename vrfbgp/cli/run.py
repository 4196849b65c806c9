"""`run`: the daemon itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vrfbgp.cli.options import (
    RUN_DIR,
    STATE_DIR,
    Labels,
    Node,
    RunDir,
    StateDir,
    check_address,
    labels_of,
    one_of,
)


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
    check_address(listen)
    one_of("--log-format", log_format, ("text", "json"))
    one_of("--log-level", log_level, ("debug", "info", "warning", "error"))
    labels = labels_of(label)
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
