"""Operations to octets: flags, chunks and sequence numbers as operations.py and the kernel's headers say."""

from __future__ import annotations

import errno
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.kernel import parse, uapi
from vrfbgp.kernel.batch import Encoder
from vrfbgp.kernel.netlink import HEADER, messages
from vrfbgp.kernel.rtnl import Decoder
from vrfbgp.model import (
    Action,
    Family,
    Inline,
    IPAddress,
    NexthopGroup,
    NexthopObject,
    NexthopValue,
    RouteKey,
    RouteValue,
    Rule,
    nlri_of,
)
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRule,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
)

numbers = st.integers(1, 0xFFFFFFFF)
devices = st.integers(1, 0x7FFFFFFF)
gateways = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


@st.composite
def prefixes(draw: st.DrawFn, family: Family) -> bytes:
    length = draw(st.integers(0, family.bits))
    address = draw(st.integers(0, 2**family.bits - 1)) >> (family.bits - length) << (family.bits - length)
    return nlri_of(ip_network((address.to_bytes(family.bits // 8, "big"), length)))


@st.composite
def keys(draw: st.DrawFn) -> RouteKey:
    family = draw(st.sampled_from(Family))
    return RouteKey(draw(numbers), family, draw(prefixes(family)), draw(numbers))


@st.composite
def values(draw: st.DrawFn, family: Family) -> RouteValue:
    if draw(st.booleans()):
        return draw(numbers)
    if family is Family.IPV6:
        of_family: st.SearchStrategy[IPAddress] = st.ip_addresses(v=6)
        return Inline(draw(devices), draw(st.none() | of_family), draw(st.none() | of_family))
    return Inline(draw(devices), draw(st.none() | gateways), draw(st.none() | st.ip_addresses(v=4)))


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    family = draw(st.sampled_from(Family))
    src, dst = (draw(st.none() | prefixes(family).filter(lambda nlri: nlri[0] > 0)) for _ in range(2))
    action = draw(st.sampled_from([Action.LOOKUP, Action.UNREACHABLE]))

    def network(nlri: bytes | None) -> object:
        return None if nlri is None else ip_network((nlri[1:].ljust(family.bits // 8, b"\0"), nlri[0]))

    return Rule(
        family,
        draw(numbers),
        network(src),  # type: ignore[arg-type]
        network(dst),  # type: ignore[arg-type]
        action,
        draw(numbers) if action is Action.LOOKUP else 0,
        draw(st.integers(0, 255)),
    )


nexthops: st.SearchStrategy[NexthopValue] = st.one_of(
    st.builds(NexthopObject, gateways, devices),
    st.lists(numbers, min_size=1, unique=True).map(lambda ids: NexthopGroup(tuple(sorted(ids)))),
)


def only(operation: Operation) -> tuple[int, int, bytes]:
    """Type, flags and body of the operation's one message."""
    message = Encoder().encode(operation)
    [(kind, flags, _, start, end)] = messages(message)
    assert end == len(message)
    assert len(message) % 4 == 0
    return kind, flags, message[start:end]


KEY = RouteKey(500, Family.IPV4, nlri_of(ip_network("192.0.2.0/24")))
V6_KEY = RouteKey(500, Family.IPV6, nlri_of(ip_network("2001:db8::/32")))
RULE = Rule(Family.IPV4, 102, ip_network("10.50.0.2/32"), None, Action.LOOKUP, 500)
OBJECT = NexthopObject(IPv4Address("172.16.1.140"), 3)
EXCLUSIVE = uapi.NLM_F_REQUEST | uapi.NLM_F_CREATE | uapi.NLM_F_EXCL
REPLACE = uapi.NLM_F_REQUEST | uapi.NLM_F_REPLACE


@pytest.mark.parametrize(
    ("operation", "kind", "flags"),
    [
        (AddRoute(KEY, 7), uapi.RTM_NEWROUTE, EXCLUSIVE),
        (ReplaceRoute(KEY, 7), uapi.RTM_NEWROUTE, REPLACE),
        (DeleteRoute(KEY), uapi.RTM_DELROUTE, uapi.NLM_F_REQUEST),
        (AddNexthop(7, OBJECT), uapi.RTM_NEWNEXTHOP, EXCLUSIVE),
        (ReplaceNexthop(7, OBJECT), uapi.RTM_NEWNEXTHOP, REPLACE),
        (DeleteNexthop(7), uapi.RTM_DELNEXTHOP, uapi.NLM_F_REQUEST),
        (AddRule(RULE), uapi.RTM_NEWRULE, EXCLUSIVE),
        (DeleteRule(RULE), uapi.RTM_DELRULE, uapi.NLM_F_REQUEST),
    ],
)
def test_type_and_flags(operation: Operation, kind: int, flags: int) -> None:
    assert only(operation)[:2] == (kind, flags)


@given(st.data())
def test_a_route_reads_back_as_it_was_written(data: st.DataObject) -> None:
    key = data.draw(keys())
    value = data.draw(values(key.family))
    body = only(AddRoute(key, value))[2]
    route = parse.route(body, 0, len(body))
    assert route is not None
    assert (route.key, route.value, route.protocol, route.kind) == (key, value, 179, "unicast")


@given(rules())
def test_a_rule_reads_back_as_it_was_written(rule: Rule) -> None:
    for operation in (AddRule(rule), DeleteRule(rule)):
        body = only(operation)[2]
        assert Decoder().rule(body, 0, len(body)) == rule


def test_a_rule_is_deleted_by_all_that_it_has() -> None:
    # The kernel takes the first rule that has what is named: what were left out could be another's.
    rule = Rule(Family.IPV4, 102, ip_network("10.50.0.2/32"), ip_network("10.96.0.0/12"), table=500)
    attribute = struct.Struct("=HH4s")
    assert only(DeleteRule(rule))[2] == b"".join(
        (
            struct.pack("=BBBBBBBBI", 2, 12, 32, 0, 0, 0, 0, 1, 0),
            attribute.pack(8, 2, bytes((10, 50, 0, 2))),
            attribute.pack(8, 1, bytes((10, 96, 0, 0))),
            attribute.pack(8, 6, struct.pack("=I", 102)),
            attribute.pack(5, 21, bytes((179,))),
            attribute.pack(8, 15, struct.pack("=I", 500)),
        )
    )


@given(numbers, nexthops)
def test_a_next_hop_reads_back_as_it_was_written(number: int, value: NexthopValue) -> None:
    body = only(AddNexthop(number, value))[2]
    read = parse.nexthop(body, 0, len(body))
    assert read is not None
    assert (read.id, read.protocol, read.value) == (number, 179, value)


def test_scope_is_link_without_a_gateway_in_ipv4_only() -> None:
    scope = 6
    assert only(AddRoute(KEY, Inline(3)))[2][scope] == uapi.RT_SCOPE_LINK
    assert only(AddRoute(KEY, Inline(3, IPv4Address("10.0.0.1"))))[2][scope] == uapi.RT_SCOPE_UNIVERSE
    assert only(AddRoute(V6_KEY, Inline(3)))[2][scope] == uapi.RT_SCOPE_UNIVERSE
    assert only(AddRoute(KEY, 7))[2][scope] == uapi.RT_SCOPE_UNIVERSE
    # A delete of scope "universe" would miss our device routes.
    assert only(DeleteRoute(KEY))[2][scope] == uapi.RT_SCOPE_NOWHERE


def test_gateways_are_onlink() -> None:
    def flags(operation: Operation, at: int) -> int:
        return int.from_bytes(only(operation)[2][at : at + 4], "little")

    for key, gateway in ((KEY, "10.0.0.1"), (KEY, "fe80::1"), (V6_KEY, "fe80::1")):
        assert flags(AddRoute(key, Inline(3, ip_address(gateway))), 8) == uapi.RTNH_F_ONLINK
    assert flags(AddRoute(KEY, Inline(3)), 8) == 0
    assert flags(AddRoute(KEY, 7), 8) == 0
    assert flags(AddNexthop(7, OBJECT), 4) == uapi.RTNH_F_ONLINK
    assert flags(AddNexthop(7, NexthopObject(IPv6Address("fe80::1"), 3)), 4) == uapi.RTNH_F_ONLINK
    assert flags(AddNexthop(7, NexthopGroup((1, 2))), 4) == 0


def test_a_delete_names_table_prefix_metric_and_our_protocol() -> None:
    body = only(DeleteRoute(KEY))[2]
    route = parse.route(body, 0, len(body))
    assert route is not None
    assert (route.key, route.protocol) == (KEY, 179)


mixed = st.one_of(
    st.builds(AddRoute, keys(), numbers),
    st.builds(DeleteRoute, keys()),
    st.builds(AddNexthop, numbers, nexthops),
    st.builds(AddRule, rules()),
)


@given(st.lists(mixed, min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 2000))
def test_chunks_keep_order_and_limits(
    operations: list[Operation], max_messages: int, max_octets: int
) -> None:
    encoder = Encoder(max_messages, max_octets)
    chunks = list(encoder.chunks(operations))
    assert [operation for chunk in chunks for operation in chunk.operations] == operations
    expected = 1
    for chunk in chunks:
        octets = bytes(chunk.octets)
        assert len(chunk.operations) <= max_messages
        assert len(octets) <= max_octets or len(chunk.operations) == 1
        found = list(messages(octets))
        assert [sequence for _, _, sequence, _, _ in found] == list(
            range(expected, expected + len(chunk.operations))
        )
        assert chunk.first == expected
        expected += len(chunk.operations)
        asks = [bool(flags & uapi.NLM_F_ACK) for _, flags, _, _, _ in found]
        assert asks == [False] * (len(found) - 1) + [True]
        for operation, (_, _, sequence, start, end) in zip(chunk.operations, found, strict=True):
            alone = Encoder().encode(operation)
            assert octets[start:end] == alone[16:], sequence


def test_routes_of_one_form_are_numbered_like_any_others() -> None:
    operations = [
        AddRoute(RouteKey(500, Family.IPV4, b"\x18" + bytes((10, n >> 8, n & 255))), 7) for n in range(1000)
    ]
    [chunk] = Encoder().chunks(operations)
    octets = bytes(chunk.octets)
    for place, (_, _, sequence, start, end) in enumerate(messages(octets)):
        route = parse.route(octets, start, end)
        assert route is not None
        assert (sequence - chunk.first, route.key) == (place, operations[place].key)


@pytest.mark.parametrize(
    "operation",
    [
        AddRoute(RouteKey(500, Family.IPV4, b"\x21\x0a\x00\x00\x00\x01"), 7),
        AddRoute(RouteKey(500, Family.IPV4, b"\x18\x0a\x00"), 7),
        AddRoute(RouteKey(500, Family.IPV4, b"\x08\x0a\x00"), 7),
        AddRoute(RouteKey(500, Family.IPV4, b""), 7),
        AddRoute(RouteKey(-1, Family.IPV4, b"\x08\x0a"), 7),
        AddRoute(RouteKey(1 << 32, Family.IPV4, b"\x08\x0a"), 7),
        AddRoute(KEY, None),  # type: ignore[arg-type]
        AddNexthop(1 << 32, OBJECT),
        AddNexthop(7, NexthopGroup(())),
        DeleteNexthop(-1),
        DeleteRule(Rule(Family.IPV4, 102, others=("fwmark 0x1",))),
        AddRule(Rule(Family.IPV4, 102, action=Action.OTHER)),
        AddRule(Rule(Family.IPV4, 102, src=ip_network("fd00::/8"))),
    ],
    ids=str,
)
def test_what_has_no_words_is_refused_and_the_rest_goes_on(operation: Operation) -> None:
    good = AddRoute(KEY, 7)
    [chunk] = Encoder().chunks([good, operation, good])
    assert list(chunk.operations) == [good, good]
    assert len(list(messages(bytes(chunk.octets)))) == 2
    [failure] = chunk.refused
    assert (failure.operation, failure.errno) == (operation, errno.EINVAL)
    assert "cannot be encoded" in failure.text


def test_only_what_has_no_words() -> None:
    [chunk] = Encoder().chunks([DeleteNexthop(-1)])
    assert not chunk.operations
    assert not chunk.octets
    assert len(chunk.refused) == 1


def test_nothing_makes_no_chunk() -> None:
    assert list(Encoder().chunks([])) == []


def test_sequence_numbers_start_again_before_they_overflow() -> None:
    encoder = Encoder()
    encoder._sequence = 0xFFFFFFFE
    [chunk] = encoder.chunks([DeleteNexthop(1), DeleteNexthop(2)])
    assert HEADER.unpack_from(chunk.octets)[3] == chunk.first == 1


def test_templates_do_not_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrfbgp.kernel.batch._MAX_TEMPLATES", 10)
    encoder = Encoder()
    for number in range(1, 100):
        encoder.encode(AddRoute(KEY, number))
    assert len(encoder._templates) <= 10
