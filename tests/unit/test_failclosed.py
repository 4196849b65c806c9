"""`failclosed.hit`: told at once, then ever more seldom, and pointing at what is amiss."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from itertools import pairwise

from tests.unit.nodes import RED, YELLOW, Node, gateway, intent, route
from vrfbgp import failclosed
from vrfbgp.events import DownCause, DownKind, DrainAsked
from vrfbgp.failclosed import IPV4, LONGEST_PAUSE, PAUSE, Hits, Tally
from vrfbgp.intent import NetworkIntent
from vrfbgp.notes import Code

HITS = Hits({IPV4: 7, "cali1": 2}, 5.0)


def test_the_first_packets_are_told_at_once_and_those_that_follow_together() -> None:
    tally = Tally()
    assert tally.look({IPV4: 100}, 0.0) is None, "what was counted before is not ours to tell"
    assert tally.look({IPV4: 100}, 5.0) is None
    assert tally.look({IPV4: 103}, 10.0) == Hits({IPV4: 3}, 5.0)
    for now in range(15, 40, 5):
        assert tally.look({IPV4: 100 + now}, float(now)) is None
    assert tally.look({IPV4: 140}, 40.0) == Hits({IPV4: 37}, 30.0)


def test_what_goes_on_is_told_ever_more_seldom_until_it_was_quiet() -> None:
    tally, told = Tally(), []
    tally.look({IPV4: 0}, 0.0)
    for now in range(5, 7200, 5):
        if hits := tally.look({IPV4: now}, float(now)):
            told.append((now, hits.packets[IPV4]))
    assert len(told) < 15
    assert sum(packets for _, packets in told) == told[-1][0], "none is left out"
    gaps = [b - a for (a, _), (b, _) in pairwise(told)]
    assert gaps[0] == PAUSE
    assert max(gaps) == LONGEST_PAUSE
    # What came since is told when that is due; then a quiet time, and it is as at first.
    assert tally.look({IPV4: 7200}, 9000.0)
    assert tally.look({IPV4: 7200}, 9000.0 + LONGEST_PAUSE) is None
    assert tally.look({IPV4: 7201}, 10000.0) == Hits({IPV4: 1}, 10000.0 - 9000.0 - LONGEST_PAUSE)
    assert tally.look({IPV4: 7202}, 10000.0 + PAUSE)


def test_a_device_that_is_new_or_was_made_anew_counts_from_then_on() -> None:
    tally = Tally()
    tally.look({IPV4: 0}, 0.0)
    assert tally.look({IPV4: 0, "cali1": 50}, 5.0) is None
    assert tally.look({IPV4: 0, "cali1": 3}, 10.0) is None
    assert tally.look({IPV4: 0, "cali1": 4}, 15.0) == Hits({"cali1": 1}, 5.0)


def test_gateways_that_lack_something_are_named_with_what() -> None:
    gateways = (
        gateway("default/red", "10.50.0.2/32", "red"),
        gateway("default/both", "10.50.0.4/32", "yellow", "blue"),
    )
    node = Node(intent(gateways=gateways))
    node.up(RED)
    told = failclosed.note(node.core, HITS)
    assert told is not None
    assert (told.code, told.warning) == (Code.FAILCLOSED_HIT, True)
    assert told.text == (
        "packets without a route in 5 s, in this network namespace: 7 of IPv4, 2 of IPv6 by cali1; "
        "closed in whole or in part: gateway default/red (network red has learned nothing), "
        "gateway default/both (network yellow is down, network blue is missing)"
    )


def test_if_all_works_the_event_is_no_warning_and_says_so() -> None:
    node = Node()
    for peer in (RED, YELLOW):
        node.up(peer)
        node.learns(peer, "105.8.10.0/24")
    told = failclosed.note(node.core, HITS)
    assert told is not None
    assert not told.warning
    assert "all networks of the gateways here work" in told.text
    node.down(YELLOW, DownCause(DownKind.HOLD_TIMER))
    told = failclosed.note(node.core, HITS)
    assert told is not None
    assert "default/yellow (network yellow is down)" in told.text
    assert "default/red" not in told.text


def test_no_more_than_some_are_named_and_a_drained_node_says_that() -> None:
    many = tuple(gateway(f"default/g{n}", f"10.50.0.{n}/32", "red") for n in range(1, 7))
    node = Node(intent(gateways=many))
    node.core.handle(DrainAsked(0.0), node.now)
    node.settle()
    node.settle()
    told = failclosed.note(node.core, HITS)
    assert told is not None
    assert "default/g3 (the node is drained), 3 gateways more" in told.text


def test_where_no_gateway_is_closed_it_was_none_of_ours() -> None:
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED,), fail_open=True),), gateways=()))
    assert failclosed.note(node.core, HITS) is None
    assert failclosed.note(Node(intent(enabled=False)).core, HITS) is None


def test_ipv6_is_counted_on_the_gateways_devices_alone() -> None:
    here = replace(route("2001:db8::2/128", 254, 4))
    ranges = (ip_network("10.50.0.2/32"), ip_network("2001:db8::/64"))
    both = gateway("default/red", "10.50.0.2/32", "red", ranges=ranges, exported=ranges)
    node = Node(intent(gateways=(both,)), foreign=(here,))
    assert failclosed.devices(node.core) == {"gw-red"}
    assert failclosed.devices(Node().core) == frozenset()
