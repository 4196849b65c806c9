"""What happens in time: repairs, a deleted peer, the daemon killed and stopped."""

from __future__ import annotations

import time

import pytest

from labs.netns.daemon import environment
from labs.netns.manifests import peer
from labs.netns.topology import LOCAL_AS, SERVED, SERVER
from labs.netns.traffic import Probe, outcome
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import METRIC, PROTOCOL, RED, World

PREFIX = "192.0.2.0/24"
MARK = f"metric {METRIC} proto {PROTOCOL}"
"""What makes a route look like one of ours."""
REPAIR = 1.0
"""Seconds within which what was damaged is right again."""


def picture(world: World) -> dict[str, object]:
    """All that is ours in the kernel; the ids of next hops are replaced by what they stand for."""
    traces = world.traces()
    held = {entry["id"]: entry for entry in traces["nexthops"]}

    def meaning(number: int) -> object:
        entry = held.get(number)
        if entry is None:
            return "nothing"
        if "group" in entry:
            return tuple(meaning(member["id"]) for member in entry["group"])
        return entry.get("gateway"), entry.get("dev")

    routes = sorted(
        (
            r.get("table"),
            r["dst"],
            r.get("metric"),
            r.get("type"),
            r.get("dev"),
            str(r.get("nhid") and meaning(r["nhid"])),
        )
        for r in traces["routes"]
    )
    return {"routes": routes, "rules": sorted(map(str, traces["rules"]))}


def settled(world: World) -> dict[str, object]:
    """The picture once it no longer changes."""
    last: list[dict[str, object]] = [picture(world)]

    def same() -> bool:
        fresh = picture(world)
        changed = fresh != last[0]
        last[0] = fresh
        return not changed

    wait_for(same, interval=0.3)
    return last[0]


DAMAGE = {
    "learned route deleted": f"route del {PREFIX} table 500",
    "bootstrap route deleted": "route del 172.16.1.0/24 table 500",
    "route altered": f"route change {PREFIX} table 500 {MARK} via 172.16.2.140 dev yellow0",
    "bootstrap route altered": f"route change 172.16.1.0/24 table 500 {MARK} dev yellow0",
    "route blackholed": f"route change blackhole {PREFIX} table 500 {MARK}",
    "steering rule deleted": f"rule del from {RED} priority 102",
    "unreachable rule deleted": f"rule del from {RED} priority 103",
    "session's rule deleted": "rule del to 172.16.1.140 priority 101",
}


def test_p23_what_someone_damages_is_repaired_in_under_a_second(working: World) -> None:
    world = working
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    before = settled(world)
    with Probe(world.workload("red"), SERVER) as red:
        with Probe(world.workload("yellow"), SERVER) as yellow:
            yellow.wait_answers("yellow")
            for damage in DAMAGE:
                damaged_and_repaired(world, before, damage)
            yellow.wait_answers("yellow")
        damaged_and_repaired(world, before, "all next hops gone")
    assert yellow.tally.lost == yellow.tally.unreachable == 0, "what is done to red costs yellow nothing"
    gone = red.tally.lost + red.tally.unreachable
    assert gone < (len(DAMAGE) + 1) * REPAIR * 250, f"no more than the moments of damage: {red.tally}"


def damaged_and_repaired(world: World, before: dict[str, object], damage: str) -> None:
    """Do it, and wait until all is as it was before."""
    world.node.ip(DAMAGE.get(damage, "nexthop flush"))
    started = time.monotonic()
    wait_for(lambda: picture(world) == before, REPAIR, f"repaired: {damage}; it was {before}", interval=0.02)
    assert time.monotonic() - started < REPAIR, damage
    world.wait_working("red", "yellow")


def test_p23_a_deleted_next_hop_is_made_again(working: World) -> None:
    world = working
    before = settled(world)
    for which in ("group", "object"):
        victim = next(
            entry["id"]
            for entry in world.traces()["nexthops"]
            if ("group" in entry) == (which == "group") and entry.get("dev", "red0") == "red0"
        )
        world.node.ip(f"nexthop del id {victim}")
        wait_for(lambda: picture(world) == before, REPAIR, lambda: str(picture(world)), interval=0.02)
        world.wait_working("red", "yellow")


def test_p23_a_rule_in_front_of_ours_is_not_touched(working: World) -> None:
    world = working
    world.node.ip("rule add from 10.50.0.2 lookup 501 priority 90")
    world.wait_told("EgressGateway", "90: from 10.50.0.2/32 lookup 501")
    stays_true(lambda: any(rule["priority"] == 90 for rule in world.node.rules()), 1.5)
    world.node.ip("rule del priority 90")
    world.wait_working("red")


def test_p23_a_rule_of_ours_that_is_moved_comes_back_without_a_leak(working: World) -> None:
    """The rule that fails closed is deleted again and again; what is repaired must stay repaired."""
    world = working
    before = settled(world)
    for _ in range(5):
        world.node.ip(f"rule del from {RED} priority 103")
        wait_for(lambda: picture(world) == before, REPAIR, lambda: str(picture(world)), interval=0.02)


# -- P25: a deleted peer ---------------------------------------------------------------------------


def test_p25_of_a_deleted_peer_only_its_own_routes_go(world: World) -> None:
    world.red.routers.append(world.topology.add_router(world.red, 141, 65010))
    second = world.red.address(141)
    world.save_basics()
    world.config.save("second.yaml", peer("red-2", "red", second, 65010))
    world.start()
    world.red.routers[1].announce(PREFIX)
    world.red.routers[1].announce(SERVED, prepend=[65010])
    world.wait_route(world.red, PREFIX, second)
    assert world.gateways_of(world.red, SERVED) == {world.red.router_address}
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.config.remove("second.yaml")
        world.wait_no_route(world.red, PREFIX)
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0
    assert world.gateways_of(world.red, SERVED) == {world.red.router_address}
    wait_for(lambda: not world.red.routers[1].established(), describe=world.red.routers[1].describe)
    assert world.red.router.sessions_begun("172.16.1.10") == 1
    assert not any(rule.get("dst") == second for rule in world.our_rules())
    wait_for(
        lambda: second not in {entry.get("gateway") for entry in world.traces()["nexthops"]},
        describe="its next hop object goes, too",
    )


def test_p25_the_last_peer_of_a_network(working: World) -> None:
    world = working
    world.node.ip(f"route add 198.51.100.0/24 via {world.red.router_address} dev red0 table 500 proto static")
    world.config.save("peers.yaml", peer("yellow-1", "yellow", world.yellow.router_address, 63400))
    world.wait_no_route(world.red, SERVED)
    world.wait_outcome("red", "unreachable")
    assert len(world.node.routes(500, "exact", "198.51.100.0/24")) == 1, "the user's route stays"
    world.wait_told("red", "no-peer")
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, LOCAL_AS),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )
    world.wait_working("red", "yellow")


# -- stopping --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
def test_stopping_leaves_the_kernel_as_it_is_and_traffic_flows(working: World, way: str) -> None:
    world = working
    before = settled(world)
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        if way == "SIGTERM":
            assert world.daemon.stop() == 0
        else:
            world.daemon.kill()
        assert picture(world) == before
        probe.wait_answers("red", 200)
        assert picture(world) == before
        wait_for(lambda: not world.daemon_processes(), 15, "no process of the daemon is left")
        world.daemon.start()
        wait_for(lambda: world.network_status("red")["in_sync"], 90, describe="in sync again")
        probe.wait_answers("red", 50)
    assert outcome(world.workload("red"), SERVER) == "red"
    assert probe.tally.unreachable == 0
    wait_for(lambda: settled(world) == before, describe="the same picture as before")


def test_a_second_daemon_on_the_same_run_directory_is_refused(working: World) -> None:
    world = working
    before = settled(world)
    second = world.node.start("second", *world.daemon.command, environment=environment())
    assert second.wait(30) != 0
    assert second.output().strip(), "it says why"
    assert settled(world) == before
    world.wait_working("red", "yellow")
