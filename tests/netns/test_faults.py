"""Bad input and bad luck: a clear word in the log and in `status`; the rest works on, the daemon stays."""

from __future__ import annotations

import shutil
from functools import partial
from typing import Any

import pytest

from labs.netns.manifests import network, peer
from labs.netns.topology import LOCAL_AS, SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import METRIC, World, tells

PREFIX = "192.0.2.0/24"


def test_a_peer_that_refuses_our_as_is_told_and_harms_no_other(world: World) -> None:
    world.save_basics()
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, 65123),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )
    world.daemon.start()
    world.wait_working("yellow")
    # RFC 4271 6.2: OPEN Message Error, Bad Peer AS.
    wait_for(
        lambda: "AS" in str(world.peer_status("red", world.red.router_address).get("reason", "")),
        describe=lambda: f"the reason in status: {world.network_status('red')}",
    )
    assert world.peer_status("red", world.red.router_address)["state"].lower() != "established"
    world.wait_logged(world.red.router_address, "AS")
    world.wait_outcome("red", "unreachable")
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, LOCAL_AS),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )
    world.wait_working("red", "yellow")


def test_a_peer_that_does_not_answer_is_told(world: World) -> None:
    world.save_basics()
    world.config.save("dead.yaml", peer("red-dead", "red", "172.16.1.200", 65001))
    world.daemon.start()
    world.wait_working("red", "yellow")
    assert world.peer_status("red", "172.16.1.200")["state"].lower() != "established"
    assert world.peer_status("red", "172.16.1.200")["received"] == 0


BAD = {
    "syntax": ("kind: ExternalNetwork\n  metadata: [unclosed\n", "YAML"),
    "unknown field": (
        "apiVersion: projectcalico.org/v3\nkind: ExternalNetwork\nmetadata:\n  name: blue\n"
        "spec:\n  routeTableIndex: 600\n  routeTabelIndex: 7\n",
        "routeTabelIndex",
    ),
    "unknown kind": (
        "apiVersion: projectcalico.org/v3\nkind: ExternalNetworks\nmetadata: {name: b}\n",
        "ExternalNetwork",
    ),
    "wrong type": (
        "apiVersion: projectcalico.org/v3\nkind: ExternalNetwork\nmetadata: {name: b}\n"
        "spec:\n  routeTableIndex: many\n",
        "routeTableIndex",
    ),
    "our field under Calico's version": (
        "apiVersion: projectcalico.org/v3\nkind: ExternalNetwork\nmetadata: {name: b}\n"
        "spec:\n  routeTableIndex: 600\n  maxPaths: 3\n",
        "vrfbgp.io/v1alpha1",
    ),
    "name twice": (
        "apiVersion: projectcalico.org/v3\nkind: ExternalNetwork\nmetadata: {name: red}\n"
        "spec: {routeTableIndex: 600}\n",
        "red",
    ),
}


def forgotten(world: World, name: str) -> bool:
    """Whether `status` has no word of a file any more."""
    return not tells(world.daemon.status(), name)


def test_bad_files_at_start_let_the_rest_run(world: World) -> None:
    world.save_basics()
    files = {f"bad-{number}.yaml": bad for number, bad in enumerate(BAD.values())}
    for name, (text, _told) in files.items():
        world.config.save(name, text)
    world.daemon.start()
    world.wait_working("yellow")
    done = world.check()
    assert done.returncode == 1
    for name, (_text, told) in files.items():
        world.wait_logged(name, told)
        world.wait_told(name, told)
        assert any(name in line for line in (done.stdout + done.stderr).splitlines())
        assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr + world.daemon.log()
    for name in files:
        world.config.remove(name)
    world.wait_working("red", "yellow")


@pytest.mark.parametrize("broken", ["gateways.yaml", "networks.yaml", "felix.yaml"])
def test_x26_without_a_last_good_config_nothing_that_stands_is_swept(working: World, broken: str) -> None:
    world = working
    before = world.our_rules()
    world.daemon.stop()
    shutil.rmtree(world.daemon.state_directory)
    world.config.save(broken, "{{{ [")
    seen = len(world.daemon.log())
    with Probe(world.workload("red"), SERVER) as probe:
        world.daemon.start()
        wait_for(lambda: "config.refused" in world.daemon.log()[seen:], 15, "the refusal is told")
        stays_true(lambda: world.our_rules() == before, 3.0)
    assert set(probe.tally.answered) <= {"red"}, "no packet leaves by main"


@pytest.mark.parametrize("broken", ["gateways.yaml", "networks.yaml"])
def test_x26_a_restart_with_a_broken_file_takes_nothing_away(working: World, broken: str) -> None:
    world = working
    wait_for(lambda: world.network_status("red")["in_sync"], 90, "in sync")
    before = world.our_rules()
    world.daemon.stop()
    world.config.save(broken, "{{{ [")
    seen = len(world.daemon.log())
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        world.daemon.start()
        wait_for(lambda: "config.refused" in world.daemon.log()[seen:], 15, "the refusal is told")
        stays_true(lambda: world.our_rules() == before, 2.0)
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0
    assert set(probe.tally.answered) == {"red"}, "no packet leaves by main"


def test_a_bad_file_while_running_changes_nothing(working: World) -> None:
    world = working
    before = world.traces()
    for number, (text, told) in enumerate(BAD.values()):
        name = f"bad-{number}.yaml"
        world.config.save(name, text)
        world.wait_told(name, told)
        assert world.traces() == before
        world.config.remove(name)
        wait_for(partial(forgotten, world, name), describe=f"{name} is forgotten")
    # A good edit beside a bad file does not apply in part.
    world.config.save("bad.yaml", BAD["unknown field"][0])
    world.config.save("networks.yaml", network("red", 510), network("yellow", 501))
    world.wait_told("bad.yaml")
    stays_true(lambda: world.route(510, SERVED) is None, 2.0, "a config is refused whole")
    world.wait_working("red", "yellow")
    for site in world.topology.sites:
        assert site.router.sessions_begun(site.node_address) == 1
    world.config.remove("bad.yaml")
    world.wait_route(510, SERVED, world.red.router_address)
    world.wait_working("red", "yellow")


def test_a_foreign_route_of_the_same_key_is_never_overwritten_and_told(world: World) -> None:
    """The kernel says no: EEXIST."""
    world.node.ip(f"route add {PREFIX} via 172.16.1.99 dev red0 table 500 metric {METRIC} proto static")
    world.save_basics()
    world.start()
    foreign = world.node.routes(500, "exact", PREFIX)
    world.red.router.announce(PREFIX)
    world.red.router.announce("198.51.100.0/24")
    world.wait_route(world.red, "198.51.100.0/24", world.red.router_address)
    world.wait_told(PREFIX)
    assert world.node.routes(500, "exact", PREFIX) == foreign
    world.node.ip(f"route del {PREFIX} table 500 proto static")
    world.wait_route(world.red, PREFIX, world.red.router_address)


def stands_alone(world: World, routes: list[dict[str, Any]]) -> bool:
    """Whether red's table has just these routes for the prefix."""
    return world.node.routes(500, "exact", PREFIX) == routes


def test_x8_a_foreign_route_that_takes_the_place_of_ours_stays_and_is_told(working: World) -> None:
    """`ip route replace` overwrites ours; ours does not overwrite it back, whatever the peer says."""
    world = working
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        for way in ("replace", "change"):
            world.node.ip(
                f"route {way} {PREFIX} via 172.16.1.99 dev red0 table 500 metric {METRIC} proto static"
            )
            foreign = world.node.routes(500, "exact", PREFIX)
            assert [route["protocol"] for route in foreign] == ["static"]
            world.wait_told(PREFIX, "foreign")
            world.red.router.withdraw(PREFIX)
            world.red.router.announce(PREFIX)
            stays_true(partial(stands_alone, world, foreign), 1.0)
            world.node.ip(f"route del {PREFIX} table 500 proto static")
            world.wait_route(world.red, PREFIX, world.red.router_address)
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally


def test_without_the_capability_it_says_so_in_one_line(world: World) -> None:
    world.save_basics()
    process = world.daemon.start("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    assert process.wait(30) != 0
    started, *lines = [line for line in world.daemon.log().splitlines() if line.strip()]
    assert "daemon.started" in started
    assert len(lines) == 1, world.daemon.log()
    assert "CAP_NET_ADMIN" in lines[0]
    assert not any(world.traces().values())


def test_a_config_directory_that_does_not_exist_yet_is_told_and_waited_for(world: World) -> None:
    there = world.config.path
    world.save_basics()
    hidden = there.rename(there.with_name("elsewhere"))
    world.daemon.start()
    world.wait_logged(str(there), "No such file")
    world.wait_told(str(there))
    assert not any(world.traces().values())
    hidden.rename(there)
    world.wait_working("red", "yellow")


def test_commands_without_a_daemon_say_so(world: World) -> None:
    world.save_basics()
    for words in (["status"], ["routes", "red"], ["explain", "--from", "10.50.0.2", "105.8.10.1"]):
        done = world.daemon.ask(*words)
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr
        assert str(world.daemon.run_directory) in done.stdout + done.stderr


def test_explain_agrees_with_the_kernel(working: World) -> None:
    world = working
    told = str(world.daemon.ask_json("explain", "--from", "10.50.0.2", "105.8.10.1"))
    for word in ("500", SERVED, world.red.router_address, "red0", "red"):
        assert word in told
    (chosen,) = world.node.show("route get 105.8.10.1 from 10.50.0.2 iif cali-red")
    assert (chosen["gateway"], chosen["dev"], chosen["table"]) == (world.red.router_address, "red0", "500")
    told = world.daemon.ask_json("explain", "--from", "10.50.0.2", "105.8.10.1")
    assert told["way_back"]["announced"] == [f"red-1 ({world.red.router_address})"]
    assert told["paths"][0]["came"]["how"] == "first-transfer"
    world.red.router.withdraw(SERVED)
    world.wait_no_route(world.red, SERVED)
    (missing,) = world.daemon.ask_json("explain", "--from", "10.50.0.2", "105.8.10.1")["missing"]
    assert [(gone["peer"], gone["prefix"]) for gone in missing["withdrawn"]] == [("red-1", SERVED)]
    world.red.router.announce(SERVED)
    world.wait_route(world.red, SERVED, world.red.router_address)
    told = world.daemon.ask_json("explain", "red", SERVED)
    assert (told["paths"][0]["came"]["how"], told["withdrawn"]) == ("then", [])
    world.wait_outcome("red", "unreachable", address="198.51.100.1")
    assert (
        "unreachable" in str(world.daemon.ask_json("explain", "--from", "10.50.0.2", "198.51.100.1")).lower()
    )
