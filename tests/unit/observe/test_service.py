"""What is served together, and that an address which is taken stops nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from tests.unit.nodes import Node
from vrfbgp.observe import metrics, service
from vrfbgp.observe.metrics import Samples


async def get(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    try:
        return await reader.read()
    finally:
        writer.close()


def test_it_is_served_once_the_address_is_free(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(service, "AGAIN", 0.05)
    node = Node()

    def samples() -> Samples:
        taken = metrics.Sampling(node.now)
        taken.core(node.core)
        return taken.samples

    async def scenario() -> list[bytes]:
        other = socket.create_server(("127.0.0.1", 0))
        port = other.getsockname()[1]
        serving = asyncio.create_task(service.serve(f"127.0.0.1:{port}", node.core, samples, {}))
        try:
            while "can't listen" not in caplog.text:
                await asyncio.sleep(0.01)
            other.close()
            while True:
                with contextlib.suppress(OSError):
                    return [await get(port, path) for path in ("/metrics", "/livez", "/readyz")]
                await asyncio.sleep(0.01)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    found = asyncio.run(asyncio.wait_for(scenario(), 20))
    assert b"vrfbgp_network_state{" in found[0]
    assert b"Content-Type: text/plain; version=" in found[0]
    assert found[1].startswith(b"HTTP/1.1 200")
    assert b"network red is not in sync" in found[2]
