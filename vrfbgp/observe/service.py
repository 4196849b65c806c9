"""Serves `/metrics`, `/livez` and `/readyz`, whatever becomes of the address that it is to listen on.

A port that somebody else has is no reason not to route: it is told, and tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus

from vrfbgp.core import Core
from vrfbgp.observe import exposition
from vrfbgp.observe.health import Probe, live, ready
from vrfbgp.observe.http import Response, Server, address_of
from vrfbgp.observe.metrics import Samples

log = logging.getLogger(__name__)

AGAIN = 10.0
"""Seconds until it is tried again to listen."""


async def serve(
    address: str, core: Core, samples: Callable[[], Samples], probes: Mapping[str, Probe]
) -> None:
    """Until it is cancelled. ValueError if this is no `address_of`."""

    async def metrics() -> Response:
        taken = samples()
        # Text takes twice as long as the samples: that is not for the core's own thread.
        body = await asyncio.to_thread(exposition.text, taken)
        return Response(HTTPStatus.OK, body, exposition.CONTENT_TYPE)

    async def readiness() -> Response:
        return ready(core)

    host, port = address_of(address)
    server = Server({"/metrics": metrics, "/livez": lambda: live(probes), "/readyz": readiness})
    while True:
        try:
            async with server.listening(host, port) as taken:
                log.info("metrics and health are served on %s, port %d", host, taken)
                await asyncio.Event().wait()
        except OSError as error:
            log.warning("can't listen on %s: %s; tried again in %g s", address, error.strerror, AGAIN)
        await asyncio.sleep(AGAIN)
