"""Planning: places, what waits for what, and what is told."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from tests.unit.core.nodes import host, network, peer, route
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.routes import Place
from vrfbgp.intent import GatewayIntent, Intent, NetworkIntent, Reason
from vrfbgp.model import METRIC, Family, KernelRoute, Rule
from vrfbgp.network import Network
from vrfbgp.operations import AddRule, Step
from vrfbgp.plan import Planner
from vrfbgp.requests import ConfigureSpeaker, ReadTable, SpeakerRequest

RED = network(peer("172.16.1.140"), name="red", table=500)
YELLOW = network(peer("172.16.2.140", "yellow"), name="yellow", table=501)
GATEWAY = GatewayIntent("egress/gw", (ip_network("10.50.0.2/31"),), ("red",))


class Bench:
    """A planner on a node with two uplinks, whose reads are answered with nothing, or as told."""

    def __init__(self) -> None:
        self.host = host({"eth1": "172.16.1.10/24", "eth2": "172.16.2.10/24"})
        self.reconciler = Reconciler()
        self.planner = Planner(self.host, self.reconciler)
        self.networks: dict[str, Network] = {}
        self.serial = 0

    def plan(self, *networks: NetworkIntent, priority: int = 102) -> None:
        for intent in networks:
            if intent.name in self.networks:
                self.networks[intent.name].configure(intent, 0.0)
            else:
                self.networks[intent.name] = Network(intent, 0.0)
        self.planner.plan(Intent("node1", True, priority, networks, (GATEWAY,)), self.networks, 0.0)

    def read(self, *routes: KernelRoute) -> None:
        for request in self.reconciler.reads():
            match request:
                case ReadTable(table, family):
                    of = [r for r in routes if (r.key.table, r.key.family) == (table, family)]
                    self.reconciler.table_read(table, family, of)
                    self.host.table_read(table, family, of)
        self.reconciler.nexthops_read([])
        self.reconciler.tables_read([])
        for family in Family:
            self.reconciler.rules_read(family, [])

    def batch(self) -> list[Step]:
        self.serial += 1
        batch = self.reconciler.operations(0.0, self.serial)
        self.planner.note_batch(self.serial, batch)
        return batch

    def configure(self, name: str, acked: int) -> list[SpeakerRequest]:
        return self.planner.configure_speaker(self.networks[name], self.planner.settled(acked), 0.0)

    @property
    def tables(self) -> dict[str, int]:
        return {name: place.table for name, place in self.planner.places.items()}


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_network_has_no_place_before_its_table_is_read(bench: Bench) -> None:
    bench.plan(RED)
    assert bench.tables == {}
    assert bench.reconciler.hold_rules, "a rule of an earlier life may still be right"
    bench.read()
    bench.plan(RED)
    assert bench.planner.places == {"red": Place(500, METRIC)}
    assert not bench.reconciler.hold_rules
    assert bench.reconciler.tables == {500}


def test_a_session_waits_for_its_rule_and_its_route(bench: Bench) -> None:
    bench.plan(RED)
    assert bench.configure("red", 0) == []
    bench.read()
    bench.plan(RED)
    bench.batch()
    assert bench.configure("red", 0) == [], "handed out, but not acknowledged"
    (request,) = bench.configure("red", bench.serial)
    assert isinstance(request, ConfigureSpeaker)
    assert [session.source_interface for session in request.sessions] == ["eth1"]
    assert bench.configure("red", bench.serial) == []


def test_tables_exchanged_in_one_edit(bench: Bench) -> None:
    bench.plan(RED, YELLOW)
    bench.read()
    bench.plan(RED, YELLOW)
    red, yellow = network(*RED.peers, name="red", table=501), network(*YELLOW.peers, name="yellow", table=500)
    bench.plan(red, yellow)
    assert bench.tables == {"red": 501, "yellow": 500}
    for table, device in ((501, 2), (500, 3)):
        (inline,) = bench.reconciler.slices[table, Family.IPV4, METRIC].desired.values()
        assert getattr(inline, "ifindex", None) == device


def test_a_table_that_is_still_anothers_is_waited_for(bench: Bench) -> None:
    bench.plan(RED, YELLOW)
    bench.read()
    bench.plan(RED, YELLOW)
    red, yellow = network(*RED.peers, name="red", table=600), network(*YELLOW.peers, name="yellow", table=500)
    bench.plan(red, yellow)
    assert bench.tables == {"red": 500, "yellow": 501}, "table 600 is not read yet"
    bench.read()
    bench.plan(red, yellow)
    assert bench.tables == {"red": 600, "yellow": 500}


def test_a_network_that_goes_leaves_nothing_wanted(bench: Bench) -> None:
    bench.plan(RED)
    bench.read()
    bench.plan(RED)
    bench.batch()
    bench.configure("red", bench.serial)
    asked: list[SpeakerRequest] = []
    bench.planner.retire(bench.networks.pop("red"), asked)
    bench.plan()
    assert asked == [ConfigureSpeaker("red", ())]
    assert not bench.reconciler.slices[500, Family.IPV4, METRIC].desired
    assert {rule.table for rule in bench.reconciler.rules.desired} == {0}, "the gateway stays closed"


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (route("10.7.0.0/16 via 172.16.1.1 dev 2", table=500, protocol=186), Reason.TABLE_IN_USE),
        (route("10.7.0.0/16 via 172.16.1.1 dev 2", table=500, protocol=4), None),
        (route("10.7.0.0/16 via 172.16.1.1 dev 2", table=500, metric=METRIC), Reason.FOREIGN_ROUTE),
    ],
)
def test_what_stands_in_the_table_already(bench: Bench, found: KernelRoute, reason: Reason | None) -> None:
    bench.plan(RED)
    bench.read(found)
    bench.plan(RED)
    assert [problem.reason for problem in bench.planner.problems] == ([reason] if reason else [])
    assert ("red" in bench.tables) is (reason is not Reason.TABLE_IN_USE)


def test_a_foreign_rule_into_the_table(bench: Bench) -> None:
    bench.host.rules[Family.IPV4] = (Rule(Family.IPV4, 90, table=500, protocol=3),)
    bench.plan(RED)
    bench.read()
    bench.plan(RED)
    told = [(problem.reason, problem.subject) for problem in bench.planner.problems]
    assert told == [
        (Reason.FOREIGN_RULE, "EgressGateway egress/gw"),
        (Reason.TABLE_IN_USE, "ExternalNetwork red"),
    ]


def test_a_gateway_is_ready_when_its_rules_stand(bench: Bench) -> None:
    intent = Intent("node1", True, 102, (RED,), (GATEWAY,))
    bench.plan(RED)
    bench.read()
    bench.plan(RED)
    assert bench.planner.ready_gateways(intent) == frozenset()
    assert any(isinstance(operation, AddRule) for operation in bench.batch())
    assert bench.planner.ready_gateways(intent) == {"egress/gw"}


def test_one_of_two_sessions_with_the_same_addresses_is_degraded(bench: Bench) -> None:
    one = peer("172.16.1.140", "red", source_interface="eth1")
    two = peer("172.16.1.140", "yellow", source_interface="eth1")
    intents = network(one, name="red", table=500), network(two, name="yellow", table=501)
    bench.plan(*intents)
    bench.read()
    bench.plan(*intents)
    (problem,) = bench.planner.problems
    assert (problem.reason, problem.subject) == (Reason.NO_SOURCE, "BGPPeer yellow-1")
    local = ip_network(ip_address("172.16.1.10"))
    assert [rule.table for rule in bench.reconciler.rules.desired if rule.src == local] == [500]


def test_an_equal_plan_changes_nothing(bench: Bench) -> None:
    bench.plan(RED, YELLOW)
    bench.read()
    bench.plan(RED, YELLOW)
    bench.batch()
    bench.plan(RED, YELLOW)
    assert bench.batch() == []
