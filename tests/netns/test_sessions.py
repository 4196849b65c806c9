"""Which sessions are held, from which address, by which wire; manifests as Calico's documents print them."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from labs.netns.manifests import OURS, felix, network, node, peer
from labs.netns.topology import LOCAL_AS, NODE, SERVED
from labs.netns.traffic import Capture, fetch
from labs.netns.waiting import stays_true, wait_for
from tests.netns.world import NODE_NAME, World

DOCUMENTED = """
# As the documents print it: two networks, their routers, a gateway for each, and the switch.
kind: ExternalNetwork
apiVersion: projectcalico.org/v3
metadata:
  name: external-network-red
spec:
  routeTableIndex: 500
---
kind: ExternalNetwork
apiVersion: projectcalico.org/v3
metadata:
  name: external-network-yellow
spec:
  routeTableIndex: 501
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: bgppeer-red
spec:
  nodeSelector: egress == 'red'
  peerIP: 172.16.1.140
  asNumber: 64512
  externalNetwork: external-network-red
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: bgppeer-yellow
spec:
  nodeSelector: egress == 'red'
  peerIP: 172.16.2.140
  asNumber: 63400
  externalNetwork: external-network-yellow
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata:
  name: egress-gateway-red
  namespace: default
spec:
  logSeverity: Info
  replicas: 1
  ipPools:
  - cidr: 10.50.0.2/31
  externalNetworks: ["external-network-red"]
  template:
    metadata:
      labels:
        egress-code: red
    spec:
      nodeSelector:
        kubernetes.io/os: linux
      terminationGracePeriodSeconds: 0
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata:
  name: egress-gateway-yellow
  namespace: default
spec:
  ipPools:
  - cidr: "10.50.0.4/31"
  externalNetworks:
  - external-network-yellow
  template:
    metadata:
      labels:
        egress-code: yellow
    spec:
      nodeSelector:
        egress: red
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata:
  name: default
spec:
  externalNetworkSupport: Enabled
---
apiVersion: v1
kind: Node
metadata:
  name: node-1
  labels:
    egress: red
    kubernetes.io/os: linux
    kubernetes.io/hostname: node-1
spec:
  podCIDR: 10.48.0.0/24
status:
  addresses:
  - type: InternalIP
    address: 10.240.0.10
  - type: Hostname
    address: node-1
"""


def test_p0_the_documented_manifests_as_they_are(world: World) -> None:
    world.config.save("everything.yaml", DOCUMENTED)
    done = world.check()
    assert done.returncode == 0, done.stdout + done.stderr
    world.start()
    for site in world.topology.sites:
        world.wait_route(site, SERVED, site.router_address)
        # sourceAddress is UseNodeIP by default.
        wait_for(partial(site.router.established, NODE), describe=site.router.describe)
    assert fetch(world.workload("red"), "105.8.10.1").client == "10.50.0.2"
    assert fetch(world.workload("yellow"), "105.8.10.1").client == "10.50.0.4"
    names = {entry["name"]: entry["table"] for entry in world.daemon.status()["networks"]}
    assert names == {"external-network-red": 500, "external-network-yellow": 501}
    assert not any(
        NODE in str(line) for line in world.red.router.ask("show bgp ipv4 unicast").get("routes", {})
    )


# -- P5: selectors ---------------------------------------------------------------------------------


def session_rules(world: World, address: str) -> list[dict[str, Any]]:
    """Our rules for the session's own packets to a peer."""
    return [rule for rule in world.our_rules() if rule.get("dst") == address]


def test_p5_a_session_with_its_routes_and_rules_comes_and_goes_with_a_label(world: World) -> None:
    world.save_basics(nodeSelector="egress == 'red'")
    world.daemon.start()
    world.wait_working("yellow")
    stays_true(lambda: not world.red.router.neighbors(), 1.0, "no session without the label")
    assert world.route(world.red, SERVED) is None
    assert session_rules(world, world.red.router_address) == []

    world.config.save("node.yaml", node(NODE_NAME, NODE, egress="red"))
    world.wait_working("red")
    rules = session_rules(world, world.red.router_address)
    assert [(rule["priority"], rule["src"], rule["table"]) for rule in rules] == [(101, "172.16.1.10", "500")]

    world.config.save("node.yaml", node(NODE_NAME, NODE, egress="blue"))
    world.wait_no_route(world.red, SERVED)
    wait_for(lambda: not world.red.router.established(), describe=world.red.router.describe)
    wait_for(lambda: not session_rules(world, world.red.router_address), describe="no rule of the session")
    world.wait_outcome("red", "unreachable")
    world.wait_working("yellow")
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1, "the other session is not disturbed"


def session_is(world: World, wanted: bool) -> bool:
    """Whether red has a session and its route, or has neither."""
    return (world.red.router.established(), world.route(world.red, SERVED) is not None) == (wanted, wanted)


SELECTORS = {
    "egress == 'red' && rack in {'r1', 'r2'}": True,
    "rack not in {'r1'} || !has(egress)": False,
    "has(rack) && !(egress != 'red')": True,
    "egress == 'yellow' || rack == 'r2'": False,
    "rack starts with 'r' && egress contains 'e' && rack ends with '1'": True,
    "has(missing) || !all()": False,
    "all()": True,
}


def test_p5_the_grammar_decides_about_sessions(world: World) -> None:
    world.save_basics()
    world.config.save("node.yaml", node(NODE_NAME, NODE, egress="red", rack="r1"))
    world.start()
    for selector, selected in SELECTORS.items():
        world.config.save(
            "peers.yaml",
            peer("red-1", "red", world.red.router_address, LOCAL_AS, nodeSelector=selector),
            peer("yellow-1", "yellow", world.yellow.router_address, 63400),
        )
        wait_for(partial(session_is, world, selected), 60, f"a session: {selected}, by {selector}")
    world.wait_working("red", "yellow")
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1


def test_p5_node_together_with_node_selector_is_refused(working: World) -> None:
    world = working
    both = peer("red-1", "red", world.red.router_address, LOCAL_AS, node=NODE_NAME, nodeSelector="all()")
    world.config.save("more.yaml", both | {"metadata": {"name": "red-2"}})
    world.wait_told("red-2", "nodeSelector")
    world.wait_working("red", "yellow")
    done = world.check()
    assert done.returncode == 1
    assert "nodeSelector" in done.stdout + done.stderr
    assert "more.yaml" in done.stdout + done.stderr


def test_p5_a_peer_of_another_node_gets_no_session(world: World) -> None:
    world.save_basics(node="node-7")
    world.daemon.start()
    world.wait_working("yellow")
    stays_true(lambda: not world.red.router.neighbors(), 1.0, "no session")
    world.config.save("more.yaml", peer("red-2", "red", world.red.router_address, LOCAL_AS, node=NODE_NAME))
    world.wait_working("red")


# -- P9: source addresses --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "source"),
    [
        ({"sourceAddress": "None"}, "172.16.1.10"),
        ({"sourceAddress": "UseNodeIP"}, NODE),
        ({"api_version": OURS, "sourceIP": "172.16.1.77"}, "172.16.1.77"),
    ],
    ids=["None", "UseNodeIP", "sourceIP"],
)
def test_p9_source_and_next_hop_are_the_chosen_address(
    world: World, fields: dict[str, Any], source: str
) -> None:
    world.node.ip("addr add 172.16.1.77/24 dev red0")
    world.save_basics(**fields)
    if "sourceIP" in fields:
        spec = peer("red-1", "red", world.red.router_address, LOCAL_AS, **fields)
        del spec["spec"]["sourceAddress"]
        yellow = peer("yellow-1", "yellow", world.yellow.router_address, 63400)
        world.config.save("peers.yaml", spec, yellow)
    world.start()
    wait_for(lambda: world.red.router.established(source), describe=world.red.router.describe)
    wait_for(
        lambda: world.red.router.received() == {"10.50.0.2/32": {source}},
        describe=lambda: str(world.red.router.received()),
    )
    assert [rule["src"] for rule in session_rules(world, world.red.router_address)] == [source]


def test_p9_the_source_changes_in_the_running_daemon(working: World) -> None:
    world = working
    wait_for(lambda: world.red.router.established("172.16.1.10"), describe=world.red.router.describe)
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, LOCAL_AS, sourceAddress="UseNodeIP"),
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )
    wait_for(lambda: world.red.router.established(NODE), 60, world.red.router.describe)
    wait_for(
        lambda: world.red.router.received() == {"10.50.0.2/32": {NODE}},
        60,
        lambda: str(world.red.router.received()),
    )
    world.wait_working("red", "yellow")


# -- X25: a session's own packets ------------------------------------------------------------------


def test_x25_a_sessions_packets_follow_its_own_table_even_if_main_says_otherwise(world: World) -> None:
    """Main has a more specific way to red's router, by the fabric: the session must not take it."""
    world.node.ip(f"route add {world.red.router_address}/32 via 10.240.0.1 dev eth0")
    world.save_basics(api_version=OURS, sourceInterface="red0")
    with Capture(world.node, "eth0") as fabric, Capture(world.node, "red0") as red:
        world.start()
        assert red.packets(dst=world.red.router_address, port=179, outgoing=True)
        assert fabric.packets(dst=world.red.router_address) == []


def test_x25_the_rule_stands_before_the_first_packet(world: World) -> None:
    """Main has only a default route to the far peer: a packet without the rule would leave by the fabric."""
    far, address = world.topology.add_far_router(world.red, 65077)
    world.save_basics()
    far_peer = peer(
        "far", "red", address, 65077, sourceAddress="UseNodeIP", reachableBy=world.red.router_address
    )
    world.config.save("far.yaml", far_peer)
    far.namespace.ip("route replace default via 172.31.7.1 dev eth0")
    with Capture(world.node, "eth0") as fabric, Capture(world.node, "yellow0") as yellow:
        with world.monitor("rule") as events:
            world.start()
            wait_for(partial(far.established, NODE), 60, far.describe)
        for wire in (fabric, yellow):
            assert wire.packets(dst=address) == []
    (rule,) = [event for event in events if f"from {NODE} to {address} lookup 500" in event.text]
    assert "Deleted" not in rule.text


# -- one network's trouble is no other's -----------------------------------------------------------


def test_p5_an_edit_of_one_peer_leaves_the_other_sessions_alone(working: World) -> None:
    world = working
    world.config.save(
        "peers.yaml",
        peer("yellow-1", "yellow", world.yellow.router_address, 63400),
    )
    world.wait_no_route(world.red, SERVED)
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1
    world.config.save("networks.yaml", network("yellow", 501))
    world.config.save("felix.yaml", felix())
    world.wait_working("yellow")
    assert world.yellow.router.sessions_begun("172.16.2.10") == 1


# -- X3, invariant 1: two uplinks in one subnet --------------------------------------------------------


def same_subnet(world: World) -> None:
    """Yellow's router and uplink move into red's subnet: 172.16.1.140 is on both wires."""
    router = world.yellow.router
    router.stop()
    router.namespace.ip(
        "addr flush dev eth0", "addr add 172.16.1.140/24 dev eth0", f"route add {NODE} via 172.16.1.11"
    )
    router.listen = ("172.16.1.0/24",)
    router.start()
    router.announce(SERVED)
    world.node.ip("addr flush dev yellow0", "addr add 172.16.1.11/24 dev yellow0")
    world.save_basics()


def test_x3_two_uplinks_that_cover_a_peer_degrade_its_network_and_are_named(world: World) -> None:
    same_subnet(world)
    world.config.save("peers.yaml", peer("red-1", "red", "172.16.1.140", LOCAL_AS))
    world.daemon.start()
    world.wait_told("red", "red0", "yellow0")
    world.wait_outcome("red", "unreachable")
    stays_true(lambda: not world.red.router.neighbors() and not world.yellow.router.neighbors(), 1.0)
    # One of the two goes: the other is the uplink.
    world.node.ip("addr flush dev yellow0")
    world.wait_working("red")
