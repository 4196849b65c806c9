"""Gateways whose packets netfilter translates are told with the rule and the command that exempts them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from vrfbgp.intent import GatewayIntent, Intent, Problem, Reason, Severity
from vrfbgp.masquerade import Masquerading
from vrfbgp.netfilter.nat import (
    Asked,
    Compare,
    Compared,
    Decide,
    Expression,
    Field,
    Load,
    Name,
    Nat,
    Translate,
    Verdict,
)

RED = GatewayIntent("egress/red", (ip_network("10.50.0.2/31"),), ("red",))
BOTH = GatewayIntent(
    "egress/both", (ip_network("10.50.0.4/31"), ip_network("fd00::4/127")), ("yellow", "red")
)
INTENT = Intent("node1", True, gateways=(RED, BOTH), cluster=(ip_network("10.244.0.0/16"),))
UPLINKS = {"red": {"red0": 5}, "yellow": {"yellow0": 6}}
SITE = Name("ip", "site", "leaving")
MASQUERADE = Translate("masquerade")


def nat(
    *rules: tuple[Expression, ...], base: Name = SITE, **chains: tuple[tuple[Expression, ...], ...]
) -> Nat:
    named = {base._replace(name=name.replace("_", "-")): of_chain for name, of_chain in chains.items()}
    return Nat((base,), {base: rules, **named})


def problems(of: Nat, intent: Intent = INTENT) -> list[Problem]:
    return Masquerading().problems(of, intent, UPLINKS)


def leaves_by(name: str) -> tuple[Expression, ...]:
    return Load(8, Field.DEVICE_NAME), Compare(8, Compared.EQ, name.encode().ljust(16, b"\0"))


def test_each_gateway_is_told_with_its_ranges_and_uplinks() -> None:
    red, both = problems(nat((MASQUERADE,)))
    assert (red.severity, red.reason) == (Severity.DEGRADED, Reason.MASQUERADED)
    assert [red.subject, both.subject] == ["EgressGateway egress/red", "EgressGateway egress/both"]
    assert "rule 1 of chain leaving in table ip site (masquerade)" in red.text
    assert "packets from 10.50.0.2/31 leave by red0 with" in red.text
    assert "packets from 10.50.0.4/31 leave by red0, yellow0 with" in both.text
    assert red.text.endswith("nft insert rule ip site leaving ip saddr 10.50.0.2/31 oifname red0 accept")
    assert "oifname red0 accept; nft insert rule" in both.text


def test_only_those_whom_a_rule_takes() -> None:
    [both] = problems(nat((*leaves_by("yellow0"), MASQUERADE)))
    assert both.subject == "EgressGateway egress/both"
    assert "leave by yellow0 with" in both.text
    source = Load(8, Field.NETWORK_HEADER, 4, 12), Compare(8, Compared.EQ, bytes((10, 50, 0, 3)))
    [red] = problems(nat((*source, MASQUERADE)))
    assert "packets from 10.50.0.3/32 leave" in red.text
    assert problems(nat((*leaves_by("eth0"), MASQUERADE))) == []


def test_what_only_goes_to_the_cluster_is_no_matter() -> None:
    to_pods = Load(8, Field.NETWORK_HEADER, 2, 16), Compare(8, Compared.EQ, bytes((10, 244)))
    assert problems(nat((*to_pods, MASQUERADE))) == []
    to_groups = Load(8, Field.NETWORK_HEADER, 1, 16), Compare(8, Compared.EQ, bytes((224,)))
    assert problems(nat((*to_groups, MASQUERADE))) == []


def test_what_concerns_but_few_destinations_may_concern_none() -> None:
    few = Load(8, Field.NETWORK_HEADER, 1, 16), Compare(8, Compared.EQ, bytes((105,)))
    red = problems(nat((*few, MASQUERADE)))[0]
    assert red.severity is Severity.NOTICE
    assert "(whether the network has destinations in 105.0.0.0/8)" in red.text
    most = Load(8, Field.NETWORK_HEADER, 1, 16), Compare(8, Compared.NEQ, bytes((105,)))
    assert problems(nat((*most, MASQUERADE)))[0].severity is Severity.DEGRADED


def test_what_may_be_is_a_notice_and_not_told_beside_what_is() -> None:
    perhaps = (Asked("limit"), MASQUERADE)
    first, _ = problems(nat(perhaps, perhaps))
    assert first.severity is Severity.NOTICE
    assert "may leave by red0" in first.text
    assert "rule 1 of" in first.text
    assert "depending on what is not known (limit)" in first.text
    first, _ = problems(nat(perhaps, (MASQUERADE,)))
    assert first.severity is Severity.DEGRADED
    assert "rule 2 of" in first.text


@pytest.mark.parametrize(
    ("base", "command"),
    [
        (
            Name("ip", "nat", "POSTROUTING"),
            "iptables-nft -t nat -I POSTROUTING -s 10.50.0.2/31 -o red0 -j ACCEPT",
        ),
        (
            Name("inet", "all", "out"),
            "nft insert rule inet all out ip saddr 10.50.0.2/31 oifname red0 accept",
        ),
    ],
)
def test_the_remedy_is_by_who_made_the_chain(base: Name, command: str) -> None:
    jump = (Decide(Verdict.JUMP, "own"),)
    red = problems(nat(jump, base=base, own=((MASQUERADE,),)))[0]
    assert "rule 1 of chain own" in red.text
    assert red.text.endswith(command)


def test_the_remedy_for_what_calico_makes_is_in_its_pool() -> None:
    base = Name("ip", "nat", "POSTROUTING")
    jump = (Decide(Verdict.JUMP, "cali-nat-outgoing"),)
    red = problems(nat(jump, base=base, cali_nat_outgoing=((Asked("limit"), MASQUERADE),)))[0]
    assert red.severity is Severity.NOTICE
    assert red.text.endswith("Calico made it: set natOutgoing of the IPPool that holds it to false")


def test_what_calico_decides_by_an_ipset_of_pools_is_told_of_the_pools_alone() -> None:
    jump = (Decide(Verdict.JUMP, "cali-nat-outgoing"),)
    by_set = (Asked("match set"), MASQUERADE)
    assert problems(nat(jump, cali_nat_outgoing=(by_set,))) == []
    assert problems(nat(jump, (Decide(Verdict.JUMP, "own"),), cali_nat_outgoing=(by_set,), own=(by_set,)))


def test_ipv6_has_its_own_words() -> None:
    base = Name("ip6", "nat", "POSTROUTING")
    [both] = problems(nat((MASQUERADE,), base=base))
    assert "ip6tables-nft -t nat -I POSTROUTING -s fd00::4/127 -o red0 -j ACCEPT" in both.text


def test_many_ranges_are_named_in_short() -> None:
    ranges = tuple(ip_network(f"10.60.{number}.0/24") for number in range(0, 20, 2))
    intent = Intent("node1", True, gateways=(replace(RED, ranges=ranges),))
    [red] = problems(nat((MASQUERADE,)), intent)
    assert "from 10.60.0.0/24, 10.60.2.0/24, 10.60.4.0/24 and 7 more leave" in red.text


def test_nothing_is_found_out_twice_and_nothing_kept_too_long() -> None:
    kept, rules = Masquerading(), nat((MASQUERADE,))
    found = kept.problems(rules, INTENT, UPLINKS)
    assert kept.problems(rules, INTENT, dict(UPLINKS)) is found
    assert kept.problems(rules, INTENT, {"red": {"red0": 5}}) != found
    assert kept.problems(Nat(), INTENT, UPLINKS) == []
    assert kept.problems(rules, replace(INTENT, enabled=False), UPLINKS) == []
