"""X10: what holds for IPv4 holds for IPv6, over sessions between IPv6 addresses."""

from __future__ import annotations

import pytest

from labs.netns.manifests import OURS, bgp_filter, felix, network, peer
from labs.netns.topology import LOCAL_AS
from labs.netns.traffic import Capture, Probe, outcome
from labs.netns.waiting import stays_true, wait_for
from tests.netns.twins import PREFIXES, Twins
from tests.netns.world import METRIC, PROTOCOL, World
from tests.netns.world6 import (
    GATEWAYS6,
    LINK_LOCAL_NODE,
    LINK_LOCAL_ROUTER,
    NODE6,
    OTHER_NODE6,
    POD6,
    RED6,
    REMOTE_POD6,
    SERVED6,
    SERVER6,
    SERVICE6,
    World6,
)

PREFIX = "2001:db8:aaaa::/48"
AFTER = 2.0
"""Seconds after a link or an address is back within which its network's table is right (P24)."""


@pytest.fixture
def dual(world: World) -> World6:
    """Topology A in both families; the daemon is not running yet."""
    return World6(world)


@pytest.fixture
def working6(dual: World6) -> World6:
    """Both networks and both gateways work in IPv6."""
    dual.save_basics()
    dual.start()
    return dual


def tables_of(world: World, prefix: str) -> list[str]:
    """The tables with a route for a prefix, whoever made it."""
    routes = world.node.routes("all", "exact", prefix, family=6)
    return [route.get("table", "main") for route in routes]


def refused(world: World, address: str) -> bool:
    """Whether the red gateway is told at once or at its second try that there is no way.

    The first ICMPv6 error may find the socket in use by the connect that it answers, and is then only noted.
    """
    return outcome(world.workload("red"), address, timeout=5.0) == "unreachable"


def test_x10_learned_and_bootstrap_routes_are_in_their_own_table_only(working6: World6) -> None:
    world, red = working6.world, working6.red
    assert world.peer_status("red", red.router_address)["state"].lower() == "established"
    red.announce(PREFIX)
    route = world.wait_route(500, PREFIX, red.router_address)
    assert (route["protocol"], route["metric"]) == (str(PROTOCOL), METRIC)
    assert tables_of(world, PREFIX) == ["500"]
    held = {entry["id"]: entry for entry in world.node.show("nexthop show")}
    members = [held[member["id"]] for member in held[route["nhid"]]["group"]]
    assert [(member["gateway"], member["dev"]) for member in members] == [(red.router_address, "red0")]
    for site in working6.sites:
        copied = world.route(site.table, site.subnet)
        assert copied is not None
        assert (copied["dev"], "gateway" in copied) == (site.uplink, False)
        assert sorted(tables_of(world, site.subnet)) == [str(site.table), "main"]
    assert {str(r.get("table", "main")) for r in world.traces()["routes"]} == {"500", "501"}


def test_x10_one_prefix_in_two_networks_reaches_each_its_own(working6: World6) -> None:
    world = working6.world
    assert tables_of(world, SERVED6) == ["500", "501"]
    with Capture(world.node, "eth0", family=6) as fabric:
        for name in ("red", "yellow"):
            with Probe(world.workload(name), SERVER6) as probe:
                probe.wait_answers(name, 50)
            assert set(probe.tally.answered) == {name}
            assert set(probe.tally.clients) == {GATEWAYS6[name]}
            assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally
        assert fabric.packets(dst=SERVER6) == []
    assert outcome(world.workload("pod"), SERVER6) == "fabric", "who is no gateway goes by main"
    assert world.steering(RED6) == [(102, "500"), (103, "unreachable")]


def test_x10_a_withdrawn_route_means_unreachable_and_the_cluster_stays(working6: World6) -> None:
    world, red = working6.world, working6.red
    world.topology.serve(world.workload("pod"), "pod", POD6)
    with Capture(world.node, "eth0", family=6) as fabric, Capture(world.node, "yellow0", family=6) as yellow:
        with Probe(world.workload("red"), SERVER6) as probe:
            probe.wait_answers("red")
            red.withdraw(SERVED6)
            wait_for(lambda: probe.tally.unreachable >= 2, describe=lambda: str(probe.tally))
            probe.wait_sent(100)
        assert set(probe.tally.answered) == {"red"}
        assert fabric.packets(dst=SERVER6) == yellow.packets(dst=SERVER6) == []
        assert refused(world, SERVER6)
        cluster = {POD6: "pod", REMOTE_POD6: "fabric", SERVICE6: "fabric", OTHER_NODE6: "fabric"}
        for address, banner in cluster.items():
            world.wait_outcome("red", banner, address=address)
        assert fabric.packets(dst=SERVICE6), "the capture sees what it should"
    for address in (NODE6, "fe80::1%eth0"):
        ping = world.workload("red").try_run("ping", "-c", "1", "-W", "2", "-I", GATEWAYS6["red"], address)
        assert ping.returncode == 0, ping.stdout + ping.stderr
    found = world.node.text(f"route get fe80::77 from {GATEWAYS6['red']} iif cali-red")
    assert "unreachable" not in found, found
    red.announce(SERVED6)
    working6.wait_working("red")


def test_x10_gateways_are_announced_to_their_own_peers_with_next_hop_self(working6: World6) -> None:
    world, red, yellow = working6.world, working6.red, working6.yellow
    only = {site.site.name: f"{GATEWAYS6[site.site.name]}/128" for site in working6.sites}

    def wait_heard(*names: str) -> None:
        expected = [{only[name]} if name in names else set() for name in ("red", "yellow")]
        wait_for(
            lambda: [set(site.received()) for site in working6.sites] == expected,
            describe=lambda: f"{[site.received() for site in working6.sites]}",
        )

    wait_heard("red", "yellow")
    assert red.node_address in red.received()[only["red"]]
    assert yellow.node_address in yellow.received()[only["yellow"]]
    world.node.ip(f"route del {GATEWAYS6['red']} dev cali-red")
    wait_heard("yellow")
    world.node.ip(f"route add {GATEWAYS6['red']} dev cali-red")
    wait_heard("red", "yellow")
    working6.wait_working("red")


@pytest.mark.parametrize("how", ["carrier", "link", "link, kept", "address", "address, checked"])
def test_x10_the_table_is_right_soon_after_what_it_stands_on_is_back(working6: World6, how: str) -> None:
    """Without keep_addr_on_down a link that goes down loses its address for good."""
    world, red = working6.world, working6.red
    kept = how.endswith("kept")
    world.node.set_sysctls({"ipv6/conf/red0/keep_addr_on_down": int(kept)})

    def whole() -> bool:
        there = world.route(500, red.subnet) is not None
        return there and world.gateways_of(500, SERVED6) == {red.router_address}

    def gone() -> bool:
        return world.gateways_of(500, SERVED6) == set()

    with Probe(world.workload("yellow"), SERVER6) as probe:
        probe.wait_answers("yellow")
        for _ in range(3):
            match how:
                case "carrier":
                    red.site.cut()
                    wait_for(gone, describe="nothing stands on a wire without carrier")
                    red.site.mend()
                case "address" | "address, checked":
                    world.node.ip(f"addr del {red.node_address}/64 dev red0")
                    wait_for(lambda: world.route(500, red.subnet) is None, describe="no connected route")
                    red.address_again(world, checked=how != "address")
                case _:
                    world.node.ip("link set red0 down")
                    wait_for(gone, describe="nothing stands on a link that is down")
                    world.node.ip("link set red0 up")
                    if not kept:
                        red.address_again(world)
            wait_for(whole, AFTER, lambda: f"red's table is whole; {world.node.routes(500, family=6)}")
        probe.wait_answers("yellow")
    assert probe.tally.lost == probe.tally.unreachable == 0, "the other network loses nothing"
    assert red.router.sessions_begun(red.node_address) == 1, "the session outlives it"
    working6.wait_working("red", "yellow")


def test_x10_a_copied_route_expires_with_its_original(working6: World6) -> None:
    """As those of router advertisements do (RFC 4861 6.3.4)."""
    world, red = working6.world, working6.red
    connected = f"{red.subnet} dev red0 proto ra metric 256"
    world.node.sysctl(ipv6__route__gc_interval=1)
    world.node.ip(f"route del {red.subnet} dev red0", f"route add {connected} expires 3")
    world.wait_route(500, SERVED6, red.router_address)
    wait_for(lambda: tables_of(world, red.subnet) == [], describe=lambda: str(tables_of(world, red.subnet)))
    world.wait_no_route(500, SERVED6)
    assert refused(world, SERVER6)
    world.node.ip(f"route add {connected} expires 1000")
    world.wait_route(500, SERVED6, red.router_address)
    working6.wait_working("red", "yellow")


@pytest.mark.parametrize("way", ["SIGTERM", "SIGKILL"])
def test_x10_a_restart_writes_nothing_and_loses_nothing(working6: World6, way: str) -> None:
    world = working6.world
    working6.wait_in_sync()
    before = world.traces()
    assert any(":" in route["dst"] for route in before["routes"])
    with (
        Probe(world.workload("red"), SERVER6) as probe,
        world.monitor("route", "nexthop", "rule", family=6) as events,
    ):
        probe.wait_answers("red")
        (world.daemon.stop if way == "SIGTERM" else world.daemon.kill)()
        world.daemon.start()
        working6.wait_in_sync()
        stays_true(lambda: world.traces() == before, 1.0)
        probe.wait_answers("red")
    assert events == [], "nothing is written"
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally


def test_x10_two_equal_peers_make_one_route_of_two_members(world: World) -> None:
    twins = Twins(world, 6)
    twins.start(equal=True)
    for prefix in (twins.prefixes[0], twins.prefixes[-1]):
        [route] = world.node.routes(500, "exact", prefix, family=6)
        assert {hop["gateway"] for hop in route["nexthops"]} == set(twins.both)
        assert {hop["dev"] for hop in route["nexthops"]} == {twins.first.device, twins.second.device}
        assert route["nhid"]
    twins.save(twins.first)
    twins.wait_only(twins.first, PREFIXES)


def test_x10_a_foreign_route_of_the_same_key_is_never_overwritten(dual: World6) -> None:
    world, red = dual.world, dual.red
    foreign = f"{PREFIX} via fd00:1::99 dev red0 table 500 metric {METRIC} proto static"
    world.node.ip(f"route add {foreign}")
    dual.save_basics()
    dual.start()
    standing = world.node.routes(500, "exact", PREFIX, family=6)
    red.announce(PREFIX, "2001:db8:bbbb::/48")
    world.wait_route(500, "2001:db8:bbbb::/48", red.router_address)
    world.wait_told(PREFIX, "foreign")
    assert world.node.routes(500, "exact", PREFIX, family=6) == standing
    world.node.ip(f"route del {foreign}")
    world.wait_route(500, PREFIX, red.router_address)
    world.node.ip(f"route replace {foreign}")
    world.wait_told(PREFIX, "foreign")
    stays_true(lambda: world.route(500, PREFIX) is None, 1.0)
    world.node.ip(f"route del {foreign}")
    world.wait_route(500, PREFIX, red.router_address)


def test_x10_both_families_side_by_side(dual: World6) -> None:
    """A gateway of both families, a peer of each: neither takes the other's routes away."""
    world = dual.world
    dual.save_basics()
    dual.start()
    world.wait_outcome("red", "unreachable")
    world.config.save("more.yaml", *dual.ipv4_peers())
    world.wait_working("red", "yellow")
    dual.wait_working("red", "yellow")
    world.config.remove("more.yaml")
    world.wait_outcome("red", "unreachable")
    dual.wait_working("red", "yellow")


def test_x10_one_pair_of_link_local_addresses_in_two_networks(dual: World6) -> None:
    """By their interfaces, said in either way; the next hops are global addresses of the links."""
    world, red, yellow = dual.world, dual.red, dual.yellow
    dual.save_basics()
    for site in dual.sites:
        site.listen_link_local(world)
    by_field = {"api_version": OURS, "sourceInterface": red.uplink}
    by_zone = f"{LINK_LOCAL_ROUTER}%{yellow.uplink}"
    world.config.save(
        "peers.yaml",
        peer("red-6", "red", LINK_LOCAL_ROUTER, red.router.asn, **by_field),
        peer("yellow-6", "yellow", by_zone, yellow.router.asn),
    )
    world.daemon.start()
    dual.wait_working("red", "yellow")
    for site in dual.sites:
        told = world.peer_status(site.site.name, LINK_LOCAL_ROUTER)
        assert (told["state"].lower(), told["accepted"]) == ("established", 1)
        assert site.received() == {f"{GATEWAYS6[site.site.name]}/128": {LINK_LOCAL_NODE}}
        assert world.gateways_of(site.table, SERVED6) == {site.router_address}
    assert tables_of(world, SERVED6) == ["500", "501"]
    red.withdraw(SERVED6)
    world.wait_no_route(500, SERVED6)
    assert refused(world, SERVER6)
    dual.wait_working("yellow")


def test_p16_x11_filters_guards_and_limits_hold_for_ipv6(dual: World6) -> None:
    world, red = dual.world, dual.red
    dual.save_basics()
    rules = bgp_filter(
        "red-6",
        importV6=[
            {"action": "Reject", "cidr": PREFIX, "matchOperator": "In", "prefixLength": {"min": 49}},
            {"action": "Accept", "operations": [{"setPriority": {"value": 512}}]},
        ],
        exportV6=[{"action": "Accept", "operations": [{"addCommunity": {"value": "65000:6"}}]}],
    )
    world.config.save("filters.yaml", rules)
    limited = {"api_version": OURS, "filters": ["red-6"], "maxPrefixes": {"limit": 3, "action": "Drop"}}
    world.config.save(
        "peers.yaml",
        peer("red-6", "red", red.router_address, LOCAL_AS, **limited),
        peer("yellow-6", "yellow", dual.yellow.router_address, 63400),
    )
    world.config.save(
        "networks.yaml",
        network("red", 500, api_version=OURS, defaultRoute="Reject"),
        network("yellow", 501),
        felix(),
    )
    dual.start()
    red.announce(PREFIX, "2001:db8:aaaa:7::/64", "fd00:48:7::/48", "::/0", "0:7::/32")

    def told() -> dict[str, tuple[str | None, str | None]]:
        rows = world.daemon.ask_json("routes", "red", "--received")["received"]
        return {row["prefix"]: (row["reason"], row["rule"]) for row in rows}

    taken, found = (None, "red-6 importV6[1]"), {"2001:db8:aaaa:7::/64": ("filter", "red-6 importV6[0]")}
    found |= {SERVED6: taken, PREFIX: taken, "0:7::/32": ("martian", None)}
    found |= {"fd00:48:7::/48": ("cluster-prefix", None), "::/0": ("default-route", None)}
    wait_for(lambda: told() == found, describe=lambda: f"{found}; told is {told()}")
    heard = red.router.ask(f"show bgp ipv6 unicast {GATEWAYS6['red']}/128")["paths"][0]
    assert heard["community"]["list"] == ["65000:6"]
    more = [f"2001:db8:bbbb:{number:x}::/64" for number in range(4)]
    red.announce(*more)
    world.wait_told("max-prefixes", "red-6")
    assert sum(reason is None for reason, _ in told().values()) == 3
    limited["maxPrefixes"] = {"limit": 100}
    world.config.save(
        "peers.yaml",
        peer("red-6", "red", red.router_address, LOCAL_AS, **limited),
        peer("yellow-6", "yellow", dual.yellow.router_address, 63400),
    )
    for prefix in more:
        world.wait_route(500, prefix, red.router_address)
