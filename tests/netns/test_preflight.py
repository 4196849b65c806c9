"""A node whose settings are in the way says so, in the log and in `status`, with the command that ends it."""

from __future__ import annotations

from tests.netns.world import World


def test_settings_that_are_in_the_way_are_told_with_the_remedy(world: World) -> None:
    device = world.red.uplink
    world.node.set_sysctls({"ipv4/ip_forward": 0, f"ipv4/conf/{device}/rp_filter": 1})
    world.save_basics()
    world.daemon.start()
    world.wait_logged("node-setting", f"sysctl -w net.ipv4.conf.{device}.rp_filter=2")
    world.wait_logged("node-setting", "sysctl -w net.ipv4.ip_forward=1")
    told = [p["text"] for p in world.daemon.status()["problems"] if p["reason"] == "node-setting"]
    assert any("ip_forward=1" in text for text in told)
