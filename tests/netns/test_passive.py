"""Passive sessions: the router calls, the daemon listens, by the right wire only."""

from __future__ import annotations

import shutil
import socket
from functools import partial
from typing import Any

import pytest

from labs.netns.frr import Router
from labs.netns.manifests import OURS, Manifest, bgp, peer
from labs.netns.namespace import Namespace
from labs.netns.process import Process
from labs.netns.topology import FAR_SERVED, LOCAL_AS, NODE, SERVED, Site
from labs.netns.traffic import Capture
from labs.netns.waiting import wait_for
from tests.netns.world import World
from tests.netns.world6 import LINK_LOCAL_NODE, LINK_LOCAL_ROUTER, SERVED6, Site6, World6

ASNS = {"red": LOCAL_AS, "yellow": 63400}
SECRET: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "passwords"},
    "stringData": {"one": "first", "two": "second"},
}


def calls(router: Router, address: str, *lines: str) -> None:
    """Have a router call a node's address, once a second until it has a session."""
    words = f"neighbor {address}"
    router.configure(
        f"router bgp {router.asn}",
        f"{words} remote-as {router.peer_as}",
        f"{words} timers connect 1",
        f"{words} advertisement-interval 0",
        *(f"{words} {line}" for line in lines),
        "address-family ipv4 unicast",
        f"{words} activate",
    )


def passive(site: Site, **spec: Any) -> Manifest:
    """The BGPPeer of a site's first router."""
    fields = {"passive": True, **spec}
    return peer(f"{site.name}-1", site.name, site.router_address, ASNS[site.name], api_version=OURS, **fields)


def password(key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": "passwords", "key": key}}


def listening(world: World) -> list[str]:
    """Where the node's processes listen for BGP, as ADDRESS%DEVICE:PORT."""
    places = [line.split()[3] for line in world.node.run("ss", "-Hltn").splitlines()]
    return sorted(place for place in places if place.endswith((":179", ":1790")))


def knock(namespace: Namespace, source: str, target: str) -> str:
    """What becomes of a call from an address: `answered`, `reset`, `refused` or `timeout`."""
    with namespace.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.settimeout(2.0)
        connection.bind((source, 0))
        try:
            connection.connect((target, 179))
            return "answered" if connection.recv(1) else "closed"
        except ConnectionResetError:
            return "reset"
        except ConnectionRefusedError:
            return "refused"
        except TimeoutError:
            return "timeout"


def established(world: World, site: Site) -> bool:
    world.alive()
    return bool(world.peer_status(site.name, site.router_address)["state"] == "established")


def test_passive_sessions_come_and_go_with_the_config_and_the_daemon(world: World) -> None:
    for site in world.topology.sites:
        calls(site.router, site.node_address)
    world.save_basics()
    first = passive(world.red, maxRestartTime="2s")
    world.config.save("peers.yaml", first, passive(world.yellow, passive=False))
    world.start()
    red, yellow = world.red.router, world.yellow.router
    assert listening(world) == ["172.16.1.10%red0:179"]
    wait_for(
        lambda: red.received() == {"10.50.0.2/32": {"172.16.1.10"}}, describe=lambda: str(red.received())
    )

    # Another becomes passive.
    world.config.save("peers.yaml", *(passive(site, maxRestartTime="2s") for site in world.topology.sites))
    wait_for(lambda: yellow.sessions_begun("172.16.2.10") == 2, describe=yellow.describe)
    wait_for(partial(established, world, world.yellow), describe=yellow.describe)
    assert listening(world) == ["172.16.1.10%red0:179", "172.16.2.10%yellow0:179"]
    assert red.sessions_begun("172.16.1.10") == 1
    world.wait_working("red", "yellow")

    # Killed, and started again. FRR calls once, then not before it has given up our routes.
    world.daemon.kill()
    world.daemon.start()
    for site in world.topology.sites:
        wait_for(partial(established, world, site), describe=site.router.describe)

    # Another port holds for who calls from now on.
    world.config.save("bgp.yaml", bgp(listenPort=1790))
    wait_for(
        lambda: listening(world) == ["172.16.1.10%red0:1790", "172.16.2.10%yellow0:1790"],
        describe=lambda: str(listening(world)),
    )
    assert red.sessions_begun("172.16.1.10") == 2
    red.configure(f"router bgp {LOCAL_AS}", "neighbor 172.16.1.10 port 1790")
    wait_for(lambda: red.sessions_begun("172.16.1.10") == 3, describe=red.describe)

    # One goes, and nobody listens there any more.
    world.config.save("peers.yaml", first)
    world.wait_no_route(world.yellow, SERVED)
    assert listening(world) == ["172.16.1.10%red0:1790"]
    assert knock(yellow.namespace, "172.16.2.140", "172.16.2.10") == "refused"
    world.wait_working("red")


def test_x3_two_networks_listen_on_one_address_and_a_call_by_the_wrong_wire_is_none(world: World) -> None:
    for site in world.topology.sites:
        calls(site.router, NODE, *(["ebgp-multihop 3"] if site is world.yellow else []))
    world.save_basics()
    world.config.save(
        "peers.yaml", *(passive(site, sourceAddress="UseNodeIP") for site in world.topology.sites)
    )
    world.start()
    assert listening(world) == [f"{NODE}%red0:179", f"{NODE}%yellow0:179"]
    for site in world.topology.sites:
        assert (world.route(site, SERVED) or {})["dev"] == site.uplink

    # Yellow's router takes the address of red's, and calls where red's does.
    router = world.yellow.router.namespace
    router.ip(f"addr add {world.red.router_address}/32 dev lo")
    assert knock(router, world.red.router_address, NODE) != "answered"
    world.wait_logged(f"{world.red.router_address} called {NODE} port 179 on yellow0 and is turned away")
    # Who is not expected is turned away on the right wire, too; the fabric has no listener at all.
    world.red.router.namespace.ip("addr add 172.16.1.150/24 dev eth0")
    assert knock(world.red.router.namespace, "172.16.1.150", NODE) == "reset"
    assert knock(world.topology.fabric, "10.240.0.1", NODE) == "refused"
    for site in world.topology.sites:
        assert site.router.sessions_begun(NODE) == 1
        assert established(world, site)


def test_x25_replies_to_a_far_peer_that_calls_follow_its_networks_table(world: World) -> None:
    far, address = world.topology.add_far_router(world.red, 65077)
    world.save_basics()
    world.config.save(
        "far.yaml",
        peer(
            "far",
            "red",
            address,
            65077,
            api_version=OURS,
            sourceAddress="UseNodeIP",
            reachableBy=world.red.router_address,
            passive=True,
        ),
    )
    far.announce(FAR_SERVED)
    world.start()
    wait_for(lambda: f"{NODE}%red0:179" in listening(world), describe=lambda: str(listening(world)))
    with Capture(world.node, "eth0") as fabric, Capture(world.node, "yellow0") as yellow:
        # FRR calls nobody by a default route.
        far.namespace.ip(f"route add {NODE} via 172.31.7.1")
        calls(far, NODE, "ebgp-multihop 5")
        world.wait_route(world.red, FAR_SERVED, world.red.router_address)
        for wire in (fabric, yellow):
            assert wire.packets(dst=address) == []
    assert listening(world) == [f"{NODE}%red0:179"]


def test_p18_x17_p19_a_call_needs_the_password_and_the_ttl(world: World) -> None:
    router = world.yellow.router
    calls(router, "172.16.2.10", "password first", "ttl-security hops 1")
    world.save_basics()
    world.config.save("secret.yaml", SECRET)

    def save(key: str) -> None:
        world.config.save("peers.yaml", passive(world.yellow, ttlSecurity=1, password=password(key)))

    save("one")
    world.daemon.start()
    wait_for(partial(established, world, world.yellow), describe=router.describe)
    world.wait_working("yellow")

    # Rotated here first: the router can't come back before it has the new one, too.
    save("two")
    wait_for(lambda: not established(world, world.yellow), describe=router.describe)
    assert knock(router.namespace, "172.16.2.140", "172.16.2.10") == "timeout"
    world.wait_told("somebody calls with another TCP MD5 password")
    assert not established(world, world.yellow)
    router.configure(f"router bgp {router.asn}", "neighbor 172.16.2.10 password second")
    wait_for(partial(established, world, world.yellow), describe=router.describe)

    # A Secret that goes takes the session along, and nobody is listened to.
    world.config.remove("secret.yaml")
    wait_for(lambda: listening(world) == [], describe=lambda: str(listening(world)))
    wait_for(lambda: not router.established("172.16.2.10"), describe=router.describe)


def test_p19_a_call_from_too_far_away_is_refused_and_says_why(world: World) -> None:
    """Two peers of one device: one demands a TTL, the other takes any."""
    router = world.yellow.router
    calls(router, "172.16.2.10")
    world.save_basics()
    other = peer("other", "yellow", "172.16.2.141", 63401, api_version=OURS, passive=True)
    world.config.save("peers.yaml", passive(world.yellow, ttlSecurity=1), other)
    world.daemon.start()
    # A single hop of eBGP is sent with a TTL of 1.
    world.wait_told("a TTL of 1", "255")
    assert not router.established("172.16.2.10")
    router.configure(f"router bgp {router.asn}", "neighbor 172.16.2.10 ttl-security hops 1")
    wait_for(partial(established, world, world.yellow), describe=router.describe)
    world.wait_working("yellow")


def bird(namespace: Namespace, name: str, *lines: str) -> Process:
    """A BIRD with one BGP protocol, of these lines, in a namespace."""
    if shutil.which("bird") is None:
        pytest.skip("BIRD is not installed (apt-get install bird2)")
    path, control = (namespace.directory / f"{name}-bird.{end}" for end in ("conf", "ctl"))
    path.write_text(
        "\n".join(
            ("log stderr all;", "protocol device {}", *lines[:-1], "protocol bgp node {", lines[-1], "}\n")
        )
    )
    return namespace.start("bird", "bird", "-f", "-c", str(path), "-s", str(control))


def bird_calls(world: World, site: Site6) -> Process:
    """A BIRD at the router's link-local address, which calls the node's: FRR 8.4 calls none that it has not
    learned from router advertisements."""
    world.node.ip(f"addr add {LINK_LOCAL_NODE}/64 dev {site.uplink} nodad")
    site.router.namespace.ip(f"addr add {LINK_LOCAL_ROUTER}/64 dev eth0 nodad")
    return bird(
        site.router.namespace,
        site.site.name,
        f"router id {site.router.router_id};",
        f"protocol static {{ ipv6; route {SERVED6} unreachable; }}",
        f"""
  local {LINK_LOCAL_ROUTER} port 1179 as {site.router.asn};
  neighbor {LINK_LOCAL_NODE} as {LOCAL_AS};
  interface "eth0";
  direct;
  connect delay time 1;
  connect retry time 1;
  ipv6 {{ import all; export all; next hop self; }};""",
    )


def test_x3_x10_one_pair_of_link_local_addresses_in_two_networks_and_both_routers_call(
    world: World,
) -> None:
    dual = World6(world)
    dual.save_basics()
    birds = [bird_calls(world, site) for site in dual.sites]
    peers = []
    for site in dual.sites:
        name, fields = site.site.name, {"passive": True, "sourceInterface": site.uplink}
        peers.append(peer(name, name, LINK_LOCAL_ROUTER, site.router.asn, api_version=OURS, **fields))
    world.config.save("peers.yaml", *peers)
    world.daemon.start()
    for site, bird in zip(dual.sites, birds, strict=True):
        route = world.wait_route(site.table, SERVED6, LINK_LOCAL_ROUTER)
        assert [hop["dev"] for hop in route["nexthops"]] == [site.uplink]
        assert world.peer_status(site.site.name, LINK_LOCAL_ROUTER)["state"] == "established", bird.output()
    assert listening(world) == [f"[{LINK_LOCAL_NODE}]%red0:179", f"[{LINK_LOCAL_NODE}]%yellow0:179"]


def test_p24_a_device_that_is_made_anew_is_listened_on_again(world: World) -> None:
    router = world.red.router
    # What the router says to the old connection is answered by a reset, so it soon knows.
    calls(router, "172.16.1.10", "timers 1 30")
    world.save_basics()
    world.config.save("peers.yaml", passive(world.red), peer("y", "yellow", "172.16.2.140", 63400))
    world.start()
    world.node.ip("link del red0")
    world.wait_no_route(world.red, SERVED)
    world.topology.wire(world.red)
    # The new device has another hardware address.
    router.namespace.ip("neigh flush dev eth0")
    wait_for(lambda: router.sessions_begun("172.16.1.10") == 2, describe=router.describe)
    world.wait_working("red", "yellow")
    assert listening(world) == ["172.16.1.10%red0:179"]
