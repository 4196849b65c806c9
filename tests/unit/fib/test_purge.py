"""`purge`: what is ours, whose next hops stay, and that nothing opens before the last step."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from vrfbgp.events import NexthopsRead, RulesRead, TableRead
from vrfbgp.fib.nexthops import FIRST_ID, LAST_ID
from vrfbgp.fib.purge import CROWDED, Kept, Ours, opening, ours, removal
from vrfbgp.model import (
    MAIN_TABLE,
    METRIC,
    PROTOCOL,
    Action,
    Family,
    KernelNexthop,
    KernelRoute,
    NexthopGroup,
    NexthopObject,
    RouteKey,
    Rule,
    nlri_of,
)
from vrfbgp.operations import DeleteNexthop, DeleteRoutes, DeleteRule, Step

V4, V6 = Family.IPV4, Family.IPV6
OBJECT, GROUP = FIRST_ID, FIRST_ID + 1
GATEWAY, CLUSTER, PEER = ip_network("10.50.0.2/31"), ip_network("10.244.0.0/16"), ip_network("172.16.1.140")

STEER = Rule(V4, 102, GATEWAY, table=500)
STEER_NEXT = Rule(V4, 103, GATEWAY, table=501)
CLOSE = Rule(V4, 104, GATEWAY, action=Action.UNREACHABLE)
EXEMPT = Rule(V4, 101, GATEWAY, CLUSTER, table=MAIN_TABLE)
SESSION = Rule(V4, 101, ip_network("172.16.1.10"), PEER, table=500)
RULES = (EXEMPT, SESSION, STEER, STEER_NEXT, CLOSE)


def route(
    prefix: str, table: int, *, protocol: int = PROTOCOL, nhid: int | None = None, metric: int = METRIC
) -> KernelRoute:
    network = ip_network(prefix)
    return KernelRoute(RouteKey(table, Family.of(network), nlri_of(network), metric), protocol, nhid=nhid)


def nexthop(id_: int, *members: int, protocol: int = PROTOCOL) -> KernelNexthop:
    one = NexthopObject(ip_address("172.16.1.140"), 2)
    return KernelNexthop(id_, protocol, NexthopGroup(members) if members else one)


def found(
    rules: tuple[Rule, ...] = (),
    tables: tuple[TableRead, ...] = (),
    nexthops: tuple[KernelNexthop, ...] = (nexthop(OBJECT), nexthop(GROUP, OBJECT)),
) -> Ours:
    return ours([RulesRead(V4, rules)], tables, NexthopsRead(nexthops))


def prefixes(number: int) -> list[bytes]:
    return [bytes((32, 192, 0, n >> 8, n & 255)) for n in range(number)]


def on_groups(*sizes: int) -> Ours:
    """A table with so many routes on each of as many groups."""
    nlris = iter(prefixes(sum(sizes)))
    held = {next(nlris): GROUP + place for place, size in enumerate(sizes) for _ in range(size)}
    groups = [nexthop(GROUP + place, OBJECT) for place in range(len(sizes))]
    return found((), (TableRead(500, V4, (), {METRIC: held}),), (nexthop(OBJECT), *groups))


# -- what is ours ----------------------------------------------------------------------------------


def test_rules_are_ours_by_protocol_and_if_they_look_like_ours() -> None:
    foreign = Rule(V4, 102, GATEWAY, table=500, protocol=3)
    marked = Rule(V4, 102, GATEWAY, table=500, others=("fwmark 0x1",))
    assert found((*RULES, foreign, marked)).rules == RULES


def test_routes_are_ours_by_protocol_in_any_table_but_the_reserved() -> None:
    inline, foreign = route("172.16.1.0/24", 500), route("10.0.0.0/8", 500, protocol=4)
    backup = route("192.0.2.0/24", 7, metric=METRIC + 1, nhid=GROUP)
    six = route("2001:db8::/32", 7, nhid=GROUP)
    tables = (
        TableRead(500, V4, (inline, foreign), {METRIC: {b"\x08\x0b": GROUP}}),
        TableRead(7, V4, (backup,)),
        TableRead(7, V6, (six,)),
        TableRead(MAIN_TABLE, V4, (route("10.9.0.0/16", MAIN_TABLE),), {METRIC: {b"\x08\x0c": GROUP}}),
    )
    assert found((), tables).routes == {
        (500, V4, METRIC): {inline.key.nlri: None, b"\x08\x0b": GROUP},
        (7, V4, METRIC + 1): {backup.key.nlri: GROUP},
        (7, V6, METRIC): {six.key.nlri: GROUP},
    }


def test_next_hops_are_ours_by_protocol_and_id() -> None:
    odd = KernelNexthop(FIRST_ID + 9, PROTOCOL, None)
    read = (
        nexthop(OBJECT),
        nexthop(GROUP, OBJECT),
        nexthop(LAST_ID),
        odd,
        nexthop(FIRST_ID - 1),
        nexthop(LAST_ID + 1),
        nexthop(FIRST_ID + 5, protocol=3),
    )
    mine = found(nexthops=read)
    assert (mine.groups, mine.objects) == ((GROUP,), (OBJECT, LAST_ID, odd.id))


def test_a_next_hop_that_somebody_elses_route_is_on_stays_with_its_members() -> None:
    foreign = route("10.0.0.0/8", MAIN_TABLE, protocol=4, nhid=GROUP)
    mine = found((), (TableRead(MAIN_TABLE, V4, (foreign,)),))
    assert (mine.groups, mine.objects) == ((), ())
    assert [kept.id for kept in mine.kept] == [OBJECT, GROUP]
    assert "10.0.0.0/8 table main" in mine.kept[1].user
    assert mine.empty


def test_a_next_hop_in_somebody_elses_group_stays() -> None:
    mine = found(nexthops=(nexthop(OBJECT), nexthop(GROUP, OBJECT), nexthop(10, OBJECT, protocol=3)))
    assert (mine.groups, mine.objects) == ((GROUP,), ())
    assert mine.kept == (Kept(OBJECT, "next hop group 10 of somebody else"),)


def test_an_empty_kernel_has_nothing() -> None:
    mine = found(nexthops=())
    assert mine.empty
    assert removal(mine) == opening(mine) == []


# -- in which order --------------------------------------------------------------------------------


def test_what_steers_goes_first_and_what_closes_last() -> None:
    table = TableRead(500, V4, (route("172.16.1.0/24", 500),), {METRIC: {b"\x08\x0b": GROUP}})
    mine = found(RULES, (table,))
    assert removal(mine) == [
        DeleteRule(STEER_NEXT),
        DeleteRule(STEER),
        DeleteNexthop(GROUP),
        DeleteRoutes(500, V4, METRIC, [nlri_of(ip_network("172.16.1.0/24"))]),
        DeleteNexthop(OBJECT),
        DeleteRule(EXEMPT),
        DeleteRule(SESSION),
    ]
    assert opening(mine) == [DeleteRule(CLOSE)]


def test_crowded_groups_take_their_routes_along_and_the_others_do_not() -> None:
    many, few = CROWDED * 10, 9
    steps = removal(on_groups(many, few, 0))
    assert steps == [
        DeleteNexthop(GROUP),
        DeleteRoutes(500, V4, METRIC, prefixes(many + few)[many:]),
        DeleteNexthop(GROUP + 1),
        DeleteNexthop(GROUP + 2),
        DeleteNexthop(OBJECT),
    ]


@given(st.lists(st.integers(0, 60), max_size=80))
def test_every_object_goes_once_and_few_groups_make_the_kernel_look_at_everything(sizes: list[int]) -> None:
    mine = on_groups(*sizes)
    steps = removal(mine)
    nexthops = [step.id for step in steps if isinstance(step, DeleteNexthop)]
    assert sorted(nexthops) == sorted((*mine.groups, *mine.objects))
    assert nexthops[-1] == OBJECT, "a group first: an object takes the groups along that it is alone in"
    alone = [nlri for step in steps if isinstance(step, DeleteRoutes) for nlri in step.nlris]
    assert len(set(alone)) == len(alone)
    first = _before_routes(steps)
    assert len(first) <= CROWDED
    assert len(alone) + sum(sizes[group - GROUP] for group in first) == sum(sizes)


def _before_routes(steps: list[Step]) -> list[int]:
    """The groups that are deleted while there are routes on them."""
    place = next((at for at, step in enumerate(steps) if isinstance(step, DeleteRoutes)), len(steps))
    return [step.id for step in steps[:place] if isinstance(step, DeleteNexthop) and step.id != OBJECT]
