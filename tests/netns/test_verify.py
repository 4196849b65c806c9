"""`verify` on a live node: right as it is; and each way to break it, by ip(8), is named, with the object."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from labs.netns.daemon import command, environment, vrfbgp
from labs.netns.manifests import network
from labs.netns.topology import FABRIC, NODE, SERVED, SERVER
from labs.netns.waiting import wait_for
from tests.netns.world import RED, YELLOW, World
from tests.netns.world6 import GATEWAYS6, RED6, World6
from vrfbgp.verify import edge
from vrfbgp.verify.findings import Flaw

OURS = "proto 179"
SPARE = 0xB3000900
WITHOUT_CAPABILITIES = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
ELSEWHERE = {Flaw.NOT_READ, Flaw.DAEMON_DIFFERS, Flaw.CONFIG_REFUSED}
"""What no change of the kernel brings about."""


@dataclass(frozen=True)
class Break:
    """What somebody does to a node, how it is undone, and what `verify` must say."""

    flaw: Flaw
    words: tuple[str, ...]
    """Of the finding: its object, and what is wrong with it."""
    done: tuple[str, ...]
    undone: tuple[str, ...]


def steering(flaw: Flaw, rule: str, *words: str) -> Break:
    """A rule more."""
    return Break(flaw, words, (f"rule add {rule}",), (f"rule del {rule}",))


def removing(flaw: Flaw, rule: str, *words: str) -> Break:
    """A rule less."""
    return Break(flaw, words, (f"rule del {rule}",), (f"rule add {rule}",))


def adding(flaw: Flaw, route: str, *words: str) -> Break:
    """A route more."""
    return Break(flaw, words, (f"route add {route}",), (f"route del {route}",))


def adding_nexthop(flaw: Flaw, words: str, *found: str) -> Break:
    """A next hop more, with the first id of ours that is free."""
    subject = f"next hop {SPARE}"
    return Break(flaw, (subject, *found), (f"nexthop add id {SPARE} {words}",), (f"nexthop del id {SPARE}",))


def gateways_broken() -> list[Break]:
    """What can be done to the rules of gateways: the first uses red, then yellow."""
    main, exempt = "lookup main priority", f"lookup main priority 101 {OURS}"
    return [
        removing(Flaw.NOT_CLOSED, f"from {RED} unreachable priority 104 {OURS}", "default/red", "32766"),
        steering(Flaw.DIVERTED, f"from all {main} 50", "rule 50: from all lookup main"),
        steering(Flaw.DIVERTED, f"from 10.50.0.3 {main} 103", "rule 103", "10.50.0.3/32"),
        steering(Flaw.DIVERTED, "from all goto 32766 priority 60", "rule 60", "past rules of ours"),
        steering(Flaw.KERNEL_DISAGREES, f"from all {main} 50", "default/red", "eth0", "table main"),
        steering(Flaw.MAY_DIVERT, f"from all fwmark 0x10 {main} 50", "fwmark 0x10"),
        steering(
            Flaw.WRONG_NETWORK, f"from {YELLOW} lookup 500 priority 101 {OURS}", "rule 101", "network red"
        ),
        steering(Flaw.WRONG_ORDER, f"from {RED} lookup 501 priority 101", "default/red", "network yellow"),
        removing(Flaw.NOT_STEERED, f"from {RED} lookup 500 priority 102 {OURS}", "default/red", "500"),
        steering(Flaw.EXEMPTION_TOO_WIDE, f"from {RED} to 105.0.0.0/8 {exempt}", "rule 101", "105.0.0.0/8"),
        removing(Flaw.EXEMPTION_MISSING, f"from {RED} to {NODE} {exempt}", "default/red", NODE),
    ]


def others_broken() -> list[Break]:
    """What can be done to other rules."""
    session = f"from 172.16.1.10 to 172.16.1.140 lookup 500 priority 101 {OURS}"
    return [
        steering(Flaw.STRANGER_STEERED, "from 10.48.0.9 lookup 500 priority 90", "rule 90", "10.48.0.9/32"),
        steering(Flaw.RULE_LEFT, f"from 10.50.0.8/31 unreachable priority 109 {OURS}", "rule 109"),
        removing(Flaw.SESSION_RULE_MISSING, session, "session red/172.16.1.140"),
        steering(Flaw.SESSION_DIVERTED, "from 172.16.1.10 lookup main priority 90", "session red/", "main"),
    ]


def routes_broken(red: int, yellow: int) -> list[Break]:
    """What can be done to routes; the two networks' are on these next hop groups."""
    served, ours, red_table = f"{SERVED} table 500", f"metric 20000 {OURS}", "table 500 (network red)"
    back = (f"route replace {served} nhid {red} {ours}",)
    swapped = (f"route replace {served} nhid {yellow} {ours}",)
    connected = "172.16.1.0/24 dev red0 {} src 172.16.1.10 scope link"
    own, main = connected.format(f"table 500 {ours}"), connected.format("proto kernel")
    alien = f"192.0.2.0/24 nhid {SPARE} table 500 {ours}"
    unknown = f"nexthop add id {SPARE} dev yellow0 {OURS}", f"route add {alien}"
    by_fabric = f"via {FABRIC} dev eth0"
    return [
        Break(Flaw.WRONG_UPLINK, (f"next hop {yellow} in {red_table}", SERVED, "yellow0 (an"), swapped, back),
        Break(Flaw.SHARED_NEXTHOP, (f"next hop {yellow}", f"red ({SERVED})", "yellow ("), swapped, back),
        Break(
            Flaw.UNKNOWN_NEXTHOP, (f"next hop {SPARE} in {red_table}",), unknown, (f"nexthop del id {SPARE}",)
        ),
        adding(
            Flaw.FOREIGN_ROUTE_ASTRAY, f"192.0.2.0/24 {by_fabric} table 500 proto static", red_table, "eth0"
        ),
        adding(Flaw.ROUTE_OUTSIDE, f"192.0.2.0/24 dev red0 {OURS}", "table main", "192.0.2.0/24"),
        adding(Flaw.ROUTE_LEFT, f"192.0.2.0/24 dev red0 table 777 {OURS}", "table 777", "192.0.2.0/24"),
        Break(
            Flaw.BOOTSTRAP_MISSING, (red_table, "172.16.1.0/24"), (f"route del {own}",), (f"route add {own}",)
        ),
        adding(Flaw.TABLE_IN_USE, "192.0.2.0/24 dev red0 table 500 proto bird", red_table, "protocol 12"),
        adding(Flaw.DIVERTED, f"{SERVER} {by_fabric} table local proto static", f"{SERVER}/32", "eth0"),
        adding(Flaw.NEXTHOP_BORROWED, f"192.0.2.0/24 nhid {red} proto static", "192.0.2.0/24", str(red)),
        adding_nexthop(Flaw.NEXTHOP_ASTRAY, f"{by_fabric} {OURS}", "eth0"),
        adding_nexthop(Flaw.NEXTHOP_UNUSED, f"via 172.16.1.140 dev red0 {OURS}"),
        adding_nexthop(Flaw.NEXTHOP_FOREIGN, "via 172.16.1.140 dev red0 proto static"),
        Break(Flaw.NO_UPLINK, ("BGPPeer red-1",), (f"route del {main}",), (f"route add {main}",)),
    ]


def breaks(world: World) -> list[Break]:
    """All of them."""
    red, yellow = (world.route(site, SERVED) for site in world.topology.sites)
    assert red is not None
    assert yellow is not None
    return [*gateways_broken(), *others_broken(), *routes_broken(red["nhid"], yellow["nhid"])]


def verified(world: World, *paths: Path) -> dict[str, Any]:
    """What the command tells, by the same function, in this process."""
    run, state = world.daemon.run_directory, world.daemon.state_directory
    return world.node.inside(lambda: edge.verify(paths, node=None, labels={}, run_dir=run, state_dir=state))


def verify(world: World) -> list[dict[str, Any]]:
    """What is found."""
    return list(verified(world)["findings"])


def directories(world: World) -> tuple[str, ...]:
    """The options that name the daemon's directories."""
    state = str(world.daemon.state_directory)
    return "--run-dir", str(world.daemon.run_directory), "--state-dir", state


def as_command(world: World, *words: str, prefix: tuple[str, ...] = ()) -> tuple[int, dict[str, Any]]:
    """The exit status of the command, and what it tells."""
    done = command(world.node, "verify", "--json", *directories(world), *words, prefix=prefix)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def named(findings: list[dict[str, Any]], flaw: Flaw, *words: str) -> bool:
    """Whether one finding of this kind has all of these words."""
    return any(
        one["flaw"] == flaw and all(word in f"{one['subject']}: {one['text']}" for word in words)
        for one in findings
    )


@pytest.fixture
def both(world: World) -> World:
    """The red gateway uses red, then yellow; all is in sync."""
    world.save_both("red", "yellow")
    world.start()
    wait_for(
        lambda: all(world.network_status(n)["in_sync"] for n in ("red", "yellow")), 90, describe="in sync"
    )
    return world


def test_verify_finds_nothing_wrong_whether_the_daemon_runs_is_drained_or_down(both: World) -> None:
    world = both
    for prefix in (), WITHOUT_CAPABILITIES:
        status, told = as_command(world, prefix=prefix)
        assert (status, told["verdict"], told["findings"]) == (0, "ok", [])
        assert told["daemon"]["answered"]
        assert told["looked_at"]["asked"] >= 6
    # Called from elsewhere it would miss everything: it says where to call it.
    words = vrfbgp("verify", *directories(world))
    variables = {**os.environ, **environment()}
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"nsenter --net=/proc/{world.daemon.status()['daemon']['pid']}/ns/net" in done.stderr
    assert {n["name"]: (n["table"], n["uplinks"]) for n in told["networks"]} == {
        "red": (500, ["red0"]),
        "yellow": (501, ["yellow0"]),
    }
    ways = {gateway["name"]: (gateway["tables"], gateway["closed"]) for gateway in told["gateways"]}
    assert ways["default/red"] == (["500 (network red)", "501 (network yellow)"], True)
    assert world.daemon.ask("drain", "--wait", "0").returncode == 0
    told = verified(world)
    assert (told["verdict"], told["drained"], told["findings"]) == ("ok", True, [])
    assert world.daemon.stop() == 0
    told = verified(world)
    assert (told["verdict"], told["drained"], told["findings"]) == ("ok", True, [])
    assert not told["daemon"]["answered"]


def test_verify_says_where_the_daemon_runs_another_config(working: World) -> None:
    world = working
    other = world.topology.lab.directory / "other"
    shutil.copytree(world.config.path, other)
    (other / "networks.yaml").write_text(json.dumps(network("red", 510)))
    told = verified(world, other)
    assert told["verdict"] == "leak"
    assert named(told["findings"], Flaw.DAEMON_DIFFERS, "ExternalNetwork red", "500 there, 510 in the config")
    assert named(told["findings"], Flaw.DAEMON_DIFFERS, "ExternalNetwork yellow")
    # Files that are refused, here and there: what the daemon took before counts.
    world.config.save("networks.yaml", "kind: ExternalNetwork\nspec: [")
    wait_for(lambda: world.daemon.status()["config"]["refused"], describe="refused")
    for paths in (), (world.config.path,):
        told = verified(world, *paths)
        assert told["verdict"] == "ok"
        assert [found["flaw"] for found in told["findings"]] == [Flaw.CONFIG_REFUSED]
        assert told["config"]["last_good"]


def test_verify_names_each_way_to_break_a_node(both: World) -> None:
    world = both
    assert world.daemon.stop() == 0
    assert verify(world) == []
    seen: set[Flaw] = set()
    for one in breaks(world):
        world.node.ip(*one.done)
        findings = verify(world)
        assert named(findings, one.flaw, *one.words), f"{one.done}: {json.dumps(findings, indent=1)}"
        assert all(found["remedy"] for found in findings)
        world.node.ip(*one.undone)
        assert verify(world) == [], f"{one.undone} does not undo {one.done}"
        seen.add(one.flaw)
    assert set(Flaw) - seen == ELSEWHERE
    # The remedies that are told for rules of somebody else's are some.
    world.node.ip(
        "rule add from 10.50.0.0/24 to 105.8.0.0/16 lookup main priority 70",
        f"rule add from {RED} lookup 500 priority 102 proto static",
    )
    status, told = as_command(world)
    assert status == 1
    for flaw in Flaw.DIVERTED, Flaw.TABLE_IN_USE:
        [found] = [found for found in told["findings"] if found["flaw"] == flaw]
        world.node.run(*found["remedy"].removeprefix("remove it: ").partition(";")[0].split())
    assert verify(world) == []


def test_x10_verify_sees_ipv6_as_it_does_ipv4(world: World) -> None:
    dual = World6(world)
    dual.save_basics()
    dual.start()
    dual.wait_in_sync()
    assert world.daemon.stop() == 0
    assert verify(world) == []
    closing = f"from {RED6} unreachable priority 103 {OURS}"
    for flaw, done, undone, words in (
        (Flaw.NOT_CLOSED, f"del {closing}", f"add {closing}", RED6),
        (Flaw.DIVERTED, "add from all lookup main priority 50", "del from all lookup main priority 50", RED6),
        (Flaw.KERNEL_DISAGREES, f"del {closing}", f"add {closing}", GATEWAYS6["red"]),
    ):
        world.node.run("ip", "-6", "rule", *done.split())
        findings = verify(world)
        assert named(findings, flaw, words), json.dumps(findings, indent=1)
        world.node.run("ip", "-6", "rule", *undone.split())
        assert verify(world) == []
