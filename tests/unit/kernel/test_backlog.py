"""A table that the kernel is far behind with is known, until enough of it is through."""

from __future__ import annotations

from vrfbgp.kernel.backlog import Backlog
from vrfbgp.model import Family, RouteKey
from vrfbgp.operations import AddRoute, AddRoutes, DeleteNexthop, DeleteRoutes

RED, YELLOW = 500, 501
NLRIS = [b"\x18" + number.to_bytes(3, "big") for number in range(4)]
SLICE = Family.IPV4, 20000


def test_x24_what_flaps_without_end_is_bounded_by_table() -> None:
    backlog = Backlog(10)
    for serial in range(1, 4):
        backlog.asked(serial, [AddRoutes(RED, *SLICE, NLRIS, [7] * 4), DeleteNexthop(7)])
        backlog.asked(serial + 10, [AddRoute(RouteKey(YELLOW, Family.IPV4, NLRIS[0], 20000), 7)])
    assert backlog.full == {RED}


def test_it_is_full_until_the_kernel_has_taken_enough() -> None:
    backlog = Backlog(10)
    for serial in range(1, 5):
        backlog.asked(serial, [DeleteRoutes(RED, *SLICE, NLRIS)])
    backlog.applied(1)
    assert backlog.full == {RED}
    backlog.applied(3)
    assert backlog.full == frozenset()
    backlog.applied(4)
    assert not backlog._waiting
    assert not backlog._batches
