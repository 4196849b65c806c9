"""The fast way says what the exact way says, or nothing; and of ordinary messages it does say something."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
from ipaddress import IPv4Address, ip_address
from itertools import product
from pathlib import Path
from struct import pack
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rib import recorded, wire
from tests.unit.rib.sessions import announced, decoded, decoder, one_update, prefix, withdrawn
from tests.unit.rib.strategies import Speech, messages, mutated, orderly, orderly_blocks, speeches
from vrfbgp.model import Attributes, Family
from vrfbgp.rib.decode import Update
from vrfbgp.rib.errors import SessionError
from vrfbgp.rib.fast import Fast
from vrfbgp.rib.policy import ImportPolicy, is_martian
from vrfbgp.rib.refusal import Refusal
from vrfbgp.rib.unread import Recognizer, Unread
from vrfbgp.rib.update import Unsuspected

EXTENDED, LARGE = wire.attribute(16, bytes(8)), wire.attribute(32, pack("!III", 1, 2, 3))
PLAIN = Speech(internal=False, asn4=True, add_path=frozenset())
EXTENDED_NEXT_HOP = Speech(internal=False, asn4=True, add_path=frozenset(), extended_next_hop=True)


def fast(*, internal: bool = False, extended: bool = False) -> Fast:
    """The fast way alone, of a four-octet session; attributes that are not ordinary are declined."""
    families, recognizer = frozenset(Family), Recognizer(internal)
    return Fast(65535, families, recognizer, lambda block: None, extended_next_hop=extended)


def taken(data: bytes, by: Fast | None = None) -> bool:
    """Whether all of it goes the fast way."""
    _, at = (by or fast()).updates(data, 0)
    return at == len(data)


def same(data: bytes, speech: Speech) -> None:
    """Both ways come to the same, also of what they have seen before."""
    quick, exact = speech.decoder(), speech.decoder(exact=True)
    for _ in range(2):
        found, expected = decoded(data, quick), decoded(data, exact)
        assert found == expected
        for one, other in zip(found, expected, strict=True):
            if isinstance(one, Update) and isinstance(other, Update):
                for run, reference in zip(one.announced, other.announced, strict=True):
                    assert hash(run.attributes) == hash(reference.attributes)
                    assert run.attributes.as_path_length == reference.attributes.as_path_length
    assert quick.faults == exact.faults


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_orderly_messages(data: st.DataObject) -> None:
    speech = data.draw(speeches)
    same(b"".join(data.draw(st.lists(orderly(speech), min_size=1, max_size=4))), speech)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_orderly_messages_with_a_few_octets_changed(data: st.DataObject) -> None:
    speech = data.draw(speeches)
    original = data.draw(orderly(speech))
    same(original + data.draw(mutated(original)) + original, speech)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_messages(data: st.DataObject) -> None:
    speech = data.draw(speeches)
    one = orderly(speech) | messages(speech)
    same(b"".join(data.draw(st.lists(one | one.flatmap(mutated), min_size=1, max_size=4))), speech)


@given(st.lists(st.binary(min_size=4, max_size=60), max_size=3))
def test_any_octets_behind_good_headers(bodies: list[bytes]) -> None:
    same(b"".join(wire.header(19 + len(body)) + body for body in bodies), PLAIN)


@given(st.binary(max_size=60), st.integers(0, 80), st.integers(0, 255))
def test_any_header(body: bytes, length: int, kind: int) -> None:
    same(wire.header(length, kind) + body, PLAIN)


@pytest.mark.parametrize("internal", [False, True])
@pytest.mark.parametrize("file", recorded.FILES, ids=lambda file: file.stem)
def test_recorded_messages(file: Path, internal: bool) -> None:
    speech = Speech(internal, recorded.four_octet(file), frozenset())
    same(b"".join(recorded.messages(file)), speech)


@pytest.mark.parametrize("daemon", ["bird", "frr"])
@pytest.mark.parametrize("family", list(Family))
def test_what_other_daemons_send_is_ordinary(daemon: str, family: Family) -> None:
    (file,) = (file for file in recorded.FILES if file.stem == f"{daemon}-as4")
    announcing = [
        message
        for message in recorded.messages(file)
        if any(run.family is family for run in one_update(message).announced)
    ]
    assert announcing
    assert all(map(taken, announcing))


@settings(max_examples=100, deadline=None)
@given(orderly(PLAIN))
def test_orderly_messages_are_ordinary(message: bytes) -> None:
    assert taken(message)


def ipv6(
    value: bytes = wire.reach("2001:db8::1", ["2001:db8::/32"]),
    *,
    flags: int = 0x80,
    before: bytes = b"",
    behind: bytes = wire.attributes(as_path=[64501]),
) -> bytes:
    """An UPDATE with an MP_REACH_NLRI of this value among these attributes."""
    return wire.message(attributes=before + wire.attribute(14, value, flags) + behind)


PAIR = ip_address("2001:db8::1").packed + ip_address("fe80::1").packed
REACH = wire.reach("2001:db8::1", [])
UNREACH = wire.unreach(["2001:db8::/32"])
BEYOND = wire.attribute(14, wire.reach("2001:db8::1", ["2001:db8::/32"])).replace(
    b"\x80\x0e\x1a", b"\x80\x0e\x1b"
)
UNUSUAL_IPV6 = [
    wire.message(attributes=wire.attributes(as_path=[64501]) + BEYOND),
    wire.message(attributes=b"\x80\x0f\x03" + UNREACH),
    wire.message(attributes=b"\x80\x0f\x09" + UNREACH),
    b"\xfe" + ipv6()[1:],
    ipv6(wire.reach(PAIR, ["2001:db8::/32"])),
    *(ipv6(wire.reach(hop, ["2001:db8::/32"])) for hop in ("::", "::1", "ff02::1", "fe80::1")),
    ipv6(wire.reach("192.0.2.1", ["10.0.0.0/8"], Family.IPV4)),
    ipv6(REACH),
    ipv6(REACH[:-1] + b"\1" + wire.nlri("2001:db8::/32")),
    ipv6(REACH + b"\x20\x20\x01"),
    ipv6(REACH + b"\x81" + bytes(17)),
    ipv6(REACH + b"\x07\x21"),
    ipv6(REACH[:2] + b"\2" + REACH[3:] + wire.nlri("2001:db8::/32")),
    ipv6(flags=0xC0),
    ipv6(flags=0xA0),
    ipv6(behind=wire.attributes(as_path=[64501], next_hop="192.0.2.1")),
    ipv6(behind=wire.attributes(as_path=[64501, 0])),
    ipv6(behind=b""),
    ipv6(behind=wire.attributes() + wire.attribute(15, UNREACH)),
    ipv6(before=wire.attribute(14, REACH)),
    ipv6(before=wire.attribute(15, UNREACH)),
    ipv6(before=wire.attributes()),
    ipv6()[:-1],
    wire.message(attributes=wire.attribute(15, UNREACH, 0xC0)),
    wire.message(attributes=wire.attribute(15, UNREACH) + wire.attributes()),
    wire.message(attributes=wire.attributes() + wire.attribute(15, UNREACH)),
    wire.message(attributes=wire.attribute(15, UNREACH + b"\x20")),
    wire.message(attributes=wire.attribute(15, UNREACH)[:-1]),
    ipv6(wire.reach("2001:db8::1", ["10.0.0.0/8"], Family.IPV4)),
    wire.message(wire.nlri("10.0.0.0/8"), wire.attribute(15, UNREACH)),
    wire.message(b"", wire.attribute(15, UNREACH), wire.nlri("10.0.0.0/8")),
]


@pytest.mark.parametrize("flags", [0x80, 0x90])
def test_ordinary_messages_of_ipv6(flags: int) -> None:
    first, second = wire.attributes(as_path=[64501]), wire.attribute(8, bytes(4)) + LARGE
    for message in (
        ipv6(flags=flags),
        ipv6(flags=flags, behind=first + second),
        ipv6(flags=flags, before=first, behind=b""),
        ipv6(flags=flags, before=first + second[:7], behind=second[7:]),
        ipv6(flags=flags, before=first + second, behind=b""),
        wire.message(attributes=wire.attribute(15, UNREACH, flags)),
        wire.message(attributes=wire.attribute(15, wire.unreach(["10.0.0.0/8"], Family.IPV4), flags)),
    ):
        assert taken(message)
        same(message, PLAIN)


def test_ordinary_messages_of_ipv4_with_an_ipv6_next_hop() -> None:
    """And the same next hop and block with IPv6 prefixes, behind it."""
    message = ipv6(wire.reach("2001:db8::1", ["10.0.0.0/8", "192.0.2.0/24"], Family.IPV4))
    assert taken(message + ipv6(), fast(extended=True))
    same(message + ipv6(), EXTENDED_NEXT_HOP)
    assert announced(one_update(message, EXTENDED_NEXT_HOP.decoder())) == [
        prefix("10.0.0.0/8"),
        prefix("192.0.2.0/24"),
    ]
    ipv6_alone = {"families": [Family.IPV6], "extended_next_hop": True}
    assert decoded(message, decoder(**ipv6_alone)) == decoded(message, decoder(**ipv6_alone, exact=True))


def test_equal_blocks_with_other_next_hops_are_other_attributes() -> None:
    near, far = (ipv6(wire.reach(f"2001:db8::{host}", ["::/0"])) for host in (1, 2))
    found, _ = fast().updates(near + far + near, 0)
    one, other, again = (update.announced[0].attributes for update in found)
    assert one is again
    assert one != other
    assert (str(one.next_hop), str(other.next_hop)) == ("2001:db8::1", "2001:db8::2")
    same(near + far, PLAIN)


@pytest.mark.parametrize("family", list(Family))
@pytest.mark.parametrize("add_path", [False, True])
def test_a_family_that_is_not_carried_plainly_is_declined(family: Family, add_path: bool) -> None:
    (other,) = set(Family) - {family}
    native, over = wire.update(["10.0.0.0/8"], ["10.1.0.0/16"]), ipv6()
    for message in (native, over, wire.update(withdraw=["10.0.0.0/8"]), wire.update(withdraw=["::/0"])):
        data = message * 9
        terms = {"families": list(Family) if add_path else [other], "add_path": [family] if add_path else []}
        assert decoded(data, decoder(**terms)) == decoded(data, decoder(**terms, exact=True))


def test_declined_messages_leave_nothing_behind() -> None:
    """Ordinary attributes with prefixes that are not, in ever new messages."""

    def alive() -> int:
        return sum(isinstance(one, Unread) for one in gc.get_objects())

    by, before = fast(), alive()
    for number in range(1_000):
        native = wire.attributes(next_hop="192.0.2.1", med=number)
        over_ipv6 = ipv6(REACH + b"\x07\x21", behind=wire.attributes(med=number))
        assert not taken(wire.message(attributes=native, nlri=b"\x09\x0a\x01"), by)
        assert not taken(over_ipv6, by)
    assert alive() - before < 100


@pytest.mark.parametrize(
    "message",
    [
        wire.end_of_rib(),
        wire.end_of_rib(Family.IPV6),
        wire.update(["10.0.0.0/8"], as_path=[64501, 0]),
        *UNUSUAL_IPV6,
        wire.update(["10.0.0.0/8"], as_path=[(wire.SET, (1, 2))]),
        wire.update(["10.0.0.0/8"], local_pref=100),
        wire.update(["10.0.0.0/8"], next_hop="127.0.0.1"),
        wire.update(["10.0.0.0/8"], next_hop="224.0.0.1"),
        wire.message(attributes=wire.attributes(next_hop="192.0.2.1")),
        wire.message(wire.nlri("10.0.0.0/8"), wire.attributes(next_hop="192.0.2.1")),
        wire.message(b"\x09\x0a\x40"),
        wire.message(attributes=wire.attributes(next_hop="192.0.2.1"), nlri=b"\x09\x0a\x01"),
        wire.message(attributes=wire.attributes(next_hop="192.0.2.1"), nlri=b"\x08\x0a\x21\x0a\0\0\0\0"),
    ],
)
def test_what_is_not_ordinary_is_declined(message: bytes) -> None:
    assert not taken(message)
    same(message, PLAIN)


@pytest.mark.parametrize(
    ("more", "ordinary"),
    [
        (EXTENDED + LARGE, True),
        (LARGE + EXTENDED, True),
        (EXTENDED + LARGE + EXTENDED, False),
        (LARGE + LARGE, False),
        (wire.attribute(7, pack("!II", 64501, 1)), True),
        (wire.attribute(7, pack("!II", 0, 1)), False),
        (wire.attribute(6, b""), True),
        (wire.attribute(6, b"x"), False),
        (wire.attribute(8, b""), False),
        (wire.attribute(4, b"\0\0\0\1"), True),
        (wire.attribute(4, b"\0\0\1"), False),
        (wire.attribute(8, bytes(4), 0xE0), True),
        (wire.attribute(8, bytes(4), 0x80), False),
        (wire.attribute(99, b"?", 0xC0), False),
    ],
)
def test_what_may_stand_behind_the_mandatory_attributes(more: bytes, ordinary: bool) -> None:
    block = wire.attributes(next_hop="192.0.2.1", as_path=[64501]) + more
    message = wire.message(attributes=block, nlri=wire.nlri("10.0.0.0/8"))
    assert taken(message) is ordinary
    same(message, PLAIN)


def test_a_message_that_is_cut_off_is_declined() -> None:
    message = wire.update(["10.0.0.0/8", "10.1.0.0/16"], ["10.2.0.0/16"])
    for end in range(len(message)):
        assert not taken(message + message[:end]) or not end
        same(message + message[:end], PLAIN)


def test_a_run_longer_than_what_is_decoded_at_once() -> None:
    ordinary, other = wire.update(["10.0.0.0/8"]), wire.update(["10.0.0.0/8"], local_pref=100)
    data = (ordinary * 900 + other) * 2
    assert len(decoded(data)) == 1802
    same(data, PLAIN)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_runs_of_messages_with_one_prefix_each(data: st.DataObject) -> None:
    """Withdrawals and equal attributes in runs of any length, with anything between them, cut anywhere."""
    speech = data.draw(speeches)
    numbers = st.integers(1 << 24, 0xFFFFFFFF)
    ids = pack("!I", 7) if Family.IPV4 in speech.add_path else b""

    def one(length: int, number: int, stray: bool) -> bytes:
        kept = number if stray else number >> (32 - length) << (32 - length)
        return ids + bytes((length,)) + kept.to_bytes(4, "big")[: (length + 7) // 8]

    lengths = st.sampled_from([24, 24, 24, 16, 8, 32, 22, 1, 0]) | st.integers(0, 34)
    prefixes = st.builds(
        one, lengths.map(lambda n: min(n, 32)), numbers, st.sampled_from([False] * 15 + [True])
    )
    parts: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 4))):
        run = data.draw(st.lists(prefixes, max_size=30))
        attributes = b"".join(data.draw(orderly_blocks(speech))) if data.draw(st.booleans()) else b""
        announces = bool(attributes)
        parts += [wire.message(b"", attributes, p) if announces else wire.message(p) for p in run]
        parts.append(data.draw(st.just(b"") | orderly(speech)))
    if parts and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(parts) - 1))
        if len(parts[at]) > 23:
            parts[at] = data.draw(mutated(parts[at]))
    octets = b"".join(parts)
    same(octets[: data.draw(st.integers(0, len(octets)) | st.just(len(octets)))], speech)


PREFIXES = [f"10.{number >> 8}.{number & 255}.0/24" for number in range(200)] + ["0.0.0.0/0", "11.0.0.0/8"]


@pytest.mark.parametrize("announced", [False, True])
def test_a_run_is_few_updates_in_which_every_message_counts(announced: bool) -> None:
    path = {"as_path": [64501, 7]}
    messages = [wire.update([p], **path) if announced else wire.update(withdraw=[p]) for p in PREFIXES]
    found = list(decoder().block(b"".join(messages)))
    assert len(found) < 20
    assert sum(one.messages for one in found if isinstance(one, Update)) == len(PREFIXES)
    same(b"".join(messages), PLAIN)


WITHDRAWING = [wire.message(wire.nlri(one)) for one in PREFIXES[:12]]
ANNOUNCING = [
    wire.message(b"", wire.attributes(next_hop="192.0.2.1", as_path=[64501]), wire.nlri(one))
    for one in PREFIXES[:12]
]


@pytest.mark.parametrize("run", [WITHDRAWING, ANNOUNCING])
@pytest.mark.parametrize("octet", [0, 15, 16, 17, 18, 19, 20, 21, 22])
@pytest.mark.parametrize("change", [1, -1, 3])
def test_a_run_ends_before_a_message_that_is_not_as_its_neighbours(
    run: list[bytes], octet: int, change: int
) -> None:
    for place in range(len(run)):
        altered = bytearray(run[place])
        altered[octet] = (altered[octet] + change) % 256
        same(b"".join(run[:place]) + altered + b"".join(run[place + 1 :]), PLAIN)


@pytest.mark.parametrize("run", [WITHDRAWING, ANNOUNCING])
@pytest.mark.parametrize(
    "nlri", [b"\x10\x0a\x01", b"\x20\x0a\x01\x02\x03", b"\x19\x0a\x01\x02\x80", b"\x17\x0a\x01\x01"]
)
def test_lengths_that_are_told_wrong_are_not_put_right_by_what_follows(run: list[bytes], nlri: bytes) -> None:
    """The prefix has other octets than its message says; or bits behind its length."""
    prefix_at = 21 if run is WITHDRAWING else len(run[0]) - 4
    end = prefix_at + 4
    odd = run[6][:prefix_at] + nlri + run[6][end:]
    for following in (run[7:], [odd.replace(nlri, wire.nlri("10.0.6.0/24")), *run[7:]]):
        same(b"".join(run[:6]) + odd + b"".join(following), PLAIN)
    # the octets that are missing in one message are in the next
    swapped = [wire.message(*of) for of in _fields_of(run is WITHDRAWING, nlri)]
    lengths = [one[16:18] for one in swapped]
    swapped = [one[:16] + length + one[18:] for one, length in zip(swapped, reversed(lengths), strict=True)]
    same(b"".join(run[:6] + swapped + run[8:]), PLAIN)


def _fields_of(withdrawing: bool, nlri: bytes) -> list[tuple[bytes, bytes, bytes]]:
    attributes = wire.attributes(next_hop="192.0.2.1", as_path=[64501])
    prefixes = [wire.nlri("10.0.6.0/24"), nlri]
    return [(one, b"", b"") if withdrawing else (b"", attributes, one) for one in prefixes]


def test_a_run_keeps_its_place_among_other_messages() -> None:
    """The same prefix is withdrawn and announced in turn: the order is what tells whether it is there."""
    runs = [wire.update(withdraw=PREFIXES[:1]) * 20, wire.update(PREFIXES[:1]) * 20]
    same(b"".join(runs * 3), PLAIN)


def test_messages_of_a_run_may_not_be_longer_than_negotiated() -> None:
    attributes = wire.attributes(next_hop="192.0.2.1", as_path=[64501]) + wire.attribute(
        8, bytes(4 * 1008), 0xD0
    )
    attributes += LARGE
    assert len(wire.message(b"", attributes, wire.nlri("10.0.0.0/8"))) == 4096
    prefixes = ["10.0.0.0/8"] * 12 + ["10.0.0.1/32"] * 2
    data = b"".join(wire.message(b"", attributes, wire.nlri(one)) for one in prefixes)
    found = decoded(data)
    assert len(found) == 13
    assert isinstance(found[-1], SessionError)
    assert found == decoded(data, decoder(exact=True))


def test_a_message_that_is_declined_keeps_its_place() -> None:
    ordinary, other = wire.update(["10.0.0.0/8"]), wire.update(["2001:db8::/32"], next_hop="2001:db8::1")
    wrong = wire.header(19, 4)
    found = decoded(ordinary + other + ordinary + wrong + ordinary)
    assert [type(one) for one in found] == [Update, Update, Update, SessionError]
    assert found == decoded(ordinary + other + ordinary + wrong + ordinary, decoder(exact=True))


def test_a_message_longer_than_negotiated_is_declined() -> None:
    message = wire.update([f"10.{number >> 8}.{number & 255}.0/24" for number in range(2_000)])
    assert taken(message)
    assert not taken(message, Fast(4096, frozenset(Family), Recognizer(False), lambda block: None))


def test_no_path_identifier_is_taken_for_a_prefix() -> None:
    field = wire.nlri("10.0.0.0/8", path_id=0)
    message = wire.message(field, wire.attributes(next_hop="192.0.2.1"), field)
    update = one_update(message, decoder(add_path=[Family.IPV4]))
    assert withdrawn(update) == announced(update) == [prefix("10.0.0.0/8")]


def test_prefixes_are_unsuspected_if_and_only_if_none_is_a_martian() -> None:
    """Of every length, with all first octets."""
    by = fast()
    for length, first, second in product(range(33), range(256), (0, 64, 253, 254, 255)):
        octets = (length + 7) // 8
        kept = (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF
        one = bytes((length,)) + (pack("!BBH", first, second, 0xFFFF))[:octets]
        number = int.from_bytes(one[1:].ljust(4, b"\0"), "big") & kept
        one = bytes((length,)) + number.to_bytes(4, "big")[:octets]
        ((update,), _) = by.updates(wire.message(one), 0)
        (run,) = update.withdrawn
        assert list(run.nlri) == [one]
        assert isinstance(run.nlri, Unsuspected) is not is_martian(Family.IPV4, one), one


# -- attributes that are read at the first look --

BLOCK = wire.attributes(next_hop="192.0.2.1", as_path=[64501, 7], med=5, communities=[(64501, 1)])


def unread(block: bytes = BLOCK) -> Unread:
    found = Recognizer(False).ordinary(block)
    assert found is not None
    return Unread(block, IPv4Address(found[1]))


def test_neither_next_hop_nor_policy_reads_them() -> None:
    attributes = unread()
    with patch("vrfbgp.rib.unread._read") as read:
        assert attributes.next_hop == IPv4Address("192.0.2.1")
        assert ImportPolicy(64512, IPv4Address("10.0.0.1")).refuses(attributes) is None
        assert attributes == unread(BLOCK)
        assert attributes != unread(BLOCK.replace(pack("!I", 7), pack("!I", 8)))
        read.assert_not_called()
    assert attributes.as_path == ((2, (64501, 7)),)


def test_an_unread_one_takes_no_more_room_after_it_was_read() -> None:
    before = sys.getsizeof(attributes := unread())
    assert attributes.read() == attributes
    assert before == sys.getsizeof(attributes) <= 56
    assert not hasattr(attributes, "__dict__")


@pytest.mark.parametrize("asn", [64501, 7])
def test_policy_sees_the_own_as_in_them(asn: int) -> None:
    router_id = IPv4Address("10.0.0.1")
    assert ImportPolicy(asn, router_id).refuses(unread()) is Refusal.OWN_AS
    assert ImportPolicy(asn, router_id, allowed_local_as=1).refuses(unread()) is None


def test_an_as_that_only_a_community_looks_like_is_not_in_the_path() -> None:
    number = int.from_bytes(pack("!HH", 64501, 1), "big")
    assert ImportPolicy(number, IPv4Address("10.0.0.1")).refuses(unread()) is None


def test_they_are_what_the_exact_way_reads() -> None:
    message = wire.message(attributes=BLOCK, nlri=wire.nlri("10.0.0.0/8"))
    (run,) = one_update(message, decoder(exact=True)).announced
    assert type(run.attributes) is Attributes
    assert unread() == run.attributes
    assert run.attributes == unread()
    assert hash(unread()) == hash(run.attributes)
    assert unread() != Attributes(IPv4Address("192.0.2.1"))


def test_equal_if_they_differ_in_what_nobody_looks_at_only() -> None:
    aggregated = BLOCK[:-7] + wire.attribute(7, pack("!II", 64501, 1)) + BLOCK[-7:]
    assert unread(aggregated).block != unread().block
    with patch("vrfbgp.rib.unread._read") as read:
        assert unread(aggregated) == unread()
        read.assert_not_called()


def test_they_can_be_copied_and_are_frozen() -> None:
    for again in (copy.deepcopy(unread()), pickle.loads(pickle.dumps(unread()))):
        assert again == unread()
        assert again.as_path == unread().as_path
    with pytest.raises(AttributeError):
        unread().med = 6  # type: ignore[misc]
    with pytest.raises(AttributeError, match="no colour"):
        unread().colour  # type: ignore[attr-defined]  # noqa: B018
