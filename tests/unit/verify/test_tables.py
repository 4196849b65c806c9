"""Routes and next hops: each flaw is named; and what the kernel and the daemon say of themselves."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from tests.unit.verify.scene import (
    FABRIC,
    RED0,
    RED_GROUP,
    RED_OBJECT,
    WANTED,
    YELLOW0,
    YELLOW_GROUP,
    YELLOW_OBJECT,
    Scene,
    network_status,
    nlri,
    route,
    status,
)
from vrfbgp.fib.nexthops import FIRST_ID
from vrfbgp.intent import NetworkIntent
from vrfbgp.model import (
    MAIN_TABLE,
    METRIC,
    PROTOCOL,
    Family,
    KernelNexthop,
    KernelRoute,
    NexthopGroup,
    NexthopObject,
    RouteKey,
    nlri_of,
)
from vrfbgp.survey import Bunch
from vrfbgp.verify.findings import Flaw, Weight
from vrfbgp.verify.sight import LOCAL_TABLE

SPARE = FIRST_ID + 100


def nexthop(id_: int, *members: int, ifindex: int = RED0, protocol: int = PROTOCOL) -> KernelNexthop:
    one = NexthopObject(ip_address("172.16.1.140"), ifindex)
    return KernelNexthop(id_, protocol, NexthopGroup(members) if members else one)


# -- routes ----------------------------------------------------------------------------------------


def test_routes_that_leave_by_another_networks_uplink() -> None:
    scene = Scene()
    scene.nexthops[RED_GROUP] = nexthop(RED_GROUP, RED_OBJECT, YELLOW_OBJECT)
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.WRONG_UPLINK, Weight.LEAK)
    assert found.subject == f"next hop {RED_GROUP} in table 500 (network red)"
    assert "1000 IPv4 routes (one is 105.8.10.0/24)" in found.text
    assert "yellow0 (an uplink of network yellow)" in found.text


def test_a_single_route_on_a_next_hop_that_leads_astray() -> None:
    scene = Scene()
    scene.routes[500].append(route("192.0.2.0/24", 500, 0, nhid=YELLOW_GROUP, nexthops=()))
    assert {Flaw.WRONG_UPLINK, Flaw.SHARED_NEXTHOP} == set(scene.flaws())


def test_a_bootstrap_route_that_leads_astray() -> None:
    scene = Scene()
    scene.routes[500].append(route("10.9.0.0/16", 500, FABRIC))
    found = scene.one()
    assert (found.flaw, found.subject) == (Flaw.WRONG_UPLINK, "route 10.9.0.0/16 table 500 metric 20000")
    assert "the way out is eth0; uplinks of network red: red0" in found.text


def test_a_backup_is_at_the_metric_behind() -> None:
    scene = Scene()
    scene.bunches[500][METRIC + 1, RED_GROUP] = Bunch(1, nlri("105.8.10.0/24"))
    assert scene.findings() == ()
    scene.bunches[500][METRIC + 2, RED_GROUP] = Bunch(1, nlri("105.8.10.0/24"))
    assert scene.one().flaw is Flaw.ROUTE_LEFT


def test_a_next_hop_of_which_nothing_can_be_told() -> None:
    scene = Scene()
    scene.nexthops[RED_OBJECT] = KernelNexthop(RED_OBJECT, PROTOCOL, None)
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.UNKNOWN_NEXTHOP, Weight.LEAK)


def test_networks_that_share_an_uplink_share_no_next_hop() -> None:
    peer = WANTED.networks[0].peers[0]
    blue = replace(peer, id=replace(peer.id, network="blue", address=ip_address("172.16.1.141")))
    scene = Scene(replace(WANTED, networks=(*WANTED.networks, NetworkIntent("blue", 502, (blue,)))))
    scene.routes[502] = [route("172.16.1.0/24", 502, RED0)]
    scene.bunches[502] = {(METRIC, RED_GROUP): Bunch(7, nlri("192.0.2.0/24"))}
    found = [finding for finding in scene.findings() if finding.flaw is Flaw.SHARED_NEXTHOP]
    assert found[0].weight is Weight.LEAK
    assert "red (105.8.10.0/24), blue (192.0.2.0/24)" in found[0].text
    scene.bunches[502] = {(METRIC, SPARE): Bunch(7, nlri("192.0.2.0/24"))}
    scene.nexthops[SPARE] = nexthop(SPARE, RED_OBJECT)
    assert Flaw.SHARED_NEXTHOP not in scene.flaws()


def test_a_route_of_somebody_elses_that_leaves_by_no_uplink() -> None:
    scene = Scene()
    scene.routes[500] += [
        route("10.9.0.0/16", 500, RED0, 4, metric=0),
        route("10.8.0.0/16", 500, 0, 4, nexthops=()),
    ]
    assert scene.findings() == ()
    scene.routes[500].append(route("10.7.0.0/16", 500, FABRIC, 4, metric=0))
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.FOREIGN_ROUTE_ASTRAY, Weight.LEAK)
    assert "10.7.0.0/16" in found.text
    assert "eth0" in found.text


def test_a_route_that_drops_packets_leads_nowhere() -> None:
    scene = Scene()
    scene.nexthops[77] = KernelNexthop(77, 4, None)
    scene.routes[500].append(route("10.7.0.0/16", 500, 0, 4, nexthops=(), nhid=77, kind="blackhole"))
    assert scene.findings() == ()
    scene.routes[500][-1] = route("10.7.0.0/16", 500, 0, nexthops=(), kind="blackhole")
    found = scene.one()
    assert (found.flaw, found.subject) == (Flaw.ROUTE_LEFT, "route 10.7.0.0/16 table 500 metric 20000")


def test_a_table_that_another_routing_program_works_with() -> None:
    scene = Scene()
    scene.routes[500].append(route("10.9.0.0/16", 500, RED0, 12, metric=32))
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (
        Flaw.TABLE_IN_USE,
        Weight.DEFECT,
        "table 500 (network red)",
    )
    assert "protocol 12" in found.text


@pytest.mark.parametrize("table", [MAIN_TABLE, LOCAL_TABLE, 253])
def test_a_route_of_ours_where_none_belongs(table: int) -> None:
    scene = Scene()
    scene.routes.setdefault(table, []).append(route("10.9.0.0/16", table, RED0))
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.ROUTE_OUTSIDE, Weight.LEAK)
    assert "10.9.0.0/16" in found.text
    assert "flush" in found.remedy


def test_routes_that_were_left_in_a_table() -> None:
    scene = Scene()
    scene.bunches[510] = {(METRIC, RED_GROUP): Bunch(3, nlri("192.0.2.0/24"))}
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (Flaw.ROUTE_LEFT, Weight.DEFECT, "table 510")
    scene.intent = replace(scene.intent, partial=True)
    assert scene.findings() == ()


def test_a_bootstrap_route_that_is_missing() -> None:
    scene = Scene()
    scene.routes[500].clear()
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (
        Flaw.BOOTSTRAP_MISSING,
        Weight.DEFECT,
        "table 500 (network red)",
    )
    scene.links[RED0] = replace(scene.links[RED0], running=False)
    assert scene.findings() == ()


def test_a_peer_without_an_uplink_is_named() -> None:
    scene = Scene()
    scene.routes[MAIN_TABLE] = [r for r in scene.routes[MAIN_TABLE] if r.nexthops[0][1] != RED0]
    flaws = scene.flaws()
    assert flaws[Flaw.NO_UPLINK] == "BGPPeer red-1"
    assert Flaw.WRONG_UPLINK in flaws
    assert Flaw.RULE_LEFT not in flaws, "its session is kept, and its rule with it"


def test_a_route_out_of_the_node_in_table_local() -> None:
    scene = Scene()
    scene.routes[LOCAL_TABLE] = [route("10.240.0.10/32", LOCAL_TABLE, FABRIC, 2, metric=0, kind="local")]
    assert scene.findings() == ()
    scene.routes[LOCAL_TABLE].append(route("105.8.10.1/32", LOCAL_TABLE, FABRIC, 4, metric=0))
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.DIVERTED, Weight.LEAK)
    assert found.subject.startswith("route 105.8.10.1/32 table local")


# -- next hops -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("added", "flaw", "weight"),
    [
        (nexthop(SPARE, ifindex=FABRIC), Flaw.NEXTHOP_ASTRAY, Weight.DEFECT),
        (nexthop(SPARE), Flaw.NEXTHOP_UNUSED, Weight.NOTICE),
        (nexthop(SPARE, RED_OBJECT), Flaw.NEXTHOP_UNUSED, Weight.NOTICE),
        (nexthop(SPARE, protocol=3), Flaw.NEXTHOP_FOREIGN, Weight.DEFECT),
        (nexthop(77, RED_OBJECT, protocol=3), Flaw.NEXTHOP_BORROWED, Weight.DEFECT),
    ],
)
def test_next_hops_that_nobody_should_have(added: KernelNexthop, flaw: Flaw, weight: Weight) -> None:
    scene = Scene()
    scene.nexthops[added.id] = added
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (flaw, weight, f"next hop {added.id}")


def test_of_a_config_that_is_understood_in_part_no_next_hop_is_left_over() -> None:
    scene = Scene(replace(WANTED, partial=True))
    scene.nexthops[SPARE] = nexthop(SPARE, ifindex=FABRIC)
    assert scene.findings() == ()


def test_somebody_elses_next_hops_are_their_own() -> None:
    scene = Scene()
    scene.nexthops[77] = nexthop(77, ifindex=FABRIC, protocol=3)
    assert scene.findings() == ()


def test_somebody_elses_route_on_a_next_hop_of_ours() -> None:
    scene = Scene()
    scene.routes[MAIN_TABLE].append(route("10.6.0.0/16", MAIN_TABLE, RED0, 4, nhid=RED_GROUP))
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.NEXTHOP_BORROWED, Weight.DEFECT)
    assert "10.6.0.0/16" in found.subject


# -- the kernel's own answer -----------------------------------------------------------------------


def answering(table: int, ifindex: int, **changes: Any) -> Any:
    prefix = nlri_of(WANTED.cluster[0])
    found = KernelRoute(RouteKey(table, Family.IPV4, prefix, 0), 3, nexthops=((None, ifindex),), **changes)
    return lambda src, dst, iif: found


def test_the_kernel_is_asked_about_each_gateway_and_other_networks_too() -> None:
    scene = Scene()
    asked = []
    scene.ask = lambda src, dst, iif: asked.append((str(src), str(dst), iif))
    assert scene.findings() == ()
    assert {src for src, _, _ in asked} == {"10.50.0.2", "10.50.0.4"}
    for src, iif in (("10.50.0.2", 4), ("10.50.0.4", 5)):
        for dst in ("105.8.10.1", "192.0.2.1", "10.244.0.1", "172.16.1.1", "172.16.2.1"):
            assert (src, dst, iif) in asked


def by_main(dst: Any) -> bool:
    return any(dst in range_ for range_ in WANTED.cluster)


def test_answers_that_are_as_they_must_be() -> None:
    scene = Scene()
    main, red, yellow = answering(MAIN_TABLE, FABRIC), answering(500, RED0), answering(501, YELLOW0)
    networks = {"10.50.0.2": red, "10.50.0.4": yellow}
    scene.ask = lambda src, dst, iif: (main if by_main(dst) else networks[str(src)])(src, dst, iif)
    assert scene.findings() == ()
    scene.ask = answering(LOCAL_TABLE, 1, kind="local")
    assert scene.findings() == ()


def test_an_open_gateway_may_take_main() -> None:
    scene = Scene(replace(WANTED, networks=tuple(replace(n, fail_open=True) for n in WANTED.networks)))
    scene.rules = [rule for rule in scene.rules if rule.priority != 103]
    scene.ask = answering(MAIN_TABLE, FABRIC)
    assert scene.findings() == ()


@pytest.mark.parametrize(
    ("table", "ifindex", "words"),
    [
        (MAIN_TABLE, FABRIC, "of table main, though the gateway is closed"),
        (501, YELLOW0, "of network yellow, which is none of the gateway's"),
        (500, FABRIC, "by eth0, which is no uplink of network red"),
    ],
)
def test_an_answer_that_breaks_a_promise(table: int, ifindex: int, words: str) -> None:
    scene = Scene()
    wrong = answering(table, ifindex)
    scene.ask = lambda src, dst, iif: (
        wrong(src, dst, iif) if str(src) == "10.50.0.2" and str(dst) == "105.8.10.1" else None
    )
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.KERNEL_DISAGREES, Weight.LEAK)
    assert found.subject == "EgressGateway default/red"
    assert words in found.text


def test_the_cluster_is_in_no_network() -> None:
    scene = Scene()
    wrong = answering(500, RED0)
    scene.ask = lambda src, dst, iif: wrong(src, dst, iif) if by_main(dst) and iif == 4 else None
    assert "though it is in the cluster" in scene.one().text


def test_what_the_kernel_can_not_say_is_not_wrong() -> None:
    scene = Scene()

    def refuse(src: Any, dst: Any, iif: Any) -> None:
        raise OSError(18, "Invalid cross-device link")

    scene.ask = refuse
    assert scene.findings() == ()


# -- the daemon's word -----------------------------------------------------------------------------


def test_a_daemon_that_says_the_same() -> None:
    scene = Scene()
    scene.status = status()
    assert scene.findings() == ()


@pytest.mark.parametrize(
    ("changes", "subject", "words"),
    [
        ({"enabled": False}, "daemon", "off there"),
        ({"networks": status()["networks"][:1]}, "ExternalNetwork yellow", "does not know it"),
        (
            {"networks": [network_status("red", 510, "red0", "172.16.1.140"), status()["networks"][1]]},
            "ExternalNetwork red",
            "510 there, 500 in the config",
        ),
        (
            {"networks": [network_status("red", 500, "eth0", "172.16.1.140"), status()["networks"][1]]},
            "ExternalNetwork red",
            "eth0 there, red0 by config and kernel",
        ),
        ({"gateways": status()["gateways"][1:]}, "EgressGateway default/red", "there it is missing"),
        (
            {"gateways": [{**status()["gateways"][0], "closed": False}, status()["gateways"][1]]},
            "EgressGateway default/red",
            "to red, open",
        ),
    ],
)
def test_a_daemon_that_says_something_else(changes: dict[str, Any], subject: str, words: str) -> None:
    scene = Scene()
    scene.status = status(**changes)
    found = scene.one()
    assert (found.flaw, found.weight, found.subject) == (Flaw.DAEMON_DIFFERS, Weight.DEFECT, subject)
    assert words in found.text


def test_a_session_that_the_daemon_has_not_for_a_reason() -> None:
    scene = Scene()
    scene.rules = [rule for rule in scene.rules if str(rule.dst) != "172.16.1.140/32"]
    networks = [network_status("red", 500, "red0", "172.16.1.140", "degraded"), status()["networks"][1]]
    scene.status = status(networks=networks)
    assert scene.findings() == ()
    scene.status = status()
    assert scene.one().flaw is Flaw.SESSION_RULE_MISSING


def test_files_that_are_refused_are_a_notice() -> None:
    scene = Scene()
    scene.refused = [{"text": "unknown field routeTable"}]
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.CONFIG_REFUSED, Weight.NOTICE)
    assert "unknown field routeTable" in found.text


def test_what_can_not_be_understood_is_not_proved() -> None:
    scene = Scene()
    scene.skipped = 1
    found = scene.one()
    assert (found.flaw, found.weight) == (Flaw.NOT_READ, Weight.DEFECT)


def test_leaks_are_told_first() -> None:
    scene = Scene()
    scene.nexthops[SPARE] = nexthop(SPARE)
    scene.routes[500].clear()
    scene.rules = [rule for rule in scene.rules if rule.priority != 102]
    scene.nexthops[RED_GROUP] = nexthop(RED_GROUP, YELLOW_OBJECT)
    weights = [finding.weight for finding in scene.findings()]
    assert weights == sorted(weights, key=list(Weight).index)
    assert len(set(weights)) == 3
