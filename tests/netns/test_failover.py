"""A router of two dies, or its link is cut: the kernel already holds what takes over, in both families."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import pytest

from labs.netns.traffic import Capture
from labs.netns.waiting import wait_for
from tests.netns.twins import PREFIXES, TABLE, Twins
from tests.netns.world import Event, World

FAMILIES = pytest.mark.parametrize("family", [4, 6], ids=["ipv4", "ipv6"])


def learned(events: Sequence[Event]) -> list[Event]:
    """Those about routes of our table."""
    return [event for event in events if f"table {TABLE}" in event.text and "nhid" in event.text]


def deletions(events: Sequence[Event], gateway: str) -> list[Event]:
    """Those that tell that the next hop object of a gateway is gone."""
    return [e for e in events if e.text.startswith("Deleted id") and f"via {gateway} " in e.text]


def written(events: Sequence[Event]) -> list[Event]:
    """Those about routes that were made or changed."""
    return [event for event in learned(events) if not event.text.startswith("Deleted")]


def moved(twins: Twins, events: Sequence[Event]) -> float:
    """When the probed prefix left the first router: IPv6 routes are dropped, and told of, one by one."""
    if twins.plan.family == 6:
        return next(e.time for e in learned(events) if e.text.startswith(f"Deleted {twins.prefixes[0]}"))
    return deletions(events, twins.first.address)[0].time


@FAMILIES
def test_x7_the_best_router_dies_and_one_deletion_brings_the_backup(world: World, family: int) -> None:
    twins = Twins(world, family)
    twins.start()
    with world.monitor("route", "nexthop", "rule", family=family) as events, twins.probe() as probe:
        probe.wait_answers("twin-1")
        twins.first.strike()
        probe.wait_answers("twin-2", 100)
        twins.wait_only(twins.second)
    [deletion] = deletions(events, twins.first.address)
    writes = written(events)
    assert len(writes) == PREFIXES
    assert events.index(deletion) < events.index(writes[0]), "no route is written before"
    assert probe.tally.unreachable == 0, "a route is found at any time"
    assert probe.tally.last_lost <= moved(twins, events), "what is sent from then on arrives"


@pytest.mark.parametrize("how", ["carrier", "deleted"])
@FAMILIES
def test_p24_x7_the_link_to_the_best_router_is_cut_and_nothing_is_written(
    world: World, family: int, how: str
) -> None:
    twins = Twins(world, family)
    twins.start()
    with twins.probe() as probe:
        probe.wait_answers("twin-1")
        twins.freeze()
        twins.first.cut(how)
        probe.wait_answers("twin-2", 100)
        twins.thaw()
        twins.wait_only(twins.second)
        probe.wait_answers("twin-2", 100)
        if how == "carrier":
            twins.first.mend()
            twins.wait_paths({(twins.first.address,): PREFIXES}, {(twins.second.address,): PREFIXES})
            probe.wait_answers("twin-1", 100)
    assert probe.tally.unreachable == 0, "a route is found at any time"


def test_x7_what_has_no_backup_becomes_unreachable_and_the_rest_goes_on(world: World) -> None:
    twins = Twins(world, 4)
    twins.start(lone=True)
    with (
        Capture(world.node, "eth0") as fabric,
        Capture(world.node, twins.second.device) as other,
        twins.probe() as probe,
        twins.probe(address=twins.plan.lone_address) as lone,
    ):
        probe.wait_answers("twin-1")
        lone.wait_answers("twin-1")
        twins.first.strike()
        probe.wait_answers("twin-2", 100)
        twins.wait_only(twins.second)
        # The kernel limits its ICMP errors to about one a second.
        refused = lone.tally.unreachable
        wait_for(lambda: lone.tally.unreachable > refused + 1, describe=lambda: str(lone.tally))
        assert fabric.packets(dst=(twins.plan.lone_address, twins.plan.probed)) == [], "none leaves by main"
        assert other.packets(dst=twins.plan.lone_address) == [], "nor by the other router"
    assert probe.tally.unreachable == 0


@FAMILIES
def test_x7_of_two_peers_with_one_gateway_the_death_of_one_takes_nothing_of_the_others(
    world: World, family: int
) -> None:
    twins = Twins(world, family)
    gateway = twins.first.address
    twins.first.announce(twins.prefixes)
    twins.second.announce([*twins.prefixes, twins.plan.lone], worse=True, next_hop=gateway)
    twins.save(twins.first, twins.second)
    world.daemon.start()
    twins.wait_paths({(gateway,): PREFIXES + 1}, {(gateway,): PREFIXES})
    with (
        world.monitor("route", "nexthop", "rule", family=family) as events,
        twins.probe() as probe,
        twins.probe(address=twins.plan.lone_address) as lone,
    ):
        probe.wait_answers("twin-1")
        lone.wait_answers("twin-1")
        twins.first.router.kill()
        twins.wait_only(twins.first, PREFIXES + 1)
        probe.wait_answers("twin-1")
        lone.wait_answers("twin-1")
    for tally in (probe.tally, lone.tally):
        assert (tally.lost, tally.unreachable) == (0, 0)
    assert len(deletions(events, gateway)) == 1, "each has a next hop of its own"
    assert not any(twins.plan.lone in event.text for event in events)


@pytest.mark.parametrize("how", ["killed", "carrier"])
@FAMILIES
def test_x7_an_ecmp_member_leaves_under_load_and_the_other_loses_nothing(
    world: World, family: int, how: str
) -> None:
    twins = Twins(world, family)
    twins.start(equal=True)
    with world.monitor("route", "nexthop", "rule", family=family) as events, ExitStack() as stack:
        flows = twins.flows(stack, 16)
        leaving = [flow for flow in flows if flow.tally.answered["twin-1"]]
        staying = [flow for flow in flows if flow.tally.answered["twin-2"]]
        assert leaving, "they share the traffic"
        assert staying
        if how == "killed":
            twins.first.strike()
        else:
            twins.freeze()
            twins.first.cut("carrier")
        for flow in flows:
            flow.wait_answers("twin-2", 10)
        if how == "carrier":
            twins.thaw()
        twins.wait_only(twins.second)
        for flow in flows:
            flow.cease()
    for flow in staying:
        assert (flow.tally.lost, flow.tally.unreachable) == (0, 0)
        assert set(flow.tally.answered) == {"twin-2"}
    assert all(flow.tally.unreachable == 0 for flow in leaving)
    assert len(written(events)) == len(learned(events)) == PREFIXES, "replaced, none deleted"
    if how == "killed":
        [deletion] = deletions(events, twins.first.address)
        assert all(flow.tally.last_lost <= deletion.time for flow in leaving)
        assert events.index(deletion) < events.index(learned(events)[0]), "no route is written before"


@pytest.mark.parametrize("how", ["cease", "config"])
@FAMILIES
def test_p13_p25_without_backups_a_peer_that_leaves_is_replaced_before_it_is_gone(
    world: World, family: int, how: str
) -> None:
    twins = Twins(world, family)
    twins.start(backupRoutes="Disabled")
    with world.monitor("route", "nexthop", "rule", family=family) as events, twins.probe() as probe:
        probe.wait_answers("twin-1")
        if how == "cease":
            twins.first.router.stop()
        else:
            twins.save(twins.second, backupRoutes="Disabled")
        probe.wait_answers("twin-2", 100)
        twins.wait_only(twins.second)
        wait_for(
            lambda: f"via {twins.first.address} " not in world.node.text("nexthop show"),
            describe="the next hop of the peer that left goes",
        )
    assert (probe.tally.lost, probe.tally.unreachable) == (0, 0)
    [deletion] = deletions(events, twins.first.address)
    assert len(written(events)) == len(learned(events)) == PREFIXES, "replaced, none deleted"
    assert events.index(learned(events)[-1]) < events.index(deletion), "the next hop goes last"
