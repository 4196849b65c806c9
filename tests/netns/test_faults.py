"""Bad input and bad luck: a clear word in the log and in `status`; the rest works on, the daemon stays."""

from __future__ import annotations

import pytest

from labs.netns.manifests import network, peer
from labs.netns.topology import LOCAL_AS, SERVED
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import METRIC, World

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
    "syntax": ("kind: ExternalNetwork\n  metadata: [unclosed\n", "bad.yaml"),
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


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_at_start_lets_the_rest_run(world: World, fault: str) -> None:
    text, told = BAD[fault]
    world.save_basics()
    world.config.save("bad.yaml", text)
    world.daemon.start()
    world.wait_working("yellow")
    world.wait_logged("bad.yaml", told)
    world.wait_told("bad.yaml", told)
    done = world.check()
    assert done.returncode == 1
    assert "bad.yaml" in done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    world.config.remove("bad.yaml")
    world.wait_working("red", "yellow")


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_file_while_running_changes_nothing(working: World, fault: str) -> None:
    world = working
    text, told = BAD[fault]
    before = world.traces()
    uptimes = {site.name: site.router.uptime(site.node_address) for site in world.topology.sites}
    world.config.save("bad.yaml", text)
    world.wait_told("bad.yaml", told)
    assert world.traces() == before
    # A good edit beside the bad file does not apply in part.
    world.config.save("networks.yaml", network("red", 510), network("yellow", 501))
    stays_true(lambda: world.route(510, SERVED) is None, 2.0, "a config is refused whole")
    world.wait_working("red", "yellow")
    for site in world.topology.sites:
        assert site.router.uptime(site.node_address) >= uptimes[site.name]
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


def test_without_the_capability_it_says_so_in_one_line(world: World) -> None:
    world.save_basics()
    process = world.daemon.start("setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin")
    assert process.wait(30) != 0
    lines = [line for line in world.daemon.log().splitlines() if line.strip()]
    assert len(lines) == 1, world.daemon.log()
    assert "CAP_NET_ADMIN" in lines[0]
    assert not any(world.traces().values())


def test_the_config_that_does_not_exist_is_told(world: World) -> None:
    world.save_basics()
    world.daemon.config.path = world.config.path / "nowhere"
    process = world.daemon.start()
    assert process.wait(30) != 0
    assert "nowhere" in world.daemon.log()
    assert "Traceback" not in world.daemon.log()


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
    world.wait_outcome("red", "unreachable", address="198.51.100.1")
    assert (
        "unreachable" in str(world.daemon.ask_json("explain", "--from", "10.50.0.2", "198.51.100.1")).lower()
    )
