"""A small HTTP server (RFC 9112) for a few fixed paths: GET and HEAD, one request a connection, all bounded.

The library's own is made for threads and files, and takes more memory than all that is served here.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

log = logging.getLogger(__name__)

CONNECTIONS = 16
"""How many are served at a time; others are closed at once."""
LONGEST_HEAD = 1 << 13
"""Octets of a request, which has no body."""
SECONDS = 10.0
"""How long a client may take for all of it."""
TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered."""

    status: HTTPStatus
    body: bytes
    content_type: str = TEXT


Answer = Callable[[], Awaitable[Response]]


class Server:
    """Serves these paths, on an address that `listen` names."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._clients: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve while this is entered; yields the port. OSError if it can't be."""
        server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_HEAD)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for client in self._clients:
                client.cancel()
            await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._clients) >= CONNECTIONS:
            writer.transport.abort()
            return
        self._clients.add(task)
        try:
            async with asyncio.timeout(SECONDS):
                writer.write(await self._respond(reader))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            return _octets(_told(HTTPStatus.BAD_REQUEST))
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _octets(_told(HTTPStatus.METHOD_NOT_ALLOWED))
        return _octets(await self._answered(path), body=method == "GET")

    async def _answered(self, path: str) -> Response:
        answer = self._answers.get(path)
        if answer is None:
            known = ", ".join(self._answers)
            return Response(HTTPStatus.NOT_FOUND, f"there is {known}\n".encode())
        try:
            return await answer()
        except Exception:
            log.exception("can't answer %s", path)
            return _told(HTTPStatus.INTERNAL_SERVER_ERROR)


def address_of(text: str) -> tuple[str, int]:
    """`HOST:PORT`, `[IPV6]:PORT`, or a port alone, which is one of the loopback address. ValueError."""
    host, colon, port = text.rpartition(":")
    if not port.isdecimal():
        raise ValueError(f"{text!r} has no port: write HOST:PORT, such as 127.0.0.1:9179")
    if int(port) > 65535:
        raise ValueError(f"{port} is no port: write one from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        return host[1:-1], int(port)
    if ":" in host:
        raise ValueError(f"{text!r} is ambiguous: write [{host}]:{port}")
    if colon and not host:
        raise ValueError(f"{text!r} has no host: for all addresses, write 0.0.0.0{text} or [::]{text}")
    return host or "127.0.0.1", int(port)


def _told(status: HTTPStatus) -> Response:
    return Response(status, f"{status.phrase}\n".encode())


def _octets(response: Response, *, body: bool = True) -> bytes:
    status = response.status
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        "Cache-Control: no-store\r\n"
        "Connection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (response.body if body else b"")
