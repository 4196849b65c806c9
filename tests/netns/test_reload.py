"""Edits of the config under traffic (X22): what did not change is not touched, however a file is saved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from labs.netns.manifests import OURS, network, peer
from labs.netns.topology import SERVED, SERVER, Site
from labs.netns.traffic import Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.sparrow import Flock
from tests.netns.world import World

PREFIX = "192.0.2.0/24"
NETWORKS = 20


def flapped(world: World) -> list[str]:
    """The routers that have seen more than one session from the node."""
    return [
        router.namespace.role
        for site in world.topology.sites
        for router in site.routers
        if router.sessions_begun(site.node_address) != 1
    ]


def test_x22_one_peer_is_edited_and_every_other_session_keeps_its_uptime(world: World) -> None:
    second = world.topology.add_router(world.red, 141, 65010)
    world.red.routers.append(second)
    world.save_basics()
    address = world.red.address(141)
    world.config.save("second.yaml", peer("red-2", "red", address, 65010))
    second.announce(PREFIX)
    world.start()
    world.wait_route(world.red, PREFIX, address)
    with Probe(world.workload("red"), SERVER) as red, Probe(world.workload("yellow"), SERVER) as yellow:
        red.wait_answers("red")
        edited = peer("red-2", "red", address, 65010, api_version=OURS, holdTime="30s")
        world.config.save("second.yaml", edited)
        # FRR may take the new connection for a collision at first, and close it once more.
        wait_for(lambda: second.sessions_begun(world.red.node_address) >= 2, describe=second.describe)
        wait_for(lambda: world.peer_status("red", address)["hold_time"] == 30, describe="the new hold time")
        world.wait_route(world.red, PREFIX, address)
        red.wait_answers("red")
        yellow.wait_answers("yellow")
    assert flapped(world) == [second.namespace.role]
    for tally in (red.tally, yellow.tally):
        assert tally.lost == tally.unreachable == 0, tally


def test_x22_a_session_that_an_edit_begins_again_costs_no_packet(working: World) -> None:
    """The router forwards on, and so do we, until it has told all again."""
    world = working
    site = world.red
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.save_basics(api_version=OURS, holdTime="30s")
        wait_for(partial(begun, site, 2), describe=site.router.describe)
        wait_for(lambda: world.peer_status("red", site.router_address)["hold_time"] == 30, describe="edited")
        wait_for(lambda: world.peer_status("red", site.router_address)["stale"] == 0, describe="all is told")
        probe.wait_answers("red", 50)
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    assert flapped(world) == [site.router.namespace.role]


def begun(site: Site, times: int) -> bool:
    """Whether a network's session has come up so many times."""
    return site.router.sessions_begun(site.node_address) == times


def test_x22_a_network_added_among_twenty_flaps_no_session(world: World) -> None:
    """They share an uplink; each has a table and a peer of its own."""
    hosts = range(20, 20 + NETWORKS + 1)
    with Flock(world.topology, world.red, hosts, asn=65001, prefixes=[PREFIX]) as flock:

        def save(count: int) -> None:
            world.config.save("many.yaml", *(network(f"n{i}", 600 + i) for i in range(count)))
            peers = [peer(f"p{i}", f"n{i}", flock.addresses[i], 65001) for i in range(count)]
            world.config.save("many-peers.yaml", *peers)

        world.save_basics()
        save(NETWORKS)
        world.start()
        for i in range(NETWORKS):
            world.wait_route(600 + i, PREFIX, flock.addresses[i], timeout=60)
        assert flock.accepted == NETWORKS
        with Probe(world.workload("red"), SERVER) as probe:
            probe.wait_answers("red")
            save(NETWORKS + 1)
            world.wait_route(600 + NETWORKS, PREFIX, flock.addresses[NETWORKS])
            probe.wait_answers("red")
        assert flock.accepted == NETWORKS + 1, "no other session was begun again"
        assert flapped(world) == []
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally


def test_x22_a_bad_edit_changes_nothing_and_the_next_good_one_applies(working: World) -> None:
    world = working
    before = world.traces()
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.config.save("networks.yaml", network("red", 500, routeTabelIndex=7), network("yellow", 501))
        world.wait_told("networks.yaml", "routeTabelIndex")
        done = world.daemon.ask("reload")
        assert done.returncode == 1
        assert "routeTabelIndex" in done.stdout
        stays_true(lambda: world.traces() == before, 1.0, "a bad edit changes nothing")
        world.config.save("networks.yaml", network("red", 500), network("yellow", 511))
        world.wait_route(511, SERVED, world.yellow.router_address)
        done = world.daemon.ask("reload")
        assert done.returncode == 0, done.stdout + done.stderr
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    world.wait_working("red", "yellow")
    assert flapped(world) == []


# -- the ways to save a file -----------------------------------------------------------------------


def in_place(path: Path, text: str) -> None:
    """As `echo > file` does: truncated, then written."""
    path.write_text(text)


def by_rename(path: Path, text: str) -> None:
    """As editors do."""
    fresh = path.with_name(f".{path.name}.swp")
    fresh.write_text(text)
    fresh.replace(path)


def as_another_file(path: Path, text: str) -> None:
    """The file goes, and another with its objects comes."""
    path.unlink()
    path.with_name("elsewhere.yaml").write_text(text)


def by_config_map(path: Path, text: str) -> None:
    """As the kubelet does: all files are links into `..data`, itself a link, which is swapped."""
    root = path.parent
    number = len(list(root.glob("..20*"))) + 1
    fresh = root / f"..2026_{number}"
    shutil.copytree((root / "..data").resolve(), fresh)
    (fresh / path.name).write_text(text)
    (root / "..data_tmp").symlink_to(fresh.name)
    (root / "..data_tmp").rename(root / "..data")


def turn_into_config_map(root: Path) -> None:
    """Lay a directory of files out as a mounted ConfigMap."""
    first = root / "..2026_0"
    first.mkdir()
    for path in [path for path in root.iterdir() if path.is_file()]:
        path.rename(first / path.name)
        path.symlink_to(f"..data/{path.name}")
    (root / "..data").symlink_to(first.name)


@pytest.mark.parametrize("save", [in_place, by_rename, as_another_file, by_config_map])
def test_x22_however_a_file_is_saved_it_is_seen(world: World, save: Callable[[Path, str], None]) -> None:
    world.save_basics()
    if save is by_config_map:
        turn_into_config_map(world.config.path)
    world.start()
    path = world.config.path / "networks.yaml"
    text = path.read_text()
    assert text.count("501") == 1
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        save(path, text.replace("501", "511"))
        world.wait_route(511, SERVED, world.yellow.router_address, timeout=5)
        world.wait_no_route(501, SERVED)
        world.wait_working("red", "yellow")
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    assert flapped(world) == [], "a table that moves ends no session"


def test_x22_a_file_that_is_added_and_removed(working: World) -> None:
    world = working
    world.config.save("more.yaml", network("more", 520), peer("more-1", "more", "172.16.1.77", 65077))
    wait_for(lambda: world.network_status("more")["table"] == 520, describe="the file that was added is seen")
    world.config.remove("more.yaml")
    wait_for(
        lambda: "more" not in {entry["name"] for entry in world.daemon.status()["networks"]},
        describe="the file that was removed is seen",
    )
    world.wait_working("red", "yellow")
    assert flapped(world) == []
