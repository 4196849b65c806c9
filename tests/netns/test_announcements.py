"""The gateways' addresses are announced to the peers of their own networks, while they are on this node."""

from __future__ import annotations

from labs.netns.manifests import gateway, pool
from labs.netns.topology import SERVED
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import RED, YELLOW, World


def announced(world: World) -> dict[str, dict[str, set[str]]]:
    """What each network's router has heard from the node: prefixes and next hops."""
    return {site.name: site.router.received() for site in world.topology.sites}


def wait_announced(world: World, red: set[str], yellow: set[str]) -> None:
    """Wait until the routers have heard exactly these prefixes."""

    def heard() -> bool:
        found = {name: set(prefixes) for name, prefixes in announced(world).items()}
        assert found == {"red": red, "yellow": yellow}, str(found)
        return True

    wait_for(heard, describe=f"red hears {red}, yellow {yellow}")


def test_p17_gateways_are_announced_to_their_own_networks_peers_only(working: World) -> None:
    world = working
    world.red.router.announce("192.0.2.0/24")
    world.wait_route(world.red, "192.0.2.0/24", world.red.router_address)
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})
    assert announced(world) == {
        "red": {"10.50.0.2/32": {world.red.node_address}},
        "yellow": {"10.50.0.4/32": {world.yellow.node_address}},
    }
    alone = {"10.50.0.4/32"}
    stays_true(lambda: set(world.yellow.router.received()) == alone, 1.0, "nothing learned is announced")


def test_p17_an_address_that_leaves_is_withdrawn_and_announced_again(working: World) -> None:
    world = working
    world.node.ip("route del 10.50.0.2/32 dev cali-red")
    wait_announced(world, set(), {"10.50.0.4/32"})
    world.node.ip("route add 10.50.0.2/32 dev cali-red scope link")
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})


def test_p8_an_address_of_an_interface_is_announced(working: World) -> None:
    world = working
    world.node.ip("addr add 10.50.0.3/32 dev lo", "addr add 10.50.0.7/32 dev lo")
    wait_announced(world, {"10.50.0.2/32", "10.50.0.3/32"}, {"10.50.0.4/32"})
    world.node.ip("addr del 10.50.0.3/32 dev lo")
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})


def test_p8_pools_with_bgp_export_disabled_are_never_announced(world: World) -> None:
    world.save_basics()
    hidden = pool("hidden", "10.50.0.4/31", disableBGPExport=True)
    world.config.save("pools.yaml", pool("shown", "10.50.0.2/31"), hidden)
    world.config.save(
        "gateways.yaml",
        gateway("red", ["red"], pools=({"name": "shown"},)),
        gateway("yellow", ["yellow"], pools=({"name": "hidden"},)),
    )
    world.daemon.start()
    world.wait_working("red")
    wait_for(world.yellow.router.established, describe=world.yellow.router.describe)
    wait_announced(world, {"10.50.0.2/32"}, set())
    world.wait_steering(YELLOW, (102, "501"), (103, "unreachable"))
    stays_true(lambda: world.yellow.router.received() == {}, 2.0)
    hidden["spec"]["disableBGPExport"] = False
    world.config.save("pools.yaml", pool("shown", "10.50.0.2/31"), hidden)
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})


def test_p17_a_gateway_of_two_networks_is_announced_to_both(world: World) -> None:
    world.save_both("red", "yellow")
    world.start()
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.2/32", "10.50.0.4/32"})
    world.config.save("gateways.yaml", gateway("red", ["red"], RED), gateway("yellow", ["yellow"], YELLOW))
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})


def test_p17_a_router_that_comes_back_hears_the_gateways_again(working: World) -> None:
    world = working
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})
    world.red.router.stop()
    world.red.router.start()
    world.red.router.announce(SERVED)
    wait_for(world.red.router.established, 60, world.red.router.describe)
    wait_announced(world, {"10.50.0.2/32"}, {"10.50.0.4/32"})
    world.wait_working("red")
