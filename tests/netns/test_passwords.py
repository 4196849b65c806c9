"""P18, X17: TCP MD5 (RFC 2385) from a Secret: never a session without; rotated live, no packet is lost."""

from __future__ import annotations

import pytest

from labs.netns.manifests import Manifest
from labs.netns.topology import SERVER
from labs.netns.traffic import Capture, Probe
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import World

PASSWORD = {"secretKeyRef": {"name": "bgp", "key": "red"}}


def secret(**values: str) -> Manifest:
    """A Secret as a person writes it."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bgp", "namespace": "kube-system"},
        "stringData": values,
    }


def protect(world: World, password: str) -> None:
    """From now on red's router wants this password; a session that is up ends with a Cease."""
    router = world.red.router
    router.configure(f"router bgp {router.asn}", f"neighbor NODES password {password}")


@pytest.fixture
def protected(world: World) -> World:
    """Red's router wants a password, and its BGPPeer names one; the daemon is not running yet."""
    protect(world, "first")
    world.save_basics(password=PASSWORD)
    return world


def test_p18_no_session_without_the_secret_nor_with_a_wrong_one(protected: World) -> None:
    world = protected
    router = world.red.router
    # Would it be taken without? This router would take it.
    router.configure(f"router bgp {router.asn}", "no neighbor NODES password")
    with Capture(world.node, "red0") as red:
        world.daemon.start()
        world.wait_told("BGPPeer red-1", "missing-secret", "no Secret bgp")
        world.wait_working("yellow")
        world.config.save("secret.yaml", secret(yellow="first"))
        world.wait_told("BGPPeer red-1", "missing-secret", "has no key 'red'")
        stays_true(lambda: not router.established(), 1.0, "no session")
        assert red.packets(port=179) == [], "not a packet"
    protect(world, "first")
    world.config.save("secret.yaml", secret(red="wrong"))
    world.wait_told(world.red.router_address, "timed out", "same TCP MD5 password", timeout=60)
    assert not router.established()
    world.config.save("secret.yaml", secret(red="first"))
    world.wait_working("red")
    told = world.daemon.ask("status", "--json").stdout + world.daemon.log()
    assert "wrong" not in told
    world.config.remove("secret.yaml")
    world.wait_outcome("red", "unreachable")
    wait_for(lambda: not router.established(), describe=router.describe)
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1


def test_x17_a_password_is_rotated_live(protected: World) -> None:
    """Ours first: the router notices nothing but a session that is begun again, and keeps forwarding."""
    world = protected
    router, address = world.red.router, world.red.router_address
    world.config.save("secret.yaml", secret(red="first"))
    world.start()
    with Probe(world.workload("red"), SERVER) as red, Probe(world.workload("yellow"), SERVER) as yellow:
        red.wait_answers("red")
        world.config.save("secret.yaml", secret(red="second"))
        wait_for(lambda: world.peer_status("red", address)["state"] != "established", 60, "the session ends")
        red.wait_answers("red", 50)
        protect(world, "second")
        wait_for(lambda: world.peer_status("red", address)["state"] == "established", 60, router.describe)
        wait_for(lambda: world.peer_status("red", address)["stale"] == 0, describe="all is told again")
        red.wait_answers("red", 50)
        yellow.wait_answers("yellow")
    assert red.tally.lost == red.tally.unreachable == 0, red.tally
    assert yellow.tally.lost == yellow.tally.unreachable == 0, yellow.tally
    assert router.sessions_begun("172.16.1.10") >= 2
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1
