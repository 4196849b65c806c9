"""What a kernel (6.18) answered of some ipsets, and what is read of it.

Their indices: 0, hash:net with 10.60.0.0/16 and 10.50.0.7; 1, hash:ip,port; 2, hash:net of IPv6 with
fd00:1::/64; 3, none.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from pathlib import Path

import pytest

from vrfbgp.kernel import ipset, xt
from vrfbgp.kernel.attributes import packed
from vrfbgp.kernel.netlink import HEADER
from vrfbgp.kernel.ruleset import Ruleset
from vrfbgp.netfilter.nat import Asked, Element, Field, Load, Lookup, Name, Nat

ANSWERS = {
    (int(kind), bytes.fromhex(body)): bytes.fromhex(answer)
    for kind, body, answer in map(
        str.split, Path(__file__).with_name("ipset_answers.txt").read_text().splitlines()
    )
}


async def ask(kind: int, _flags: int, body: bytes) -> bytes:
    subsystem, command = divmod(kind, 256)
    assert subsystem == ipset.NFNL_SUBSYS_IPSET
    return ANSWERS[command, body]


def element(low: str, high: str) -> Element:
    return Element(ip_address(low).packed, ip_address(high).packed)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, (element("10.50.0.7", "10.50.0.7"), element("10.60.0.0", "10.60.255.255"))),
        (1, None),
        (2, (element("fd00:1::", "fd00:1::ffff:ffff:ffff:ffff"),)),
        (3, None),
    ],
)
def test_sets_of_addresses_are_read_and_others_are_not(
    index: int, expected: tuple[Element, ...] | None
) -> None:
    assert asyncio.run(ipset.read(ask, index)) == expected


def listing(kind: bytes, *parts: bytes) -> bytes:
    """A set of two networks, the second with more attributes."""
    address = packed(1, packed(1, bytes((10, 0, 0, 0)))) + packed(3, b"\x08")
    held = packed(7, address) + packed(7, address + b"".join(parts))
    body = bytes(4) + packed(3, kind + b"\0") + packed(7, b"") + packed(8, held)
    return HEADER.pack(HEADER.size + len(body), ipset.NFNL_SUBSYS_IPSET << 8 | ipset.CMD_LIST, 2, 1, 0) + body


def test_what_a_set_leaves_out_again_is_not_understood() -> None:
    ten = element("10.0.0.0", "10.255.255.255")
    assert ipset.elements(listing(b"hash:net")) == (ten, ten)
    assert ipset.elements(listing(b"hash:net", packed(8, b"\0\0\0\4"))) is None
    assert ipset.elements(listing(b"hash:net,iface")) is None
    assert ipset.elements(b"") is None


def test_rules_ask_for_a_set_by_source_or_destination() -> None:
    """struct xt_set_info: index, dimensions, flags."""
    assert xt.match("set", 1, b"\7\0\1\2") == [Load(8, Field.SOURCE), Lookup(8, "ipset 7")]
    assert xt.match("set", 4, b"\7\0\1\1" + bytes(28)) == [
        Load(8, Field.DESTINATION),
        Lookup(8, "ipset 7", True),
    ]
    for other in (b"\7\0\2\2", b"\7\0\1\2" + b"\1" * 28):
        assert xt.match("set", 4, other) == [Asked("match set")]


def test_ipsets_are_read_again_though_the_ruleset_is_the_same() -> None:
    """They have no generation. A set that can't be read any more is not taken for empty."""
    name = Name("ip", "nat", "ipset 0")
    generation = HEADER.pack(28, 0xA0F, 0, 1, 0) + bytes(4) + packed(1, bytes(4))
    gone = False

    async def answered(kind: int, flags: int, body: bytes) -> bytes:
        if kind >> 8 == ipset.NFNL_SUBSYS_IPSET:
            return b"" if gone else await ask(kind, flags, body)
        return generation

    ruleset = Ruleset(answered)
    ruleset._nat, ruleset._generation = Nat(sets={name: ()}), bytes(4)
    found = asyncio.run(ruleset.read())
    assert len(found.sets[name]) == 2
    assert asyncio.run(ruleset.read()) is found
    gone = True
    assert not asyncio.run(ruleset.read()).sets
