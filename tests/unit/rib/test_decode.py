"""What well-formed UPDATEs decode to, example by example."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from struct import pack

import pytest

from tests.unit.rib import wire
from tests.unit.rib.sessions import announced, decoded, decoder, one_update, prefix, withdrawn
from vrfbgp.model import Attributes, Family, Origin
from vrfbgp.rib.decode import Prefixes, Update
from vrfbgp.rib.errors import Code, Fault, Reason, SessionError, Treatment


def test_every_attribute_that_best_path_and_filters_need_comes_out() -> None:
    message = wire.update(
        ["105.8.10.0/24", "0.0.0.0/0", "198.51.100.7/32"],
        next_hop="172.16.1.140",
        as_path=[64501, 4200000000, (wire.SET, (1, 2))],
        origin=2,
        med=7,
        local_pref=250,
        communities=[(64501, 1), (65535, 65281)],
        large_communities=[(4200000000, 1, 2)],
        originator_id="10.0.0.9",
        cluster_list=["10.0.0.1", "10.0.0.2"],
    )
    update = one_update(message, decoder(internal=True))
    assert not update.withdrawn
    assert not update.faults
    (run,) = update.announced
    assert (run.family, run.path_ids) == (Family.IPV4, ())
    assert list(run.nlri) == [prefix("105.8.10.0/24"), prefix("0.0.0.0/0"), prefix("198.51.100.7/32")]
    assert run.attributes == Attributes(
        next_hop=IPv4Address("172.16.1.140"),
        origin=Origin.INCOMPLETE,
        as_path=((2, (64501, 4200000000)), (1, (1, 2))),
        med=7,
        local_pref=250,
        communities=((64501, 1), (65535, 65281)),
        large_communities=((4200000000, 1, 2),),
        originator_id=IPv4Address("10.0.0.9"),
        cluster_list=(IPv4Address("10.0.0.1"), IPv4Address("10.0.0.2")),
    )


def test_withdrawals_of_both_families() -> None:
    update = one_update(wire.update(withdraw=["10.0.0.0/8", "2001:db8::/32", "10.1.0.0/16"]))
    found = {run.family: list(run.nlri) for run in update.withdrawn}
    assert found == {
        Family.IPV4: [prefix("10.0.0.0/8"), prefix("10.1.0.0/16")],
        Family.IPV6: [prefix("2001:db8::/32")],
    }
    assert not update.announced


def test_each_family_of_one_message_has_its_own_next_hop() -> None:
    block = wire.attributes(next_hop="192.0.2.1", as_path=[64501])
    block += wire.attribute(14, wire.reach("2001:db8::1", ["2001:db8:1::/48"]))
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    found = {run.family: run.attributes for run in update.announced}
    assert found[Family.IPV4].next_hop == IPv4Address("192.0.2.1")
    assert found[Family.IPV6].next_hop == IPv6Address("2001:db8::1")
    assert found[Family.IPV4].as_path == found[Family.IPV6].as_path == ((2, (64501,)),)


def test_ipv4_in_mp_reach_nlri() -> None:
    block = wire.attributes(as_path=[64501])
    block += wire.attribute(14, wire.reach("192.0.2.9", ["10.0.0.0/8"], Family.IPV4))
    (run,) = one_update(wire.message(attributes=block)).announced
    assert (run.family, list(run.nlri)) == (Family.IPV4, [prefix("10.0.0.0/8")])
    assert run.attributes.next_hop == IPv4Address("192.0.2.9")


@pytest.mark.parametrize("octets", [IPv6Address("2001:db8::1").packed, IPv6Address("fe80::1").packed * 2])
def test_ipv4_with_an_ipv6_next_hop_is_for_those_who_agreed_on_it(octets: bytes) -> None:
    value = wire.reach(octets, ["10.0.0.0/8"], Family.IPV4)
    message = wire.message(attributes=wire.attributes(as_path=[64501]) + wire.attribute(14, value))
    (run,) = one_update(message, decoder(extended_next_hop=True)).announced
    assert (run.family, list(run.nlri)) == (Family.IPV4, [prefix("10.0.0.0/8")])
    assert run.attributes.next_hop == IPv6Address(octets[:16])
    (found,) = decoded(message)
    assert isinstance(found, SessionError)


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (IPv6Address("2001:db8::1").packed, "2001:db8::1"),
        (IPv6Address("2001:db8::1").packed + IPv6Address("fe80::1").packed, "2001:db8::1"),
        (IPv6Address("::").packed + IPv6Address("fe80::1").packed, "fe80::1"),
        (IPv6Address("fe80::2").packed, "fe80::2"),
    ],
)
def test_ipv6_next_hop_of_16_or_32_octets(octets: bytes, expected: str) -> None:
    block = wire.attributes(as_path=[1]) + wire.attribute(14, wire.reach(octets, ["2001:db8::/32"]))
    (run,) = one_update(wire.message(attributes=block)).announced
    assert run.attributes.next_hop == IPv6Address(expected)


def test_bits_behind_the_prefix_are_irrelevant() -> None:
    field = bytes((20, 10, 1, 0xFF, 9, 10, 0xFF, 24, 10, 1, 0xFF))
    update = one_update(wire.message(attributes=wire.attributes(next_hop="192.0.2.1"), nlri=field))
    assert announced(update) == [prefix("10.1.240.0/20"), prefix("10.128.0.0/9"), prefix("10.1.255.0/24")]


def test_a_run_of_messages_in_order() -> None:
    first = wire.update(["10.0.0.0/8"])
    second = wire.update(withdraw=["10.0.0.0/8"])
    found = decoded(first + second + first)
    assert [bool(update.announced) for update in found if isinstance(update, Update)] == [True, False, True]


@pytest.mark.parametrize("family", Family)
def test_end_of_rib(family: Family) -> None:
    assert decoded(wire.end_of_rib(family)) == [Update(end_of_rib=family)]


def test_end_of_rib_of_ipv4_in_the_multiprotocol_form() -> None:
    message = wire.message(attributes=wire.attribute(15, wire.unreach((), Family.IPV4)))
    assert decoded(message) == [Update(end_of_rib=Family.IPV4)]


def test_end_of_rib_of_a_family_that_was_not_negotiated_is_none() -> None:
    assert one_update(wire.end_of_rib(), decoder(families=[Family.IPV6])).end_of_rib is None
    assert one_update(wire.end_of_rib(Family.IPV6), decoder(families=[Family.IPV4])).end_of_rib is None


def test_an_empty_mp_unreach_beside_anything_else_is_no_end_of_rib() -> None:
    empty = wire.attribute(15, wire.unreach(()))
    assert one_update(wire.message(wire.nlri("10.0.0.0/8"), empty)).end_of_rib is None
    assert (
        one_update(wire.message(attributes=empty + wire.attributes(next_hop="192.0.2.1"))).end_of_rib is None
    )


def test_other_families_are_passed_over_and_counted() -> None:
    vpn = pack("!HBB", 1, 128, 12) + bytes(12) + b"\0" + b"anything"
    block = wire.attributes(as_path=[1]) + wire.attribute(14, vpn) + wire.attribute(15, pack("!HB", 25, 65))
    by = decoder()
    update = one_update(wire.message(attributes=block), by)
    passed = [Fault(code, Reason.FAMILY, Treatment.ATTRIBUTE_DISCARD) for code in (15, 14)]
    assert update == Update(faults=tuple(passed))
    assert by.faults == dict.fromkeys(passed, 1)


def test_a_family_that_was_not_negotiated_is_passed_over() -> None:
    ipv4_only = decoder(families=[Family.IPV4])
    update = one_update(wire.update(["2001:db8::/32"], next_hop="2001:db8::1"), ipv4_only)
    assert not update.announced
    assert [fault.reason for fault in update.faults] == [Reason.FAMILY]
    ipv6_only = decoder(families=[Family.IPV6])
    update = one_update(wire.update(["10.0.0.0/8"], ["10.0.0.0/8"]), ipv6_only)
    assert not announced(update) + withdrawn(update)
    assert update.faults == (Fault(Code.MESSAGE, Reason.FAMILY, Treatment.ATTRIBUTE_DISCARD),)


def test_path_identifiers_come_beside_their_prefixes() -> None:
    field = wire.nlri("10.0.0.0/8", path_id=7) + wire.nlri("10.0.0.0/8", path_id=4294967295)
    message = wire.message(field, wire.attributes(next_hop="192.0.2.1"), field)
    update = one_update(message, decoder(add_path=[Family.IPV4]))
    (run,) = update.announced
    assert (list(run.path_ids), list(run.nlri)) == ([7, 4294967295], [prefix("10.0.0.0/8")] * 2)
    assert update.withdrawn == (Prefixes(Family.IPV4, run.nlri, run.path_ids),)


def test_add_path_holds_for_its_family_alone() -> None:
    by = decoder(add_path=[Family.IPV6])
    assert announced(one_update(wire.update(["10.0.0.0/8"]), by)) == [prefix("10.0.0.0/8")]
    reach = pack("!HBB", 2, 1, 16) + IPv6Address("2001:db8::1").packed + b"\0"
    reach += wire.nlri("2001:db8::/32", path_id=3)
    block = wire.attributes(as_path=[1]) + wire.attribute(14, reach)
    (run,) = one_update(wire.message(attributes=block), by).announced
    assert (list(run.path_ids), list(run.nlri)) == ([3], [prefix("2001:db8::/32")])


def test_a_message_of_65535_octets_where_that_was_negotiated() -> None:
    prefixes = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(16_000)]
    message = wire.update(prefixes)
    assert 60_000 < len(message) <= 65_535
    assert len(announced(one_update(message, decoder(extended_message=True)))) == 16_000


def test_equal_attributes_are_one_object() -> None:
    by = decoder()
    first = one_update(wire.update(["10.0.0.0/8"], med=1), by).announced[0].attributes
    again = one_update(wire.update(["10.1.0.0/16"], med=1), by).announced[0].attributes
    other = one_update(wire.update(["10.1.0.0/16"], med=2), by).announced[0].attributes
    assert first is again
    assert first != other


def test_equal_attributes_are_one_object_over_mp_reach_too() -> None:
    by = decoder()
    first = one_update(wire.update(["2001:db8::/32"], next_hop="2001:db8::1"), by).announced[0].attributes
    again = one_update(wire.update(["2001:db9::/32"], next_hop="2001:db8::1"), by).announced[0].attributes
    other = one_update(wire.update(["2001:db9::/32"], next_hop="2001:db8::2"), by).announced[0].attributes
    assert first is again
    assert first != other


def test_an_old_speaker_has_two_octets_an_as() -> None:
    (run,) = one_update(
        wire.update(["10.0.0.0/8"], as_path=[1, 2], asn4=False), decoder(asn4=False)
    ).announced
    assert run.attributes.as_path == ((2, (1, 2)),)


@pytest.mark.parametrize(
    ("aggregators", "expected"),
    [
        (b"", (64501, 4200000001, 4200000002)),
        # RFC 6793 4.2.3: AS_TRANS was put there for the AS in AS4_AGGREGATOR
        (
            wire.attribute(7, pack("!HI", 23456, 1)) + wire.attribute(18, pack("!II", 4200000002, 1)),
            (64501, 4200000001, 4200000002),
        ),
        # an aggregating AS that is real: whoever aggregated did not know the AS4 attributes
        (
            wire.attribute(7, pack("!HI", 64999, 1)) + wire.attribute(18, pack("!II", 4200000002, 1)),
            (64501, 23456, 23456),
        ),
    ],
)
def test_as4_path_is_merged(aggregators: bytes, expected: tuple[int, ...]) -> None:
    block = wire.attributes(next_hop="192.0.2.1", as_path=[64501, 23456, 23456], asn4=False) + aggregators
    block += wire.attribute(17, wire.as_path_value([4200000001, 4200000002]))
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")), decoder(asn4=False))
    assert update.announced[0].attributes.as_path == ((2, expected),)
    assert not update.faults


def test_as4_attributes_of_a_four_octet_peer_are_discarded() -> None:
    block = wire.attributes(next_hop="192.0.2.1", as_path=[64501, 23456])
    block += wire.attribute(17, wire.as_path_value([4200000001]))
    block += wire.attribute(18, pack("!II", 4200000002, 1))
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert update.announced[0].attributes.as_path == ((2, (64501, 23456)),)
    assert [fault.reason for fault in update.faults] == [Reason.FOUR_OCTET_PEER] * 2


def test_confederation_segments_inside_the_own_as() -> None:
    message = wire.update(["10.0.0.0/8"], as_path=[(wire.CONFED_SEQUENCE, (65001, 65002)), 64501])
    (run,) = one_update(message, decoder(internal=True)).announced
    assert run.attributes.as_path == ((3, (65001, 65002)), (2, (64501,)))
    assert run.attributes.as_path_length == 1


def test_an_extended_length_of_a_short_value_is_fine() -> None:
    block = wire.attributes(next_hop="192.0.2.1") + wire.attribute(4, pack("!I", 5), flags=0x90)
    (run,) = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8"))).announced
    assert run.attributes.med == 5


def test_unknown_optional_attributes_are_passed_over() -> None:
    block = wire.attributes(next_hop="192.0.2.1") + wire.attribute(240, b"x" * 300, flags=0xE0)
    update = one_update(wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8")))
    assert announced(update) == [prefix("10.0.0.0/8")]
    assert not update.faults


def test_a_prefix_both_withdrawn_and_announced_is_in_both() -> None:
    update = one_update(wire.update(["10.0.0.0/8"], ["10.0.0.0/8"]))
    assert withdrawn(update) == announced(update) == [prefix("10.0.0.0/8")]
