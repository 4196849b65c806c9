"""BGPFilter: what is taken from a router and what it is told, and edits of it without a new session."""

from __future__ import annotations

from typing import Any

from labs.netns.manifests import OURS, bgp, bgp_filter
from labs.netns.topology import SERVED
from labs.netns.waiting import wait_for
from tests.netns.world import World

ANY: dict[str, Any] = {"action": "Accept"}
NONE: dict[str, Any] = {"action": "Reject"}


def within(cidr: str, action: str = "Accept", **more: Any) -> dict[str, Any]:
    """A rule about what is in a prefix."""
    return {"action": action, "cidr": cidr, "matchOperator": "In", **more}


def learned(world: World) -> set[str]:
    """The learned prefixes in red's table: those that point at a next hop group."""
    return {
        route["dst"] for route in world.node.routes(500) if route.get("protocol") == "179" and "nhid" in route
    }


def wait_learned(world: World, *prefixes: str) -> None:
    """Wait until red's table has just these learned prefixes."""
    wait_for(
        lambda: learned(world) == set(prefixes), describe=lambda: f"{prefixes}; there are {learned(world)}"
    )


def test_p16_the_table_is_what_the_import_rules_leave_of_all_that_is_announced(world: World) -> None:
    world.save_basics(filters=["first", "second"])
    world.config.save(
        "filters.yaml",
        bgp_filter(
            "first",
            importV4=[
                within("192.0.2.0/24", prefixLength={"min": 26, "max": 28}),
                within("192.0.2.0/24", "Reject"),
                {"action": "Reject", "communities": {"values": ["65000:666"]}},
                {"action": "Reject", "communities": {"values": ["65000:1:666"]}},
                {"action": "Reject", "asPathPrefix": [65010, 65011]},
                {"action": "Reject", "peerType": "eBGP"},
                {"action": "Reject", "interface": "yellow*"},
                {"action": "Reject", "priority": 7},
                {"action": "Accept", "cidr": "203.0.113.0/24", "matchOperator": "Equal"},
            ],
        ),
        bgp_filter(
            "second",
            importV4=[
                {"action": "Reject", "cidr": "203.0.113.0/24", "matchOperator": "Equal"},
                within("198.51.100.0/24", interface="red0", source="RemotePeers", peerType="iBGP"),
                {"action": "Accept", "cidr": SERVED, "matchOperator": "NotIn", "asPathPrefix": [65020]},
                {"action": "Reject", "cidr": SERVED, "matchOperator": "NotEqual"},
            ],
        ),
    )
    world.start()
    router = world.red.router
    router.announce("192.0.2.0/24", "192.0.2.0/25", "192.0.2.0/26", "192.0.2.64/28", "192.0.2.128/30")
    router.announce("198.51.100.0/26", "203.0.113.0/24", "203.0.113.0/25", "100.64.0.0/24")
    router.announce("198.51.100.64/26", communities=["65000:1", "65000:666"])
    router.announce("198.51.100.128/26", large_communities=["65000:1:666"])
    router.announce("198.51.100.192/27", prepend=[65010, 65011, 65012])
    router.announce("198.51.100.224/27", prepend=[65011, 65010])
    router.announce("100.64.1.0/24", prepend=[65020, 65021])
    wait_learned(
        world,
        SERVED,
        "192.0.2.0/26",
        "192.0.2.64/28",
        "198.51.100.0/26",
        "198.51.100.224/27",
        "203.0.113.0/24",
        "100.64.1.0/24",
    )


def test_p16_an_edit_applies_to_what_was_received_without_a_new_session(world: World) -> None:
    world.save_basics(filters=["red-in"])
    world.config.save("filters.yaml", bgp_filter("red-in", importV4=[within("105.0.0.0/8"), NONE]))
    world.start()
    world.red.router.announce("192.0.2.0/24", "198.51.100.0/24", communities=["65000:1"])
    told = wait_refused(world, "192.0.2.0/24")
    assert (told["reason"], told["rule"]) == ("filter", "red-in importV4[1]")
    received = world.daemon.ask_json("routes", "red", "--received")["received"]
    assert {row["prefix"]: (row["state"], row["reason"], row["rule"]) for row in received} == {
        SERVED: ("best", None, None),
        "192.0.2.0/24": ("refused", "filter", "red-in importV4[1]"),
        "198.51.100.0/24": ("refused", "filter", "red-in importV4[1]"),
    }
    assert "red-in importV4[1]" in world.daemon.ask("routes", "red", "--received").stdout
    assert learned(world) == {SERVED}
    tagging = within("192.0.2.0/24", operations=[{"addCommunity": {"value": "65000:7"}}])
    world.config.save("filters.yaml", bgp_filter("red-in", importV4=[within("105.0.0.0/8"), tagging, NONE]))
    wait_learned(world, SERVED, "192.0.2.0/24")
    world.config.save("filters.yaml", bgp_filter("red-in", importV4=[within("192.0.2.0/24", "Reject"), ANY]))
    wait_learned(world, SERVED, "198.51.100.0/24")
    assert world.red.router.sessions_begun(world.red.node_address) == 1
    assert world.yellow.router.sessions_begun(world.yellow.node_address) == 1


def wait_refused(world: World, prefix: str) -> dict[str, Any]:
    """Wait until `explain` tells that a prefix is refused, and return what it tells of its path."""

    def refused() -> dict[str, Any] | None:
        paths = world.daemon.ask_json("explain", "red", prefix)["paths"]
        return next((path for path in paths if path["reason"]), None)

    told = wait_for(refused, describe=f"explain tells that {prefix} is refused")
    assert told is not None
    return told


def test_p16_export_rules_and_prefix_advertisements_decide_what_the_router_hears(world: World) -> None:
    world.save_basics(filters=["red-out"])
    world.config.save(
        "bgp.yaml",
        bgp(
            communities=[{"name": "gateways", "value": "65000:50"}],
            prefixAdvertisements=[{"cidr": "10.50.0.0/24", "communities": ["gateways", "65000:1:50"]}],
        ),
    )
    add = [{"addCommunity": {"value": "65000:7"}}, {"prependASPath": {"prefix": [65010, 65011]}}]
    add += [{"setMED": {"value": 50}}, {"setPriority": {"value": 512}}]
    loud = bgp_filter(
        "red-out", exportV4=[within("10.50.0.2/32", communities={"values": ["65000:50"]}, operations=add)]
    )
    world.config.save("filters.yaml", {**loud, "apiVersion": OURS})
    world.start()

    def heard() -> dict[str, Any]:
        found = world.red.router.ask("show bgp ipv4 unicast 10.50.0.2/32")
        return dict(found["paths"][0]) if found.get("paths") else {}

    def as_told() -> bool:
        path = heard()
        return bool(
            path
            and path["community"]["list"] == ["65000:7", "65000:50"]
            and path["largeCommunity"]["list"] == ["65000:1:50"]
            and path["aspath"]["string"] == "65010 65011"
            and (path["metric"], path["locPrf"]) == (50, 2**31 - 1 - 512)
        )

    wait_for(as_told, describe=lambda: f"communities and AS path; heard {heard()}")
    world.config.save("filters.yaml", bgp_filter("red-out", exportV4=[within("10.50.0.0/24", "Reject")]))
    wait_for(lambda: not world.red.router.received(), describe="the address is withdrawn")
    wait_for(lambda: "10.50.0.4/32" in world.yellow.router.received(), describe="yellow still hears its own")
    world.wait_told("red-out exportV4[0]")
    assert world.red.router.sessions_begun(world.red.node_address) == 1
