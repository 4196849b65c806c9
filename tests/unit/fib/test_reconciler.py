"""The reconciler: what a batch holds and in which order, and what is not done while it is not known."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from vrfbgp.fib.draft import blocked
from vrfbgp.fib.nexthops import FIRST_ID
from vrfbgp.fib.reconciler import Reconciler
from vrfbgp.fib.routes import Place, Routes
from vrfbgp.model import (
    METRIC,
    NO_ROUTE,
    PROTOCOL,
    Action,
    Chosen,
    Family,
    Inline,
    KernelNexthop,
    KernelRoute,
    Member,
    Members,
    NexthopGroup,
    NexthopObject,
    Nlri,
    PeerId,
    RouteKey,
    Rule,
    nlri_of,
)
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRule,
    Failure,
    Operation,
    ReplaceRoute,
    expanded,
)
from vrfbgp.requests import ReadNexthops, ReadRules, ReadTable, ReadTables

V4, V6 = Family.IPV4, Family.IPV6
PLACE = Place(500, METRIC)
A = Member(PeerId("red", ip_address("172.16.1.140")), ip_address("172.16.1.140"), 3)
B = Member(PeerId("red", ip_address("172.16.1.141")), ip_address("172.16.1.141"), 3)
P, Q = nlri_of(ip_network("192.0.2.0/24")), nlri_of(ip_network("198.51.100.0/24"))
GATEWAY = ip_network("10.50.0.2/31")
CLOSE = Rule(V4, 103, GATEWAY, action=Action.UNREACHABLE)
STEER = Rule(V4, 102, GATEWAY, table=500)


def key(nlri: bytes, table: int = 500, metric: int = METRIC) -> RouteKey:
    return RouteKey(table, V4, nlri, metric)


def ours(nlri: bytes, nhid: int, table: int = 500) -> KernelRoute:
    return KernelRoute(key(nlri, table), PROTOCOL, nhid=nhid)


class Choices(dict[Nlri, Chosen]):
    """What is chosen for each prefix."""

    def runs(self) -> Iterator[tuple[Nlri, Chosen]]:
        return iter(self.items())


class Bench:
    """A reconciler whose reads are answered as told."""

    def __init__(self) -> None:
        self.reconciler = Reconciler()
        self.reconciler.hold_rules = False
        self.reconciler.tables = frozenset({500})
        self.routes = Routes(self.reconciler)
        self.chosen = Choices()
        self.serial = 0

    def open(self) -> None:
        self.routes.open(PLACE)
        self.routes.follow(PLACE, {V4: self.chosen})

    def read(
        self,
        *routes: KernelRoute,
        rules: tuple[Rule, ...] = (),
        nexthops: tuple[KernelNexthop, ...] = (),
    ) -> None:
        """Answer all that is asked for."""
        while requests := self.reconciler.reads():
            for request in requests:
                match request:
                    case ReadTable(table, family):
                        of = [r for r in routes if (r.key.table, r.key.family) == (table, family)]
                        self.reconciler.table_read(table, family, of)
                    case ReadTables():
                        self.reconciler.tables_read({(r.key.table, r.key.family) for r in routes if r.ours})
                    case ReadRules(family):
                        self.reconciler.rules_read(family, [r for r in rules if r.family is family])
                    case ReadNexthops():
                        self.reconciler.nexthops_read(nexthops)

    def batch(self, now: float = 0.0) -> list[Operation]:
        self.serial += 1
        return [op for step in self.reconciler.operations(now, self.serial) for op in expanded(step)]

    def applied(self, *failures: Failure, now: float = 0.0) -> list[Failure]:
        return self.reconciler.applied(self.serial, failures, now)

    def learned(self, nlri: bytes, *members: Member, backup: Members = ()) -> None:
        before = self.chosen.pop(nlri, NO_ROUTE)
        now = self.chosen[nlri] = Chosen(members, backup)
        self.routes.learned(PLACE, V4, [nlri], before, now)


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.open()
    return bench


def kinds(operations: list[Operation]) -> list[str]:
    return [type(operation).__name__ for operation in operations]


def test_nothing_is_written_before_it_was_read(bench: Bench) -> None:
    bench.learned(P, A)
    bench.reconciler.rules.want(CLOSE, True)
    assert bench.batch() == []
    assert set(bench.reconciler.reads()) == {
        ReadNexthops(),
        ReadTables(),
        *(ReadRules(family) for family in Family),
        *(ReadTable(500, family) for family in Family),
    }
    assert bench.reconciler.reads() == [], "each is asked for once"
    assert bench.batch() == []


def test_the_order_of_a_batch(bench: Bench) -> None:
    bench.read(ours(Q, 77))
    bench.routes.bootstrap(PLACE, V4, {Q: Inline(3)})
    bench.learned(P, A)
    for rule in (STEER, CLOSE):
        bench.reconciler.rules.want(rule, True)
    batch = bench.batch()
    assert kinds(batch) == ["AddRule", "AddNexthop", "AddNexthop", "ReplaceRoute", "AddRoute", "AddRule"]
    assert batch[0] == AddRule(CLOSE)
    assert batch[-1] == AddRule(STEER)
    assert bench.batch() == [], "what was handed out counts as done"


def test_a_table_goes_after_the_rule_into_it(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    bench.reconciler.rules.want(STEER, True)
    bench.batch()
    bench.applied()
    bench.routes.close(PLACE)
    bench.reconciler.tables = frozenset()
    bench.reconciler.rules.unwant(STEER)
    assert kinds(bench.batch()) == ["DeleteRule", "DeleteRoute"]
    bench.applied()
    assert kinds(bench.batch()) == ["DeleteNexthop", "DeleteNexthop"]


def test_a_guarded_table_keeps_what_an_earlier_life_left(bench: Bench) -> None:
    bench.reconciler.guarded = {500: frozenset({9})}
    objects = (
        KernelNexthop(FIRST_ID, PROTOCOL, NexthopObject(A.gateway, 3)),
        KernelNexthop(FIRST_ID + 1, PROTOCOL, NexthopGroup((FIRST_ID,))),
        KernelNexthop(FIRST_ID + 2, PROTOCOL, NexthopObject(A.gateway, 9)),
    )
    astray = nlri_of(ip_network("203.0.113.0/24"))
    bench.read(ours(P, FIRST_ID + 1), ours(astray, FIRST_ID + 2), nexthops=objects)
    assert bench.batch() == [DeleteRoute(key(astray))], "it leads out by a device that is no uplink"
    bench.learned(Q, B)
    bench.batch()
    bench.learned(Q)
    assert DeleteRoute(key(Q)) in bench.batch(), "this life made it and knows that it is over"
    assert bench.batch() == []
    bench.reconciler.guarded = {}
    assert DeleteRoute(key(P)) in bench.batch()


def test_what_leads_astray_stands_in_for_nothing(bench: Bench) -> None:
    bench.reconciler.guarded = {500: frozenset({9})}
    objects = (KernelNexthop(FIRST_ID, PROTOCOL, NexthopObject(A.gateway, 9)),)
    bench.read(KernelRoute(key(P, metric=METRIC + 1), PROTOCOL, nhid=FIRST_ID), nexthops=objects)
    bench.learned(P, A)
    batch = bench.batch()
    assert AddRoute(key(P), FIRST_ID + 2) in batch
    assert batch[-1] == DeleteRoute(key(P, metric=METRIC + 1)), "whether the route stands or not"


def test_a_guarded_table_without_barred_devices_keeps_all(bench: Bench) -> None:
    bench.reconciler.guarded = {500: frozenset()}
    bench.read(ours(P, 77))
    assert bench.batch() == []


def test_tables_that_hold_ours_are_found_and_swept(bench: Bench) -> None:
    bench.read(ours(P, 77, table=900))
    assert bench.batch() == [DeleteRoute(key(P, 900))]


def test_a_foreign_route_in_our_place_is_left_alone_and_told(bench: Bench) -> None:
    bench.read(KernelRoute(key(P), 4, nexthops=((None, 3),)))
    bench.learned(P, A)
    assert "AddRoute" not in kinds(bench.batch())
    assert list(blocked(bench.reconciler.slices)) == [key(P)]
    assert not bench.reconciler.route_gone(KernelRoute(key(P), 4, nexthops=((None, 3),)))
    assert AddRoute(key(P), FIRST_ID + 1) in bench.batch()


def test_a_delete_of_another_protocol_is_none_of_ours(bench: Bench) -> None:
    """A foreign route stood beside ours (IPv4 `append`) and went; ours stands."""
    bench.read()
    bench.learned(P, A)
    bench.batch()
    assert not bench.reconciler.route_gone(KernelRoute(key(P), 4, nexthops=((None, 3),)))
    assert bench.batch() == []


def test_what_the_kernel_refused_counts_as_missing_at_once(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    bench.reconciler.rules.want(CLOSE, True)
    add_rule, add_object, add_group, add_route = bench.batch()
    news = bench.applied(*(Failure(op, 12) for op in (add_rule, add_object, add_group, add_route)))
    assert len(news) == 4
    assert not bench.reconciler.rules.settled((CLOSE,))
    assert not bench.reconciler.slices[500, V4, METRIC].settled((P,))
    assert set(bench.reconciler.reads()) == {ReadRules(V4), ReadNexthops()}, "no memory: no route"


def test_a_refused_operation_is_read_and_tried_again_and_told_once(bench: Bench) -> None:
    bench.read()
    bench.reconciler.rules.want(CLOSE, True)
    failure = Failure(bench.batch()[0], 12)
    assert bench.applied(failure) == [failure]
    assert bench.batch(0.0) == [], "not before the truth is known"
    bench.read()
    assert bench.batch(0.0) == [], "nor before its time"
    assert bench.batch(1.0) == [AddRule(CLOSE)]
    assert bench.applied(failure, now=1.0) == [], "no news"
    bench.read()
    bench.batch(2.0)
    bench.applied(now=2.0)
    assert len(bench.reconciler.retry) == 0


def test_a_failure_that_came_right_by_itself_is_forgotten(bench: Bench) -> None:
    bench.read()
    bench.reconciler.rules.want(CLOSE, True)
    bench.applied(Failure(bench.batch()[0], 17))
    bench.read(rules=(CLOSE,))
    assert len(bench.reconciler.retry) == 0
    assert bench.batch(9.0) == []


def test_routes_wait_for_a_next_hop_that_was_refused(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    add_object, add_group, add_route = bench.batch()
    bench.applied(*(Failure(op, 12) for op in (add_object, add_group, add_route)))
    bench.read()
    assert kinds(bench.batch(1.0)) == ["AddNexthop", "AddNexthop"]
    bench.applied(now=1.0)
    assert kinds(bench.batch(1.0)) == ["AddRoute"]


def test_no_next_hop_is_deleted_while_a_route_may_hang_on_it(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    bench.batch()
    bench.applied()
    bench.learned(P, B)
    assert kinds(bench.batch()) == ["AddNexthop", "AddNexthop", "ReplaceRoute"]
    assert bench.batch() == [], "the kernel may still refuse the replacement"
    bench.applied()
    assert kinds(bench.batch()) == ["DeleteNexthop", "DeleteNexthop"]

    bench.learned(P, A)
    bench.reconciler.read_again(ReadTable(500, V4))
    assert not [op for op in bench.batch() if isinstance(op, DeleteNexthop)], "a table is being read"


def test_an_altered_route_is_replaced_and_a_deleted_one_added(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    bench.batch()
    altered = KernelRoute(key(P), PROTOCOL, nexthops=((None, 3),), scope=253)
    assert bench.reconciler.route_seen(altered)
    assert bench.batch() == [ReplaceRoute(key(P), FIRST_ID + 1)]
    assert bench.reconciler.route_gone(ours(P, FIRST_ID + 1))
    assert bench.batch() == [AddRoute(key(P), FIRST_ID + 1)]
    disfigured = KernelRoute(key(P), PROTOCOL, kind="blackhole")
    assert bench.reconciler.route_seen(disfigured)
    assert bench.batch() == [ReplaceRoute(key(P), FIRST_ID + 1)]


def test_rules_of_the_other_family_survive_a_dump_of_one(bench: Bench) -> None:
    six = Rule(V6, 103, ip_network("2001:db8::/64"), action=Action.UNREACHABLE)
    for rule in (CLOSE, six):
        bench.reconciler.rules.want(rule, True)
    bench.read(rules=(CLOSE, six))
    assert bench.batch() == []
    assert bench.reconciler.rules_read(V4, []) == [CLOSE]
    assert bench.batch() == [AddRule(CLOSE)]


def test_our_mark_with_selectors_that_we_never_use_is_not_ours_to_delete(bench: Bench) -> None:
    strange = Rule(V4, 102, GATEWAY, table=500, others=("fwmark 1",))
    bench.read(rules=(strange, STEER))
    assert bench.batch() == [DeleteRule(STEER)]


def test_a_read_that_is_under_way_when_doubt_comes_is_asked_for_again(bench: Bench) -> None:
    bench.read()
    bench.reconciler.read_again(ReadNexthops())
    assert bench.reconciler.reads() == [ReadNexthops()]
    bench.reconciler.read_again(ReadNexthops())
    assert bench.reconciler.reads() == []
    bench.reconciler.nexthops_read([])
    assert bench.reconciler.reads() == [ReadNexthops()], "the first answer may be older than the doubt"


def test_a_learned_route_gives_way_to_a_bootstrap_route(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    bench.batch()
    bench.routes.bootstrap(PLACE, V4, {P: Inline(3)})
    assert kinds(bench.batch()) == ["ReplaceRoute"]
    bench.learned(P)
    assert bench.batch() == []
    bench.routes.bootstrap(PLACE, V4, {})
    bench.learned(P, A)
    assert kinds(bench.batch()) == ["ReplaceRoute"]


def test_objects_made_first_serve_routes_of_the_same_batch(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A, B)
    assert bench.batch() == [
        AddNexthop(FIRST_ID, NexthopObject(A.gateway, 3)),
        AddNexthop(FIRST_ID + 1, NexthopObject(B.gateway, 3)),
        AddNexthop(FIRST_ID + 2, NexthopGroup((FIRST_ID, FIRST_ID + 1))),
        AddRoute(key(P), FIRST_ID + 2),
    ]
    assert bench.routes.settled(PLACE)


def test_x7_a_dead_peers_routes_are_gone_without_a_word_for_each(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A, backup=(B,))
    bench.learned(Q, A)
    assert AddRoute(key(P, metric=METRIC + 1), FIRST_ID + 3) in bench.batch()
    bench.applied()
    assert bench.reconciler.lost(A.peer) == [DeleteNexthop(FIRST_ID)]
    assert not bench.reconciler.route_gone(ours(Q, FIRST_ID + 1)), "it went as we wanted: no repair"
    bench.learned(P, B)
    bench.learned(Q)
    assert bench.batch() == [AddRoute(key(P), FIRST_ID + 3)]
    assert bench.batch() == []
    assert not bench.reconciler.at_rest
    bench.applied()
    assert bench.batch() == [DeleteRoute(key(P, metric=METRIC + 1))], "only now it is known to stand"


def test_a_next_hop_that_does_not_go_puts_all_in_doubt(bench: Bench) -> None:
    bench.read()
    bench.learned(P, A)
    bench.batch()
    bench.applied()
    bench.reconciler.applied(9, [Failure(DeleteNexthop(FIRST_ID), 1)], 0.0)
    assert {ReadNexthops(), ReadTable(500, V4)} <= set(bench.reconciler.reads())


def test_p23_a_next_hop_found_missing_puts_the_tables_in_doubt(bench: Bench) -> None:
    """The dump may be answered before the event is told, which then tells nothing new."""
    bench.read()
    bench.learned(P, A)
    bench.batch()
    bench.applied()
    bench.reconciler.read_again(ReadNexthops())
    assert bench.reconciler.reads() == [ReadNexthops()]
    bench.reconciler.nexthops_read([])
    assert ReadTable(500, V4) in bench.reconciler.reads()
    assert not [op for op in bench.batch() if isinstance(op, AddRoute)], "not before the table is read"
    bench.reconciler.table_read(500, V4, [])
    bench.reconciler.table_read(500, V6, [])
    assert AddRoute(key(P), FIRST_ID + 1) in bench.batch()


def test_what_was_set_stands_before_what_is_learned(bench: Bench) -> None:
    bench.learned(P, A)
    bench.learned(Q, A)
    slice_ = bench.reconciler.slices[500, V4, METRIC]
    group = slice_.desired[P]
    assert slice_.desired == {P: group, Q: group}
    slice_.want(P, Inline(3))
    assert slice_.desired == {P: Inline(3), Q: group}
    assert (P in slice_.desired, b"\x00" in slice_.desired) == (True, False)
    slice_.unwant(P)
    assert slice_.desired == {P: group, Q: group}, "it is learned still"
    assert sorted(slice_.pending()) == sorted([(P, group, None), (Q, group, None)])
