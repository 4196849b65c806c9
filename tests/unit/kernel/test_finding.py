"""Which tables have routes of ours: whatever is in a datagram, the outcome is the exact parser's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kernel.test_scan import GATEWAY, MULTIPATH, OURS, PLAIN, SEQUENCE, message
from vrfbgp.kernel import uapi
from vrfbgp.kernel.finding import TableFinder
from vrfbgp.kernel.netlink import HEADER, messages
from vrfbgp.kernel.parse import own_table
from vrfbgp.model import Family

MULTI, DONE_OCTETS = 2, HEADER.pack(HEADER.size + 4, uapi.NLMSG_DONE, 2, SEQUENCE, 77) + bytes(4)

PREFIXES = {Family.IPV4: b"\x18\xc0\x00\x02", Family.IPV6: b"\x20\x20\x01\x0d\xb8"}
TABLES = (7, 500, 501, 756, 70000)
FORMS = PLAIN, GATEWAY, MULTIPATH


@st.composite
def runs(draw: st.DrawFn) -> list[tuple[bytes, int]]:
    """Routes that may differ in anything, with how often each comes; often all of one length, as is usual."""
    usual = draw(st.booleans())
    shapes = st.tuples(st.sampled_from(Family), st.sampled_from((None, 7)), st.sampled_from(FORMS))
    like = draw(shapes)
    found = []
    for times in draw(st.lists(st.integers(1, 40), max_size=5)):
        family, nexthop, form = like if usual else draw(shapes)
        one = message(
            family,
            PREFIXES[family],
            nexthop,
            form,
            table=draw(st.sampled_from(TABLES)),
            protocol=draw(st.sampled_from((OURS, OURS, 4))),
            flags=draw(st.sampled_from((MULTI, MULTI, MULTI | uapi.NLM_F_DUMP_INTR))),
            sequence=draw(st.sampled_from((SEQUENCE, SEQUENCE, SEQUENCE - 1))),
        )
        found.append((one, times))
    return found


@given(runs(), st.booleans())
def test_what_is_passed_over_is_of_a_table_that_was_found(
    routes: list[tuple[bytes, int]], ended: bool
) -> None:
    octets = b"".join(one * times for one, times in routes) + (DONE_OCTETS if ended else b"")
    finder = TableFinder()
    left = finder.take(octets, SEQUENCE)
    assert left in (octets, b""), "messages are left as they are, or all are taken"
    if not left and octets:
        assert not ended
        for kind, flags, number, start, end in messages(octets):
            assert (kind, flags, number) == (uapi.RTM_NEWROUTE, MULTI, SEQUENCE)
            table = own_table(octets, start, end)
            assert table is None or table in finder.tables
    for kind, _, number, start, end in messages(left):
        if kind == uapi.RTM_NEWROUTE and number == SEQUENCE:
            finder.see(left, start, end)
    expected = {
        own_table(octets, start, end)
        for kind, _, number, start, end in messages(octets)
        if kind == uapi.RTM_NEWROUTE and number == SEQUENCE
    }
    assert finder.tables == expected - {None}


CHANGES = (
    {"table": 756},
    {"table": 501},
    {"protocol": 4},
    {"flags": MULTI | uapi.NLM_F_DUMP_INTR},
    {"sequence": SEQUENCE - 1},
    {"of": uapi.RTM_NEWRULE},
)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_where_one_differs_all_are_left(change: dict[str, int]) -> None:
    prefix = PREFIXES[Family.IPV4]
    usual, other = message(Family.IPV4, prefix), message(Family.IPV4, prefix, **change)  # type: ignore[arg-type]
    assert len(usual) == len(other)
    datagram = usual * 40 + other + usual * 40
    assert TableFinder().take(datagram, SEQUENCE) == datagram


@pytest.mark.parametrize("change", CHANGES[3:], ids=str)
def test_what_is_no_route_of_one_state_of_this_dump_is_left(change: dict[str, int]) -> None:
    datagram = message(Family.IPV4, PREFIXES[Family.IPV4], **change) * 40  # type: ignore[arg-type]
    assert TableFinder().take(datagram, SEQUENCE) == datagram


def test_a_full_datagram_of_one_table_is_looked_at_once() -> None:
    """Prefix, metric and group differ, as they do in a table."""
    finder = TableFinder()
    each = (message(Family.IPV4, bytes((24, 10, n, 0)), n + 1, metric=20000 + n % 2) for n in range(250))
    assert finder.take(b"".join(each), SEQUENCE) == b""
    assert finder.tables == {(500, Family.IPV4)}


@given(st.binary(max_size=200))
def test_rubbish_is_left_for_the_parser(octets: bytes) -> None:
    assert TableFinder().take(octets, SEQUENCE) in (octets, b"")
