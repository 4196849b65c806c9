"""A peer is known by its network, address and port."""

from __future__ import annotations

from labs.netns.manifests import peer
from labs.netns.topology import LOCAL_AS, SERVED
from labs.netns.waiting import wait_for
from tests.netns.test_passive import bird
from tests.netns.world import World

ELSEWHERE = "198.51.100.0/24"
PORT = 1790


def test_two_speakers_of_one_address_are_two_peers(world: World) -> None:
    """FRR on port 179, BIRD on another; each is told, and forgotten, by itself."""
    site = world.red
    both = bird(
        site.router.namespace,
        "second",
        "router id 192.0.2.1;",
        f"protocol static {{ ipv4; route {ELSEWHERE} unreachable; route {SERVED} unreachable; }}",
        f"""
  local {site.router_address} port {PORT} as {LOCAL_AS};
  neighbor {site.node_address} as {LOCAL_AS};
  passive;
  debug {{ states }};
  ipv4 {{ import all; export all; next hop self; }};""",
    )
    world.save_basics()
    second = peer("second", "red", f"{site.router_address}:{PORT}", LOCAL_AS)
    world.config.save("second.yaml", second)
    world.start()
    world.wait_route(site, ELSEWHERE, site.router_address)
    peers = {entry["endpoint"]: entry for entry in world.network_status("red")["peers"]}
    assert {name: (entry["state"], entry["accepted"]) for name, entry in peers.items()} == {
        site.router_address: ("established", 1),
        f"{site.router_address}:{PORT}": ("established", 2),
    }
    wait_for(
        lambda: site.router.received() == {"10.50.0.2/32": {site.node_address}},
        describe=lambda: str(site.router.received()),
    )

    world.config.remove("second.yaml")
    world.wait_no_route(site, ELSEWHERE)
    assert site.router.sessions_begun(site.node_address) == 1
    assert both.output().count("node: State changed to up") == 1
    world.wait_working("red")
    assert world.route(site, SERVED) is not None
