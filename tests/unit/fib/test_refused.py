"""Very many refused routes: they cost nothing until they are tried again, and nobody waits for them."""

from __future__ import annotations

import errno
from ipaddress import ip_address

from tests.unit.fib.test_reconciler import PLACE, A, Bench
from tests.unit.fib.test_reconciler import key as key_in
from vrfbgp.fib.retry import AT_ONCE, FIRST_DELAY
from vrfbgp.model import METRIC, NO_ROUTE, Family, Member, Nlri, PeerId
from vrfbgp.operations import AddRoute, Failure

V4 = Family.IPV4
MANY: list[Nlri] = [b"\x18" + number.to_bytes(3, "big") for number in range(2 * AT_ONCE)]
OTHER = b"\x18\xc0\x00\x02"


def full() -> Bench:
    """A table of which the kernel refused all."""
    bench = Bench()
    bench.open()
    bench.read()
    for nlri in MANY:
        bench.learned(nlri, A)
    routes = [one for one in bench.batch() if isinstance(one, AddRoute)]
    assert len(routes) == len(MANY)
    bench.applied(*(Failure(one, errno.ENOMEM) for one in routes))
    assert bench.batch() == []
    return bench


def test_what_waits_is_looked_at_by_nobody() -> None:
    bench = full()
    delta = bench.reconciler.slices[500, V4, METRIC]
    assert list(delta.changed()) == []
    assert len(bench.reconciler.retry.watched) == 0
    assert len(delta) == len(bench.reconciler.retry) == len(MANY), "and still it is told"


def test_only_so_many_are_tried_again_at_once_and_what_is_new_goes_first() -> None:
    bench = full()
    bench.learned(OTHER, A)
    batch = [one for one in bench.batch(FIRST_DELAY) if isinstance(one, AddRoute)]
    assert batch[0].key == key_in(OTHER)
    assert len(batch) == 1 + AT_ONCE
    assert bench.batch(FIRST_DELAY) == [], "the others wait until these are through"
    bench.applied(now=FIRST_DELAY)
    assert len(bench.reconciler.retry) == len(MANY) - AT_ONCE
    assert len(bench.batch(FIRST_DELAY)) == AT_ONCE
    bench.applied(now=FIRST_DELAY)
    assert len(bench.reconciler.retry) == 0
    assert bench.batch(FIRST_DELAY) == []


def test_one_that_is_withdrawn_meanwhile_is_forgotten() -> None:
    bench = full()
    bench.routes.learned(PLACE, V4, MANY[:1], bench.chosen.pop(MANY[0]), NO_ROUTE)
    assert bench.batch() == []
    assert len(bench.reconciler.retry) == len(MANY) - 1


def test_one_that_is_to_lead_elsewhere_is_tried_at_once() -> None:
    bench = full()
    b = Member(PeerId("red", ip_address("172.16.1.141")), ip_address("172.16.1.141"), 3)
    bench.learned(MANY[0], b)
    made = bench.batch()
    assert [one.key for one in made if isinstance(one, AddRoute)] == [key_in(MANY[0])]


def test_a_table_that_is_read_meanwhile_leaves_alone_what_is_as_it_was() -> None:
    bench = full()
    bench.reconciler.table_read(500, V4, ())
    assert bench.batch() == []
    assert len(bench.reconciler.retry) == len(MANY)
