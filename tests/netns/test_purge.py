"""`purge` on a real kernel: all that is ours goes, nothing else does, and nothing opens before the end."""

from __future__ import annotations

import json
from typing import Any

from labs.netns.daemon import command
from labs.netns.namespace import Namespace
from labs.netns.topology import SERVER
from labs.netns.traffic import Capture, Probe
from labs.netns.waiting import wait_for
from tests.netns.world import PROTOCOL, World

OURS = f"proto {PROTOCOL}"
NOTHING = {"rules": 0, "routes": 0, "nexthops": 0}


def purge(node: Namespace, *words: str, status: int = 0) -> dict[str, Any]:
    """What the command tells; it must end with this status."""
    done = command(node, "purge", "--json", *words)
    assert done.returncode == status, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def everything(node: Namespace, *, foreign: bool = False) -> list[str]:
    """All rules, routes and next hops, as `ip` prints them; or those alone that are not ours."""
    lines: list[str] = []
    for family in "-4", "-6":
        for words in f"{family} rule show", f"{family} route show table all":
            lines += node.run("ip", "-N", *words.split()).splitlines()
    lines += node.run("ip", "-N", "nexthop", "show").splitlines()
    # What the kernel itself makes comes with delay: addresses of IPv6 are tried first.
    told = (line.strip() for line in lines if "proto 2 " not in f"{line} ")
    return [line for line in told if not foreign or OURS not in line]


def of_ours(node: Namespace) -> list[str]:
    return [line for line in everything(node) if OURS in line]


def others_move_in(world: World) -> None:
    """Objects of somebody else's in the midst of ours, as alike as can be."""
    world.node.ip(
        "route add 10.9.0.0/16 via 172.16.1.140 table 500 proto static",
        "route add unreachable 10.8.0.0/16 table 500 metric 20000 proto static",
        "route add 10.7.0.0/16 via 192.168.0.1 dev eth0 onlink proto static",
        "rule add from 10.50.0.2/31 lookup 500 priority 102 proto static",
        "rule add from 10.50.0.2/31 unreachable priority 103 proto static",
        "nexthop add id 77 via 172.16.1.140 dev red0",
        "nexthop add id 78 group 77",
        "route add 10.6.0.0/16 nhid 78 table 501 proto static",
        "route add 2001:db8:9::/48 dev red0 table 500 proto static",
    )
    rule_in_ipv6(world, "from 2001:db8:50::/64 lookup 500 priority 102 proto static")


def rule_in_ipv6(world: World, words: str) -> None:
    world.node.run("ip", "-6", "rule", "add", *words.split())


def an_earlier_life_left(world: World) -> None:
    """IPv6, tables that nothing points at any more, kinds that we never make, routes of one key."""
    node = world.node
    node.ip(
        "addr add fd00:1::10/64 dev red0 nodad",
        f"route add 2001:db8:1::/48 via fd00:1::1 dev red0 table 500 metric 20000 {OURS}",
        f"route add 2001:db8:1::/48 via fd00:1::1 dev red0 table 500 metric 20001 {OURS}",
        f"route add unreachable 2001:db8:2::/48 table 4711 metric 20000 {OURS}",
        f"route add blackhole 10.5.0.0/16 table 4712 metric 9 {OURS}",
        f"route add 10.4.0.0/16 via 172.16.1.140 dev red0 table 4712 metric 9 {OURS}",
        f"route append 10.4.0.0/16 via 172.16.1.141 dev red0 table 4712 metric 9 {OURS}",
        f"route append 10.4.0.0/16 via 172.16.1.142 dev red0 table 4712 metric 9 {OURS}",
    )
    rule_in_ipv6(world, f"from 2001:db8:50::2 lookup 500 priority 102 {OURS}")
    rule_in_ipv6(world, f"from 2001:db8:50::2 unreachable priority 103 {OURS}")


def test_after_a_crash_all_that_is_ours_goes_and_nothing_else(working: World) -> None:
    world = working
    world.daemon.kill()
    wait_for(lambda: world.daemon_processes() == [], describe="its speakers end, too")
    an_earlier_life_left(world)
    others_move_in(world)
    foreign, whole = everything(world.node, foreign=True), everything(world.node)
    assert len(of_ours(world.node)) >= 20

    planned = purge(world.node, "--dry-run")
    assert everything(world.node) == whole, "a dry run changes nothing"
    told = purge(world.node)
    assert of_ours(world.node) == []
    assert everything(world.node, foreign=True) == foreign
    assert told["done"]
    assert told["found"] == planned["found"]
    assert told["left"] == NOTHING
    assert told["removed"]["rules"] == len(told["found"]["rules"])
    assert {(table["table"], table["family"]) for table in told["found"]["tables"]} == {
        (500, "ipv4"),
        (501, "ipv4"),
        (4712, "ipv4"),
        (500, "ipv6"),
        (4711, "ipv6"),
    }

    again = purge(world.node)
    assert (again["done"], again["removed"]) == (True, NOTHING)
    assert everything(world.node, foreign=True) == foreign


def test_on_a_kernel_without_anything_there_is_nothing_to_do(world: World) -> None:
    before = everything(world.node)
    assert purge(world.node)["removed"] == NOTHING
    assert everything(world.node) == before


def test_the_gateways_are_closed_until_all_else_is_gone(working: World) -> None:
    world = working
    with (
        Capture(world.node, "eth0") as fabric,
        Capture(world.node, "yellow0") as yellow,
        Probe(world.workload("red"), SERVER) as probe,
    ):
        probe.wait_answers("red")
        assert world.daemon.stop() == 0
        probe.wait_answers("red")
        with world.monitor("rule", "route", "nexthop") as events:
            purge(world.node)
        probe.wait_answers("fabric")
        ours = [event for event in events if OURS in event.text and event.text.startswith("Deleted")]
        left = min(packet.time for packet in fabric.packets(dst=SERVER))
        assert yellow.packets(src="10.50.0.2") == []
    closing = [event for event in ours if "unreachable" in event.text]
    assert len(closing) == 2
    assert ours[-2:] == closing, "what closes goes last of all"
    assert "lookup 50" in ours[0].text, "and what steers goes first"
    assert all(event.time < left for event in ours[:-2])
    assert set(probe.tally.answered) == {"red", "fabric"}


def test_while_a_daemon_runs_it_is_refused(working: World) -> None:
    world = working
    before = everything(world.node)
    done = command(world.node, "purge")
    assert done.returncode == 1
    assert "another vrfbgp runs in this network namespace" in done.stderr
    planned = purge(world.node, "--dry-run")
    assert planned["found"]["rules"]
    assert everything(world.node) == before
    world.wait_working("red", "yellow")


def test_a_next_hop_that_somebody_else_uses_stays_and_is_named(working: World) -> None:
    world = working
    assert world.daemon.stop() == 0
    group = next(entry["id"] for entry in world.traces()["nexthops"] if "group" in entry)
    world.node.ip(f"route add 10.6.0.0/16 nhid {group} proto static")
    told = purge(world.node, status=1)
    assert any(kept["nexthop"] == group and "10.6.0.0/16" in kept["user"] for kept in told["kept"])
    assert len(told["kept"]) == 2, "the group and its member"
    assert world.our_rules() == []
    assert len(world.node.routes("main", "exact", "10.6.0.0/16")) == 1
    world.node.ip("route del 10.6.0.0/16")
    assert purge(world.node)["done"]
    assert of_ours(world.node) == []
