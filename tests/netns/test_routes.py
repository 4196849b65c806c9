"""What the networks' tables hold: learned routes, bootstrap routes, equal paths, unresolvable next hops."""

from __future__ import annotations

from typing import Any

import pytest

from labs.netns.manifests import OURS, network, peer
from labs.netns.topology import FAR_SERVED, FAR_SERVER, SERVED, SERVER
from labs.netns.traffic import Capture, outcome
from labs.netns.waiting import stays_true, wait_for
from tests.netns.sparrow import Flock
from tests.netns.world import METRIC, PROTOCOL, World

PREFIX = "192.0.2.0/24"


# -- P1: a learned route is in its network's table, and in no other --------------------------------


def test_p1_a_learned_route_is_in_its_own_table_only(working: World) -> None:
    world = working
    world.red.router.announce(PREFIX)
    route = world.wait_route(world.red, PREFIX, world.red.router_address)
    assert route["dev"] == world.red.uplink
    assert route["protocol"] == str(PROTOCOL)
    assert route["metric"] == METRIC
    assert world.node.routes(world.yellow.table, "exact", PREFIX) == []
    assert world.node.routes("main", "exact", PREFIX) == []
    foreign_tables = {
        entry.get("table", "main")
        for entry in world.node.routes("all")
        if entry.get("protocol") == str(PROTOCOL)
    }
    assert foreign_tables == {str(world.red.table), str(world.yellow.table)}


def test_p1_a_withdrawn_route_goes(working: World) -> None:
    world = working
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    world.red.router.withdraw(PREFIX)
    world.wait_no_route(world.red, PREFIX)
    assert world.gateways_of(world.red, SERVED) == {world.red.router_address}


def test_p1_learned_routes_stand_on_next_hop_groups(working: World) -> None:
    world = working
    world.red.router.announce(PREFIX)
    route = world.wait_route(world.red, PREFIX, world.red.router_address)
    held = {entry["id"]: entry for entry in world.node.show("nexthop show")}
    group = held[route["nhid"]]
    assert group["protocol"] == str(PROTOCOL)
    members = [held[member["id"]] for member in group["group"]]
    assert [(member["gateway"], member["dev"]) for member in members] == [
        (world.red.router_address, world.red.uplink)
    ]


def test_p1_the_table_follows_what_is_announced_as_status_and_routes_tell(working: World) -> None:
    world = working
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    assert PREFIX in str(world.daemon.ask_json("routes", "red"))
    assert PREFIX not in str(world.daemon.ask_json("routes", "yellow"))
    told = world.peer_status("red", world.red.router_address)
    assert told["state"].lower() == "established"
    assert told["received"] == told["accepted"] == 2
    assert world.network_status("red")["table"] == 500
    assert world.network_status("red")["routes"] == 2


# -- P10, P11: equal paths -------------------------------------------------------------------------


def two_external_routers(world: World) -> list[str]:
    """Red gets two more routers, .141 and .142, in different ASes; their addresses."""
    addresses = []
    for host, asn in ((141, 65010), (142, 65020)):
        world.red.routers.append(world.topology.add_router(world.red, host, asn))
        addresses.append(world.red.address(host))
    return addresses


def test_p10_equal_paths_make_one_ecmp_route_also_of_different_neighbour_as(world: World) -> None:
    first, second = two_external_routers(world)
    world.save_basics()
    world.config.save("more.yaml", peer("red-2", "red", first, 65010), peer("red-3", "red", second, 65020))
    world.start()
    for router in world.red.routers[1:]:
        router.announce(PREFIX)
    route = world.wait_route(world.red, PREFIX, first, second)
    assert {hop["dev"] for hop in route["nexthops"]} == {world.red.uplink}
    assert {hop["weight"] for hop in route["nexthops"]} == {1}
    # They differ by their AS_PATH, and then by their MED, which compares between ASes only if told to.
    edited = {"api_version": OURS, "multipathRelax": "Disabled"}
    world.config.save("networks.yaml", network("red", 500, **edited), network("yellow", 501))
    world.wait_route(world.red, PREFIX, first)
    world.red.routers[1].announce(PREFIX, med=7)
    world.red.routers[2].announce(PREFIX, med=6)
    edited = {"api_version": OURS, "alwaysCompareMED": "Enabled"}
    world.config.save("networks.yaml", network("red", 500, **edited), network("yellow", 501))
    world.wait_route(world.red, PREFIX, second)
    world.config.save("networks.yaml", network("red", 500), network("yellow", 501))
    world.wait_route(world.red, PREFIX, first, second)
    assert all(router.sessions_begun(world.red.node_address) == 1 for router in world.red.routers)


def test_p10_equal_paths_also_of_one_neighbour_as(world: World) -> None:
    world.red.routers.append(world.topology.add_router(world.red, 141, 65010))
    world.red.routers.append(world.topology.add_router(world.red, 142, 65010))
    first, second = world.red.address(141), world.red.address(142)
    world.save_basics()
    world.config.save("more.yaml", peer("red-2", "red", first, 65010), peer("red-3", "red", second, 65010))
    world.start()
    for router in world.red.routers[1:]:
        router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, first, second)


def test_p10_the_shorter_as_path_alone(world: World) -> None:
    first, second = two_external_routers(world)
    world.save_basics()
    world.config.save("more.yaml", peer("red-2", "red", first, 65010), peer("red-3", "red", second, 65020))
    world.start()
    world.red.routers[1].announce(PREFIX, prepend=[65010])
    world.red.routers[2].announce(PREFIX)
    world.wait_route(world.red, PREFIX, second)
    stays_true(lambda: world.gateways_of(world.red, PREFIX) == {second}, 1.0)
    world.red.routers[2].announce(PREFIX, prepend=[65020, 65020])
    world.wait_route(world.red, PREFIX, first)
    world.red.routers[2].announce(PREFIX, prepend=[65020])
    world.wait_route(world.red, PREFIX, first, second)


def test_p10_local_preference_origin_and_external_over_internal_decide(world: World) -> None:
    (first, _second) = two_external_routers(world)
    internal = world.red.router_address
    world.save_basics()
    world.config.save("more.yaml", peer("red-2", "red", first, 65010))
    world.start()
    # One AS more than the internal path: local preference comes first.
    world.red.router.announce(PREFIX, local_preference=200)
    world.red.routers[1].announce(PREFIX)
    world.wait_route(world.red, PREFIX, internal)
    world.red.router.announce(PREFIX, local_preference=100)
    world.wait_route(world.red, PREFIX, internal)
    # As long as the other's path: eBGP is preferred over iBGP.
    world.red.router.announce(PREFIX, prepend=[65099])
    world.wait_route(world.red, PREFIX, first)


def test_p11_at_most_sixteen_next_hops_by_default(world: World) -> None:
    with Flock(world.topology, world.red, range(150, 168), asn=65033, prefixes=[PREFIX]) as flock:
        world.save_basics()
        world.config.save("flock.yaml", *(peer(f"f{a}", "red", a, 65033) for a in flock.addresses))
        world.start()
        wait_for(lambda: flock.established == 18, describe=lambda: f"{flock.established} sessions of 18")
        wait_for(lambda: len(world.gateways_of(world.red, PREFIX)) == 16, describe="16 next hops")
        stays_true(lambda: len(world.gateways_of(world.red, PREFIX)) == 16, 1.0)


def test_p11_the_number_of_next_hops_is_configurable(world: World) -> None:
    with Flock(world.topology, world.red, range(150, 154), asn=65033, prefixes=[PREFIX]) as flock:
        world.save_basics(red=network("red", 500, api_version=OURS, maxPaths=3))
        world.config.save("flock.yaml", *(peer(f"f{a}", "red", a, 65033) for a in flock.addresses))
        world.start()
        wait_for(lambda: flock.established == 4, describe=lambda: f"{flock.established} sessions of 4")
        wait_for(lambda: len(world.gateways_of(world.red, PREFIX)) == 3, describe="3 next hops")
        world.config.save(
            "networks.yaml",
            network("red", 500, api_version=OURS, maxPaths=1),
            network("yellow", 501),
        )
        wait_for(lambda: len(world.gateways_of(world.red, PREFIX)) == 1, describe="1 next hop")
        assert flock.accepted == 4, "a change of maxPaths resets no session"


# -- P21: bootstrap routes follow main -------------------------------------------------------------


def bootstrap(world: World, prefix: str = "172.16.1.0/24") -> dict[str, Any] | None:
    """Our copy of a connected route in red's table."""
    return world.route(world.red, prefix)


def test_p21_the_connected_route_is_copied_without_user_action(working: World) -> None:
    world = working
    for site in world.topology.sites:
        copied = world.route(site, site.subnet)
        assert copied is not None
        assert copied["dev"] == site.uplink
        assert copied["scope"] == "link"
        assert copied["protocol"] == str(PROTOCOL)
    assert world.route(world.red, world.yellow.subnet) is None
    assert world.route(world.yellow, world.red.subnet) is None


def test_p21_it_follows_a_rename_of_the_interface(working: World) -> None:
    world = working
    world.node.ip("link set red0 down", "link set red0 name wan7", "link set wan7 up")
    wait_for(lambda: (bootstrap(world) or {}).get("dev") == "wan7", describe="the bootstrap route is on wan7")
    world.wait_working("red", "yellow")
    assert (world.route(world.red, SERVED) or {})["dev"] == "wan7"


def test_p21_it_follows_a_change_of_the_address(working: World) -> None:
    world = working
    world.node.ip("addr add 172.16.1.11/25 dev red0", "addr del 172.16.1.10/24 dev red0")
    # .140 is not in 172.16.1.0/25: nothing leads to the peer any more.
    wait_for(lambda: bootstrap(world) is None, describe="the bootstrap route of the old address is gone")
    world.node.ip("addr add 172.16.1.12/23 dev red0")
    wait_for(
        lambda: (bootstrap(world, "172.16.0.0/23") or {}).get("dev") == "red0",
        describe="the connected route of the new address is copied",
    )
    # The session comes up anew, from the new address.
    wait_for(lambda: world.red.router.established("172.16.1.12"), 60, describe=world.red.router.describe)
    world.wait_route(world.red, SERVED, world.red.router_address)
    world.wait_working("red", "yellow")


def test_p21_it_follows_link_down_and_up(working: World) -> None:
    world = working
    world.node.ip("link set red0 down")
    wait_for(lambda: bootstrap(world) is None and world.route(world.red, SERVED) is None, describe="no route")
    world.wait_working("yellow")
    world.node.ip("link set red0 up")
    wait_for(lambda: bootstrap(world) is not None, describe="the bootstrap route is back")
    world.wait_working("red")


def test_p21_it_follows_the_carrier(working: World) -> None:
    world = working
    world.red.cut()
    world.wait_outcome("red", "unreachable")
    world.red.mend()
    world.wait_working("red")
    assert bootstrap(world) is not None


def test_p21_a_connected_route_that_is_added_later_is_copied(world: World) -> None:
    world.node.ip("addr flush dev red0")
    world.save_basics()
    world.daemon.start()
    world.wait_working("yellow")
    assert bootstrap(world) is None
    world.wait_told("red", "uplink")
    world.node.ip("addr add 172.16.1.10/24 dev red0")
    wait_for(lambda: bootstrap(world) is not None, describe="the bootstrap route")
    world.wait_working("red")


def test_p21_a_static_device_route_counts_as_connected(world: World) -> None:
    world.node.ip(
        "addr flush dev red0",
        "addr add 172.16.1.10/32 dev red0",
        "route add 172.16.1.128/25 dev red0 scope link",
    )
    world.save_basics()
    world.start()
    copied = bootstrap(world, "172.16.1.128/25")
    assert copied is not None
    assert copied["dev"] == "red0"
    world.node.ip("route del 172.16.1.128/25 dev red0")
    wait_for(lambda: bootstrap(world, "172.16.1.128/25") is None, describe="the copy goes with its original")


# -- P21, X25: peers further away ------------------------------------------------------------------

USERS = "172.31.7.0/24"
"""Where the far router is."""


def save_far(world: World, asn: int, address: str, **spec: Any) -> None:
    """Red's only peer is the far router."""
    world.save_basics()
    world.config.save(
        "peers.yaml",
        peer("red-far", "red", address, asn, **spec),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )


def test_p21_x25_a_peer_two_hops_away_by_the_users_own_route(world: World) -> None:
    far, address = world.topology.add_far_router(world.red, 65077)
    far.announce(FAR_SERVED)
    users_route = f"{USERS} via {world.red.router_address} dev red0 proto static"
    save_far(world, 65077, address)
    with Capture(world.node, "eth0") as fabric, Capture(world.node, "red0") as red:
        world.daemon.start()
        world.wait_working("yellow")
        world.wait_told("red", "uplink")
        world.node.ip(f"route add {users_route} table 500")
        wait_for(far.established, 60, far.describe)
        world.wait_route(world.red, FAR_SERVED, world.red.router_address)
        world.wait_outcome("red", "red-far", address=FAR_SERVER)
        assert red.packets(dst=address, port=179), "the session's packets leave by the uplink"
        assert fabric.packets(dst=address) == [], "main has only a default route to the peer"
    before = world.node.routes(500, "exact", USERS)
    world.config.save("peers.yaml", peer("yellow-1", "yellow", world.yellow.router_address, 63400))
    world.wait_no_route(world.red, FAR_SERVED)
    world.daemon.stop()
    assert [route["protocol"] for route in before] == ["static"]
    assert world.node.routes(500, "exact", USERS) == before, "the user's route is never ours to change"


def test_p21_x25_reachable_by_leads_to_a_far_peer(world: World) -> None:
    far, address = world.topology.add_far_router(world.red, 65077)
    far.announce(FAR_SERVED)
    save_far(world, 65077, address, reachableBy=world.red.router_address)
    with Capture(world.node, "eth0") as fabric:
        world.daemon.start()
        wait_for(far.established, 60, far.describe)
        world.wait_outcome("red", "red-far", address=FAR_SERVER)
        assert fabric.packets(dst=address) == []
    assert world.gateways_of(world.red, f"{address}/32") == {world.red.router_address}
    assert world.node.routes("main", "exact", f"{address}/32") == []


# -- X16: next hops that nothing leads to ----------------------------------------------------------


def test_x16_an_unresolvable_next_hop_waits_and_a_less_specific_route_keeps_working(working: World) -> None:
    world = working
    world.red.router.announce("105.8.10.0/25", next_hop="172.16.99.1")
    world.red.router.announce(PREFIX)
    world.wait_route(world.red, PREFIX, world.red.router_address)
    assert world.route(world.red, "105.8.10.0/25") is None
    assert outcome(world.workload("red"), SERVER) == "red"
    reason = world.daemon.ask("explain", "red", "105.8.10.0/25", "--json").stdout
    assert "172.16.99.1" in reason
    assert "unresolved" in reason.lower() or "no route" in reason.lower()
    assert world.peer_status("red", world.red.router_address)["received"] == 3

    world.node.ip(f"route add 172.16.99.0/24 via {world.red.router_address} dev red0 table 500 proto static")
    world.wait_route(world.red, "105.8.10.0/25", world.red.router_address)
    world.wait_working("red")
    world.node.ip("route del 172.16.99.0/24 table 500 proto static")
    world.wait_no_route(world.red, "105.8.10.0/25")
    assert outcome(world.workload("red"), SERVER) == "red"


@pytest.mark.parametrize("covering", ["172.16.0.0/16", "0.0.0.0/0"])
def test_x16_a_next_hop_that_only_a_learned_route_covers(working: World, covering: str) -> None:
    """A default route never resolves a next hop; another learned route does, recursively (iBGP)."""
    world = working
    world.red.router.announce(covering)
    world.wait_route(world.red, covering, world.red.router_address)
    world.red.router.announce(PREFIX, next_hop="172.16.99.1")
    if covering == "0.0.0.0/0":
        stays_true(lambda: world.route(world.red, PREFIX) is None, 2.0)
    else:
        world.wait_route(world.red, PREFIX, world.red.router_address)
