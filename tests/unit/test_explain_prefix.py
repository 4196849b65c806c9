"""`explain NETWORK PREFIX`: every path, which is used and why each other one is not."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from tests.unit.nodes import RED, Node, intent, peer, route
from tests.unit.rib import wire
from vrfbgp.events import ConfigLoaded, DownCause, DownKind
from vrfbgp.intent import NetworkIntent, PeerIntent
from vrfbgp.model import Family, RouteKey, nlri_of
from vrfbgp.rib.best import Verdict
from vrfbgp.rib.refusal import REMEDIES, Refusal
from vrfbgp.views.prefix import _TEXTS, STATES, WHY, explain_prefix
from vrfbgp.views.table import RouteState

SECOND = peer("red-2", "red", "172.16.1.141", 65001)
PREFIX = "192.0.2.0/24"


@pytest.fixture
def node() -> Node:
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, SECOND)),)))
    node.up(RED)
    node.up(SECOND, "172.16.1.141")
    return node


def explained(node: Node, prefix: str = PREFIX) -> dict[str, Any]:
    return explain_prefix(node.core, "red", ip_network(prefix), node.now)


def test_every_verdict_refusal_and_state_has_its_words() -> None:
    assert set(WHY) == set(Verdict)
    assert set(_TEXTS) == set(Refusal) == set(REMEDIES)
    assert set(STATES) == {*RouteState, None}


def test_the_path_in_use_stands_first_with_its_attributes(node: Node) -> None:
    node.learns(RED, PREFIX, as_path=(65010, 65011), med=5, communities=[(65010, 7)])
    node.learns(SECOND, PREFIX, as_path=(65001,))
    found = explained(node)
    assert found["state"] == "installed"
    first, other = found["paths"]
    assert (first["peer"], first["verdict"], first["next_hop"]) == ("red-2", "best", "172.16.1.141")
    assert (other["peer"], other["verdict"]) == ("red-1", "as-path-length")
    assert other["text"] == WHY[Verdict.AS_PATH_LENGTH]
    assert (other["as_path"], other["med"], other["communities"]) == ("65010 65011", 5, ["65010:7"])
    assert (other["internal"], first["internal"]) == (True, False)
    assert found["route"]["next_hops"] == [{"gateway": "172.16.1.141", "device": "red0", "peer": "red-2"}]


def test_the_backup_route_and_its_paths_are_told(node: Node) -> None:
    third = peer("red-3", "red", "172.16.1.142", 65001)
    network = NetworkIntent("red", 500, (RED, SECOND, third))
    node.core.handle(ConfigLoaded(intent(networks=(network,))), node.now)
    node.settle()
    node.up(third, "172.16.1.142")
    for length, one in enumerate((RED, SECOND, third), 1):
        node.learns(one, PREFIX, as_path=(65001,) * length)
    found = explained(node)
    backup = {"gateway": "172.16.1.141", "device": "red0", "peer": "red-2"}
    assert found["route"]["backup"] == [backup]
    assert [path["backup"] for path in found["paths"]] == [False, True, False]
    without = replace(network, backup_routes=False)
    node.core.handle(ConfigLoaded(intent(networks=(without,))), node.now)
    node.settle()
    found = explained(node)
    assert found["route"]["backup"] == []
    assert [path["backup"] for path in found["paths"]] == [False, False, False]


def test_equal_paths_are_told_as_multipath() -> None:
    third = peer("red-3", "red", "172.16.1.142", 65002)
    node = Node(intent(networks=(NetworkIntent("red", 500, (SECOND, third)),)))
    for one in (SECOND, third):
        node.up(one, str(one.id.address))
        node.learns(one, PREFIX, as_path=(one.peer_as,))
    assert [path["verdict"] for path in explained(node)["paths"]] == ["best", "multipath"]


def test_a_path_that_can_not_be_used_has_the_reason_and_the_remedy(node: Node) -> None:
    node.learns(RED, PREFIX, next_hop="172.16.99.1")
    found = explained(node)
    assert found["state"] == "unused"
    assert found["route"] is None
    (path,) = found["paths"]
    assert (path["verdict"], path["reason"]) == ("refused", "next-hop-unresolved")
    assert path["text"] == "nothing in table 500 leads to its next hop 172.16.99.1"
    assert path["remedy"] == REMEDIES[Refusal.NEXT_HOP_UNRESOLVED]


def test_a_path_that_the_policy_refuses_stands_behind_those_in_use(node: Node) -> None:
    node.learns(RED, PREFIX, as_path=(65010, 64512))
    node.learns(SECOND, PREFIX)
    found = explained(node)
    assert [path["reason"] for path in found["paths"]] == [None, "own-as"]
    assert "65010 64512" in found["paths"][1]["text"]


def test_a_less_specific_route_is_named_where_a_prefix_has_none(node: Node) -> None:
    node.learns(RED, "192.0.0.0/16")
    found = explained(node)
    assert (found["state"], found["paths"]) == ("unknown", [])
    assert found["instead"]["prefix"] == "192.0.0.0/16"
    assert explained(node, "203.0.113.0/24")["instead"] is None


def test_a_bootstrap_route_and_the_path_that_it_keeps_out(node: Node) -> None:
    node.learns(RED, "172.16.1.0/24")
    found = explained(node, "172.16.1.0/24")
    assert (found["state"], found["route"]["owner"]) == ("installed", "bootstrap")
    assert found["paths"][0]["reason"] == "bootstrap-route"


def test_stale_paths_are_told(node: Node) -> None:
    node.learns(RED, PREFIX)
    node.down(RED, DownCause(DownKind.SPEAKER_ENDED))
    (path,) = explained(node)["paths"]
    assert (path["stale"], path["up"]) == (True, False)


def test_what_the_kernel_says_is_told() -> None:
    key = RouteKey(500, Family.IPV4, nlri_of(ip_network(PREFIX)))
    node = Node(refuses={key: errno.EINVAL})
    node.up(RED)
    node.learns(RED, PREFIX)
    found = explained(node)
    assert (found["state"], found["kernel"]) == ("failed", "Invalid argument")


def test_a_network_that_may_not_have_its_table_says_so() -> None:
    node = Node(foreign=[route("198.51.100.0/24", 500, 2, protocol=186)])
    node.core.networks["red"].speaking = True
    node.up(RED)
    node.learns(RED, PREFIX)
    found = explained(node)
    assert found["state"] == "unused"
    assert "table 500" in found["text"]


def came(node: Node, of: PeerIntent, prefix: str = PREFIX) -> tuple[str, float | None, float | None]:
    told = next(path for path in explained(node, prefix)["paths"] if path["peer"] == of.name)["came"]
    return told["how"], told["since"], told["until"]


def test_when_a_path_came_is_told_over_a_sessions_life(node: Node) -> None:
    node.learns(RED, PREFIX)
    node.now += 2
    assert came(node, RED) == ("first-transfer", 2.0, None)
    node.hears(RED, wire.end_of_rib())
    node.now += 10
    assert came(node, RED) == ("first-transfer", 12.0, 10.0)
    node.learns(RED, PREFIX, med=7)
    node.now += 5
    assert came(node, RED) == ("then", 5.0, 5.0)
    node.down(RED, DownCause(DownKind.SPEAKER_ENDED))
    node.now += 20
    assert came(node, RED) == ("then", 25.0, 25.0), "it is stale, and told as it was"
    node.up(RED)
    assert came(node, RED) == ("then", 25.0, 25.0)
    node.learns(RED, PREFIX)
    assert came(node, RED) == ("first-transfer", 0.0, None)


def test_a_peer_that_never_ends_its_first_transfer_has_a_minute_for_it(node: Node) -> None:
    node.learns(RED, PREFIX, "198.51.100.0/24")
    node.now += 7200
    assert came(node, RED) == ("first-transfer", 7200.0, 7140.0)
    node.learns(RED, PREFIX)
    assert came(node, RED) == ("then", 0.0, 0.0)
    assert came(node, RED, "198.51.100.0/24") == ("first-transfer", 7200.0, 7140.0)


def test_when_a_refused_path_came_is_told_too(node: Node) -> None:
    node.hears(RED, wire.end_of_rib())
    node.learns(RED, PREFIX, as_path=(64512,))
    node.now += 3
    assert explained(node)["paths"][0]["reason"] == "own-as"
    assert came(node, RED) == ("then", 3.0, 3.0)


def test_a_link_that_flaps_begins_no_session(node: Node) -> None:
    node.hears(RED, wire.end_of_rib())
    node.learns(RED, PREFIX)
    session = node.core.networks["red"].sessions[RED.id]
    node.now += 30
    assert node.core.networks["red"].reached(RED.id, True, node.now)
    assert node.core.networks["red"].reached(RED.id, False, node.now)
    assert session.since == node.now
    assert came(node, RED) == ("then", 30.0, 30.0)


def test_who_withdrew_a_prefix_is_told_while_he_does_not_announce_it(node: Node) -> None:
    node.hears(RED, wire.end_of_rib())
    node.learns(RED, PREFIX)
    node.hears(RED, wire.update(withdraw=[PREFIX]))
    node.now += 40
    gone = {"peer": "red-1", "address": "172.16.1.140", "prefix": PREFIX, "ago": 40.0}
    assert explained(node)["withdrawn"] == [gone]
    node.learns(RED, PREFIX)
    assert explained(node)["withdrawn"] == []
