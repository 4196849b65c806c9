"""Links, addresses and rules to values, by pyroute2's classes, and anything at all without raising."""

from __future__ import annotations

import logging
import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.kernel.test_batch import rules
from tests.unit.kernel.test_parse import noise, v4
from vrfbgp.kernel import uapi
from vrfbgp.kernel.attributes import packed, packed_u32
from vrfbgp.kernel.rtnl import Decoder, encoded
from vrfbgp.model import Action, Address, Link, Rule

# linux/if_addr.h
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS = 1, 2, 8
IFA_F_OPTIMISTIC, IFA_F_DADFAILED, IFA_F_TENTATIVE = 0x04, 0x08, 0x40
# linux/fib_rules.h
FRA_SRC, FRA_IIFNAME, FRA_GOTO, FRA_FWMARK, FRA_SUPPRESS_PREFIXLEN = 2, 3, 4, 10, 14
FRA_FWMASK, FRA_OIFNAME, FRA_L3MDEV, FRA_UID_RANGE, FRA_IP_PROTO, FRA_DPORT_RANGE = 16, 17, 19, 20, 22, 24


def test_a_link_is_running_with_a_carrier_only() -> None:
    def link(flags: int, family: int = 0) -> Link | None:
        message = struct.pack("=BBHiII", family, 0, 1, 3, flags, 0) + packed(uapi.IFLA_IFNAME, b"eth0\0")
        return Decoder().link(message, 0, len(message))

    assert link(uapi.IFF_UP | uapi.IFF_LOWER_UP) == Link(3, "eth0", True, True)
    assert link(uapi.IFF_UP) == Link(3, "eth0", True, False)
    assert link(uapi.IFF_LOWER_UP) == Link(3, "eth0", False, False)
    assert link(uapi.IFF_UP, family=7) is None


def test_addresses_that_can_be_used() -> None:
    def address(family: int, flags: int, *body: bytes) -> Address | None:
        message = struct.pack("=BBBBI", family, 24, flags, 0, 3) + b"".join(body)
        return Decoder().address(message, 0, len(message))

    own, peer = packed(IFA_LOCAL, v4("10.0.0.1")), packed(IFA_ADDRESS, v4("10.0.0.2"))
    six = packed(IFA_ADDRESS, ip_address("fd00::1").packed)
    assert address(2, 0, own, peer) == Address(3, ip_address("10.0.0.1"), 24)
    assert address(10, 0, six) == Address(3, ip_address("fd00::1"), 24)
    assert address(10, IFA_F_TENTATIVE, six) is None
    assert address(10, 0, six, packed_u32(IFA_FLAGS, IFA_F_DADFAILED)) is None
    assert address(10, IFA_F_TENTATIVE | IFA_F_OPTIMISTIC, six) is not None
    assert address(2, 0, six) is None


def fib_rule(*body: bytes, action: int = 1, flags: int = 0, tos: int = 0) -> Rule | None:
    message = struct.pack("=BBBBBBBBI", 2, 0, 0, tos, 254, 0, 0, action, flags) + b"".join(body)
    return Decoder().rule(message, 0, len(message))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (fib_rule(packed_u32(FRA_FWMARK, 1), packed_u32(FRA_FWMASK, 15)), ("fwmark 0x1/0xf",)),
        (fib_rule(packed_u32(FRA_FWMARK, 1), packed_u32(FRA_FWMASK, 2**32 - 1)), ("fwmark 0x1",)),
        (fib_rule(packed_u32(FRA_FWMASK, 15)), ("fwmark 0x0/0xf",)),
        (fib_rule(packed_u32(FRA_FWMASK, 2**32 - 1)), ("fwmark 0x0",)),
        (fib_rule(packed(FRA_IIFNAME, b"eth0\0")), ("iif eth0",)),
        (fib_rule(packed(FRA_OIFNAME, b"eth0\0")), ("oif eth0",)),
        (fib_rule(packed_u32(FRA_SUPPRESS_PREFIXLEN, 0)), ("suppress_prefixlength 0",)),
        (fib_rule(packed_u32(FRA_SUPPRESS_PREFIXLEN, 2**32 - 1)), ()),
        (fib_rule(packed(FRA_L3MDEV, b"\1")), ("l3mdev",)),
        (fib_rule(packed(FRA_UID_RANGE, struct.pack("=II", 0, 99))), ("uidrange 0-99",)),
        (fib_rule(packed(FRA_DPORT_RANGE, struct.pack("=HH", 80, 80))), ("dport 80-80",)),
        (fib_rule(packed(FRA_IP_PROTO, b"\6")), ("ipproto 6",)),
        (fib_rule(packed(25, b"\4")), ("attribute-25 04",)),
        (fib_rule(flags=uapi.FIB_RULE_INVERT), ("not",)),
        (fib_rule(tos=16), ("tos 0x10",)),
        (fib_rule(packed_u32(FRA_GOTO, 300), action=2), ("goto 300",)),
        (fib_rule(action=6), ("blackhole",)),
        (fib_rule(action=77), ("action 77",)),
        (fib_rule(), ()),
    ],
)
def test_selectors_we_never_make_are_words(found: Rule | None, words: tuple[str, ...]) -> None:
    assert found is not None
    assert found.others == words


def test_actions() -> None:
    found = [fib_rule(action=number) for number in (1, 7, 8)]
    assert [one.action for one in found if one] == [Action.LOOKUP, Action.UNREACHABLE, Action.OTHER]


@given(noise)
def test_nothing_raises(octets: bytes) -> None:
    decoder = Decoder()
    for start in (0, min(3, len(octets))):
        decoder.link(octets, start, len(octets))
        decoder.address(octets, start, len(octets))
        decoder.rule(octets, start, len(octets))


@given(rules(), st.data(), st.binary(max_size=64))
def test_a_rule_cut_or_damaged_anywhere_does_not_raise(rule: Rule, data: st.DataObject, junk: bytes) -> None:
    whole, decoder = encoded(rule), Decoder()
    cut = data.draw(st.integers(0, len(whole)))
    for octets in (whole[:cut], whole[:cut] + junk + whole[cut + len(junk) :]):
        decoder.rule(octets, 0, len(octets))
    # Nothing beyond the given end is read.
    assert decoder.rule(whole + junk, 0, len(whole)) == rule


def test_what_cannot_be_decoded_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    decoder = Decoder()
    name = struct.pack("=BBHiII", 0, 0, 1, 3, 0, 0) + packed(uapi.IFLA_IFNAME, b"eth0\0")
    cut = struct.pack("=BBBBBBBBI", 2, 0, 32, 0, 0, 0, 0, 1, 0) + packed(FRA_SRC, b"\x0a\0\0")
    with caplog.at_level(logging.DEBUG):
        for _ in range(3):
            assert decoder.rule(cut, 0, len(cut)) is None
    assert decoder.skipped == 3
    [record] = caplog.records
    assert "fibmsg" in record.message
    assert cut.hex() in record.message
    assert decoder.link(name, 0, len(name)) == Link(3, "eth0", False, False)


def test_a_name_that_is_no_text_is_shown_escaped() -> None:
    message = struct.pack("=BBHiII", 0, 0, 1, 3, 0, 0) + packed(uapi.IFLA_IFNAME, b"\xffeth\0")
    assert Decoder().link(message, 0, len(message)) == Link(3, "\\xffeth", False, False)


def test_what_is_not_looked_at_may_be_anything() -> None:
    decoder, mtu, cacheinfo = Decoder(), packed(4, b""), packed(6, b"")
    link = struct.pack("=BBHiII", 0, 0, 1, 3, 0, 0) + packed(uapi.IFLA_IFNAME, b"eth0\0") + mtu
    address = struct.pack("=BBBBI", 2, 24, 0, 0, 3) + packed(IFA_ADDRESS, v4("10.0.0.1")) + cacheinfo
    assert decoder.link(link, 0, len(link)) == Link(3, "eth0", False, False)
    assert decoder.address(address, 0, len(address)) == Address(3, ip_address("10.0.0.1"), 24)
