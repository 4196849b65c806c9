"""The order of rules: made and deleted so that a gateway is never open, and never in another's network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network

from vrfbgp.fib.delta import Delta
from vrfbgp.fib.rules import NOWHERE, RuleChanges, changes
from vrfbgp.model import MAIN_TABLE, Action, Family, Rule

GATEWAY, OTHER = ip_network("10.50.0.2/31"), ip_network("10.50.0.4/31")
CLUSTER, PEER, LOCAL = (
    ip_network("10.244.0.0/16"),
    ip_network("172.16.1.140/32"),
    ip_network("172.16.1.10/32"),
)


def unreachable(priority: int) -> Rule:
    return Rule(Family.IPV4, priority, GATEWAY, action=Action.UNREACHABLE)


def steer(priority: int, table: int) -> Rule:
    return Rule(Family.IPV4, priority, GATEWAY, table=table)


def exempt(priority: int) -> Rule:
    return Rule(Family.IPV4, priority, GATEWAY, CLUSTER, table=MAIN_TABLE)


def session(priority: int, table: int) -> Rule:
    return Rule(Family.IPV4, priority, LOCAL, PEER, table=table)


def of(
    actual: list[Rule],
    desired: list[Rule],
    *,
    unconfirmed: tuple[Rule, ...] = (),
    tables: tuple[int, ...] = (),
    hold: bool = False,
    drained: frozenset[Rule] | None = None,
    moved: Mapping[int, int] = NOWHERE,
    may_touch: Callable[[Rule], bool] = lambda rule: True,
) -> RuleChanges:
    delta: Delta[Rule, bool] = Delta()
    delta.saw_all(dict.fromkeys(actual, True))
    for rule in desired:
        delta.want(rule, True)
    return changes(
        delta,
        may_touch=may_touch,
        unconfirmed=unconfirmed,
        tables=frozenset(tables),
        hold=hold,
        drained=drained,
        moved=moved,
    )


def test_at_a_start_what_closes_is_first_and_what_steers_waits_for_the_routes() -> None:
    found = of([], [steer(102, 500), session(101, 500), exempt(101), unreachable(103)])
    assert found.closing == [unreachable(103), exempt(101), session(101, 500)]
    assert found.steering == [steer(102, 500)]


def test_one_that_is_closed_already_gets_its_new_unreachable_last() -> None:
    found = of([unreachable(203), steer(202, 500)], [unreachable(103), steer(102, 500), exempt(101)])
    assert (found.closing, found.steering) == ([exempt(101)], [steer(102, 500)])
    stands = [unreachable(203), steer(202, 500), steer(102, 500), exempt(101)]
    wanted = [unreachable(103), steer(102, 500), exempt(101)]
    assert of(stands, wanted, unconfirmed=(exempt(101),)).closing == []
    assert of(stands, wanted).closing == [unreachable(103)]


def test_a_closed_one_gets_no_new_unreachable_that_could_hide_what_is_not_known_to_be_unwanted() -> None:
    """P4, at a start with another priority: the network's table is still being read."""
    assert of([unreachable(203), steer(202, 500)], [unreachable(103)], hold=True) == RuleChanges()


def test_nothing_of_a_gateway_goes_before_its_unreachable_stands() -> None:
    actual = [unreachable(203), steer(202, 500), exempt(201), steer(202, 501)]
    desired = [unreachable(103), steer(102, 500), exempt(101)]
    assert of(actual, desired).going == []
    assert of(actual + desired, desired, unconfirmed=(unreachable(103),)).going == []
    assert of(actual + desired, desired).going == [unreachable(203)]


def test_p4_an_old_unreachable_is_known_to_be_gone_before_the_rules_whose_successors_it_hides() -> None:
    old, desired = [steer(102, 500), exempt(101)], [unreachable(203), steer(202, 500), exempt(201)]
    assert of([*old, unreachable(103), *desired], desired).going == [unreachable(103)]
    assert of([*old, *desired], desired, unconfirmed=(unreachable(103),)).going == []
    assert of([*old, *desired], desired).going == old


def test_the_last_to_go_is_what_closes_when_all_else_is_known_to_be_gone() -> None:
    old = [steer(102, 500), exempt(101)]
    assert of([unreachable(103), *old], []).going == old
    assert of([unreachable(103)], [], unconfirmed=(steer(102, 500),)).going == []
    assert of([unreachable(103)], []).going == [unreachable(103)]


def test_a_rule_into_its_networks_former_table_waits_for_the_one_into_the_new() -> None:
    before, after = steer(102, 500), steer(102, 600)
    closed = unreachable(103)
    moved = {500: 600}
    assert of([closed, before], [closed, after], tables=(600,), moved=moved).going == []
    asked = of([closed, before, after], [closed, after], unconfirmed=(after,), moved=moved)
    assert asked.going == []
    assert of([closed, before, after], [closed, after], moved=moved).going == [before]


def test_a_rule_stays_until_its_successor_is_acknowledged() -> None:
    before, after = session(101, 500), session(101, 600)
    assert of([before], [after]).going == []
    assert of([before, after], [after], unconfirmed=(after,)).going == []
    assert of([before, after], [after]).going == [before]


def test_a_rule_into_what_is_anothers_table_now_goes_first() -> None:
    found = of([unreachable(103), steer(102, 500)], [unreachable(103), steer(102, 501)], tables=(500, 501))
    assert found.misleading == [steer(102, 500)]
    assert found.going == []
    assert found.misled == {500}, "until it is known to be gone"


def test_a_table_stays_as_it_is_until_a_rule_that_misleads_there_is_known_to_be_gone() -> None:
    """X5: the kernel may refuse to delete it."""
    stands = [unreachable(103), steer(102, 501)]
    found = of(stands, stands, tables=(500, 501), unconfirmed=(steer(102, 500),))
    assert found == RuleChanges(misled=frozenset({500}))


def test_a_rule_into_a_table_that_nobody_wants_goes_when_the_new_one_stands() -> None:
    found = of([unreachable(103), steer(102, 500)], [unreachable(103), steer(102, 600)], tables=(600,))
    assert found.misleading == []
    assert found.steering == [steer(102, 600)]
    assert found.going == [steer(102, 500)]


def test_a_rule_that_only_moves_is_not_misleading() -> None:
    found = of([unreachable(103), steer(102, 500)], [unreachable(103), steer(112, 500)], tables=(500,))
    assert found.misleading == []


def test_while_it_is_not_known_what_all_are_to_be_none_goes() -> None:
    found = of([unreachable(103), steer(102, 500)], [unreachable(103)], tables=(500,), hold=True)
    assert found == RuleChanges(misled=frozenset({500}))


def test_what_may_not_be_touched_is_not() -> None:
    found = of([steer(102, 500)], [unreachable(103)], may_touch=lambda rule: False)
    assert found == RuleChanges()


def test_other_gateways_do_not_wait() -> None:
    others = Rule(Family.IPV4, 102, OTHER, table=501)
    assert of([others], [unreachable(103)]).going == [others]


# -- a drained node --------------------------------------------------------------------------------


def test_what_is_drained_goes_when_its_unreachable_stands_and_not_at_once_as_anothers_would() -> None:
    wanted, drained = [unreachable(103), exempt(101)], frozenset({steer(102, 500)})
    actual = [steer(102, 500), steer(103, 501)]
    opened = of(actual, wanted, tables=(500, 501), drained=drained)
    assert opened.misleading == [steer(103, 501)], "only this one leads into a network that is not its own"
    assert opened.going == []
    closed = of([*wanted, steer(102, 500)], wanted, tables=(500,), drained=drained)
    assert (closed.misleading, closed.going) == ([], [steer(102, 500)])


def test_on_hold_a_drained_node_loses_what_steers_from_gateways_that_are_closed() -> None:
    """As long as the config can't be understood, nothing tells what else is wanted."""
    other = Rule(Family.IPV4, 102, OTHER, table=501)
    actual = [unreachable(103), exempt(101), steer(102, 500), session(101, 500), other]
    found = of(actual, [], tables=(500,), hold=True, drained=frozenset())
    assert (found.misleading, found.going) == ([steer(102, 500)], [])
    assert of(actual, [], hold=True, drained=frozenset()).going == [steer(102, 500)]
    assert of(actual, [], hold=True).going == []
