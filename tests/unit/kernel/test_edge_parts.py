"""The small parts of the edge: filter, hold, worker, preflight."""

from __future__ import annotations

import struct
import sys
import threading
from ipaddress import ip_address
from pathlib import Path

import pytest

from vrfbgp.events import KernelEvent, NexthopGone, Overrun, RouteGone, RouteSeen, RulesRead
from vrfbgp.kernel import Kernel
from vrfbgp.kernel.bpf import without_senders
from vrfbgp.kernel.hold import Hold
from vrfbgp.kernel.preflight import has_capability
from vrfbgp.kernel.uapi import CAP_NET_ADMIN
from vrfbgp.kernel.worker import Worker
from vrfbgp.model import Family, KernelRoute, RouteKey
from vrfbgp.requests import ReadNexthops, ReadRequest, ReadRules, ReadTable

# -- the filter ----------------------------------------------------------------------------------


def run(program: bytes, packet: bytes) -> int:
    """How much of the packet a classic BPF program keeps: the three instructions ours use."""
    instructions = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        code, true, false, k = instructions[at]
        at += 1
        if code == 0x20:
            accumulator = int.from_bytes(packet[k : k + 4], "big")
        elif code == 0x15:
            at += true if accumulator == k else false
        elif code == 0x06:
            return int(k)
        else:
            raise AssertionError(f"instruction {code:#x}")


@pytest.mark.parametrize("own", [(), (4711,), (1, 0x80000001, 0xFFFFFFFE), tuple(range(1, 255))])
def test_the_filter_drops_own_senders_only(own: tuple[int, ...]) -> None:
    program = without_senders(own)
    for port in {*own, 0, 5000, 0x67120000, 0xFFFFFFFF}:
        header = struct.pack("=IHHI", 16, 24, 0, 1) + port.to_bytes(4, sys.byteorder)
        assert bool(run(program, header)) == (port not in own)


# -- hold ----------------------------------------------------------------------------------------

ROUTE = KernelRoute(RouteKey(500, Family.IPV4, b"\x08\x0a"), 3, nexthops=((ip_address("10.0.0.1"), 3),))
READ = ReadTable(500, Family.IPV4)


def test_events_of_a_table_wait_for_its_dump() -> None:
    hold = Hold()
    assert not hold.takes(RouteSeen(ROUTE))
    hold.begin(READ)
    assert hold.takes(RouteSeen(ROUTE))
    assert hold.takes(RouteGone(ROUTE))
    assert not hold.takes(NexthopGone(7))
    assert not hold.takes(Overrun())
    assert hold.end(READ) == [RouteSeen(ROUTE), RouteGone(ROUTE)]
    assert not hold.takes(RouteSeen(ROUTE))
    assert hold.end(READ) == []


def test_two_dumps_of_one_table_are_both_waited_for() -> None:
    hold = Hold()
    hold.begin(READ)
    hold.begin(READ)
    assert hold.takes(RouteGone(ROUTE))
    assert hold.end(READ) == []
    assert hold.end(READ) == [RouteGone(ROUTE)]


def test_other_tables_and_families_do_not_wait() -> None:
    hold = Hold()
    hold.begin(ReadTable(501, Family.IPV4))
    hold.begin(ReadTable(500, Family.IPV6))
    assert not hold.takes(RouteGone(ROUTE))
    hold.begin(ReadNexthops())
    assert hold.takes(NexthopGone(7))


# -- the worker ----------------------------------------------------------------------------------


def test_tasks_are_done_in_order_and_one_that_fails_stops_nothing() -> None:
    done: list[int] = []
    failed: list[tuple[int, str]] = []

    def perform(task: int) -> None:
        if task == 3:
            raise RuntimeError("no")
        done.append(task)

    worker = Worker("test", perform, lambda task, error: failed.append((task, str(error))))
    worker.start()
    for task in range(6):
        worker.put(task)
    worker.close()
    assert done == [0, 1, 2, 4, 5]
    assert failed == [(3, "no")]
    assert all(thread.name != "test" for thread in threading.enumerate())


# -- dumps that messages make necessary ----------------------------------------------------------


def test_however_many_messages_come_during_a_dump_one_more_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel()
    asked: list[ReadRequest] = []
    told: list[KernelEvent] = []
    kernel._running = True
    kernel._on_event = told.append
    monkeypatch.setattr(kernel, "read", asked.append)
    request, answer = ReadRules(Family.IPV4), RulesRead(Family.IPV4, ())
    for _ in range(3):
        kernel._refresh(request)
    assert asked == [request]
    kernel._answered(request, answer)
    assert asked == [request, request]
    kernel._answered(request, answer)
    assert asked == [request, request]
    assert told == [answer, answer]


# -- preflight -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name:\tx\nCapEff:\t0000000000001000\n", True),
        ("Name:\tx\nCapEff:\t0000000000000fff\n", False),
        ("CapPrm:\t0000000000001000\nCapEff:\t0000000000000000\n", False),
        ("Name:\tx\n", True),
    ],
)
def test_capability(tmp_path: Path, text: str, expected: bool) -> None:
    status = tmp_path / "status"
    status.write_text(text)
    assert has_capability(status, CAP_NET_ADMIN) is expected
