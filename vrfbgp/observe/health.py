"""Whether the daemon lives, and whether it is ready: for those who restart it, and those who send it traffic.

It *lives* if each of its loops beats: the core takes a turn when it is asked to, the files are looked at, the
kernel answers what it is handed, the control socket takes a connection. What is wrong elsewhere (a peer, a
config, a network) is no reason to restart it. It is *ready* if a config is in force, each network that runs
is in sync, the gateways' rules stand, and the node is not drained.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

from vrfbgp.beats import Beats
from vrfbgp.core import Core
from vrfbgp.drain import DrainState
from vrfbgp.observe.http import Response
from vrfbgp.views.line import in_force

PATIENCE = 5.0
"""Seconds that a loop has to answer."""
LONGEST_LOOK = 60.0
"""Seconds between two looks at the files: reading a large config takes some of it."""
LONGEST_SILENCE = 30.0
"""Seconds that the kernel may take for what it was handed; a million routes take 2."""

Probe = Callable[[], Awaitable[str | None]]
"""What is wrong with a loop; None: it beats."""


async def live(probes: Mapping[str, Probe]) -> Response:
    """200 if all beat, else 503; a line for each."""
    found = await asyncio.gather(*(_probed(probe) for probe in probes.values()))
    lines = [f"{name}: {wrong or 'ok'}" for name, wrong in zip(probes, found, strict=True)]
    return _response(any(found), lines)


async def _probed(probe: Probe) -> str | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await probe()
    except TimeoutError:
        return f"no answer within {PATIENCE:g} s"


def ready(core: Core) -> Response:
    """200 if traffic may come, else 503 and why not, a line for each reason."""
    reasons = list(_not_ready(core))
    return _response(bool(reasons), reasons or ["ready"])


def _not_ready(core: Core) -> Iterator[str]:
    intent = core.intent
    if intent is None:
        yield "no config is in force yet"
        return
    if intent.partial:
        yield "the config is refused, or not there, and none that was good is known"
    if core.drain.state is not DrainState.SERVING:
        yield f"the node is drained ({core.drain.state})"
    for name, network in sorted(core.networks.items()):
        if not network.in_sync:
            yield f"network {name} is not in sync"
    if not in_force(core):
        yield "the rules that keep gateways' packets off main are not confirmed yet"
    waiting = sum(1 for _, wanted, _ in core.reconciler.rules.pending() if wanted is not None)
    if waiting:
        yield f"{waiting} rules do not stand yet"


def _response(bad: bool, lines: list[str]) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if bad else HTTPStatus.OK
    return Response(status, "".join(f"{line}\n" for line in lines).encode())


# -- the loops ---------------------------------------------------------------------------------------


async def goes_round(beats: Beats, wake: Callable[[], None], look: float = 0.02) -> str | None:
    """Have a loop that waits go round once. Ends when it has."""
    before = beats.count
    while beats.count == before:
        wake()
        await asyncio.sleep(look)
    return None


async def was_round(beats: Beats, longest: float) -> str | None:
    """Whether a loop that goes round by itself was seen lately."""
    return None if beats.age <= longest else f"not seen for {beats.age:.0f} s"


async def answers(silence: float, longest: float = LONGEST_SILENCE) -> str | None:
    """Whether the kernel answers what it is handed; `silence` is for how long it has not."""
    return None if silence <= longest else f"no answer for {silence:.0f} s"


async def takes_connections(path: Path) -> str | None:
    """Whether a socket can be connected to."""
    try:
        _, writer = await asyncio.open_unix_connection(str(path))
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    writer.close()
    return None
