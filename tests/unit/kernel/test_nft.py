"""What a kernel (6.18) answered of a ruleset made by nft and iptables-nft 1.8.9, and what is read of it.

`nft_answers.txt` holds each request (message, body) with all that answered it. The ruleset was:

    table ip site {
      set pods { type ipv4_addr; flags interval; elements = { 10.50.0.0/24, 10.51.0.7 }; }
      chain own { masquerade; }
      chain leaving { type nat hook postrouting priority srcnat;
        ip saddr 10.50.0.0/24 oifname "eth1" masquerade
        ip saddr @pods oif lo snat to 192.0.2.1
        oifname { "a", "b*" } counter masquerade
        ip daddr != 10.0.0.0/8 ct state new meta mark and 0x4000 == 0x4000 masquerade random
        ip saddr 10.50.0.1-10.50.0.9 jump own
        ip saddr != 10.50.0.1-10.50.0.9 goto own
        ip saddr vmap { 10.0.0.0/24 : jump own, 10.0.1.0/24 : accept }
        tcp dport 80 masquerade
        fib daddr type != local limit rate 10/second masquerade
        meta mark set meta mark xor 0x4000
        ip saddr . oifname { 10.0.0.1 . "eth1" } return
      }
      chain arriving { type nat hook prerouting priority dstnat; }
    }

and, in table nat of iptables-nft, the first with a comment:

    -A POSTROUTING -s 10.50.0.0/24 ! -d 10.0.0.0/8 -o eth+ -m mark --mark 0x4000/0x4000 -j MASQUERADE
    -A POSTROUTING ! -s 10.50.0.0/24 -o eth1 -p tcp -m addrtype ! --src-type LOCAL -j SNAT --to-source 1.2.3.4
    -A POSTROUTING -j CUST
    -A POSTROUTING -m addrtype --dst-type LOCAL -j MASQUERADE
    -A CUST -j RETURN
    -A CUST -m conntrack --ctstate NEW -j MARK --set-mark 1
    -A CUST -m conntrack --ctstate ESTABLISHED -j ACCEPT
    -A CUST -m iprange --src-range 10.0.0.1-10.0.0.5 -j LOG
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from struct import Struct

import pytest

from vrfbgp.kernel import nft, xt
from vrfbgp.kernel import nft_uapi as uapi
from vrfbgp.kernel.attributes import packed
from vrfbgp.kernel.ruleset import Ruleset
from vrfbgp.kernel.uapi import NLM_F_DUMP_INTR
from vrfbgp.netfilter.nat import (
    Asked,
    Between,
    Compare,
    Compared,
    Decide,
    Element,
    Expression,
    Field,
    Load,
    Lookup,
    MarkSet,
    Mask,
    Name,
    Nat,
    Translate,
    Verdict,
)

HEADER = Struct("=IHHII")
ANSWERS = {
    (int(kind), bytes.fromhex(body)): bytes.fromhex(answer)
    for kind, body, answer in map(
        str.split, Path(__file__).with_name("nft_answers.txt").read_text().splitlines()
    )
}
SITE = Name("ip", "site", "leaving")
NAT = Name("ip", "nat", "POSTROUTING")
SOURCE = Load(8, Field.NETWORK_HEADER, 4, 12, "the network header")
NETWORK = Load(8, Field.NETWORK_HEADER, 3, 12, "the network header")
DEVICE = Load(8, Field.DEVICE_NAME)
ETH1 = b"eth1".ljust(16, b"\0")


class Kernel:
    """Answers as that kernel did, but for what a test has it say; counts what it was asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.says: Callable[[int, int], bytes | None] = lambda _kind, _times: None

    async def ask(self, kind: int, flags: int, body: bytes) -> bytes:
        subsystem, message = divmod(kind, 256)
        assert subsystem == uapi.NFNL_SUBSYS_NFTABLES
        assert flags
        self.asked.append(message)
        if (said := self.says(message, self.asked.count(message))) is not None:
            return said
        return ANSWERS[message, body or bytes(4)]

    def read(self, ruleset: Ruleset | None = None) -> Nat:
        return asyncio.run((ruleset or Ruleset(self.ask)).read())


def refusal(number: int) -> bytes:
    return HEADER.pack(36, 2, 0, 1, 0) + Struct("=i").pack(-number) + HEADER.pack(20, 0, 0, 1, 0)


@pytest.fixture(scope="module")
def found() -> Nat:
    return Kernel().read()


def test_the_chains_that_leave_and_where_they_lead(found: Nat) -> None:
    assert found.bases == (NAT, SITE)
    assert list(found.chains) == [NAT, SITE, NAT._replace(name="CUST"), SITE._replace(name="own")]
    assert {name.name for name in found.sets} == {"pods", "__set0", "__map0", "__set1"}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, [NETWORK, Compare(8, Compared.EQ, b"\x0a\x32\x00"), DEVICE, Compare(8, Compared.EQ, ETH1)]),
        (3, [DEVICE, Lookup(8, "__set0")]),
        (
            5,
            [
                SOURCE,
                Compare(8, Compared.GTE, bytes((10, 50, 0, 1))),
                Compare(8, Compared.LTE, b"\x0a\x32\0\x09"),
            ],
        ),
        (6, [SOURCE, Between(8, bytes((10, 50, 0, 1)), bytes((10, 50, 0, 9)), True)]),
        (7, [SOURCE, Lookup(8, "__map0", verdicts=True)]),
        (
            8,
            [
                Load(8, Field.OTHER, word="l4proto"),
                Compare(8, Compared.EQ, b"\6"),
                Load(8, Field.OTHER, 2, 2, "ports"),
                Compare(8, Compared.EQ, b"\0\x50"),
            ],
        ),
        (9, [Load(8, Field.DESTINATION_TYPE), Compare(8, Compared.NEQ, b"\2\0\0\0"), Asked("limit")]),
        (11, [SOURCE, Load(9, Field.DEVICE_NAME), Lookup(8, "__set1")]),
    ],
)
def test_conditions_of_nft(found: Nat, number: int, expected: list[Expression]) -> None:
    *conditions, _ = (*found.chains[SITE][number - 1], None)
    assert conditions[: len(expected)] == expected


def test_what_rules_do(found: Nat) -> None:
    ends = [rule[-1] for rule in found.chains[SITE]]
    assert ends == [
        Translate("masquerade"),
        Translate("snat"),
        Translate("masquerade"),
        Translate("masquerade"),
        Decide(Verdict.JUMP, "own"),
        Decide(Verdict.GOTO, "own"),
        Lookup(8, "__map0", verdicts=True),
        Translate("masquerade"),
        Translate("masquerade"),
        MarkSet(),
        Decide(Verdict.RETURN),
    ]


def test_a_mark_and_a_state_are_asked_under_masks(found: Nat) -> None:
    rule = found.chains[SITE][3]
    assert Load(8, Field.CT_STATE) in rule
    assert Mask(8, 8, b"\x08\0\0\0", bytes(4)) in rule
    assert rule[-4:-1] == (
        Load(8, Field.MARK),
        Mask(8, 8, b"\0\x40\0\0", bytes(4)),
        Compare(8, Compared.EQ, b"\0\x40\0\0"),
    )


def test_sets_of_networks_of_names_and_of_verdicts(found: Nat) -> None:
    def in_set(name: str) -> tuple[Element, ...]:
        return found.sets[SITE._replace(name=name)]

    assert in_set("pods") == (
        Element(bytes((10, 50, 0, 0)), bytes((10, 50, 0, 255))),
        Element(bytes((10, 51, 0, 7)), bytes((10, 51, 0, 7))),
    )
    assert in_set("__set0") == (
        Element(b"a".ljust(16, b"\0"), b"a".ljust(16, b"\0")),
        Element(b"b".ljust(16, b"\0"), b"b".ljust(16, b"\xff")),
    )
    assert in_set("__map0") == (
        Element(bytes((10, 0, 0, 0)), bytes((10, 0, 0, 255)), Decide(Verdict.JUMP, "own")),
        Element(bytes((10, 0, 1, 0)), bytes((10, 0, 1, 255)), Decide(Verdict.ACCEPT)),
    )


def test_rules_of_iptables(found: Nat) -> None:
    first, second, third, fourth = found.chains[NAT]
    assert first[:2] == (DEVICE, Compare(8, Compared.EQ, b"eth"))
    assert first[-1] == Translate("MASQUERADE")
    assert not any(isinstance(expression, Asked) for expression in first)  # The comment is none.
    assert second[-2:] == (Asked("match addrtype", True), Translate("SNAT"))
    assert third == (Decide(Verdict.JUMP, "CUST"),)
    assert fourth == (Asked("match addrtype", False), Translate("MASQUERADE"))
    assert found.chains[NAT._replace(name="CUST")] == (
        (Decide(Verdict.RETURN),),
        (Asked("match conntrack", True), MarkSet()),
        (Asked("match conntrack", False), Decide(Verdict.ACCEPT)),
        (Asked("match iprange"),),
    )


def test_a_mark_by_a_match_is_as_one_by_nft() -> None:
    """As iptables-nft before 1.8.9 asks for it."""
    assert xt.match("mark", 1, b"\0\x40\0\0" * 2 + b"\1") == [
        Load(8, Field.MARK, 4),
        Mask(8, 8, b"\0\x40\0\0", bytes(4)),
        Compare(8, Compared.NEQ, b"\0\x40\0\0"),
    ]
    assert xt.match("mark", 0, b"") == [Asked("match mark")]


def test_nothing_is_read_again_while_nothing_changed() -> None:
    kernel = Kernel()
    ruleset = Ruleset(kernel.ask)
    first = kernel.read(ruleset)
    kernel.asked.clear()
    assert kernel.read(ruleset) is first
    assert kernel.asked == [uapi.NFT_MSG_GETGEN]


def test_a_ruleset_that_changes_meanwhile_is_read_once_more() -> None:
    kernel = Kernel()
    dump = ANSWERS[uapi.NFT_MSG_GETCHAIN, bytes(4)]
    length, kind, flags, *rest = HEADER.unpack_from(dump)
    interrupted = HEADER.pack(length, kind, flags | NLM_F_DUMP_INTR, *rest) + dump[HEADER.size :]
    gone = refusal(errno.ENOENT)
    kernel.says = lambda message, times: {
        (uapi.NFT_MSG_GETCHAIN, 1): interrupted,
        (uapi.NFT_MSG_GETRULE, 1): gone,
    }.get((message, times))
    assert kernel.read().bases == (NAT, SITE)
    assert kernel.asked.count(uapi.NFT_MSG_GETCHAIN) == 3


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_kernel_that_does_not_answer_is_told_of_once(number: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    kernel = Kernel()
    kernel.says = lambda _message, _times: refusal(number)
    ruleset = Ruleset(kernel.ask)
    assert kernel.read(ruleset) == kernel.read(ruleset) == Nat()
    assert len(caplog.records) == 1


def test_what_is_not_known_is_a_condition_without_an_answer() -> None:
    def expression(name: bytes) -> bytes:
        return packed(uapi.NFTA_LIST_ELEM, packed(uapi.NFTA_EXPR_NAME, name + b"\0"))

    body = bytes(4) + packed(
        uapi.NFTA_RULE_EXPRESSIONS, expression(b"newest") + expression(b"counter") + expression(b"masq")
    )
    assert nft.rule(body, 0, len(body)) == (Asked("newest"), Translate("masquerade"))


@pytest.mark.parametrize("cut", [1, 5, 7, 11])
def test_what_is_truncated_raises_nothing(cut: int) -> None:
    for (message, _), answer in ANSWERS.items():
        body = answer[HEADER.size : HEADER.unpack_from(answer)[0] - cut]
        if message == uapi.NFT_MSG_GETRULE:
            nft.rule(body, 0, len(body))
        elif message == uapi.NFT_MSG_GETCHAIN:
            nft.base_chain(body, 0, len(body))
        elif message == uapi.NFT_MSG_GETSETELEM:
            nft.elements(4, list(nft.listed(body, 0, len(body))))


def test_keys_of_several_sizes_are_no_set() -> None:
    found = [(bytes((1,)), b"", 0, None), (bytes((1, 0, 0)), b"", 0, None)]
    assert nft.elements(4, found) is None
    assert nft.elements(0, found) is None
