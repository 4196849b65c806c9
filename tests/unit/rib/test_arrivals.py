"""When a path came: what is told of it is true, whatever is forgotten."""

from __future__ import annotations

from ipaddress import ip_network

import hypothesis.strategies as st
from hypothesis import given

from vrfbgp.model import Attributes, Family, Nlri, nlri_of
from vrfbgp.rib.arrivals import KEPT, Arrival, Arrivals, Came
from vrfbgp.rib.update import Announced, Prefixes, Update

V4, V6 = Family.IPV4, Family.IPV6
ATTRIBUTES = Attributes(ip_network("192.0.2.1/32").network_address)


def nlri(number: int) -> Nlri:
    return nlri_of(ip_network((0x0A000000 + (number << 8), 24)))


def announce(*numbers: int, family: Family = V4) -> Update:
    return Update(announced=(Announced(family, [nlri(n) for n in numbers], ATTRIBUTES),))


def withdraw(*numbers: int) -> Update:
    return Update(withdrawn=(Prefixes(V4, [nlri(n) for n in numbers]),))


def begun(kept: int = KEPT) -> Arrivals:
    """A session that began at 100 and had told all at 103."""
    arrivals = Arrivals(kept)
    arrivals.began(1, 100.0)
    assert not arrivals.completed(set(), 101.0)
    assert arrivals.completed({V4}, 103.0)
    return arrivals


def test_what_comes_at_the_sessions_start_is_told_by_its_two_ends() -> None:
    arrivals = Arrivals()
    arrivals.began(1, 100.0)
    assert arrivals.came(V4, nlri(1)) == Arrival(Came.FIRST_TRANSFER, 100.0, None)
    assert arrivals.came(V4, nlri(1), due=160.0) == Arrival(Came.FIRST_TRANSFER, 100.0, 160.0)
    arrivals.completed({V4}, 103.0)
    assert arrivals.came(V4, nlri(1), due=160.0) == Arrival(Came.FIRST_TRANSFER, 100.0, 103.0)


def test_what_changes_later_is_told_to_the_time_the_last_one_counts() -> None:
    arrivals = begun()
    arrivals.note(announce(1, 2), 110.0)
    arrivals.note(announce(2), 120.0)
    assert arrivals.came(V4, nlri(1)) == Arrival(Came.THEN, 110.0, 110.0)
    assert arrivals.came(V4, nlri(2)) == Arrival(Came.THEN, 120.0, 120.0)
    assert arrivals.came(V4, nlri(3)).how is Came.FIRST_TRANSFER


def test_a_family_whose_first_transfer_goes_on_is_not_noted() -> None:
    arrivals = begun()
    arrivals.note(announce(1, family=V6), 110.0)
    assert arrivals.came(V6, nlri(1)) == Arrival(Came.FIRST_TRANSFER, 100.0, None)


def test_what_is_forgotten_is_told_as_a_span_and_memory_is_bounded() -> None:
    arrivals = begun(kept=3)
    arrivals.note(announce(1), 110.0)
    for number in range(2, 100):
        arrivals.note(announce(number), 110.0 + number)
    assert arrivals.came(V4, nlri(1)) == Arrival(Came.LATER, 100.0, 207.0)
    assert arrivals.came(V4, nlri(99)) == Arrival(Came.THEN, 209.0, 209.0)
    assert len(arrivals._announced[V4]._nlris) == len(arrivals._announced[V4]._times) == 3


def test_a_new_sessions_first_transfer_supersedes_what_was_noted_before() -> None:
    arrivals = begun()
    arrivals.note(announce(1), 110.0)
    arrivals.began(2, 200.0)
    assert arrivals.came(V4, nlri(1)) == Arrival(Came.FIRST_TRANSFER, 200.0, None)


def test_a_stale_path_is_told_by_the_session_that_it_is_kept_from() -> None:
    arrivals = begun()
    arrivals.note(announce(1), 110.0)
    # The session is down since 150; then up again since 160, at first silent.
    for epoch, since in ((0, 150.0), (2, 160.0)):
        assert arrivals.came_earlier(V4, nlri(1), epoch, since) == Arrival(Came.THEN, 110.0, 110.0)
        assert arrivals.came_earlier(V4, nlri(2), epoch, since) == Arrival(Came.EARLIER_SESSION, None, since)
    arrivals.began(2, 160.0)
    assert arrivals.came_earlier(V4, nlri(1), 2, 170.0) == Arrival(Came.THEN, 110.0, 110.0)
    assert arrivals.came_earlier(V4, nlri(2), 2, 170.0) == Arrival(Came.EARLIER_SESSION, None, 160.0)
    # After one more session, whose first transfer may have said it again, the old time proves nothing.
    assert arrivals.came_earlier(V4, nlri(1), 0, 180.0) == Arrival(Came.EARLIER_SESSION, None, 180.0)


def test_the_last_withdrawal_of_some_prefixes_is_known() -> None:
    arrivals = begun()
    arrivals.note(withdraw(1), 110.0)
    arrivals.note(withdraw(2), 120.0)
    assert arrivals.withdrew(V4, {nlri(1), nlri(2)}) == (nlri(2), 120.0)
    assert arrivals.withdrew(V4, {nlri(1)}) == (nlri(1), 110.0)
    assert arrivals.withdrew(V4, {nlri(3)}) is None
    assert arrivals.withdrew(V6, {nlri(1)}) is None


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=40), st.integers(1, 8))
def test_whatever_is_forgotten_the_true_time_is_within_what_is_told(
    steps: list[tuple[int, bool]], kept: int
) -> None:
    arrivals = Arrivals(kept)
    arrivals.began(1, 0.0)
    over = len(steps) // 3
    truth: dict[int, float] = {}
    for time, (number, announced) in enumerate(steps, 1):
        if announced:
            truth[number] = float(time)
        if time > over:
            arrivals.note(announce(number) if announced else withdraw(number), float(time))
        elif time == over:
            arrivals.completed({V4}, float(time))
    if over == 0:
        return
    for number, time in truth.items():
        told = arrivals.came(V4, nlri(number))
        assert told.since is not None
        assert told.until is not None
        assert told.since <= time <= told.until
        assert told.how is not Came.THEN or told.since == told.until == time
