"""Retries: ever more slowly, apart from all else, and over as soon as nothing is left to be done."""

from __future__ import annotations

import pytest

from vrfbgp.fib.retry import FIRST_DELAY, LONGEST_DELAY, Retry
from vrfbgp.operations import DeleteNexthop, Failure

FAILURE = Failure(DeleteNexthop(1), 12)


def test_the_delay_doubles_up_to_the_longest() -> None:
    retry: Retry[str] = Retry()
    delays = []
    for _ in range(12):
        retry.failed("route", FAILURE, 100.0)
        again = retry.next(100.0)
        assert again is not None
        delays.append(again - 100.0)
    assert delays[:3] == pytest.approx([FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY])
    assert delays[-1] == LONGEST_DELAY


def test_a_key_waits_until_its_time() -> None:
    retry: Retry[str] = Retry()
    retry.failed("route", FAILURE, 100.0)
    assert retry.take_due(100.0) == []
    assert retry.waits("route")
    assert retry.take_due(100.0 + FIRST_DELAY) == ["route"]
    assert not retry.waits("route")


def test_one_whose_time_has_come_is_no_reason_to_wake() -> None:
    """It waits for something else, a read or a foreign route: waking for it would be a busy loop."""
    retry: Retry[str] = Retry()
    retry.failed("route", FAILURE, 100.0)
    assert retry.next(200.0) is None


def test_success_is_what_no_failure_of_the_batch_speaks_against() -> None:
    retry: Retry[str] = Retry()
    retry.failed("good", FAILURE, 100.0)
    retry.failed("bad", FAILURE, 100.0)
    retry.attempted("good", 7)
    retry.attempted("bad", 7)
    retry.applied(6)
    assert len(retry) == 2
    assert retry.failed("bad", FAILURE, 101.0) == 2
    retry.applied(7)
    assert [key for key, _ in retry.items()] == ["bad"]


def test_only_what_failed_is_remembered_as_attempted() -> None:
    retry: Retry[str] = Retry()
    retry.attempted("never failed", 7)
    retry.applied(7)
    assert "never failed" not in retry


def test_hastened_keys_are_due_at_once_and_remember_how_often_they_failed() -> None:
    retry: Retry[str] = Retry()
    for _ in range(5):
        retry.failed("route", FAILURE, 100.0)
    retry.hasten()
    assert not retry.waits("route")
    assert retry.next(100.0) is None
    assert retry.failed("route", FAILURE, 100.0) == 6
