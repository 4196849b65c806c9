"""`explain NETWORK PREFIX`: every path, which is used and why each other one is not."""

from __future__ import annotations

import errno
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from tests.unit.nodes import RED, Node, intent, peer, route
from vrfbgp.events import ConfigLoaded, DownCause, DownKind
from vrfbgp.intent import NetworkIntent
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
    return explain_prefix(node.core, "red", ip_network(prefix))


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
