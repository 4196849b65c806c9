"""The control socket: one request, one response, whatever a client does."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from vrfbgp import control
from vrfbgp.control import SOCKET, Control, NotAnswered, Occupied, Refused, ask, daemon_pid

Json = dict[str, Any]


async def echo(request: Json) -> Json:
    """The answer of most tests."""
    return {"you said": request}


def serve(
    path: Path,
    answer: Callable[[Json], Awaitable[Json]] = echo,
    client: Callable[[], Any] = lambda: None,
) -> Any:
    """Serve while a client, in a thread of its own, does its work; what the client returns."""

    async def both() -> Any:
        async with Control(path / SOCKET, answer):
            return await asyncio.wait_for(asyncio.to_thread(client), 20)

    return asyncio.run(both())


def raw(path: Path, octets: bytes) -> Json:
    """Send octets and read the response."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(str(path / SOCKET))
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as stream:
            response: Json = json.loads(stream.readline())
            return response


def test_a_request_has_its_response(tmp_path: Path) -> None:
    request = {"command": "status", "text": "ü\n"}
    assert serve(tmp_path, client=lambda: ask(tmp_path, request)) == {"you said": request}


def test_who_answers_is_known_by_its_process_id(tmp_path: Path) -> None:
    assert serve(tmp_path, client=lambda: daemon_pid(tmp_path)) == os.getpid()
    assert daemon_pid(tmp_path) is None


def test_a_large_response_arrives_whole(tmp_path: Path) -> None:
    async def answer(request: Json) -> Json:
        return {"rows": ["x" * 100] * 50_000}

    assert len(serve(tmp_path, answer, lambda: ask(tmp_path, {}))["rows"]) == 50_000


def test_a_response_that_is_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LONGEST_RESPONSE", 1000)

    async def answer(request: Json) -> Json:
        return {"rows": "x" * 2000}

    with pytest.raises(Refused, match="ask for less"):
        serve(tmp_path, answer, lambda: ask(tmp_path, {}))


@pytest.mark.parametrize(
    "octets", [b"nonsense\n", b"[1]\n", b"", b'{"a":', b"\xff\xfe\n", b"[" * 60_000 + b"\n"]
)
def test_nonsense_is_answered_by_an_error(tmp_path: Path, octets: bytes) -> None:
    assert "JSON" in serve(tmp_path, client=lambda: raw(tmp_path, octets))["error"]


def test_a_request_that_never_ends_is_cut_off(tmp_path: Path) -> None:
    def client() -> bool:
        try:
            return "error" in raw(tmp_path, b"x" * (4 * control.LONGEST_REQUEST))
        except (BrokenPipeError, ConnectionResetError, json.JSONDecodeError):
            return True

    assert serve(tmp_path, client=client)


def test_an_error_of_the_answer_is_told_and_the_next_is_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def answer(request: Json) -> Json:
        return {"value": 1 // request["by"]}

    def client() -> Json:
        with pytest.raises(Refused, match="ZeroDivisionError"):
            ask(tmp_path, {"by": 0})
        return ask(tmp_path, {"by": 1})

    assert serve(tmp_path, answer, client) == {"value": 1}
    assert "ZeroDivisionError" in caplog.text


def test_a_silent_client_keeps_no_other_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "REQUEST_SECONDS", 0.2)

    def client() -> Json:
        silent = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(control.CONNECTIONS)]
        for one in silent:
            one.connect(str(tmp_path / SOCKET))
        try:
            return ask(tmp_path, {"command": "status"}, timeout=10)
        finally:
            for one in silent:
                one.close()

    assert "you said" in serve(tmp_path, client=client)


def test_no_more_than_so_many_are_answered_at_once(tmp_path: Path) -> None:
    now, most = 0, 0

    async def answer(request: Json) -> Json:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.05)
        now -= 1
        return {}

    def client() -> None:
        threads = [threading.Thread(target=ask, args=(tmp_path, {})) for _ in range(control.CONNECTIONS * 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    serve(tmp_path, answer, client)
    assert 1 < most <= control.CONNECTIONS


@pytest.mark.parametrize("umask", [0, 0o022, 0o027])
def test_only_owner_and_group_may_connect(tmp_path: Path, umask: int) -> None:
    """To connect is to write (unix(7)): the group needs both, whatever the umask."""
    before = os.umask(umask)
    try:
        run_dir = tmp_path / "run"
        modes = serve(run_dir, client=lambda: (os.stat(run_dir).st_mode, os.stat(run_dir / SOCKET).st_mode))
    finally:
        os.umask(before)
    assert [stat.S_IMODE(mode) for mode in modes] == [0o750, 0o660]


def test_the_socket_goes_with_its_daemon(tmp_path: Path) -> None:
    serve(tmp_path)
    assert not (tmp_path / SOCKET).exists()


def test_a_socket_that_a_dead_daemon_left_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / SOCKET))
    assert (tmp_path / SOCKET).exists()
    assert serve(tmp_path, client=lambda: ask(tmp_path, {})) == {"you said": {}}


LISTEN = """
import socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(sys.argv[1])
listener.listen()
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_living_daemon_is_not_pushed_aside(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", LISTEN, str(tmp_path / SOCKET)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with other:
        assert other.stdout is not None
        assert other.stdin is not None
        other.stdout.readline()
        with pytest.raises(Occupied, match=f"another vrfbgp runs here, pid {other.pid}"):
            serve(tmp_path)
        other.stdin.close()
        other.wait(10)
    assert (tmp_path / SOCKET).exists(), "it is the other's"


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / SOCKET).write_text("precious")
    with pytest.raises(Occupied, match="no socket"):
        serve(tmp_path)
    assert (tmp_path / SOCKET).read_text() == "precious"


def test_a_path_that_is_too_long_for_a_socket_says_so(tmp_path: Path) -> None:
    with pytest.raises(Occupied, match="--run-dir"):
        serve(tmp_path / ("x" * 100))


def test_where_no_daemon_runs_the_client_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NotAnswered, match=f"{tmp_path}.*--run-dir"):
        ask(tmp_path, {})
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / SOCKET))
    with pytest.raises(NotAnswered, match="no vrfbgp runs"):
        ask(tmp_path, {})


def test_a_daemon_that_does_not_answer_in_time_says_so(tmp_path: Path) -> None:
    async def answer(request: Json) -> Json:
        await asyncio.sleep(60)
        return {}

    with pytest.raises(NotAnswered, match="did not answer within"):
        serve(tmp_path, answer, lambda: ask(tmp_path, {}, timeout=0.2))


def test_a_daemon_that_ends_in_the_middle_says_so(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(tmp_path / SOCKET))
        listener.listen()

        def end() -> None:
            connection, _ = listener.accept()
            connection.recv(100)
            connection.sendall(b'{"half": ')
            connection.close()

        thread = threading.Thread(target=end)
        thread.start()
        with pytest.raises(NotAnswered, match="ended before"):
            ask(tmp_path, {})
        thread.join()


def test_leaving_ends_what_is_still_being_answered(tmp_path: Path) -> None:
    started = threading.Event()

    async def answer(request: Json) -> Json:
        started.set()
        await asyncio.sleep(60)
        return {}

    failures: list[Exception] = []

    def wait_for_it() -> None:
        try:
            ask(tmp_path, {})
        except NotAnswered as error:
            failures.append(error)

    thread = threading.Thread(target=wait_for_it)

    def client() -> None:
        thread.start()
        assert started.wait(10)

    serve(tmp_path, answer, client)
    thread.join(10)
    assert len(failures) == 1
