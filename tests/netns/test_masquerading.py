"""What is said of netfilter's rules is what they do: real rules, packets, and the address a server sees."""

from __future__ import annotations

import asyncio
import shutil
import sys
from ipaddress import ip_network
from typing import Any

import pytest
from pyroute2.ipset import IPSet

from labs.netns.topology import SCRIPTS, SERVER
from tests.netns.world import RED, World
from vrfbgp.intent import GatewayIntent, Intent, Severity
from vrfbgp.kernel.process import WriterProcess
from vrfbgp.kernel.ruleset import Ruleset
from vrfbgp.masquerade import Masquerading
from vrfbgp.netfilter.nat import Nat

GATEWAY = "10.50.0.2"
CERTAIN, PERHAPS, NO = Severity.DEGRADED, Severity.NOTICE, None
HOOK = "type nat hook postrouting priority srcnat; policy accept;"

NFT = [
    ("masquerade", CERTAIN),
    ("oifname red0 ip saddr 10.50.0.0/16 ip daddr != 10.0.0.0/8 masquerade", CERTAIN),
    ("oifname r* snat to 172.16.1.10", CERTAIN),
    ("oif red0 masquerade", CERTAIN),
    ("oifname { yellow0, red0 } masquerade", CERTAIN),
    ("oifname { e*, red* } masquerade", CERTAIN),
    ("ip saddr { 10.50.0.0/30, 10.60.0.0/16 } masquerade", CERTAIN),
    ("ip saddr 10.50.0.1-10.50.0.9 masquerade", CERTAIN),
    ("ip saddr & 255.255.0.0 == 10.50.0.0 masquerade", CERTAIN),
    ("ct state new masquerade", CERTAIN),
    ("fib daddr type != local masquerade", CERTAIN),
    ("mark and 0x4000 == 0 masquerade", CERTAIN),
    ("oifname vmap { red0 : jump own }", CERTAIN),
    ("ip saddr != 10.50.0.8/29 goto own", CERTAIN),
    ("ip saddr 10.50.0.3 accept; masquerade", CERTAIN),
    ("tcp dport 80 masquerade", PERHAPS),
    ("ip daddr 105.0.0.0/8 masquerade", PERHAPS),
    ("ip saddr . oifname { 10.50.0.2 . red0 } masquerade", PERHAPS),
    ("ip saddr 10.50.0.2/31 oifname red0 accept; masquerade", NO),
    ("ip saddr vmap { 10.50.0.0/29 : accept }; masquerade", NO),
    ("ip saddr { 10.50.0.2, 10.50.0.3 } return; masquerade", NO),
    ("oifname yellow0 masquerade", NO),
    ("oifname re masquerade", NO),
    ("oifname != { red0, yellow0 } masquerade", NO),
    ("ip saddr != 10.50.0.0/16 masquerade", NO),
    ("fib daddr type local masquerade", NO),
    ("ct state established masquerade", NO),
    ("ct status dnat masquerade", NO),
    ("fib saddr type local masquerade", NO),
    ("mark and 0x4000 != 0x4000 return; mark set mark xor 0x4000; masquerade", NO),
]
IPTABLES = [
    ("-s 10.50.0.0/24 ! -d 10.0.0.0/8 -o red0 -j MASQUERADE", CERTAIN),
    ("-o red+ -m addrtype ! --src-type LOCAL -j SNAT --to-source 172.16.1.10", CERTAIN),
    ("-m conntrack --ctstate NEW -m comment --comment all -j MASQUERADE", CERTAIN),
    ("-p tcp -j MASQUERADE", PERHAPS),
    ("-m mark --mark 0x4000/0x4000 -j MASQUERADE", NO),
    ("-m addrtype --dst-type LOCAL -j MASQUERADE", NO),
    ("! -s 10.50.0.0/16 -j MASQUERADE", NO),
    ("-m set --match-set pools src -m set ! --match-set cluster dst -j MASQUERADE", CERTAIN),
    ("-m set --match-set cluster src -j MASQUERADE", NO),
    ("-m set ! --match-set pools src -j MASQUERADE", NO),
    ("-m set --match-set pools src,dst -j MASQUERADE", PERHAPS),
]


def read(world: World) -> Nat:
    """The node's rules, as the daemon reads them."""

    async def by_the_writer() -> Nat:
        process = WriterProcess(lambda _: None, lambda _: None)
        await process.start()
        assert process.netfilter is not None
        found = await Ruleset(process.netfilter.ask).read()
        await process.stop()
        return found

    return world.node.inside(lambda: asyncio.run(by_the_writer()))


def foretold(world: World) -> Severity | None:
    """What is said of the red gateway, whose packets leave by red0."""
    [index] = [link["ifindex"] for link in world.node.show("link show dev red0")]
    intent = Intent("node-1", True, gateways=(GatewayIntent("red", (ip_network(RED),), ("red",)),))
    found = Masquerading().problems(read(world), intent, {"red": {"red0": index}})
    assert len(found) <= 1, found
    return found[0].severity if found else None


def seen_as(world: World) -> str:
    """The address that the server of red sees."""
    client = [sys.executable, "-I", "-S", str(SCRIPTS / "client.py"), SERVER]
    return world.workload("red").run(*client).split()[1]


def need(*tools: str) -> None:
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def make_ipsets() -> None:
    """As Calico's: one of pools that are masqueraded, one of all that is the cluster's."""
    with IPSet() as ipsets:
        for name, *networks in ("pools", "10.60.0.0/16", "10.50.0.0/24"), ("cluster", "10.48.0.0/16"):
            ipsets.create(name, stype="hash:net")
            for one in networks:
                ipsets.add(name, one, etype="net")


def test_what_is_foretold_of_nft_rules_is_what_the_server_sees(working: World) -> None:
    need("nft")
    for rules, expected in NFT:
        table = f"table ip t {{ chain own {{ masquerade\n }}\n chain out {{ {HOOK}\n {rules}\n }}\n }}"
        working.node.run("nft", table)
        assert foretold(working) is expected, rules
        if expected is not PERHAPS:
            assert (seen_as(working) != GATEWAY) is (expected is CERTAIN), rules
        working.node.run("nft", "delete table ip t")


def test_what_is_foretold_of_rules_of_iptables_is_what_the_server_sees(working: World) -> None:
    need("iptables-nft")
    working.node.inside(make_ipsets)
    for rule, expected in IPTABLES:
        working.node.run("iptables-nft", "-t", "nat", "-A", "POSTROUTING", *rule.split())
        assert foretold(working) is expected, rule
        if expected is not PERHAPS:
            assert (seen_as(working) != GATEWAY) is (expected is CERTAIN), rule
        working.node.run("iptables-nft", "-t", "nat", "-F", "POSTROUTING")


def test_a_gateway_that_is_masqueraded_is_told_with_the_command_that_ends_it(world: World) -> None:
    need("nft")
    rules = "oifname { red0, yellow0 } masquerade"
    world.node.run("nft", f"table inet site {{ chain out {{ {HOOK}\n {rules}\n }}\n }}")
    world.save_basics()
    world.start()
    assert seen_as(world) != GATEWAY
    line = world.wait_logged("[masqueraded]", "EgressGateway default/red", "chain out in table inet site")
    assert {p["severity"] for p in masqueraded(world)} == {"degraded"}
    world.node.run("nft", *line.partition(": nft ")[2].rpartition(" [")[0].split())
    assert seen_as(world) == GATEWAY
    world.daemon.stop()
    world.daemon.start()
    world.wait_told("masqueraded", "default/yellow")
    assert len(masqueraded(world)) == 1


def masqueraded(world: World) -> list[dict[str, Any]]:
    """The problems of this kind that stand."""
    return [p for p in world.daemon.status()["problems"] if p["reason"] == "masqueraded"]
