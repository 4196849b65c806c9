"""Sockets that another process binds: by the real one, in a thread, as far as no privilege is needed."""

from __future__ import annotations

import errno
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from vrfbgp.kernel import ports, scribe
from vrfbgp.kernel.ports import Ports

LOOPBACKS = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


class Forbidden(socket.socket):
    """A socket that may not be bound by us."""

    def bind(self, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")


@pytest.fixture
def bound_elsewhere() -> Iterator[Ports]:
    made = Ports()
    thread = threading.Thread(target=scribe.bind, args=(os.dup(made.theirs.fileno()),))
    thread.start()
    made.theirs.close()
    yield made
    made.close()
    thread.join(10.0)
    assert not thread.is_alive()


@pytest.mark.parametrize(("family", "host"), LOOPBACKS)
def test_a_socket_is_bound_where_it_may_be(
    bound_elsewhere: Ports, family: socket.AddressFamily, host: str
) -> None:
    with Forbidden(family, socket.SOCK_STREAM) as one:
        bound_elsewhere.bind(one, (host, 0))
        found, port, *_ = one.getsockname()
        assert found == host
        assert port


def test_why_it_can_not_be_bound_is_told_each_time(bound_elsewhere: Ports) -> None:
    with socket.socket() as first, Forbidden() as second:
        bound_elsewhere.bind(first, ("127.0.0.1", 0))
        for _ in range(2):
            with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
                bound_elsewhere.bind(second, ("127.0.0.1", first.getsockname()[1]))
        bound_elsewhere.bind(second, ("127.0.0.1", 0))


def test_nobody_waits_for_an_answer_that_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PATIENCE", 0.01)
    made = Ports()
    with Forbidden() as one:
        with pytest.raises(TimeoutError):
            made.bind(one, ("127.0.0.1", 0))
        # What comes too late does not answer the next.
        made.theirs.send(scribe.BOUND.pack(1, 0))
        made.theirs.send(scribe.BOUND.pack(2, errno.EADDRNOTAVAIL))
        with pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)):
            made.bind(one, ("127.0.0.1", 0))
        made.theirs.close()
        with pytest.raises(ConnectionError):
            made.bind(one, ("127.0.0.1", 0))
    made.close()


def test_an_error_of_another_kind_is_ours(bound_elsewhere: Ports) -> None:
    with socket.socket() as one, pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)):
        bound_elsewhere.bind(one, ("192.0.2.1", 0))
