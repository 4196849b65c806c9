"""The control socket: how the other commands ask the running daemon.

One request and one response on a connection, each a JSON object on a line. Both are bounded, as is the
number of connections, so that no client can make the daemon grow or wait. Who may connect is decided by the
file system: the socket has mode 0660, its directory is made with 0750.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

SOCKET = "control.sock"
"""Name of the socket in the run directory."""
LONGEST_REQUEST = 1 << 22
"""Octets of a line; the longest is a proposed config with all its files."""
LONGEST_RESPONSE = 1 << 24
"""Octets of a line."""
CONNECTIONS = 16
"""How many clients are served at a time; the others wait for their turn."""
REQUEST_SECONDS = 5.0
"""How long a client may take to send its request, or to take its answer."""
LONGEST_PATH = 107
"""Octets of a socket's path (unix(7): sun_path has 108, with the NUL)."""

Json = dict[str, Any]
Answer = Callable[[Json], Awaitable[Json]]


class Occupied(Exception):
    """Another daemon listens on the socket, or what is there is no socket."""


class NotAnswered(Exception):
    """The daemon could not be asked; the text says why and what to do."""


class Refused(Exception):
    """The daemon was asked and said no, in these words."""


# -- the daemon's side -----------------------------------------------------------------------------


class Control:
    """Serves requests while it is entered (`async with`).

    Entering raises `Occupied`, and OSError if the socket can't be made. A socket that a dead daemon left
    behind is replaced.
    """

    def __init__(self, path: Path, answer: Answer) -> None:
        self.path = path
        self._answer = answer
        self._turns = asyncio.Semaphore(CONNECTIONS)
        self._clients: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Control:
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        _make_room(self.path)
        listener = _listener(self.path)
        self._inode = os.stat(self.path).st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LONGEST_REQUEST)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        with contextlib.suppress(OSError):
            # Unless the next daemon has put its own there already.
            if os.stat(self.path).st_ino == self._inode:
                self.path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            async with self._turns:
                response = await self._respond(reader)
                writer.write(response)
                await asyncio.wait_for(writer.drain(), REQUEST_SECONDS)
        except (OSError, TimeoutError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._clients.discard(task)
            writer.close()

    async def _respond(self, reader: asyncio.StreamReader) -> bytes:
        try:
            line = await asyncio.wait_for(reader.readline(), REQUEST_SECONDS)
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ValueError("not an object")
        except (ValueError, RecursionError) as error:
            return _line({"error": f"the request is no line with a JSON object: {error}"})
        try:
            return _line(await self._answer(request))
        except Exception as error:
            # A question that can't be answered must not end what is asked about.
            log.exception("can't answer %.200r", request)
            return _line({"error": f"{type(error).__name__}: {error}; the daemon's log has more"})


def _make_room(path: Path) -> None:
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise Occupied(f"{path} is too long for a socket's path: choose a shorter --run-dir")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise Occupied(f"{path} is no socket: move it away, or choose another --run-dir")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
        except TimeoutError:
            raise Occupied(f"another vrfbgp listens on {path}, and is too busy to answer") from None
        else:
            raise Occupied(
                f"another vrfbgp runs here, pid {_listener_of(probe)}: it listens on {path}; stop it first, "
                "or give this one another --run-dir"
            )


def _listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The file gets the socket's mode less the umask (unix(7)), so that others never get in; the group
        # does with the second step, whatever the umask is.
        os.fchmod(listener.fileno(), 0o660)
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(CONNECTIONS)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def _line(response: Json) -> bytes:
    octets = json.dumps(response, separators=(",", ":"), ensure_ascii=False).encode()
    if len(octets) >= LONGEST_RESPONSE:
        text = f"the answer has {len(octets)} octets, more than {LONGEST_RESPONSE}: ask for less"
        octets = json.dumps({"error": text}).encode()
    return octets + b"\n"


# -- the side of the other commands ------------------------------------------------------------------


def ask(run_dir: Path, request: Json, timeout: float = 30.0) -> Json:
    """Ask the daemon of this run directory; its response. Raises NotAnswered and Refused."""
    path = run_dir / SOCKET
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            connection.sendall(json.dumps(request, separators=(",", ":")).encode() + b"\n")
            line = _read_line(connection)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            raise NotAnswered(
                f"no vrfbgp runs with the run directory {run_dir}: start one (vrfbgp run --config PATH), "
                "or name its directory by --run-dir or VRFBGP_RUN_DIR"
            ) from None
        except PermissionError:
            raise NotAnswered(
                f"{path} may not be used by this user: ask as root, or as the daemon's user or group"
            ) from None
        except TimeoutError:
            text = f"the daemon at {path} did not answer within {timeout:g} s: look at its log"
            raise NotAnswered(text) from None
        except OSError as error:
            raise NotAnswered(f"the daemon at {path} can't be asked: {error.strerror or error}") from None
    return _response(path, line)


def daemon_pid(run_dir: Path) -> int | None:
    """The daemon's process id as it is seen here: 0 from another pid namespace; None if none answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1.0)
        try:
            connection.connect(str(run_dir / SOCKET))
        except OSError:
            return None
        return _listener_of(connection)


def _listener_of(connection: socket.socket) -> int:
    """The process that listens on the other side (unix(7): SO_PEERCRED)."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[0])


def _read_line(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    left = LONGEST_RESPONSE
    while left > 0 and (part := connection.recv(min(left, 1 << 18))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _response(path: Path, line: bytes) -> Json:
    try:
        response = json.loads(line)
    except ValueError:
        response = None
    if not line.endswith(b"\n") or not isinstance(response, dict):
        raise NotAnswered(
            f"the daemon at {path} ended before it had answered: look at its log, and ask again"
        )
    if "error" in response:
        raise Refused(str(response["error"]))
    return response
