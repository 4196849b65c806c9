"""`check`: read a config as the daemon would on this node, without one, and say what it comes to."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vrfbgp.config.facts import HostFacts
from vrfbgp.config.load import read
from vrfbgp.config.resolve import Refused, resolve
from vrfbgp.events import LinksRead, TableRead
from vrfbgp.hostfacts import host_facts
from vrfbgp.kernel.reader import Reader
from vrfbgp.model import MAIN_TABLE, Family
from vrfbgp.requests import ReadLinks, ReadTable
from vrfbgp.views.outcome import outcome


def check(paths: Sequence[Path], node: str | None, labels: Mapping[str, str]) -> dict[str, Any]:
    """What becomes of the config; never raises on what the files hold."""
    host = _host()
    name = node or host.hostname
    found = resolve(read(paths).objects, node=name, labels=labels, host=host)
    return outcome(name, None if isinstance(found, Refused) else found, found.problems)


def _host() -> HostFacts:
    """This node as the kernel has it; where that can't be read, its name alone."""
    hostname = socket.gethostname()
    with contextlib.suppress(OSError), contextlib.closing(Reader()) as reader:
        links = reader.read(ReadLinks())
        main = [reader.read(ReadTable(MAIN_TABLE, family)) for family in Family]
        assert isinstance(links, LinksRead)
        return host_facts(hostname, links, [table for table in main if isinstance(table, TableRead)])
    return HostFacts(hostname, None, None)
