"""X10: prefixes of both families over one session, of either family, with the next hops that routers send."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from labs.netns.frr import OUT
from labs.netns.manifests import OURS, Manifest, peer
from labs.netns.namespace import join
from labs.netns.topology import LOCAL_AS, SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import World
from tests.netns.world6 import (
    GATEWAYS6,
    LINK_LOCAL_NODE,
    LINK_LOCAL_ROUTER,
    NODE6,
    SERVED6,
    Site6,
    World6,
)

BIRD = """log stderr all;
router id 172.16.1.150;
protocol device { }
protocol static four { ipv4; route 198.51.100.0/24 blackhole; }
protocol static six { ipv6; route 2001:db8:b1bd::/48 blackhole; }
template bgp node {
  local as 65150;
  passive;
}
protocol bgp over_ipv4 from node {
  local 172.16.1.150;
  neighbor 172.16.1.10 as 64512;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
protocol bgp over_ipv6 from node {
  local fd00:1::150;
  neighbor fd00:1::10 as 64512;
  ipv4 { import all; export where source = RTS_STATIC; extended next hop; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
"""
GATEWAYS = {"red": "10.50.0.2", "yellow": "10.50.0.4"}
BOTH = {"api_version": OURS, "families": ["IPv4", "IPv6"]}


@pytest.fixture
def dual(world: World) -> World6:
    """Topology A in both families, whose routers offer both over each session."""
    dual = World6(world)
    for site in dual.sites:
        site.router.configure(
            f"router bgp {site.router.asn}",
            "address-family ipv4 unicast",
            "neighbor NODES6 activate",
            f"neighbor NODES6 route-map {OUT} out",
            "exit-address-family",
            "address-family ipv6 unicast",
            "neighbor NODES activate",
            f"neighbor NODES route-map {OUT} out",
        )
    dual.save_basics()
    return dual


def of(site: Site6, address: str, **fields: Any) -> Manifest:
    """A session with a network's router that carries both families."""
    return peer(site.site.name, site.site.name, address, site.router.asn, **BOTH, **fields)


def via(world: World, site: Site6, prefix: str = SERVED) -> set[str]:
    """The next hops of a prefix, of either family."""
    route = world.route(site.table, prefix) or {}
    hops = route.get("nexthops", [route])
    return {hop.get("gateway") or hop.get("via", {}).get("host", "") for hop in hops}


def heard(site: Site6) -> dict[str, set[str]]:
    """What the router was announced, in both families."""
    return {**site.router.received(), **site.received()}


def wait_both(dual: World6, *names: str) -> None:
    """Wait until these gateways reach their networks' own server in both families."""
    dual.world.wait_working(*names)
    dual.wait_working(*names)


def test_x10_a_session_of_either_family_carries_both(dual: World6) -> None:
    """Red's is of IPv4, yellow's of IPv6; each prefix has a next hop of its own family."""
    world, red, yellow = dual.world, dual.red, dual.yellow
    peers = of(red, red.site.router_address), of(yellow, yellow.router_address)
    world.config.save("peers.yaml", *peers)
    world.daemon.start()
    wait_both(dual, "red", "yellow")
    for site in dual.sites:
        name = site.site.name
        assert via(world, site) == {site.site.router_address}
        assert world.gateways_of(site.table, SERVED6) == {site.router_address}
        assert heard(site) == {
            f"{GATEWAYS[name]}/32": {site.site.node_address},
            f"{GATEWAYS6[name]}/128": {site.node_address},
        }
        (told,) = world.network_status(name)["peers"]
        assert told["families"] == told["carried"] == ["ipv4", "ipv6"]
        assert told["accepted"] == 2
    dual.wait_in_sync()

    # One family less is a session begun again; nothing of the other is touched.
    world.config.save("peers.yaml", peer("red", "red", red.site.router_address, LOCAL_AS), peers[1])
    world.wait_no_route(500, SERVED6)
    world.wait_working("red")
    wait_both(dual, "yellow")
    wait_for(lambda: heard(red).keys() == {f"{GATEWAYS['red']}/32"}, describe=red.router.describe)


def test_x10_the_next_hop_is_the_nodes_address_of_each_family(dual: World6) -> None:
    """`sourceAddress: UseNodeIP`."""
    world, red = dual.world, dual.red
    red.router.namespace.ip(f"route add {NODE6} via {red.node_address} dev eth0")
    world.config.save("peers.yaml", of(red, red.site.router_address, sourceAddress="UseNodeIP"))
    world.daemon.start()
    wait_both(dual, "red")
    assert heard(red) == {"10.50.0.2/32": {"10.240.0.10"}, f"{GATEWAYS6['red']}/128": {NODE6}}


def test_x10_ipv4_without_any_ipv4_address_on_the_link(dual: World6) -> None:
    """RFC 8950: IPv6 next hops for IPv4, global (red) and link-local (yellow, an unnumbered link)."""
    world, red, yellow = dual.world, dual.red, dual.yellow
    yellow.listen_link_local(world)
    for site in dual.sites:
        world.node.ip(f"addr del {site.site.node_address}/24 dev {site.uplink}")
        site.router.namespace.ip(f"addr del {site.site.router_address}/24 dev eth0")
        site.router.configure(f"router bgp {site.router.asn}", "neighbor NODES6 capability extended-nexthop")
    world.node.ip(f"addr del {yellow.node_address}/64 dev {yellow.uplink}")
    yellow.router.namespace.ip(f"addr del {yellow.router_address}/64 dev eth0")
    unnumbered = of(yellow, LINK_LOCAL_ROUTER, sourceInterface=yellow.uplink)
    world.config.save("peers.yaml", of(red, red.router_address), unnumbered)
    world.daemon.start()
    wait_both(dual, "red", "yellow")
    assert via(world, red) == {red.router_address}
    assert via(world, yellow) == {LINK_LOCAL_ROUTER}
    explained = world.daemon.ask("explain", "--from", "10.50.0.2", SERVER).stdout
    assert f"agrees: unicast, table 500, {red.router_address} on {red.uplink}" in explained, explained
    assert heard(red)["10.50.0.2/32"] == {red.node_address}
    assert heard(yellow)["10.50.0.4/32"] == {LINK_LOCAL_NODE}
    done = world.daemon.ask("verify", "--state-dir", str(world.daemon.state_directory))
    assert done.returncode == 0, done.stdout + done.stderr

    # Another life finds all as it left it; a cut wire takes both families along, and brings them back.
    dual.wait_in_sync()
    before = world.traces()
    watched = "route", "nexthop", "rule"
    with Probe(world.workload("yellow"), SERVER) as probe, world.monitor(*watched) as events:
        probe.wait_answers("yellow")
        world.daemon.kill()
        world.daemon.start()
        dual.wait_in_sync()
        probe.wait_answers("yellow")
    assert (events, world.traces()) == ([], before), "nothing is written"
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
    red.site.cut()
    world.wait_outcome("red", "unreachable")
    red.site.mend()
    wait_both(dual, "red", "yellow")

    # An address that the link gets later is none of the session's business.
    world.node.ip(f"addr add {red.site.node_address}/24 dev {red.uplink}")
    world.wait_route(500, red.site.subnet)
    wait_both(dual, "red")
    assert red.router.sessions_begun(red.node_address) == 2, "one in each life"
    assert heard(red)["10.50.0.2/32"] == {red.node_address}


def test_x10_bird_chooses_next_hops_of_either_family_for_one_prefix(dual: World6) -> None:
    """Over IPv4 and over IPv6 with RFC 8950 at once: one group has a next hop of each."""
    if shutil.which("bird") is None:
        pytest.skip("BIRD is not installed (apt-get install bird2)")
    world, red = dual.world, dual.red
    bird = world.topology.lab.namespace("red-bird")
    join(bird, "eth0", red.site.switch, "bird")
    red.site.switch.ip("link set bird master br0")
    bird.ip("addr add 172.16.1.150/24 dev eth0", "addr add fd00:1::150/64 dev eth0 nodad")
    config, control = bird.directory / "bird.conf", bird.directory / "bird.ctl"
    config.write_text(BIRD)
    bird.start("bird", "bird", "-f", "-c", str(config), "-s", str(control))
    peers = [peer(f"bird-{at[0]}", "red", at, 65150, **BOTH) for at in ("172.16.1.150", "fd00:1::150")]
    world.config.save("peers.yaml", *peers)
    world.daemon.start()

    def hops(prefix: str) -> set[str]:
        return via(world, red, prefix)

    both = {"172.16.1.150", "fd00:1::150"}
    wait_for(lambda: hops("198.51.100.0/24") == both, describe=lambda: str(hops("198.51.100.0/24")))
    wait_for(lambda: hops("2001:db8:b1bd::/48") == {"fd00:1::150"}, describe="the IPv6 route")
    for table, prefix, own in (
        ("master4", "10.50.0.2/32", ("172.16.1.10", "fd00:1::10")),
        ("master6", f"{GATEWAYS6['red']}/128", ("fd00:1::10",)),
    ):

        def seen(table: str = table, prefix: str = prefix) -> str:
            return bird.run(
                "birdc", "-s", str(control), "show", "route", "table", table, "all", "for", prefix
            )

        wait_for(lambda: seen().count("BGP.next_hop") == 2, describe=seen)
        told = {line.split()[1] for line in seen().splitlines() if "BGP.next_hop" in line}
        assert told == set(own), seen()
