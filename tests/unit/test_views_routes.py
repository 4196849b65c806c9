"""`views.routes`: what became of each prefix, a page at a time."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from tests.unit.nodes import RED, Node, intent, peer, route
from vrfbgp.events import ConfigLoaded, DownCause, DownKind, Overrun
from vrfbgp.intent import NetworkIntent
from vrfbgp.model import METRIC, Family, RouteKey, nlri_of
from vrfbgp.views import routes as module
from vrfbgp.views.routes import is_within, routes
from vrfbgp.views.table import RouteState
from vrfbgp.views.words import prefix_text


@pytest.fixture
def node() -> Node:
    node = Node()
    node.up(RED)
    return node


def rows(node: Node, **words: Any) -> dict[str, dict[str, Any]]:
    """The rows of one page by prefix."""
    page = json.loads(json.dumps(routes(node.core, "red", **words)))
    found = {row["prefix"]: row for row in page["routes"]}
    assert len(found) == len(page["routes"]), "a prefix is told once"
    return found


def key(prefix: str) -> RouteKey:
    return RouteKey(500, Family.IPV4, nlri_of(ip_network(prefix)))


def test_learned_bootstrap_and_unusable_prefixes_are_told_in_the_order_of_addresses(node: Node) -> None:
    node.learns(RED, "192.0.2.0/24", "105.8.0.0/16", "105.8.0.0/24")
    node.learns(RED, "198.51.100.0/24", next_hop="172.16.99.1")
    found = rows(node)
    assert list(found) == [
        "105.8.0.0/16",
        "105.8.0.0/24",
        "172.16.1.0/24",
        "192.0.2.0/24",
        "198.51.100.0/24",
    ]
    assert found["192.0.2.0/24"]["next_hops"] == [
        {"gateway": "172.16.1.140", "device": "red0", "peer": "red-1"}
    ]
    assert [row["state"] for row in found.values()] == ["installed"] * 4 + ["unused"]
    assert [row["owner"] for row in found.values()][2:4] == ["bootstrap", "learned"]
    assert found["198.51.100.0/24"]["reason"] == "next-hop-unresolved"


def test_one_prefix_is_looked_up(node: Node) -> None:
    node.learns(RED, "192.0.2.0/24", "105.8.0.0/16", "105.8.0.0/24")
    assert set(rows(node, prefix=ip_network("105.8.0.0/16"))) == {"105.8.0.0/16"}
    assert set(rows(node, prefix=ip_network("172.16.1.0/24"))) == {"172.16.1.0/24"}, "bootstrap, too"
    assert rows(node, prefix=ip_network("105.8.0.0/17")) == {}
    assert rows(node, prefix=ip_network("105.8.0.0/16"), state=RouteState.FAILED) == {}


def test_what_stands_ready_as_backup_is_told(node: Node) -> None:
    second = peer("red-2", "red", "172.16.1.141")
    node.core.handle(ConfigLoaded(intent(networks=(NetworkIntent("red", 500, (RED, second)),))), node.now)
    node.settle()
    node.up(second, "172.16.1.141")
    node.learns(RED, "192.0.2.0/24", "198.51.100.0/24")
    node.learns(second, "192.0.2.0/24", as_path=(65010, 65011))
    found = rows(node)
    backup = {"gateway": "172.16.1.141", "device": "red0", "peer": "red-2"}
    assert found["192.0.2.0/24"]["backup"] == [backup]
    assert found["198.51.100.0/24"]["backup"] == found["172.16.1.0/24"]["backup"] == []


def test_what_the_policy_refuses_has_its_reason(node: Node) -> None:
    node.learns(RED, "192.0.2.0/24", as_path=(65001, 64512))
    assert rows(node)["192.0.2.0/24"]["reason"] == "own-as"


def test_a_route_that_the_kernel_refuses_has_its_words() -> None:
    node = Node(refuses={key("192.0.2.0/24"): errno.ENOSPC})
    node.up(RED)
    node.learns(RED, "192.0.2.0/24")
    row = rows(node)["192.0.2.0/24"]
    assert (row["state"], row["reason"]) == ("failed", "No space left on device")
    assert row["next_hops"][0]["gateway"] == "172.16.1.140"


def test_a_foreign_route_has_the_place_or_stands_beside() -> None:
    blocking = route("192.0.2.0/24", 500, 2, protocol=4)
    blocking = replace(blocking, key=replace(blocking.key, metric=METRIC))
    node = Node(foreign=[blocking, route("203.0.113.0/24", 500, 2, protocol=4)])
    node.up(RED)
    node.learns(RED, "192.0.2.0/24")
    found = rows(node)
    assert found["192.0.2.0/24"]["state"] == "blocked"
    assert (found["203.0.113.0/24"]["state"], found["203.0.113.0/24"]["owner"]) == ("installed", "foreign")


def test_what_an_earlier_life_left_is_told_as_leaving() -> None:
    left = replace(route("192.0.2.0/24", 500, 2, protocol=179), key=key("192.0.2.0/24"))
    node = Node()
    node.ours[left.key] = left
    node.core.handle(Overrun(), node.now)
    node.settle()
    assert rows(node)["192.0.2.0/24"]["state"] == "leaving"


def test_paths_of_a_peer_that_is_gone_for_good_are_not_told(node: Node) -> None:
    node.learns(RED, "192.0.2.0/24")
    node.now += 61  # in sync, so that what goes may be deleted
    node.settle()
    node.down(RED, DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2))
    assert "192.0.2.0/24" not in rows(node)


def test_only_what_is_within_a_prefix_or_in_a_state(node: Node) -> None:
    node.learns(RED, "105.8.0.0/16", "105.8.1.0/24", "105.9.0.0/16")
    node.learns(RED, "105.8.2.0/24", next_hop="172.16.99.1")
    within = ip_network("105.8.0.0/16")
    assert list(rows(node, within=within)) == ["105.8.0.0/16", "105.8.1.0/24", "105.8.2.0/24"]
    assert list(rows(node, within=within, state=RouteState.UNUSED)) == ["105.8.2.0/24"]
    assert rows(node, within=ip_network("2001:db8::/32")) == {}


@pytest.mark.parametrize("ordered", [True, False])
def test_pages_put_together_are_the_whole(node: Node, ordered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not ordered:
        monkeypatch.setattr(module, "SORTED", 10)
        monkeypatch.setattr(module, "SCAN", 7)
    second = peer("red-2", "red", "172.16.1.141")
    node.core.handle(ConfigLoaded(intent(networks=(NetworkIntent("red", 500, (RED, second)),))), node.now)
    node.settle()
    node.up(second, "172.16.1.141")
    announced = [f"105.8.{number}.0/24" for number in range(40)]
    node.learns(RED, *announced)
    node.learns(second, *announced[20:], "105.9.0.0/16")
    found: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = routes(node.core, "red", limit=9, offset=offset)
        assert len(page["routes"]) <= 9
        found += [row["prefix"] for row in page["routes"]]
        offset = page["next"]
    assert sorted(found) == sorted([*announced, "105.9.0.0/16", "172.16.1.0/24"])


def test_a_prefix_tells_how_many_peers_announce_it(node: Node) -> None:
    node.learns(RED, "105.8.10.0/24")
    assert rows(node)["105.8.10.0/24"]["peers"] == 1
    assert rows(node)["172.16.1.0/24"]["peers"] == 0


def test_a_network_that_does_not_run_has_no_page(node: Node) -> None:
    with pytest.raises(KeyError):
        routes(node.core, "blue")


@pytest.mark.parametrize(
    "prefix", ["0.0.0.0/0", "10.0.0.0/8", "10.128.0.0/9", "192.0.2.255/32", "::/0", "2001:db8::/33"]
)
def test_a_prefix_is_printed_as_it_is_and_known_to_be_within(prefix: str) -> None:
    network = ip_network(prefix)
    family, nlri = Family.of(network), nlri_of(network)
    assert prefix_text(family, nlri) == prefix
    for within in ("0.0.0.0/0", "10.0.0.0/8", "10.128.0.0/10", "192.0.2.0/24", "::/0", "2001:db8::/32"):
        outer = ip_network(within)
        assert is_within(family, nlri, outer) is (
            outer.version == network.version and network.subnet_of(outer)
        )  # type: ignore[arg-type]
