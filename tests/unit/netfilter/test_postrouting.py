"""Rules of netfilter, walked with gateways' packets: who is translated for certain, who perhaps, who not."""

from __future__ import annotations

import sys
from ipaddress import ip_network

import pytest

from vrfbgp.model import Family
from vrfbgp.netfilter import spans
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
    Rule,
    Translate,
    Verdict,
)
from vrfbgp.netfilter.postrouting import Packets, translated

BASE = Name("ip", "site", "leaving")
SOURCES = "10.50.0.0/29"
EVERYWHERE = ((0, 0xFFFFFFFF),)
MASQUERADE = Translate("masquerade")
ACCEPT = Decide(Verdict.ACCEPT)
RETURN = Decide(Verdict.RETURN)
TCP: Rule = (Load(8, Field.OTHER, word="l4proto"), Compare(8, Compared.EQ, b"\6"))
LIMIT: Rule = (Asked("limit"),)


def host(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


def octets(address: str) -> bytes:
    return bytes(map(int, address.split(".")))


def saddr(address: str, how: Compared = Compared.EQ) -> Rule:
    value = octets(address)
    return (Load(8, Field.NETWORK_HEADER, len(value), 12), Compare(8, how, value))


def daddr(address: str, how: Compared = Compared.EQ) -> Rule:
    value = octets(address)
    return (Load(8, Field.NETWORK_HEADER, len(value), 16), Compare(8, how, value))


def oifname(name: str, how: Compared = Compared.EQ) -> Rule:
    value = name[:-1].encode() if name.endswith("*") else name.encode().ljust(16, b"\0")
    return (Load(8, Field.DEVICE_NAME), Compare(8, how, value))


def bits(field: Field, mask: int, how: Compared, value: int) -> Rule:
    return (Load(8, field), Mask(8, 8, host(mask), bytes(4)), Compare(8, how, host(value)))


def to(chain: str, verdict: Verdict = Verdict.JUMP) -> Decide:
    return Decide(verdict, chain)


def told(
    *rules: tuple[Expression, ...],
    sets: dict[str, tuple[Element, ...]] | None = None,
    sources: str = SOURCES,
    **chains: tuple[tuple[Expression, ...], ...],
) -> list[tuple[str, int, list[str], tuple[str, ...]]]:
    """Of each finding: chain, rule, sources and doubts. The packets leave by eth1, which is device 5."""
    nat = Nat(
        (BASE,),
        {BASE: rules} | {BASE._replace(name=name): of_chain for name, of_chain in chains.items()},
        {BASE._replace(name=name): of_set for name, of_set in (sets or {}).items()},
    )
    packets = Packets(spans.of([ip_network(sources)]), EVERYWHERE)
    return [
        (found.chain.name, found.number, shown(found.packets.sources), found.packets.doubt)
        for found in translated(nat, Family.IPV4, "eth1", 5, packets)
    ]


def shown(of: spans.Spans) -> list[str]:
    """Spans by their last octets."""
    return [f"{first & 255}-{last & 255}" for first, last in of]


WHOLE = "0-7"


@pytest.mark.parametrize(
    "conditions",
    [
        (),
        saddr("10.50.0"),
        saddr("10.50"),
        saddr("10.51.0.1", Compared.NEQ),
        oifname("eth1"),
        oifname("eth*"),
        oifname("eth2", Compared.NEQ),
        (Load(8, Field.DEVICE_INDEX), Compare(8, Compared.EQ, host(5))),
        (Load(8, Field.FAMILY), Compare(8, Compared.EQ, b"\2")),
        bits(Field.CT_STATE, 0x8, Compared.NEQ, 0),
        bits(Field.MARK, 0x4000, Compared.NEQ, 0x4000),
        daddr("10", Compared.NEQ),
        (Load(8, Field.DESTINATION_TYPE), Compare(8, Compared.NEQ, host(2))),
        (Asked("match addrtype", True),),
        (*saddr("10.50.0"), *daddr("10", Compared.NEQ), *oifname("eth1")),
        (Load(8, Field.NETWORK_HEADER, 4, 12), Between(8, octets("10.50.0.0"), octets("10.50.0.7"))),
        (Load(8, Field.NETWORK_HEADER, 4, 12), Compare(8, Compared.GTE, octets("10.50.0.0"))),
        (
            Load(8, Field.NETWORK_HEADER, 4, 12),
            Mask(8, 8, octets("255.255.128.0"), bytes(4)),
            Compare(8, Compared.EQ, octets("10.50.0.0")),
        ),
    ],
)
def test_what_all_packets_meet_is_certain(conditions: Rule) -> None:
    assert told((*conditions, MASQUERADE)) == [("leaving", 1, [WHOLE], ())]


@pytest.mark.parametrize(
    "conditions",
    [
        saddr("10.51.0"),
        saddr("10.50", Compared.NEQ),
        oifname("eth2"),
        oifname("eth*", Compared.NEQ),
        oifname("eth10"),
        (Load(8, Field.DEVICE_INDEX), Compare(8, Compared.EQ, host(6))),
        (Load(8, Field.FAMILY), Compare(8, Compared.EQ, b"\12")),
        bits(Field.CT_STATE, 0x2, Compared.NEQ, 0),
        bits(Field.CT_STATUS, 0x20, Compared.NEQ, 0),
        bits(Field.MARK, 0x4000, Compared.EQ, 0x4000),
        (Load(8, Field.SOURCE_TYPE), Compare(8, Compared.EQ, host(2))),
        (Asked("match addrtype", False),),
        (Load(8, Field.NETWORK_HEADER, 4, 12), Between(8, octets("10.50.0.0"), octets("10.50.0.7"), True)),
        (Load(8, Field.NETWORK_HEADER, 4, 12), Compare(8, Compared.LT, octets("10.50.0.0"))),
        (*TCP, *oifname("eth2")),
    ],
)
def test_what_no_packet_meets_is_nothing(conditions: Rule) -> None:
    assert told((*conditions, MASQUERADE)) == []


@pytest.mark.parametrize(
    ("conditions", "word"),
    [
        (TCP, "l4proto"),
        (LIMIT, "limit"),
        ((Load(8, Field.NETWORK_HEADER, 4, 12), Lookup(8, "unread")), "set unread"),
        ((Load(8, Field.DESTINATION_TYPE), Compare(8, Compared.EQ, host(1))), "the type of an address"),
        (
            (
                Load(8, Field.NETWORK_HEADER, 4, 12),
                Mask(8, 8, octets("255.0.255.0"), bytes(4)),
                Compare(8, Compared.EQ, octets("10.0.0.0")),
            ),
            "a mask with holes",
        ),
        ((Compare(12, Compared.EQ, b"\0"),), "what is not read"),
        ((Load(8, Field.NETWORK_HEADER, 4, 14), Compare(8, Compared.EQ, bytes(4))), "ip"),
    ],
)
def test_what_is_not_understood_leaves_a_doubt(conditions: Rule, word: str) -> None:
    assert told((*conditions, MASQUERADE)) == [("leaving", 1, [WHOLE], (word,))]


def test_a_part_of_the_sources() -> None:
    assert told((*saddr("10.50.0.3"), MASQUERADE)) == [("leaving", 1, ["3-3"], ())]
    assert told((*saddr("10.50.0.3"), ACCEPT), (MASQUERADE,)) == [("leaving", 2, ["0-2", "4-7"], ())]


def test_an_exemption_ends_the_way() -> None:
    assert told((*saddr("10.50.0"), *oifname("eth1"), ACCEPT), (MASQUERADE,)) == []
    assert told((*saddr("10.50.0"), *oifname("eth2"), ACCEPT), (MASQUERADE,)) == [("leaving", 2, [WHOLE], ())]
    [(_, _, _, doubt)] = told((*LIMIT, ACCEPT), (MASQUERADE,))
    assert doubt == ("limit",)


def test_of_some_destinations() -> None:
    private = (*daddr("10"), RETURN)
    assert told(private, (MASQUERADE,)) == [("leaving", 2, [WHOLE], ())]
    assert told(private, (*daddr("10"), MASQUERADE)) == []


def test_kube_proxy_marks_what_it_masquerades() -> None:
    """Its nat chain ends for packets without the mark; what it does to the mark is met by no others."""
    unmarked = (*bits(Field.MARK, 0x4000, Compared.NEQ, 0x4000), RETURN)
    postrouting = (unmarked, (MarkSet(),), (MASQUERADE,))
    assert told((to("kube"),), kube=postrouting) == []
    marked = (*bits(Field.MARK, 0x4000, Compared.EQ, 0x4000), MASQUERADE)
    assert told((MarkSet(),), marked) == [("leaving", 2, [WHOLE], ("mark",))]


def test_chains_come_back_or_not() -> None:
    own = ((*saddr("10.50.0.3"), RETURN), (*saddr("10.50.0.4"), ACCEPT))
    assert sorted(told((to("own"),), (MASQUERADE,), own=own)) == [
        ("leaving", 2, ["0-2", "5-7"], ()),
        ("leaving", 2, ["3-3"], ()),
    ]
    assert told((to("own", Verdict.GOTO),), (MASQUERADE,), own=own) == []
    assert told((to("own"),), (MASQUERADE,), own=((MASQUERADE,),)) == [("own", 1, [WHOLE], ())]
    [(_, _, _, doubt)] = told((to("unread"),), (MASQUERADE,))
    assert doubt == ("chain unread",)


def test_a_doubtful_way_to_a_chain_leaves_its_findings_in_doubt_and_what_follows_certain() -> None:
    assert told((*TCP, to("own")), (MASQUERADE,), own=((MASQUERADE,),)) == [
        ("own", 1, [WHOLE], ("l4proto",)),
        ("leaving", 2, [WHOLE], ()),
    ]
    assert told((*TCP, to("own")), (MASQUERADE,), own=((ACCEPT,),)) == [("leaving", 2, [WHOLE], ("l4proto",))]


def test_chains_that_call_each_other_end() -> None:
    assert told((to("own"),), own=((to("own"),), (MASQUERADE,)))


def test_sets() -> None:
    pods = {"pods": (Element(octets("10.50.0.2"), octets("10.50.0.3")),)}
    lookup = Load(8, Field.NETWORK_HEADER, 4, 12), Lookup(8, "pods")
    assert told((*lookup, MASQUERADE), sets=pods) == [("leaving", 1, ["2-3"], ())]
    lookup = Load(8, Field.NETWORK_HEADER, 4, 12), Lookup(8, "pods", negated=True)
    assert told((*lookup, MASQUERADE), sets=pods) == [("leaving", 1, ["0-1", "4-7"], ())]
    devices = {"devices": (Element(b"eth1".ljust(16, b"\0"), b"eth1".ljust(16, b"\0")),)}
    by_device = Load(8, Field.DEVICE_NAME), Lookup(8, "devices")
    assert told((*by_device, MASQUERADE), sets=devices) == [("leaving", 1, [WHOLE], ())]
    pairs = {"pairs": (Element(bytes(20), bytes(20)),)}
    concatenated = Load(8, Field.NETWORK_HEADER, 4, 12), Load(9, Field.DEVICE_NAME), Lookup(8, "pairs")
    [(_, _, _, doubt)] = told((*concatenated, MASQUERADE), sets=pairs)
    assert doubt == ("a part of an address",)


def test_a_verdict_map() -> None:
    leads = {
        "leads": (
            Element(octets("10.50.0.0"), octets("10.50.0.1"), to("own")),
            Element(octets("10.50.0.2"), octets("10.50.0.3"), ACCEPT),
        )
    }
    lookup = Load(8, Field.NETWORK_HEADER, 4, 12), Lookup(8, "leads", verdicts=True)
    found = told(lookup, (MASQUERADE,), sets=leads, own=((MASQUERADE,),))
    assert found == [("own", 1, ["0-1"], ()), ("leaving", 2, ["4-7"], ())]


def test_only_the_chains_of_a_family_are_asked() -> None:
    six, both = Name("ip6", "site", "leaving"), Name("inet", "all", "leaving")
    header = (
        Load(8, Field.NETWORK_HEADER, 8, 8),
        Compare(8, Compared.EQ, ip_network("fd00::/64")[0].packed[:8]),
    )
    nat = Nat(
        (BASE, six, both),
        {
            BASE: ((MASQUERADE,),),
            six: ((*header, MASQUERADE),),
            both: ((Load(8, Field.FAMILY), Compare(8, Compared.EQ, b"\12"), MASQUERADE),),
        },
    )
    packets = Packets(spans.of([ip_network("fd00::/127")]), ((0, (1 << 128) - 1),))
    found = translated(nat, Family.IPV6, "eth1", 5, packets)
    assert [(one.chain, one.base) for one in found] == [(six, six), (both, both)]
