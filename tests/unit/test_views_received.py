"""`views.received`: each peer's announcements, taken or refused, and by which rule."""

from __future__ import annotations

import json
from dataclasses import replace
from io import StringIO
from ipaddress import ip_network
from typing import Any

from tests.unit.nodes import RED, Node, intent, peer
from vrfbgp.events import ConfigLoaded
from vrfbgp.filters import FilterRule, Operations, Operator, PrefixMatch
from vrfbgp.intent import NetworkIntent, PeerFilters
from vrfbgp.show.routes import show_received
from vrfbgp.show.tables import Page
from vrfbgp.views.received import PathState, received

BAD = FilterRule("red-in importV4[0]", False, PrefixMatch(ip_network("192.0.2.0/24"), Operator.IN, 0, 32))
TAG = FilterRule("red-in importV4[1]", True, operations=Operations(prepend=(65010,)))


def filtered() -> Node:
    """Red's peer, with two rules; it announces three prefixes."""
    one = replace(RED, filters=PeerFilters(import_v4=(BAD, TAG)))
    node = Node()
    node.core.handle(ConfigLoaded(intent(networks=(NetworkIntent("red", 500, (one,)),))), node.now)
    node.settle()
    node.up(RED)
    node.learns(RED, "192.0.2.0/25", "105.8.0.0/16", "127.0.0.0/8")
    node.learns(RED, "198.51.100.0/24", next_hop="172.16.99.1")
    return node


def rows(node: Node, **words: Any) -> dict[str, dict[str, Any]]:
    page = json.loads(json.dumps(received(node.core, "red", **words)))
    return {row["prefix"]: row for row in page["received"]}


def test_p16_what_was_taken_or_refused_and_by_which_rule() -> None:
    found = rows(filtered())
    assert {prefix: (row["state"], row["reason"], row["rule"]) for prefix, row in found.items()} == {
        "105.8.0.0/16": ("best", None, "red-in importV4[1]"),
        "192.0.2.0/25": ("refused", "filter", "red-in importV4[0]"),
        "127.0.0.0/8": ("refused", "martian", None),
        "198.51.100.0/24": ("unusable", "next-hop-unresolved", "red-in importV4[1]"),
    }
    assert found["105.8.0.0/16"]["as_path"].startswith("65010 ")


def test_pages_put_together_are_the_whole_and_within_narrows() -> None:
    node = filtered()
    seen, at = [], 0
    while at is not None:
        page = received(node.core, "red", limit=1, offset=at)
        seen += [row["prefix"] for row in page["received"]]
        at = page["next"]
    assert sorted(seen) == sorted(rows(node))
    assert set(rows(node, within=ip_network("192.0.0.0/8"))) == {"192.0.2.0/25"}


def test_one_prefix_is_looked_up_and_states_narrow() -> None:
    node = filtered()
    assert set(rows(node, prefix=ip_network("192.0.2.0/25"))) == {"192.0.2.0/25"}
    assert set(rows(node, prefix=ip_network("105.8.0.0/16"))) == {"105.8.0.0/16"}
    assert rows(node, prefix=ip_network("105.8.0.0/17")) == {}
    assert set(rows(node, state=PathState.REFUSED)) == {"192.0.2.0/25", "127.0.0.0/8"}
    assert set(rows(node, state=PathState.BEST)) == {"105.8.0.0/16"}


def test_of_several_paths_it_is_told_which_is_used_and_which_stands_ready() -> None:
    others = [peer(f"red-{host}", "red", f"172.16.1.{host}") for host in (141, 142)]
    node = Node()
    networks = (NetworkIntent("red", 500, (RED, *others)),)
    node.core.handle(ConfigLoaded(intent(networks=networks)), node.now)
    node.settle()
    for longer, one in enumerate((RED, *others)):
        node.up(one, str(one.id.address))
        node.learns(one, "105.8.0.0/16", as_path=[65001] * (longer + 1))
    page = received(node.core, "red")["received"]
    assert [(row["peer"], row["state"]) for row in page] == [
        (RED.name, "best"),
        ("red-141", "backup"),
        ("red-142", "accepted"),
    ]


def test_people_see_the_rule() -> None:
    text = StringIO()
    show_received(Page(text), received(filtered().core, "red"))
    (line,) = [line for line in text.getvalue().splitlines() if "192.0.2.0/25" in line]
    assert "refused" in line
    assert "red-in importV4[0]" in line
