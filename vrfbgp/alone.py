"""Only one of us works on the routes of a network namespace: the lock that says so."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

LOCK = "\0vrfbgp"
"""Its name: an abstract one, which no file system knows."""


class AnotherDaemon(Exception):
    """Only one daemon works on the routes of a network namespace."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the lock of this network namespace; `AnotherDaemon` if somebody has it.

    An abstract Unix socket belongs to its network namespace, whatever file system a container sees, and it
    goes with its process, however that ends (unix(7)).
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(LOCK)
        except OSError as error:
            raise AnotherDaemon(
                "another vrfbgp runs in this network namespace; stop it first, or ask it: vrfbgp status"
            ) from error
        yield
