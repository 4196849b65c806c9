"""Networks that move to another table, and how long the old one serves."""

from __future__ import annotations

import errno
from ipaddress import ip_network

from vrfbgp.fib.desired import RouteDelta
from vrfbgp.fib.draft import Key
from vrfbgp.fib.moves import PATIENCE, Moves
from vrfbgp.fib.nexthops import Nexthops
from vrfbgp.fib.retry import Retry
from vrfbgp.model import Family, Inline, RouteKey, nlri_of
from vrfbgp.operations import AddRoute, Failure

NLRI = nlri_of(ip_network("192.0.2.0/24"))
ROUTE = AddRoute(RouteKey(600, Family.IPV4, NLRI, 20000), Inline(3))


class Bench:
    """One network on its way from table 500 to 600; batches up to 7 were handed out before."""

    def __init__(self) -> None:
        self.retry: Retry[Key] = Retry()
        self.delta = RouteDelta()
        self.moves = Moves(Nexthops(), {(600, Family.IPV4, 20000): self.delta}, self.retry)
        self.moves.begin("red", 500, 600, 7)
        self.delta.want(NLRI, ROUTE.value)

    def refuse(self) -> None:
        self.retry.failed(ROUTE.key, Failure(ROUTE, errno.ENOMEM), 0.0)


def test_nothing_leads_to_the_new_table_before_its_routes_are_acknowledged() -> None:
    bench = Bench()
    bench.moves.wrote(8, [ROUTE])
    assert bench.moves.arriving(0.0, 7, ()) == {600}
    bench.moves.wrote(9, [ROUTE])
    assert bench.moves.arriving(0.0, 8, ()) == frozenset(), "later ones are not of the move"
    assert bench.moves.arriving(0.0, 8, (600,)) == {600}, "it is being read"


def test_where_nothing_is_to_be_written_nothing_is_waited_for() -> None:
    bench = Bench()
    bench.moves.wrote(8, [])
    assert bench.moves.arriving(0.0, 7, ()) == frozenset()


def test_what_is_refused_is_waited_for_but_not_for_ever() -> None:
    bench = Bench()
    bench.moves.wrote(8, [ROUTE])
    bench.refuse()
    assert bench.moves.arriving(1.0, 8, ()) == {600}
    assert bench.moves.deadline() == 1.0 + PATIENCE
    assert bench.moves.arriving(1.0 + PATIENCE, 8, ()) == frozenset()


def test_the_old_table_is_kept_as_long_as_rules_lead_there() -> None:
    moves = Bench().moves
    assert moves.kept([500, 254]) == {500}
    assert moves.kept([600, 254]) == frozenset()
    assert moves.tables == {}


def test_a_network_that_moves_on_leaves_two_tables_for_the_third() -> None:
    moves = Bench().moves
    moves.begin("red", 600, 700, 9)
    assert moves.tables == {500: 700, 600: 700}
    moves.begin("red", 700, 500, 10)
    assert moves.tables == {600: 500, 700: 500}, "one that it comes back to is left no more"


def test_a_network_that_goes_where_another_was_is_not_taken_for_it() -> None:
    moves = Bench().moves
    moves.begin("yellow", 600, 700, 9)
    assert moves.tables == {500: 600, 600: 700}
    moves.taken(600)
    assert moves.tables == {500: 600}


def test_a_table_that_another_network_gets_is_nobodys_to_keep() -> None:
    moves = Bench().moves
    moves.taken(500)
    assert moves.kept([500]) == frozenset()
