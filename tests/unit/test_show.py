"""What people see: aligned, never wider than 100 columns where there is no terminal, and harmless."""

from __future__ import annotations

import errno
import io
import re
from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from tests.unit.nodes import LINKS, RED, YELLOW, Node, gateway, intent, peer, route
from vrfbgp.events import ConfigRefused, DownCause, DownKind, LinksRead
from vrfbgp.intent import NetworkIntent, Place, Problem, Reason, Severity
from vrfbgp.model import METRIC, Family, Link, RouteKey, nlri_of
from vrfbgp.show.check import show_check
from vrfbgp.show.explain import show_flow, show_prefix
from vrfbgp.show.plan import show_plan
from vrfbgp.show.routes import show_routes
from vrfbgp.show.status import show_status
from vrfbgp.show.tables import Page, duration, plain
from vrfbgp.views import status
from vrfbgp.views.flow import explain_flow
from vrfbgp.views.outcome import outcome
from vrfbgp.views.prefix import explain_prefix
from vrfbgp.views.routes import routes
from vrfbgp.views.walk import KernelAnswer

LONG = "external-network-of-the-payment-partners-in-frankfurt-number-0042"
LONG_PEER = "border-router-7.dc2.rack-19.payments.example.internal"


def printed(show: Callable[[Page, Any], None], found: Any) -> str:
    """What a command prints where there is no terminal."""
    out = io.StringIO()
    show(Page(out), found)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 100, text
    assert all(line == line.rstrip() for line in text.splitlines())
    return re.sub(r"\b\d\d:\d\d:\d\d\b", "12:34:56", text)


def flow(node: Node, src: str, dst: str, kernel: KernelAnswer = None) -> dict[str, Any]:
    return explain_flow(node.core, ip_address(src), ip_address(dst), kernel, node.now)


def typical() -> Node:
    """Red works, but for one prefix; yellow's router refuses; a gateway wants a network that is missing."""
    problem = Problem(
        Severity.DEGRADED,
        Reason.MISSING_NETWORK,
        "EgressGateway default/both",
        "There is no ExternalNetwork blue: add it, or take it out of externalNetworks.",
        Place("/etc/vrfbgp/gateways.yaml", 16, "spec.externalNetworks[1]"),
    )
    gateways = (
        gateway("default/red", "10.50.0.2/32", "red"),
        gateway("default/both", "10.50.0.4/32", "yellow", "blue", degraded=(problem,)),
    )
    node = Node(intent(gateways=gateways, problems=(problem,)))
    node.up(RED)
    node.learns(RED, "105.8.10.0/24", "192.0.2.0/24")
    node.learns(RED, "198.51.100.0/24", next_hop="172.16.99.1")
    node.down(YELLOW, DownCause(DownKind.NOTIFICATION_RECEIVED, 2, 2), failed=True)
    node.now += 125
    return node


STATUS = """\
Node node-1: 0 of 2 networks ok, 1 of 2 sessions down, 2 gateways, 1 problem

NETWORK  STATE    TABLE  ROUTES  PENDING  IN SYNC  UPLINKS
red      syncing    500       2        0  no       red0
yellow   down       501       0        0  no       yellow0

NETWORK  PEER      ADDRESS          AS  STATE          FOR  RECEIVED  USABLE  IN USE  ANNOUNCED
red      red-1     172.16.1.140  64512  established  2m 5s         3       2       2          1
yellow   yellow-1  172.16.2.140  63400  idle         2m 5s         0       0       0          0

NETWORK  PEER   NOT USED, BECAUSE    PREFIXES
red      red-1  next-hop-unresolved         1

GATEWAY       STATE     RANGES        NETWORKS                ELSE         RULES  ANNOUNCED
default/red   ok        10.50.0.2/32  red                     unreachable      2  10.50.0.2
default/both  degraded  10.50.0.4/32  yellow, blue (missing)  unreachable      2  none is here

Sessions that are not up
  yellow/172.16.2.140 (yellow-1): notification received 2/2 (OPEN Message Error, Bad Peer AS)
      The peer and this config name different AS numbers: compare asNumber of the BGPPeer, and our
      local AS (64512), with the router's.

Problems
  degraded EgressGateway default/both [missing-network]
      There is no ExternalNetwork blue: add it, or take it out of externalNetworks.
      /etc/vrfbgp/gateways.yaml:16: spec.externalNetworks[1]
"""


def test_status_of_a_typical_node() -> None:
    node = typical()
    assert printed(show_status, status(node.core, node.now)) == STATUS


def test_a_session_that_is_down_is_never_beside_0_problems() -> None:
    node = Node(intent())
    node.up(RED)
    node.down(YELLOW, DownCause(DownKind.NOTIFICATION_RECEIVED, 2, 2), failed=True)
    first = printed(show_status, status(node.core, node.now)).splitlines()[0]
    assert "1 of 2 sessions down" in first
    assert "problem" not in first


def test_routes_of_a_typical_network() -> None:
    assert (
        printed(show_routes, routes(typical().core, "red"))
        == """\
Network red, table 500 (not in sync yet): 4 prefixes

PREFIX           STATE      OWNER      GATEWAY       DEVICE  PEER   REASON
105.8.10.0/24    installed  learned    172.16.1.140  red0    red-1  -
172.16.1.0/24    installed  bootstrap  on-link       red0    -      -
192.0.2.0/24     installed  learned    172.16.1.140  red0    red-1  -
198.51.100.0/24  unused     learned    -             -       -      next-hop-unresolved
"""
    )


def test_explain_of_a_prefix_that_waits() -> None:
    found = explain_prefix((node := typical()).core, "red", ip_network("198.51.100.0/24"), node.now)
    assert (
        printed(show_prefix, found)
        == """\
198.51.100.0/24 in network red (table 500): not installed: none of its paths can be used

Paths, those in use first
  refused red-1 (172.16.1.140): nothing in table 500 leads to its next hop 172.16.99.1
      next hop 172.16.99.1, AS path 64501, origin igp, iBGP
      announced as the session began, between 12:34:56 and 12:34:56, 1m 5s ago
      Let the peer announce itself as next hop, or add a route to it in the network's table
      (reachableBy, bootstrapRoutes).
"""
    )


def test_explain_of_a_flow_that_is_forwarded() -> None:
    kernel = replace(
        route("105.8.10.0/24", 500, 2, protocol=179), nexthops=((ip_address("172.16.1.140"), 2),)
    )
    found = flow(typical(), "10.50.0.2", "105.8.10.1", kernel)
    assert (
        printed(show_flow, found)
        == """\
10.50.0.2 -> 105.8.10.1: forwarded by network red (table 500), route 105.8.10.0/24, to 172.16.1.140
on red0

gateway      default/red
comes in by  gw-red
rule         102: from 10.50.0.2/32 lookup 500
table        500 (network red)
route        105.8.10.0/24 (learned)
kernel       agrees: unicast, table 500, 172.16.1.140 on red0
way back     10.50.0.2 is announced to red-1 (172.16.1.140)

  GATEWAY       DEVICE  PEER
  172.16.1.140  red0    red-1

Rules that match and do not decide
  RULE                      OURS  RESULT
  0: from all lookup local  no    no-route

Paths, those in use first
  best red-1 (172.16.1.140): the best path
      next hop 172.16.1.140, AS path 64501, origin igp, iBGP
      announced as the session began, between 12:34:56 and 12:34:56, 1m 5s ago
"""
    )


def test_a_difference_from_the_kernel_is_loud_and_stands_before_all_else() -> None:
    kernel = route("0.0.0.0/0", 254, 2)
    found = flow(typical(), "10.50.0.2", "105.8.10.1", kernel)
    lines = printed(show_flow, found).splitlines()
    assert lines[3] == "!!! This differs from the kernel: the kernel takes table main, not 500"
    assert any(line.startswith("kernel") and "DIFFERS" in line for line in lines)


def test_explain_of_a_flow_that_is_not_says_what_is_missing() -> None:
    found = flow(typical(), "10.50.0.4", "105.8.10.1")
    text = printed(show_flow, found)
    missing = text[text.index("What is missing") :]
    assert "  yellow: no session is up; 172.16.2.140 (yellow-1)" in missing
    assert "  blue: there is no such ExternalNetwork\n      Create it, or take it out" in missing


def test_check_of_a_config_with_problems_of_all_kinds() -> None:
    degraded = Problem(
        Severity.DEGRADED,
        Reason.MISSING_SECRET,
        "BGPPeer red-1",
        "There is no Secret kube-system/s: create it.",
        Place("peers.yaml", 4, "spec.password"),
    )
    notice = Problem(Severity.NOTICE, Reason.NOT_ACTED_ON, "BGPPeer red-1", "weight is not acted on yet.")
    wanted = intent(
        networks=(NetworkIntent("red", 500, (replace(RED, degraded=(degraded,)),)), NetworkIntent("a", 502))
    )
    assert (
        printed(show_check, outcome("node-1", wanted, (notice, degraded)))
        == """\
On node node-1: 2 networks, 1 session, 2 gateways

NETWORK  STATE  TABLE  PEER   ADDRESS          AS  LOCAL AS  SESSION
red      ok       500  red-1  172.16.1.140  64512     64512  degraded
a        ok       502  -      -                 -         -  -

GATEWAY         STATE  RANGES        NETWORKS  ELSE
default/red     ok     10.50.0.2/32  red       unreachable
default/yellow  ok     10.50.0.4/32  yellow    unreachable

Degraded: these do not work, the rest does
  degraded BGPPeer red-1 [missing-secret]
      There is no Secret kube-system/s: create it.
      peers.yaml:4: spec.password

Notices
  notice BGPPeer red-1 [not-acted-on]
      weight is not acted on yet.

This config is taken, but some of it does not work.
"""
    )


def test_check_of_a_refused_config_says_so_and_shows_no_effect() -> None:
    refused = Problem(
        Severity.REFUSED, Reason.UNKNOWN_FIELD, "BGPPeer x", "No such field.", Place("b.yaml", 7)
    )
    text = printed(show_check, outcome("node-1", None, (refused,)))
    assert "b.yaml:7" in text
    assert "node-1" not in text
    assert text.endswith("This config is refused: a running daemon keeps the one before.\n")


def test_a_plan_tells_sessions_first_and_operations_only_if_asked_for() -> None:
    session = {"network": "red", "peer": "172.16.1.140", "as": 64512}
    found = {
        "refused": [],
        "empty": False,
        "settled": False,
        "sessions": {
            "begin": [],
            "restart": [session | {"changed": ["peer_as", "hold_time"]}],
            "end": [],
            "stay": 3,
        },
        "rules": {"add": ["102: from 10.50.0.2/31 lookup 511"], "delete": []},
        "tables": [{"table": 511, "family": "ipv4", "network": "red", "add": 7, "replace": 0, "delete": 0}],
        "announcements": {
            "announce": [],
            "withdraw": [{"network": "red", "peer": "172.16.1.140", "prefix": "10.50.0.2/32"}],
        },
        "refreshes": [{"network": "red", "peer": "172.16.1.140", "family": "ipv4"}],
        "problems": [],
        "operations": ["add route 192.0.2.0/24 table 511 metric 20000 nhid 5"],
        "left_off": 1,
    }
    brief = printed(lambda page, plan: show_plan(page, plan, verbose=False), found)
    assert (
        brief
        == """\
Sessions: 1 change, 3 stay as they are
  SESSION   NETWORK  PEER             AS  BECAUSE OF
  restarts  red      172.16.1.140  64512  its AS, hold time

Rules
  + 102: from 10.50.0.2/31 lookup 511

Routes
  TABLE  FAMILY  NETWORK  ADD  REPLACE  DELETE
    511  ipv4    red        7        0       0

Announcements
            NETWORK  PEER          PREFIX
  withdraw  red      172.16.1.140  10.50.0.2/32

red/172.16.1.140 is asked to send all ipv4 routes again.

The daemon is busy: what it waits for may be missing here. Ask again when it is done.
"""
    )
    long = printed(lambda page, plan: show_plan(page, plan, verbose=True), found)
    assert "  add route 192.0.2.0/24 table 511 metric 20000 nhid 5\n  and 1 more\n" in long


# -- what does not fit -----------------------------------------------------------------------------


def crowded() -> Node:
    """Long names, long addresses, and everything wrong that can be."""
    v6 = frozenset({Family.IPV6})
    address = "2001:db8:aaaa:bbbb:cccc:dddd:eeee:1140"
    far = peer(LONG_PEER, LONG, address, 4200000001, families=v6, source_interface="uplink-partners")
    problem = Problem(
        Severity.DEGRADED,
        Reason.MISSING_FILTER,
        f"BGPPeer {LONG_PEER}",
        f"There is no BGPFilter {LONG}-import: " + "create it, or take it out of filters. " * 5,
        Place("/etc/vrfbgp/config.d/production/peers-of-the-payment-partners.yaml", 1234, "spec.filters[0]"),
    )
    key = RouteKey(500, Family.IPV4, nlri_of(ip_network("192.0.2.0/24")))
    blocking = route("105.8.10.0/24", 500, 2, protocol=4)
    node = Node(
        intent(
            networks=(
                NetworkIntent(LONG, 4294967295, (far,)),
                NetworkIntent("red", 500, (RED,)),
                NetworkIntent("yellow", 501, (YELLOW,)),
            ),
            gateways=(
                gateway(f"payments/{LONG}", "10.50.0.2/32", LONG, "red", "yellow", "missing-" + LONG),
                gateway("a/b", "10.50.0.4/32", "red", "yellow"),
            ),
            problems=(problem,),
        ),
        foreign=[replace(blocking, key=replace(blocking.key, metric=METRIC))],
        refuses={key: errno.ENOSPC},
    )
    node.up(RED)
    node.up(YELLOW)
    node.learns(RED, "192.0.2.0/24", "105.8.10.0/24", *(f"105.9.{number}.0/24" for number in range(20)))
    node.learns(YELLOW, *(f"105.9.{number}.0/24" for number in range(20)))
    node.down(RED, DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2, "maintenance " * 30), failed=True)
    node.core.handle(ConfigRefused((problem, replace(problem, severity=Severity.REFUSED))), node.now)
    node.now += 90_000
    return node


def test_long_names_are_folded_within_the_width() -> None:
    node = crowded()
    text = printed(show_status, status(node.core, node.now))
    squeezed = "".join(text.split())
    assert LONG[:10] in text
    assert "2001:db8" in text
    for told in (
        "No space left on device",
        "105.8.10.0/24 table 500 metric 20000",
        "red before yellow: 20 prefixes",
        "The newest config is refused",
        "4294967295",
    ):
        assert "".join(told.split()) in squeezed, told


def test_headings_are_never_folded() -> None:
    node = crowded()
    text = printed(show_status, status(node.core, node.now))
    for heading in ("PENDING", "IN SYNC", "RECEIVED", "ANNOUNCED", "NETWORKS"):
        assert heading in text


@pytest.mark.parametrize("dst", ["192.0.2.1", "105.9.1.1", "203.0.113.1"])
def test_explanations_of_crowded_nodes_fit(dst: str) -> None:
    node = crowded()
    printed(show_flow, flow(node, "10.50.0.2", dst))
    printed(show_prefix, explain_prefix(node.core, "red", ip_network(f"{dst}/32").supernet(8), node.now))
    printed(show_routes, routes(node.core, "red"))


def test_an_ecmp_route_has_a_line_for_each_next_hop() -> None:
    second = peer("red-2", "red", "172.16.1.141")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, second)),)))
    for one in (RED, second):
        node.up(one, str(one.id.address))
        node.learns(one, "105.8.10.0/24")
    lines = printed(show_routes, routes(node.core, "red")).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("105.8.10.0/24"))
    assert "172.16.1.140" in lines[at]
    assert lines[at + 1].split() == ["172.16.1.141", "red0", "red-2", "-"]


def test_what_stands_ready_as_backup_is_told_below_what_is_used() -> None:
    second = peer("red-2", "red", "172.16.1.141")
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, second)),)))
    for one, path in ((RED, ()), (second, (65010,))):
        node.up(one, str(one.id.address))
        node.learns(one, "105.8.10.0/24", as_path=path)
    assert (
        printed(show_routes, routes(node.core, "red"))
        == """\
Network red, table 500 (not in sync yet): 2 prefixes

PREFIX         STATE      OWNER      GATEWAY       DEVICE  PEER   REASON
105.8.10.0/24  installed  learned    172.16.1.140  red0    red-1  -
               backup                172.16.1.141  red0    red-2  -
172.16.1.0/24  installed  bootstrap  on-link       red0    -      -
"""
    )
    assert (
        printed(show_prefix, explain_prefix(node.core, "red", ip_network("105.8.10.0/24"), node.now))
        == """\
105.8.10.0/24 in network red (table 500): in the kernel

  GATEWAY       DEVICE  PEER
  172.16.1.140  red0    red-1

  Ready to take over (backup route, metric 20001):
  GATEWAY       DEVICE  PEER
  172.16.1.141  red0    red-2

Paths, those in use first
  best red-1 (172.16.1.140): the best path
      next hop 172.16.1.140, AS path (empty), origin igp, iBGP
      announced since 12:34:56, when the session began; the peer has not told all yet
  as-path-length red-2 (172.16.1.141): another path has a shorter AS path; it stands ready as backup
      next hop 172.16.1.141, AS path 65010, origin igp, iBGP
      announced since 12:34:56, when the session began; the peer has not told all yet
"""
    )


# -- what must not be obeyed -----------------------------------------------------------------------


def test_what_others_wrote_is_no_markup_and_no_control_sequence() -> None:
    node = Node()
    hostile = "\x1b[2J[bold red]pwned[/]\x07 :smile: \x9b31m\u202e"
    node.down(RED, DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2, hostile), failed=True)
    text = printed(show_status, status(node.core, node.now))
    assert not set("\x1b\x07\x9b\u202e") & set(text)
    assert "[bold red]pwned[/]" in " ".join(text.split())
    assert ":smile:" in text


def test_devices_with_odd_names_are_shown_as_they_are() -> None:
    node = Node()
    node.links[2] = Link(2, "[red]0", True, True)
    node.core.handle(LinksRead(dict(node.links), node.addresses), node.now)
    node.settle()
    assert "[red]0" in printed(show_status, status(node.core, node.now))
    assert LINKS[2].name == "red0"


class Terminal(io.StringIO):
    """A terminal that takes colours."""

    def isatty(self) -> bool:
        return True


def test_there_is_colour_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    node = typical()
    terminal = Terminal()
    show_status(Page(terminal), status(node.core, node.now))
    assert "\x1b[" in terminal.getvalue()
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in printed(show_status, status(node.core, node.now))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m 0s"), (3725, "1h 2m"), (90_000, "1d 1h"), (None, "-")],
)
def test_durations(seconds: int | None, text: str) -> None:
    assert duration(seconds) == text


def test_plain_keeps_letters_of_all_languages() -> None:
    assert plain("Zürich 東京\n") == "Zürich 東京\n"
    assert plain("a\tb\x7f") == "a\\x09b\\x7f"


def test_nothing_begins_with_an_empty_line() -> None:
    problem = {"severity": "refused", "subject": "file a", "reason": "syntax", "text": "is none.", "file": ""}
    text = printed(lambda page, plan: show_plan(page, plan, verbose=False), {"refused": [problem]})
    assert text.startswith("Refused: nothing would change")


def test_a_long_table_is_printed_at_once_aligned_and_harmless() -> None:
    out = io.StringIO()
    rows = [(f"10.0.{n >> 8}.{n & 255}/32", "installed", n, None, "a\nb\x1b") for n in range(1000)]
    Page(out).table(("PREFIX@", "STATE", "NUMBER#", "PEER", "REASON"), rows, 2)
    head, *lines = out.getvalue().splitlines()
    assert head == "  PREFIX         STATE      NUMBER  PEER  REASON"
    assert len(lines) == 1000
    assert lines[7] == "  10.0.0.7/32    installed       7  -     a b\\x1b"
    assert lines[-1] == "  10.0.3.231/32  installed     999  -     a b\\x1b"


def test_routes_on_several_pages_are_one_list_with_the_number_below() -> None:
    node = typical()
    first, second = (routes(node.core, "red", limit=2, offset=offset) for offset in (0, 2))
    out = io.StringIO()
    show_routes(Page(out), first, iter([second]))
    lines = out.getvalue().splitlines()
    assert lines[0] == "Network red, table 500 (not in sync yet)"
    assert sum(line.startswith("PREFIX") for line in lines) == 1
    assert lines[-1] == "4 prefixes"
    assert all(any(row["prefix"] in line for line in lines) for row in first["routes"] + second["routes"])
