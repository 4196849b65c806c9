"""`verify` from end to end: reads, compares, asks, and tells only what holds when it is looked at again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vrfbgp.config.findings import ordered
from vrfbgp.control import NotAnswered, Refused, daemon_pid
from vrfbgp.control import ask as ask_daemon
from vrfbgp.drain_mark import DrainMark
from vrfbgp.kernel.reader import Reader
from vrfbgp.netns import elsewhere
from vrfbgp.options import STATE_DIR
from vrfbgp.verify.checker import Checked, check
from vrfbgp.verify.findings import Weight
from vrfbgp.verify.ground import ground_of
from vrfbgp.verify.look import around, ask, look
from vrfbgp.verify.report import report
from vrfbgp.verify.sight import Sight
from vrfbgp.verify.source import Compared, NoConfig, config_of
from vrfbgp.views.words import problem

__all__ = ["Elsewhere", "NoConfig", "verify"]

Json = dict[str, Any]

SETTLING = 1.5
"""Seconds after which something that is being changed, or repaired, is through."""


class Elsewhere(Exception):
    """What is read here is not what the daemon works on; the text says where that is."""


@dataclass(frozen=True, slots=True)
class Word:
    """What the daemon says, or why it says nothing."""

    status: Json | None
    why_not: str = ""

    @property
    def node(self) -> str | None:
        """The node that it takes this one for."""
        return self.status.get("node") if self.status is not None else None

    @property
    def state_directory(self) -> Path | None:
        found = (self.status or {}).get("daemon", {}).get("state_directory")
        return Path(found) if found else None


def verify(
    paths: Sequence[Path],
    *,
    node: str | None,
    labels: Mapping[str, str],
    run_dir: Path,
    state_dir: Path | None,
) -> Json:
    """Compare this node with its config. Raises NoConfig and Elsewhere; OSError if the kernel can't be read.

    Without `state_dir` it is that of the daemon that answers, else the default one. The kernel is not read in
    one instant, and a daemon may be at work: while one runs, what is found counts if it is found twice.
    """
    begun = time.monotonic()
    with contextlib.closing(Reader()) as reader:
        word = _daemon(run_dir)
        state_dir = state_dir or word.state_directory or STATE_DIR
        compared = config_of(
            paths, state_dir, node=node, labels=labels, host=around(reader), answering=word.node
        )
        drained = DrainMark(state_dir).holds()
        once = partial(_once, reader, compared, run_dir, drained)
        found, word = once()
        if word.status is not None and any(f.weight is not Weight.NOTICE for f in found.findings):
            time.sleep(SETTLING)
            before = {(finding.flaw, finding.subject) for finding in found.findings}
            found, word = once()
            found = found.keep(lambda finding: (finding.flaw, finding.subject) in before)
    return report(found, compared, word.status is not None, word.why_not, time.monotonic() - begun)


def _once(reader: Reader, compared: Compared, run_dir: Path, drained: bool) -> tuple[Checked, Word]:
    """One look at everything."""
    intent = compared.intent
    most = max((len(gateway.networks) for gateway in intent.gateways), default=0)
    word = _daemon(run_dir)
    sight: Sight = look(reader, {n.table for n in intent.networks}, intent.rule_priority + most)
    refused = [problem(found) for found in ordered(compared.refused)]
    if word.status is not None:
        drained = word.status["drain"]["state"] in ("closing", "drained")
        if compared.last_good:
            refused = refused or word.status["config"]["refused"]
    ground = ground_of(intent, sight, drained=drained)
    return check(ground, sight, partial(ask, reader), word.status, refused), word


def _daemon(run_dir: Path) -> Word:
    """Raises Elsewhere."""
    try:
        status = ask_daemon(run_dir, {"command": "status"})
    except (NotAnswered, Refused) as error:
        return Word(None, str(error))
    other = status.get("daemon", {}).get("network_namespace")
    if text := elsewhere(other, daemon_pid(run_dir)):
        raise Elsewhere(text)
    return Word(status)
