"""What malformed UPDATEs cost, attribute by attribute. Expectations are the RFCs', not the code's table."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import pack

import pytest

from tests.unit.rib import wire
from tests.unit.rib.sessions import announced, decoded, decoder, one_error, one_update, prefix, withdrawn
from vrfbgp.model import Family
from vrfbgp.rib.errors import Code, Fault, Reason, SessionError, Treatment

DISCARD, WITHDRAW = Treatment.ATTRIBUTE_DISCARD, Treatment.TREAT_AS_WITHDRAW
GOOD = {
    1: b"\0",
    2: wire.as_path_value([64501]),
    3: IPv4Address("192.0.2.1").packed,
}
"""The well-known attributes of an ordinary message."""
TEN = prefix("10.0.0.0/8")
USUAL_FLAGS = dict(wire.FLAGS)


def with_attribute(code: int, value: bytes, flags: int | None = None) -> bytes:
    """An ordinary announcement of 10.0.0.0/8, with one attribute put in or in place of another."""
    block = b"".join(wire.attribute(other, octets) for other, octets in GOOD.items() if other != code)
    return wire.message(attributes=block + wire.attribute(code, value, flags), nlri=wire.nlri("10.0.0.0/8"))


MALFORMED = [
    # RFC 7606 7.1
    (1, b"", WITHDRAW, Reason.LENGTH),
    (1, b"\0\0", WITHDRAW, Reason.LENGTH),
    (1, b"\3", WITHDRAW, Reason.ORIGIN_VALUE),
    # 7.2; RFC 7607; RFC 5065 5
    (2, b"\2", WITHDRAW, Reason.AS_PATH_SEGMENT),
    (2, b"\2\2" + pack("!I", 1), WITHDRAW, Reason.AS_PATH_SEGMENT),
    (2, b"\2\1" + pack("!I", 1) + b"\2", WITHDRAW, Reason.AS_PATH_SEGMENT),
    (2, b"\2\0", WITHDRAW, Reason.AS_PATH_SEGMENT),
    (2, b"\0\1" + pack("!I", 1), WITHDRAW, Reason.AS_PATH_SEGMENT),
    (2, b"\5\1" + pack("!I", 1), WITHDRAW, Reason.AS_PATH_SEGMENT),
    (2, wire.as_path_value([64501, 0]), WITHDRAW, Reason.AS_ZERO),
    # 7.3, RFC 4271 6.3
    (3, b"\xc0\0\2", WITHDRAW, Reason.LENGTH),
    (3, bytes(16), WITHDRAW, Reason.LENGTH),
    (3, IPv4Address("0.0.0.0").packed, WITHDRAW, Reason.NEXT_HOP_VALUE),
    (3, IPv4Address("127.0.0.1").packed, WITHDRAW, Reason.NEXT_HOP_VALUE),
    (3, IPv4Address("224.0.0.1").packed, WITHDRAW, Reason.NEXT_HOP_VALUE),
    # 7.4, 7.5
    (4, b"\0\0\1", WITHDRAW, Reason.LENGTH),
    (5, b"\0\0\1", WITHDRAW, Reason.LENGTH),
    # 7.6, 7.7, RFC 7607
    (6, b"\0", DISCARD, Reason.LENGTH),
    (7, bytes(6), DISCARD, Reason.LENGTH),
    (7, bytes(8), DISCARD, Reason.AS_ZERO),
    # 7.8 to 7.10
    (8, b"", WITHDRAW, Reason.LENGTH),
    (8, bytes(6), WITHDRAW, Reason.LENGTH),
    (9, bytes(3), WITHDRAW, Reason.LENGTH),
    (10, b"", WITHDRAW, Reason.LENGTH),
    (10, bytes(6), WITHDRAW, Reason.LENGTH),
    # 7.14, 7.15, RFC 8092 6
    (16, b"", WITHDRAW, Reason.LENGTH),
    (16, bytes(12), WITHDRAW, Reason.LENGTH),
    (25, bytes(12), WITHDRAW, Reason.LENGTH),
    (32, b"", WITHDRAW, Reason.LENGTH),
    (32, bytes(16), WITHDRAW, Reason.LENGTH),
]


@pytest.mark.parametrize(("code", "value", "treatment", "reason"), MALFORMED)
def test_malformed_value(code: int, value: bytes, treatment: Treatment, reason: Reason) -> None:
    by = decoder(internal=True)
    update = one_update(with_attribute(code, value), by)
    fault = Fault(code, reason, treatment)
    assert update.faults == (fault,)
    assert by.faults == {fault: 1}
    if treatment is DISCARD:
        assert announced(update) == [TEN]
    else:
        assert (announced(update), withdrawn(update)) == ([], [TEN])


@pytest.mark.parametrize(("code", "value", "treatment", "reason"), MALFORMED)
def test_malformed_value_where_nothing_is_announced(
    code: int, value: bytes, treatment: Treatment, reason: Reason
) -> None:
    """RFC 7606 5.2: perhaps it was not the attribute that was misread, so treat-as-withdraw is not enough."""
    message = wire.message(wire.nlri("10.0.0.0/8"), wire.attribute(code, value))
    by = decoder(internal=True)
    if treatment is DISCARD:
        assert withdrawn(one_update(message, by)) == [TEN]
    else:
        error = one_error(message, by)
        assert (error.code, error.attribute, error.reason) == (3, code, reason)


def test_an_mp_reach_without_prefixes_announces_nothing() -> None:
    """RFC 7606 5.2 again."""
    block = wire.attributes(as_path=[1]) + wire.attribute(14, wire.reach("2001:db8::1", ()))
    assert not one_update(wire.message(attributes=block)).announced
    error = one_error(wire.message(attributes=block + wire.attribute(4, b"")))
    assert (error.code, error.subcode, error.attribute) == (3, 5, 4)


def test_a_family_that_is_passed_over_may_have_announced_something() -> None:
    block = wire.attribute(14, pack("!HBB", 1, 128, 0) + b"\0?") + wire.attribute(4, b"")
    update = one_update(wire.message(attributes=block))
    assert [fault.attribute for fault in update.faults] == [14, 4]


@pytest.mark.parametrize("code", sorted(set(USUAL_FLAGS) - {14, 15, 17, 18}))
@pytest.mark.parametrize("wrong", [0x80, 0x40])
def test_wrong_flags_are_treat_as_withdraw_for_all(code: int, wrong: int) -> None:
    """RFC 7606 3 c."""
    values = {6: b"", 7: bytes(3) + b"\1" + bytes(4), 8: bytes(4), 10: bytes(4), 16: bytes(8)}
    values |= {25: bytes(20), 32: bytes(12)}
    value = GOOD.get(code) or values.get(code, bytes(4))
    update = one_update(with_attribute(code, value, USUAL_FLAGS[code] ^ wrong), decoder(internal=True))
    assert update.faults == (Fault(code, Reason.FLAGS, WITHDRAW),)
    assert (announced(update), withdrawn(update)) == ([], [TEN])


@pytest.mark.parametrize("code", [1, 4, 8])
def test_the_partial_bit_is_not_looked_at(code: int) -> None:
    value = GOOD.get(code, bytes(4))
    assert not one_update(with_attribute(code, value, USUAL_FLAGS[code] | 0x20)).faults


@pytest.mark.parametrize("code", [1, 2, 3])
def test_a_missing_well_known_attribute_is_treat_as_withdraw(code: int) -> None:
    """RFC 7606 3 d."""
    block = b"".join(wire.attribute(other, octets) for other, octets in GOOD.items() if other != code)
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert update.faults == (Fault(code, Reason.MISSING, WITHDRAW),)
    assert (announced(update), withdrawn(update)) == ([], [TEN])


def test_local_pref_may_be_missing_inside_the_own_as() -> None:
    (run,) = one_update(wire.update(["10.0.0.0/8"]), decoder(internal=True)).announced
    assert run.attributes.local_pref is None


@pytest.mark.parametrize("value", [bytes(4), bytes(3)])
@pytest.mark.parametrize("code", [5, 9, 10])
def test_what_an_external_peer_must_not_send_is_discarded_unread(code: int, value: bytes) -> None:
    """RFC 7606 7.5, 7.9, 7.10."""
    update = one_update(with_attribute(code, value))
    assert update.faults == (Fault(code, Reason.EXTERNAL, DISCARD),)
    (run,) = update.announced
    assert run.attributes.local_pref is None
    assert run.attributes.originator_id is None
    assert run.attributes.cluster_list == ()


def test_confederation_segments_of_an_external_peer() -> None:
    update = one_update(with_attribute(2, wire.as_path_value([(wire.CONFED_SET, (65001,)), 64501])))
    assert update.faults == (Fault(2, Reason.CONFEDERATION, WITHDRAW),)
    assert withdrawn(update) == [TEN]


@pytest.mark.parametrize("value", [b"", bytes(3), wire.as_path_value([0]), wire.as_path_value([1])[:-1]])
def test_a_malformed_as4_path_is_discarded(value: bytes) -> None:
    """RFC 6793 6."""
    block = wire.attributes(next_hop="192.0.2.1", as_path=[23456], asn4=False) + wire.attribute(17, value)
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")), decoder(asn4=False))
    assert update.announced[0].attributes.as_path == ((2, (23456,)),)
    assert [(fault.attribute, fault.treatment) for fault in update.faults] == [(17, DISCARD)]


def test_of_an_attribute_that_comes_twice_the_first_counts() -> None:
    """RFC 7606 3 g."""
    block = wire.attributes(next_hop="192.0.2.1", med=1) + wire.attribute(4, pack("!I", 2))
    block += wire.attribute(4, b"not even well formed")
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert update.announced[0].attributes.med == 1
    assert update.faults == (Fault(4, Reason.DUPLICATE, DISCARD),)


@pytest.mark.parametrize(
    "tail",
    [
        b"\xc0",
        b"\xc0\x08",
        b"\xc0\x08\x04\0\0\0",
        b"\xd0\x08\x00",
        b"\xd0\x08\x01\0" + bytes(255),
    ],
)
def test_an_attribute_that_reaches_beyond_the_field(tail: bytes) -> None:
    """RFC 7606 4: the total length says where the NLRI begin."""
    block = b"".join(wire.attribute(code, value) for code, value in GOOD.items()) + tail
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert [(fault.reason, fault.treatment) for fault in update.faults] == [
        (Reason.ATTRIBUTE_OVERRUN, WITHDRAW)
    ]
    assert (announced(update), withdrawn(update)) == ([], [TEN])


def test_treat_as_withdraw_holds_for_both_families_of_a_message() -> None:
    block = wire.attribute(14, wire.reach("2001:db8::1", ["2001:db8::/32"]))
    block += b"".join(wire.attribute(code, value) for code, value in {**GOOD, 4: b""}.items())
    update = one_update(wire.message(wire.nlri("10.9.0.0/16"), block, wire.nlri("10.0.0.0/8")))
    assert not update.announced
    assert {(run.family, nlri) for run in update.withdrawn for nlri in run.nlri} == {
        (Family.IPV4, prefix("10.9.0.0/16")),
        (Family.IPV4, TEN),
        (Family.IPV6, prefix("2001:db8::/32")),
    }


def test_path_identifiers_stay_beside_what_is_treated_as_withdrawn() -> None:
    block = b"".join(wire.attribute(code, value) for code, value in {**GOOD, 4: b""}.items())
    message = wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8", path_id=5))
    (run,) = one_update(message, decoder(add_path=[Family.IPV4])).withdrawn
    assert (list(run.path_ids), list(run.nlri)) == ([5], [TEN])


@pytest.mark.parametrize("octets", [bytes(16), IPv6Address("::1").packed, IPv6Address("ff02::1").packed])
def test_a_next_hop_that_no_host_has(octets: bytes) -> None:
    block = wire.attributes(as_path=[1]) + wire.attribute(14, wire.reach(octets, ["2001:db8::/32"]))
    update = one_update(wire.message(attributes=block))
    assert update.faults == (Fault(14, Reason.NEXT_HOP_VALUE, WITHDRAW),)
    assert withdrawn(update) == [prefix("2001:db8::/32")]


# -- session reset ---------------------------------------------------------------------------------


def reset_by(block: bytes, nlri: bytes = b"", gone: bytes = b"") -> tuple[int, int, int, Reason]:
    error = one_error(wire.message(gone, block, nlri), decoder(internal=True))
    return error.code, error.subcode, error.attribute, error.reason


def test_an_unknown_well_known_attribute() -> None:
    """RFC 4271 6.3."""
    found = reset_by(wire.attributes(next_hop="192.0.2.1") + wire.attribute(99, b"", flags=0x40), b"\x08\x0a")
    assert found == (3, 2, 99, Reason.UNRECOGNIZED)


@pytest.mark.parametrize("code", [14, 15])
def test_a_multiprotocol_attribute_that_comes_twice(code: int) -> None:
    """RFC 7606 3 g."""
    value = wire.reach("2001:db8::1", ["2001:db8::/32"]) if code == 14 else wire.unreach(["2001:db8::/32"])
    block = wire.attributes(as_path=[1]) + wire.attribute(code, value) * 2
    assert reset_by(block) == (3, 1, code, Reason.DUPLICATE)


@pytest.mark.parametrize("code", [14, 15])
@pytest.mark.parametrize("flags", [0x40, 0xC0, 0x00])
def test_a_multiprotocol_attribute_with_wrong_flags(code: int, flags: int) -> None:
    """RFC 7606 5.3."""
    value = wire.reach("2001:db8::1", ["2001:db8::/32"]) if code == 14 else wire.unreach(["2001:db8::/32"])
    assert reset_by(wire.attribute(code, value, flags)) == (3, 4, code, Reason.FLAGS)


@pytest.mark.parametrize("code", [14, 15])
def test_a_multiprotocol_attribute_that_reaches_beyond_the_field(code: int) -> None:
    assert reset_by(bytes((0x80, code, 200, 0))) == (3, 1, code, Reason.ATTRIBUTE_OVERRUN)
    assert reset_by(bytes((0x80, code))) == (3, 1, code, Reason.ATTRIBUTE_OVERRUN)


@pytest.mark.parametrize(("code", "least"), [(14, 5), (15, 3)])
def test_a_multiprotocol_attribute_without_room_for_its_family(code: int, least: int) -> None:
    """RFC 7606 5.3."""
    for octets in range(least):
        found = reset_by(wire.attribute(code, bytes(octets)))
        assert found == (3, 9, code, Reason.LENGTH)


@pytest.mark.parametrize("octets", [0, 4, 15, 17, 24, 31, 33, 255])
def test_an_ipv6_next_hop_of_another_length(octets: int) -> None:
    """RFC 7606 7.11."""
    value = pack("!HBB", 2, 1, octets) + bytes(octets) + b"\0" + wire.nlri("2001:db8::/32")
    assert reset_by(wire.attribute(14, value)) == (3, 9, 14, Reason.NEXT_HOP_LENGTH)


def test_a_next_hop_that_reaches_beyond_the_attribute() -> None:
    for octets in (20, 32):  # the octet behind the next hop belongs to it too
        value = pack("!HBB", 2, 1, 32) + bytes(octets)
        assert reset_by(wire.attribute(14, value)) == (3, 9, 14, Reason.NEXT_HOP_LENGTH)


BROKEN_NLRI = [
    (b"\x21" + bytes(5), Reason.PREFIX_LENGTH),
    (b"\xff" + bytes(40), Reason.PREFIX_LENGTH),
    (b"\x18\x0a\x01", Reason.PREFIX_OVERRUN),
    (b"\x08", Reason.PREFIX_OVERRUN),
    (b"\x08\x0a\x20\x0a\x01", Reason.PREFIX_OVERRUN),
]


@pytest.mark.parametrize(("field", "reason"), BROKEN_NLRI)
def test_prefixes_that_cannot_be_told_apart(field: bytes, reason: Reason) -> None:
    """RFC 7606 5.3, RFC 4271 6.3: announced and withdrawn alike."""
    assert reset_by(wire.attributes(next_hop="192.0.2.1"), nlri=field) == (3, 10, 0, reason)
    assert reset_by(b"", gone=field) == (3, 10, 0, reason)


@pytest.mark.parametrize(
    ("field", "reason"),
    [(b"\x81" + bytes(17), Reason.PREFIX_LENGTH), (b"\x80" + bytes(15), Reason.PREFIX_OVERRUN)],
)
def test_ipv6_prefixes_that_cannot_be_told_apart(field: bytes, reason: Reason) -> None:
    """RFC 7606 5.3, RFC 4760 7."""
    reach = wire.attributes(as_path=[1]) + wire.attribute(14, wire.reach("2001:db8::1", ()) + field)
    assert reset_by(reach) == (3, 9, 14, reason)
    assert reset_by(wire.attribute(15, wire.unreach(()) + field)) == (3, 9, 15, reason)


def test_a_path_identifier_without_a_prefix() -> None:
    error = one_error(wire.message(b"\0\0\0\1"), decoder(add_path=[Family.IPV4]))
    assert (error.code, error.subcode, error.reason) == (3, 10, Reason.PREFIX_OVERRUN)


@pytest.mark.parametrize(
    "body", [b"\0\5\0\0", b"\0\0\0\1", b"\0\1\0\0", b"\xff\xff\0\0", b"\0\0\xff\xff\0", b"\0\2\0\0\0"]
)
def test_fields_that_are_longer_than_their_message(body: bytes) -> None:
    """RFC 4271 6.3, RFC 7606 3 b."""
    error = one_error(wire.header(19 + len(body)) + body)
    assert (error.code, error.subcode, error.reason) == (3, 1, Reason.FIELD_LENGTH)


@pytest.mark.parametrize(
    ("data", "subcode", "reason"),
    [
        (b"\0" * 16 + pack("!HB", 23, 2) + bytes(4), 1, Reason.MARKER),
        (b"\xff" * 7, 1, Reason.MARKER),
        (wire.header(0) + bytes(4), 2, Reason.MESSAGE_LENGTH),
        (wire.header(22) + bytes(3), 2, Reason.MESSAGE_LENGTH),
        (wire.header(24) + bytes(4), 2, Reason.MESSAGE_LENGTH),
        (wire.header(4097) + bytes(4078), 2, Reason.MESSAGE_LENGTH),
        (wire.header(23, 4) + bytes(4), 3, Reason.MESSAGE_TYPE),
    ],
)
def test_a_header_that_is_wrong(data: bytes, subcode: int, reason: Reason) -> None:
    """RFC 4271 6.1."""
    error = one_error(data)
    assert (error.code, error.subcode, error.reason) == (1, subcode, reason)


def test_nothing_is_decoded_after_a_session_error() -> None:
    by = decoder()
    bad = wire.message(b"\x21" + bytes(5))
    found = decoded(wire.update(["10.0.0.0/8"]) + bad + wire.update(["10.0.0.0/8"]), by)
    assert [type(item) for item in found[1:]] == [SessionError]
    assert decoded(wire.update(["10.0.0.0/8"]), by) == []


def test_the_first_error_of_a_message_that_matters_is_told() -> None:
    """RFC 7606 3 h: of several errors the strongest treatment; all of them are reported."""
    block = b"".join(wire.attribute(code, value) for code, value in {**GOOD, 6: b"\0", 4: b""}.items())
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert {(fault.attribute, fault.treatment) for fault in update.faults} == {(6, DISCARD), (4, WITHDRAW)}
    assert withdrawn(update) == [TEN]


def test_faults_say_what_they_are() -> None:
    assert str(Fault(Code.MULTI_EXIT_DISC, Reason.LENGTH, WITHDRAW)) == (
        "MULTI_EXIT_DISC: attribute-length, treat as withdraw"
    )
    assert str(Fault(77, Reason.DUPLICATE, DISCARD)) == "attribute 77: duplicate-attribute, attribute discard"
    assert str(SessionError(3, 10, 0, Reason.PREFIX_LENGTH)) == "MESSAGE: prefix-length (NOTIFICATION 3/10)"
