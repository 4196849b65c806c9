"""Octets to values: both forms of a dump, what is not ours, and anything at all without raising."""

from __future__ import annotations

import struct
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.kernel.test_batch import keys, values
from vrfbgp.kernel import parse, uapi
from vrfbgp.kernel.attributes import attributes, packed, packed_u32
from vrfbgp.kernel.batch import Encoder
from vrfbgp.kernel.netlink import messages, refusal
from vrfbgp.kernel.parse_table import TableParser
from vrfbgp.model import Family, KernelNexthop, KernelRoute, RouteKey, nlri_of
from vrfbgp.operations import AddRoute

ALL_PARSERS = [
    parse.route,
    parse.lookup,
    parse.own_table,
    parse.nexthop,
]


def rtmsg(
    family: int, length: int, *body: bytes, table: int = 0, kind: int = 1, src_len: int = 0, tos: int = 0,
    flags: int = 0, scope: int = 0, protocol: int = 179,
) -> bytes:  # fmt: skip
    head = struct.pack("=BBBBBBBBI", family, length, src_len, tos, table, protocol, scope, kind, flags)
    return head + b"".join(body)


def route(message: bytes) -> KernelRoute | None:
    return parse.route(message, 0, len(message))


def hop(ifindex: int, *body: bytes) -> bytes:
    attached = b"".join(body)
    return struct.pack("=HBBi", 8 + len(attached), 0, 0, ifindex) + attached


def v4(text: str) -> bytes:
    return ip_address(text).packed


DST = packed(uapi.RTA_DST, v4("192.0.2.0"))
TABLE = packed_u32(uapi.RTA_TABLE, 500)
METRIC = packed_u32(uapi.RTA_PRIORITY, 20000)
KEY = RouteKey(500, Family.IPV4, nlri_of(ip_network("192.0.2.0/24")))


def test_the_short_form_has_only_the_object() -> None:
    found = route(rtmsg(2, 24, TABLE, DST, METRIC, packed_u32(uapi.RTA_NH_ID, 7)))
    assert found == KernelRoute(KEY, 179, nhid=7)
    assert found.value == 7


def test_the_long_form_has_the_object_and_its_gateways() -> None:
    hops = hop(3, packed(uapi.RTA_GATEWAY, v4("10.0.0.1"))) + hop(4, packed(uapi.RTA_GATEWAY, v4("10.0.1.1")))
    found = route(
        rtmsg(2, 24, TABLE, DST, METRIC, packed_u32(uapi.RTA_NH_ID, 7), packed(uapi.RTA_MULTIPATH, hops))
    )
    assert found == KernelRoute(
        KEY, 179, nexthops=((ip_address("10.0.0.1"), 3), (ip_address("10.0.1.1"), 4)), nhid=7
    )
    assert found.value == 7


def test_a_gateway_of_another_family() -> None:
    via = struct.pack("=H", 10) + ip_address("fe80::1").packed
    found = route(rtmsg(2, 24, TABLE, DST, METRIC, packed_u32(uapi.RTA_OIF, 3), packed(uapi.RTA_VIA, via)))
    assert found is not None
    assert found.nexthops == ((ip_address("fe80::1"), 3),)


def test_no_metric_is_0_in_ipv4_and_1024_in_ipv6() -> None:
    four, six = route(rtmsg(2, 0, TABLE)), route(rtmsg(10, 0, TABLE))
    assert four is not None
    assert six is not None
    assert (four.key.metric, four.key.nlri) == (0, b"\0")
    assert (six.key.metric, six.key.nlri) == (1024, b"\0")


def test_a_table_above_255_is_in_its_attribute_only() -> None:
    found = route(rtmsg(2, 0, packed_u32(uapi.RTA_TABLE, 500), table=252))
    small = route(rtmsg(2, 0, table=254))
    assert found is not None
    assert small is not None
    assert (found.key.table, small.key.table) == (500, 254)


@pytest.mark.parametrize(("kind", "word"), [(7, "unreachable"), (6, "blackhole"), (9, "throw"), (99, "99")])
def test_kinds_without_a_next_hop_have_none(kind: int, word: str) -> None:
    # IPv6 names the device lo for them.
    found = route(rtmsg(10, 0, TABLE, packed_u32(uapi.RTA_OIF, 1), kind=kind))
    assert found is not None
    assert (found.kind, found.nexthops, found.value) == (word, (), None)


@pytest.mark.parametrize(
    "message",
    [
        rtmsg(128, 24, TABLE, DST),
        rtmsg(2, 33, TABLE, DST),
        rtmsg(2, 24, TABLE),
        rtmsg(2, 24, TABLE, packed(uapi.RTA_DST, b"\x0a")),
        rtmsg(2, 24, TABLE, DST, tos=4),
        rtmsg(10, 0, TABLE, src_len=64),
        rtmsg(10, 0, TABLE, flags=uapi.RTM_F_CLONED),
        b"",
        b"\x02\x18",
    ],
    ids=["family", "length", "no-dst", "short-dst", "tos", "source", "cloned", "empty", "truncated"],
)
def test_what_the_model_has_no_route_for(message: bytes) -> None:
    assert route(message) is None


def test_bits_behind_the_length_are_zero() -> None:
    found = route(rtmsg(2, 20, TABLE, packed(uapi.RTA_DST, v4("10.1.255.255"))))
    assert found is not None
    assert found.key.nlri == bytes((20, 10, 1, 0xF0))


def nhmsg(*body: bytes, protocol: int = 179) -> KernelNexthop | None:
    message = struct.pack("=BBBBI", 2, 0, protocol, 0, 0) + b"".join(body)
    return parse.nexthop(message, 0, len(message))


ID = packed_u32(uapi.NHA_ID, 7)


@pytest.mark.parametrize(
    "body",
    [
        packed(uapi.NHA_BLACKHOLE, b""),
        packed_u32(uapi.NHA_OIF, 3),
        packed(uapi.NHA_FDB, b"") + packed(uapi.NHA_GATEWAY, v4("10.0.0.1")) + packed_u32(uapi.NHA_OIF, 3),
        packed(uapi.NHA_GROUP, struct.pack("=IBBHIBBH", 1, 0, 0, 0, 2, 1, 0, 0)),
        packed(uapi.NHA_GROUP, struct.pack("=IBBH", 1, 0, 0, 0)) + packed(uapi.NHA_GROUP_TYPE, b"\1\0"),
    ],
    ids=["blackhole", "device", "fdb", "unequal-weights", "resilient"],
)
def test_next_hops_of_kinds_we_never_make(body: bytes) -> None:
    assert nhmsg(ID, body) == KernelNexthop(7, 179, None)


def test_a_next_hop_without_an_id_is_none() -> None:
    assert nhmsg(packed_u32(uapi.NHA_OIF, 3)) is None


noise = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda head, body: head + body,
        st.binary(min_size=8, max_size=16),
        st.lists(
            st.builds(
                lambda size, kind, value: struct.pack("=HH", size, kind) + value + bytes(-len(value) % 4),
                st.integers(0, 40),
                st.integers(0, 40),
                st.binary(max_size=36),
            )
        ).map(b"".join),
    ),
)


@given(noise)
@example(rtmsg(2, 24, DST, packed(uapi.RTA_MULTIPATH, b"\0" * 8)))
def test_nothing_raises(octets: bytes) -> None:
    for parser in ALL_PARSERS:
        parser(octets, 0, len(octets))
        parser(octets, min(3, len(octets)), len(octets))
    TableParser()(octets, 0, len(octets))
    for _, flags, _, start, end in messages(octets):
        refusal(octets, flags, start, end)
    refusal(octets, 0x300, 0, len(octets))


@given(st.data(), st.binary(max_size=64))
def test_a_message_cut_or_damaged_anywhere_does_not_raise(data: st.DataObject, junk: bytes) -> None:
    key = data.draw(keys())
    whole = Encoder().encode(AddRoute(key, data.draw(values(key.family))))[16:]
    cut = data.draw(st.integers(0, len(whole)))
    damaged = whole[:cut] + junk + whole[cut + len(junk) :]
    for octets in (whole[:cut], damaged):
        for parser in ALL_PARSERS:
            parser(octets, 0, len(octets))
    # Nothing beyond the given end is read.
    assert parse.route(whole + junk, 0, len(whole)) == route(whole)


@given(st.data(), st.lists(st.binary(min_size=4, max_size=4), max_size=8), st.lists(noise, max_size=4))
def test_the_fast_way_never_differs(data: st.DataObject, addresses: list[bytes], others: list[bytes]) -> None:
    parser = TableParser()
    trailer = data.draw(st.sampled_from([b"", METRIC, packed_u32(uapi.RTA_NH_ID, 7), DST]))
    length = data.draw(st.integers(0, 40))
    same = [rtmsg(2, length, TABLE, packed(uapi.RTA_DST, address), trailer) for address in addresses]
    written = [
        Encoder().encode(AddRoute(key, data.draw(values(key.family))))[16:]
        for key in data.draw(st.lists(keys(), max_size=4))
    ]
    for message in same + written + others + same:
        assert parser(message, 0, len(message)) == parse.route(message, 0, len(message))


def test_the_fast_way_does_not_remember_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrfbgp.kernel.parse_table._REMEMBERED", 10)
    parser = TableParser()
    for number in range(100):
        message = rtmsg(2, 24, TABLE, DST, packed_u32(uapi.RTA_NH_ID, number + 1))
        assert parser(message, 0, len(message)) == route(message)
    assert len(parser._known) <= 10


def test_the_table_of_a_route_of_ours() -> None:
    def table(message: bytes) -> object:
        return parse.own_table(message, 0, len(message))

    assert table(rtmsg(2, 24, TABLE, DST)) == (500, Family.IPV4)
    assert table(rtmsg(10, 0, table=100)) == (100, Family.IPV6)
    assert table(rtmsg(2, 24, TABLE, DST, protocol=4)) is None
    assert table(rtmsg(7, 24, TABLE, DST)) is None


def test_attributes_end_where_they_do_not_fit() -> None:
    octets = packed_u32(1, 7) + struct.pack("=HH", 100, 2) + b"abc"
    assert attributes(octets, 0, len(octets)) == {1: b"\7\0\0\0"}
    assert attributes(struct.pack("=HH", 0, 1) * 3, 0, 12) == {}
