"""Tables read in bulk: whatever is in a datagram, the outcome is the exact parser's."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kernel.test_batch import prefixes
from vrfbgp.kernel import parse, scan, uapi
from vrfbgp.kernel.attributes import packed, packed_u32
from vrfbgp.kernel.netlink import HEADER, messages
from vrfbgp.kernel.scan import TableScan
from vrfbgp.model import Family, KernelRoute

SEQUENCE, TABLE = 5, 500
OURS = 179
Routes = dict[tuple[int, bytes], int]

PLAIN, GATEWAY, MULTIPATH = "plain", "gateway", "multipath"


def message(
    family: Family, nlri: bytes, nexthop: int | None = 7, form: str = PLAIN, *, metric: int = 20000,
    table: int = TABLE, protocol: int = OURS, kind: int = 1, flags: int = 2, sequence: int = SEQUENCE,
    of: int = uapi.RTM_NEWROUTE,
) -> bytes:  # fmt: skip
    """A route as a kernel dumps it, with or (`nexthop_compat_mode` 0) without what the group leads to."""
    width = family.bits // 8
    body = struct.pack("=BBBBBBBBI", family, nlri[0], 0, 0, table & 255, protocol, 0, kind, 0)
    body += packed_u32(uapi.RTA_TABLE, table)
    if nlri[0]:
        body += packed(uapi.RTA_DST, nlri[1:].ljust(width, b"\0"))
    body += packed_u32(uapi.RTA_PRIORITY, metric)
    if nexthop is not None:
        body += packed_u32(uapi.RTA_NH_ID, nexthop)
    if form == GATEWAY:
        body += packed(uapi.RTA_GATEWAY, bytes((10, 0, 0, 1)).ljust(width, b"\0"))
        body += packed_u32(uapi.RTA_OIF, nexthop or 3)
    elif form == MULTIPATH:
        hop = packed(uapi.RTA_GATEWAY, bytes(width))
        body += packed(uapi.RTA_MULTIPATH, (struct.pack("=HBBi", 8 + len(hop), 0, 0, 3) + hop) * 2)
    if family is Family.IPV6:
        body += packed(12, bytes(32)) + packed(20, b"\0")
    return HEADER.pack(HEADER.size + len(body), of, flags, sequence, 77) + body


def exactly(datagram: bytes) -> list[KernelRoute]:
    """The routes of table and dump in a datagram, one by one."""
    found = (
        parse.route(datagram, start, end)
        for kind, _, number, start, end in messages(datagram)
        if kind == uapi.RTM_NEWROUTE and number == SEQUENCE
    )
    return [route for route in found if route is not None]


def check(family: Family, datagrams: list[bytes]) -> tuple[TableScan, list[bytes]]:
    """What was gathered and what was left are together what the exact parser finds."""
    scanned = TableScan(TABLE, family)
    rest = [scanned.take(datagram, SEQUENCE) for datagram in datagrams]
    expected = [route for datagram in datagrams for route in exactly(datagram)]
    left = [route for octets in rest for route in exactly(octets)]
    gathered = {(m, nlri): nexthop for m, found in scanned.ours.items() for nlri, nexthop in found.items()}
    # Ours as the reconciler sees them: by metric and prefix. Whoever comes twice is compared as a set.
    of_table = [r for r in expected if (r.key.table, r.key.family, r.ours) == (TABLE, family, True)]
    assert {(route.key.metric, route.key.nlri, route.value) for route in of_table} >= {
        (metric, nlri, nexthop) for (metric, nlri), nexthop in gathered.items()
    }
    remaining = list(left)
    for route in expected:
        if route in remaining:
            remaining.remove(route)
        else:
            assert (route.key.table, route.key.family, route.ours) == (TABLE, family, True)
            assert (route.key.metric, route.key.nlri) in gathered
    assert not remaining
    return scanned, rest


def many(count: int = 100, at: int = 0) -> list[bytes]:
    return [b"\x18\x0a" + (at + n).to_bytes(2, "big") for n in range(count)]


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("form", [PLAIN, GATEWAY, MULTIPATH])
def test_a_datagram_of_ordinary_routes_is_taken_whole(family: Family, form: str) -> None:
    first = b"".join(message(family, nlri, 7, form) for nlri in many())
    second = b"".join(message(family, nlri, 7 + nlri[-1] % 3, form) for nlri in many(at=100))
    third = b"".join(message(family, nlri, 8, form, metric=20001) for nlri in many(at=200))
    scanned, rest = check(family, [first, second, first, third])
    assert rest == [b"", b"", b"", b""]
    assert scanned.ours == {
        20000: dict.fromkeys(many(), 7) | {nlri: 7 + nlri[-1] % 3 for nlri in many(at=100)},
        20001: dict.fromkeys(many(at=200), 8),
    }


def test_forms_of_different_length_in_one_datagram() -> None:
    octets = b"".join(
        message(Family.IPV4, nlri, 7 + n % 2, (GATEWAY, MULTIPATH)[n % 2]) for n, nlri in enumerate(many(200))
    )
    scanned, rest = check(Family.IPV4, [octets])
    assert rest == [b""]
    assert scanned.ours == {20000: {nlri: 7 + n % 2 for n, nlri in enumerate(many(200))}}


def test_what_is_not_ordinary_is_left_in_its_order_and_the_end_stays_the_end() -> None:
    ordinary = [message(Family.IPV4, nlri) for nlri in many()]
    default = message(Family.IPV4, b"\0")
    inline = message(Family.IPV4, b"\x08\x0b", None, GATEWAY)
    foreign = message(Family.IPV4, b"\x08\x0c", protocol=4)
    other_table = message(Family.IPV4, b"\x08\x0d", table=501)
    interrupted = message(Family.IPV4, b"\x08\x0e", flags=2 | uapi.NLM_F_DUMP_INTR)
    unreachable = message(Family.IPV4, b"\x08\x0f", kind=7)
    older = message(Family.IPV4, b"\x08\x10", sequence=SEQUENCE - 1)
    deleted = message(Family.IPV4, b"\x08\x11", of=uapi.RTM_DELROUTE)
    done = HEADER.pack(20, uapi.NLMSG_DONE, 2, SEQUENCE, 77) + bytes(4)
    odd = [default, inline, foreign, other_table, interrupted, unreachable, older, deleted]
    mixed = b"".join(
        octets for place, one in enumerate(ordinary) for octets in (one, *odd[place : place + 1])
    )
    scanned, [left] = check(Family.IPV4, [mixed + done])
    assert left == b"".join((*odd, done))
    assert scanned.ours == {20000: dict.fromkeys(many(), 7)}


def test_a_message_with_a_second_prefix_is_left() -> None:
    second = packed(uapi.RTA_DST, bytes((11, 0, 0, 0)))
    octets = bytearray()
    for nlri in many():
        plain = message(Family.IPV4, nlri)
        octets += struct.pack("=I", len(plain) + len(second)) + plain[4:] + second
    scanned, rest = check(Family.IPV4, [bytes(octets)])
    assert (scanned.ours, rest) == ({}, [octets])


def test_a_few_routes_are_left_to_the_exact_parser() -> None:
    octets = b"".join(message(Family.IPV4, nlri) for nlri in many(scan.WORTHWHILE - 1))
    scanned, rest = check(Family.IPV4, [octets])
    assert (scanned.ours, rest) == ({}, [octets])


def test_a_dump_that_begins_again_has_nothing_of_the_one_before() -> None:
    scanned = TableScan(TABLE, Family.IPV4)
    scanned.take(b"".join(message(Family.IPV4, nlri) for nlri in many()), SEQUENCE)
    scanned.begin()
    assert scanned.ours == {}
    octets = b"".join(message(Family.IPV4, nlri, 8, sequence=6) for nlri in many())
    assert scanned.take(octets, 6) == b""
    assert scanned.ours == {20000: dict.fromkeys(many(), 8)}


def test_it_does_not_remember_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "REMEMBERED", 10)
    octets = b"".join(message(Family.IPV4, nlri, 1 + n) for n, nlri in enumerate(many()))
    scanned, rest = check(Family.IPV4, [octets, octets])
    assert rest == [b"", b""]
    assert len(scanned._known) <= 10


@st.composite
def datagrams(draw: st.DrawFn) -> tuple[Family, bytes]:
    """Mostly ordinary routes, as few as one, of some shapes; then damaged in some places."""
    family = draw(st.sampled_from(Family))
    nlris = draw(st.lists(prefixes(family), min_size=1, max_size=12, unique=True))
    shapes = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "nexthop": st.sampled_from([7, 8, None]),
                    "form": st.sampled_from([PLAIN, GATEWAY, MULTIPATH]),
                    "metric": st.sampled_from([20000, 20000, 20001]),
                    "protocol": st.sampled_from([OURS, OURS, 4]),
                }
            ),
            min_size=1,
            max_size=3,
        )
    )
    octets = bytearray(
        b"".join(message(family, nlri, **shapes[n % len(shapes)]) for n, nlri in enumerate(nlris))
    )
    for at, value in draw(
        st.lists(st.tuples(st.integers(0, len(octets) - 1), st.integers(0, 255)), max_size=4)
    ):
        octets[at] = value
    return family, bytes(octets[: draw(st.none() | st.integers(0, len(octets)))])


@given(datagrams())
def test_damaged_datagrams_read_as_the_exact_parser_reads_them(made: tuple[Family, bytes]) -> None:
    family, datagram = made
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "WORTHWHILE", 1)
        check(family, [datagram, datagram])
        other = Family.IPV6 if family is Family.IPV4 else Family.IPV4
        check(other, [datagram])


@given(st.binary(max_size=300))
def test_nothing_raises(octets: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "WORTHWHILE", 1)
        for family in Family:
            scanned = TableScan(TABLE, family)
            scanned.take(octets, SEQUENCE)
            scanned.take(octets * 3, SEQUENCE)
