"""However a stream is cut, the same messages come out, and nothing bad gets through."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.speaker.framing import EXTENDED_LIMIT, UPDATE, Framer

MARKER = b"\xff" * 16


def message(kind: int, body: bytes = b"") -> bytes:
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


STREAM = [
    message(4),
    message(2, b"\0\0\0\0"),
    message(2, b"\0\0\0\0" + b"\x18\xc0\0\2"),
    message(5, b"\0\1\1\1"),
    message(2, b"\xff" * 40),
    message(4),
    message(4),
    message(2, b"\0" * 300),
    message(3, b"\6\2"),
]


def fed(framer: Framer, pieces: list[bytes]) -> list[tuple[int, bytes]]:
    """What comes out, runs of UPDATEs that were cut by the pieces put together."""
    found: list[tuple[int, bytes]] = []
    for piece in pieces:
        for kind, octets in framer.feed(piece):
            if kind == UPDATE and found and found[-1][0] == UPDATE:
                found[-1] = (UPDATE, found[-1][1] + octets)
            else:
                found.append((kind, octets))
    return found


EXPECTED = [
    (4, STREAM[0]),
    (2, STREAM[1] + STREAM[2]),
    (5, STREAM[3]),
    (2, STREAM[4]),
    (4, STREAM[5]),
    (4, STREAM[6]),
    (2, STREAM[7]),
    (3, STREAM[8]),
]


def test_neighbouring_updates_stay_together() -> None:
    assert Framer().feed(b"".join(STREAM)) == EXPECTED


def test_every_cut_gives_the_same() -> None:
    whole = b"".join(STREAM)
    for at in range(len(whole) + 1):
        assert fed(Framer(), [whole[:at], whole[at:]]) == EXPECTED
    for size in range(1, 60):
        pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert fed(Framer(), pieces) == EXPECTED


def test_what_is_handed_out_is_whole_messages() -> None:
    framer = Framer()
    first, second = STREAM[4], STREAM[7]
    assert framer.feed(first + second[:100]) == [(UPDATE, first)]
    assert framer.feed(second[100:]) == [(UPDATE, second)]


@given(st.lists(st.sampled_from(STREAM), max_size=20), st.data())
def test_any_stream_cut_anywhere(messages: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=10)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = fed(Framer(), pieces)
    assert b"".join(octets for _, octets in found) == whole
    assert [octets for kind, octets in found if kind != UPDATE] == [m for m in messages if m[18] != UPDATE]


@pytest.mark.parametrize(
    ("bad", "subcode", "data"),
    [
        (b"\xff" * 15 + b"\x7f" + b"\0\x17\2", 1, b""),
        (b"\0" * 19, 1, b""),
        (MARKER + b"\0\0\2", 2, b"\0\0"),
        (MARKER + b"\0\0\4", 2, b"\0\0"),
        (MARKER + b"\0\x12\4", 2, b"\0\x12"),
        (MARKER + b"\0\x16\2", 2, b"\0\x16"),
        (MARKER + b"\x10\1\2", 2, b"\x10\1"),
        (MARKER + b"\xff\xff\2", 2, b"\xff\xff"),
        (MARKER + b"\0\x14\4", 2, b"\0\x14"),
        (MARKER + b"\0\x14\3", 2, b"\0\x14"),
        (MARKER + b"\0\x16\5", 2, b"\0\x16"),
        (MARKER + b"\0\x1c\1", 2, b"\0\x1c"),
        (MARKER + b"\0\x13\0", 3, b"\0"),
        (MARKER + b"\0\x13\6", 3, b"\6"),
        (MARKER + b"\0\x13\xff", 3, b"\xff"),
        (MARKER + b"\0\0\xff", 2, b"\0\0"),
    ],
)
def test_a_bad_header(bad: bytes, subcode: int, data: bytes) -> None:
    for at in range(len(bad)):
        framer = Framer()
        good = STREAM[1] + STREAM[0]
        found = framer.feed(good + bad[:at])
        assert framer.fault is None
        found += framer.feed(bad[at:] + STREAM[1])
        assert [octets for _, octets in found] == [STREAM[1], STREAM[0]]
        assert framer.fault is not None
        assert (framer.fault.code, framer.fault.subcode, framer.fault.data) == (1, subcode, data)
        assert framer.feed(STREAM[1]) == []


def test_the_longest_messages() -> None:
    standard, extended = message(2, b"\0" * 4077), message(2, b"\0" * (65535 - 19))
    assert Framer().feed(standard) == [(UPDATE, standard)]
    assert Framer(EXTENDED_LIMIT).feed(extended) == [(UPDATE, extended)]
    framer = Framer(EXTENDED_LIMIT)
    framer.feed(MARKER + b"\x10\1\1")
    assert framer.fault is not None, "an OPEN is never extended (RFC 8654 3)"


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_noise_raises_nothing(pieces: list[bytes]) -> None:
    framer = Framer()
    for piece in pieces:
        framer.feed(piece)
        framer.feed(MARKER + piece)
