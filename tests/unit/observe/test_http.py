"""The small HTTP server: what it answers, and that no client can make it wait or grow."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import pytest

from vrfbgp.observe import http
from vrfbgp.observe.http import CONNECTIONS, LONGEST_HEAD, Response, Server, address_of


async def page() -> Response:
    return Response(HTTPStatus.OK, b"it works\n")


async def broken() -> Response:
    raise ValueError("oh")


def asked(*requests: bytes, server: Server | None = None) -> list[bytes]:
    """What is answered to each of these, sent by a client of its own."""
    of = server or Server({"/page": page, "/broken": broken})

    async def ask(port: int, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        writer.write_eof()
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    async def scenario() -> list[bytes]:
        async with of.listening("127.0.0.1", 0) as port:
            return [await ask(port, request) for request in requests]

    return asyncio.run(asyncio.wait_for(scenario(), 20))


def test_a_page_is_answered_whole_and_the_connection_closed() -> None:
    (answer,) = asked(b"GET /page?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: 9\r\n" in head
    assert b"Connection: close" in head
    assert body == b"it works\n"


def test_head_has_no_body() -> None:
    (answer,) = asked(b"HEAD /page HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 9" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /else HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /page HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", b"405"),
        (b"GET /broken HTTP/1.1\r\n\r\n", b"500"),
        (b"nonsense", b"400"),
        (b"\xff\xfe\r\n\r\n", b"405"),
        (b"", b"400"),
        (b"GET /page HTTP/1.1\r\nX: " + b"x" * 2 * LONGEST_HEAD + b"\r\n\r\n", b"400"),
    ],
)
def test_what_makes_no_sense_is_told(request_: bytes, status: bytes) -> None:
    (answer,) = asked(request_)
    # Of a request that is not read to its end, the answer may be lost with the connection.
    assert answer.split(b" ")[1:2] == [status] or (not answer and len(request_) > LONGEST_HEAD)
    assert asked(request_, b"GET /page HTTP/1.1\r\n\r\n")[1].endswith(b"it works\n")


def test_silent_clients_are_cut_off_and_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.2)

    async def scenario() -> bytes:
        async with Server({"/page": page}).listening("127.0.0.1", 0) as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS)]
            for reader, _ in silent:
                assert await reader.read() == b""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /page HTTP/1.1\r\n\r\n")
            answer = await reader.read()
            for one in (writer, *(writer for _, writer in silent)):
                one.close()
            return answer

    assert asyncio.run(asyncio.wait_for(scenario(), 20)).endswith(b"it works\n")


def test_no_more_than_so_many_are_served_at_once() -> None:
    now, most = 0, 0
    go_on = asyncio.Event()

    async def slow() -> Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await go_on.wait()
        return await page()

    async def scenario() -> None:
        async with Server({"/page": slow}).listening("127.0.0.1", 0) as port:
            clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONNECTIONS + 3)]
            for _, writer in clients:
                writer.write(b"GET /page HTTP/1.1\r\n\r\n")
            refused = 0
            for reader, _ in clients[CONNECTIONS:]:
                try:
                    refused += await reader.read() == b""
                except ConnectionResetError:
                    refused += 1
            assert refused == 3
            go_on.set()
            for reader, writer in clients[:CONNECTIONS]:
                assert (await reader.read()).endswith(b"it works\n")
                writer.close()
            for _, writer in clients[CONNECTIONS:]:
                writer.close()

    asyncio.run(asyncio.wait_for(scenario(), 20))
    assert most == CONNECTIONS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:9179", ("127.0.0.1", 9179)),
        ("9179", ("127.0.0.1", 9179)),
        ("[::1]:9179", ("::1", 9179)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_addresses(text: str, expected: tuple[str, int]) -> None:
    assert address_of(text) == expected


@pytest.mark.parametrize("text", ["", ":9179", "127.0.0.1", "::1:9179", "x:70000", "x:-1", "x:y", "x:"])
def test_what_is_no_address_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        address_of(text)


def test_a_port_that_is_too_high_is_told_as_that() -> None:
    with pytest.raises(ValueError, match="99999 is no port"):
        address_of("99999")
