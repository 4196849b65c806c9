"""The socket and the reader against answers that a kernel could give."""

from __future__ import annotations

import errno
import socket
import struct
from collections import deque
from collections.abc import Iterator

import pytest

from tests.unit.kernel.answers import answer, done, message
from vrfbgp.kernel import uapi
from vrfbgp.kernel.attributes import packed_u32
from vrfbgp.kernel.netlink import DumpInterrupted, NetlinkSocket
from vrfbgp.kernel.reader import Reader
from vrfbgp.model import Family, RouteKey
from vrfbgp.requests import ReadNexthops, ReadTable

KEY = RouteKey(500, Family.IPV4, b"\x08\x0a")


class Played:
    """Stands for the operating system's socket: plays datagrams, or raises, in order."""

    def __init__(self, *played: bytes | OSError | tuple[bytes, int, int]) -> None:
        self.played = deque(played)
        self.sent: list[bytes] = []

    def send(self, octets: bytes) -> None:
        self.sent.append(bytes(octets))

    def recvmsg(self, size: int) -> tuple[bytes, list[object], int, tuple[int, int]]:
        next_one = self.played.popleft()
        if isinstance(next_one, OSError):
            raise next_one
        if isinstance(next_one, tuple):
            return next_one[0], [], next_one[1], (next_one[2], 0)
        return next_one, [], 0, (0, 0)

    def getsockopt(self, level: int, option: int) -> int:
        return 1 << 25

    def close(self) -> None:
        pass


def played(*datagrams: bytes | OSError | tuple[bytes, int, int]) -> NetlinkSocket:
    made = NetlinkSocket()
    made.close()
    made._socket = Played(*datagrams)  # type: ignore[assignment]
    return made


# -- dumps ---------------------------------------------------------------------------------------


def dumped(made: NetlinkSocket) -> list[int]:
    return [octets[start] for octets, _, start, _ in made.dump(uapi.RTM_GETROUTE, b"")]


def test_a_dump_over_many_datagrams() -> None:
    made = played(message(24, 1, b"a123") + message(24, 1, b"b123"), message(24, 1, b"c123") + done(1))
    assert dumped(made) == [*b"abc"]


def test_what_belongs_to_another_request_is_passed_over() -> None:
    made = played(message(24, 99, b"x123") + message(24, 1, b"a123") + done(99), done(1))
    assert dumped(made) == [*b"a"]


def test_what_does_not_come_from_the_kernel_is_passed_over() -> None:
    made = played((message(24, 1, b"x123"), 0, 4711), message(24, 1, b"a123") + done(1))
    assert dumped(made) == [*b"a"]


def test_a_truncated_datagram_is_an_error() -> None:
    with pytest.raises(OSError, match="truncated"):
        dumped(played((message(24, 1, b"a123"), socket.MSG_TRUNC, 0)))


@pytest.mark.parametrize("on_end", [True, False])
def test_an_interrupted_dump_is_said_to_be_so(on_end: bool) -> None:
    flag = uapi.NLM_F_DUMP_INTR
    made = played(message(24, 1, b"a123", 0 if on_end else flag) + done(1, flags=flag if on_end else 0))
    with pytest.raises(DumpInterrupted):
        dumped(made)


def test_the_error_of_a_dump_is_in_its_end_or_before_it() -> None:
    for made in (played(done(1, errno.ENOENT)), played(answer(1, errno.ENOENT))):
        with pytest.raises(OSError) as caught:  # noqa: PT011
            dumped(made)
        assert caught.value.errno == errno.ENOENT


# -- the reader ----------------------------------------------------------------------------------


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    monkeypatch.setattr("vrfbgp.kernel.reader._PAUSE_SECONDS", 0)
    made = Reader()
    yield made
    made.close()


def interrupted(sequence: int) -> bytes:
    return done(sequence, flags=uapi.NLM_F_DUMP_INTR)


def test_an_interrupted_dump_is_repeated(reader: Reader) -> None:
    reader.close()
    reader._socket = played(interrupted(1), interrupted(2), done(3))
    assert reader.read(ReadTable(500, Family.IPV4)).routes == ()  # type: ignore[union-attr]


def test_but_not_for_ever(reader: Reader) -> None:
    reader.close()
    body = struct.pack("=BBBBI", 2, 0, 179, 0, 0) + packed_u32(uapi.NHA_ID, 7)
    reader._socket = played(*(message(104, n, body) + interrupted(n) for n in range(1, 100)))
    [found] = reader.read(ReadNexthops()).nexthops  # type: ignore[union-attr]
    assert found.id == 7


def test_a_table_that_does_not_exist_is_empty(reader: Reader) -> None:
    reader.close()
    reader._socket = played(done(1, errno.ENOENT))
    assert reader.read(ReadTable(500, Family.IPV4)).routes == ()  # type: ignore[union-attr]


def test_another_error_is_told(reader: Reader) -> None:
    reader.close()
    reader._socket = played(done(1, errno.ENOMEM))
    with pytest.raises(OSError, match="allocate"):
        reader.read(ReadTable(500, Family.IPV4))


def test_a_broken_socket_is_replaced(reader: Reader) -> None:
    reader.close()
    broken = reader._socket = played(OSError(errno.ENOBUFS, "lost"))
    with pytest.raises(OSError, match="lost"):
        reader.read(ReadNexthops())
    assert reader._socket is not broken


def test_the_kernel_is_asked_for_the_one_table(reader: Reader) -> None:
    reader.close()
    reader._socket = made = played(done(1))
    reader.read(ReadTable(500, Family.IPV6))
    [sent] = made._socket.sent  # type: ignore[attr-defined]
    assert sent[16] == Family.IPV6
    assert sent[28:] == packed_u32(uapi.RTA_TABLE, 500)


def test_routes_of_other_tables_are_not_told_should_the_kernel_not_filter(reader: Reader) -> None:
    body = bytes((2, 0, 0, 0, 254, 2, 0, 1)) + bytes(4)
    reader.close()
    reader._socket = played(message(24, 1, body) + done(1))
    assert reader.read(ReadTable(500, Family.IPV4)).routes == ()  # type: ignore[union-attr]
