"""`check`: read a config as the daemon would on this node, without one, and say what it comes to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vrfbgp.config.facts import HostFacts
from vrfbgp.config.files import SUFFIXES, files_of
from vrfbgp.config.load import read
from vrfbgp.config.resolve import Refused, resolve
from vrfbgp.events import LinksRead, TableRead
from vrfbgp.hostfacts import host_facts
from vrfbgp.intent import Problem, Reason, Severity
from vrfbgp.kernel.reader import Reader
from vrfbgp.model import MAIN_TABLE, Family
from vrfbgp.requests import ReadLinks, ReadTable
from vrfbgp.views.outcome import outcome

_NO_NETWORK = Problem(
    Severity.NOTICE,
    Reason.NO_EFFECT,
    "config",
    "There is no ExternalNetwork in it: nothing is done by it, on any node.",
)


def check(paths: Sequence[Path], node: str | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """What becomes of the config; never raises on what the files hold."""
    host = _host()
    name = node or host.hostname
    if not _holds_files(paths):
        return outcome(name, None, [_no_manifest(paths)])
    objects = read(paths).objects
    found = resolve(objects, node=name, labels=labels, host=host)
    if isinstance(found, Refused):
        return outcome(name, None, found.problems)
    nothing = [] if objects.networks else [_NO_NETWORK]
    return outcome(name, found, [*nothing, *found.problems])


def _holds_files(paths: Sequence[Path]) -> bool:
    try:
        return any(files_of(path) for path in paths)
    except OSError:
        return True  # What can't be read is told by who tries.


def _no_manifest(paths: Sequence[Path]) -> Problem:
    where = ", ".join(map(str, paths))
    kinds = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
    text = (
        f"There is no manifest ({kinds}) in {where}: name the files, or their directory. "
        "A running daemon takes this for a volume that is not there, and keeps what runs."
    )
    return Problem(Severity.REFUSED, Reason.NO_EFFECT, "config", text)


def _host() -> HostFacts:
    """This node as the kernel has it; where that can't be read, its name alone."""
    hostname = socket.gethostname()
    with contextlib.suppress(OSError), contextlib.closing(Reader()) as reader:
        links = reader.read(ReadLinks())
        main = [reader.read(ReadTable(MAIN_TABLE, family)) for family in Family]
        assert isinstance(links, LinksRead)
        return host_facts(hostname, links, [table for table in main if isinstance(table, TableRead)])
    return HostFacts(hostname, None, None)
