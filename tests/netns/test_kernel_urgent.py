"""What must overtake everything does, in a real kernel: failover is one deletion, ahead of every queue."""

from __future__ import annotations

import asyncio
import errno
import logging
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.netns.kernel_bench import FIRST_ID, PATIENCE, Bench, in_namespace, v4, v6
from vrfbgp.events import Applied, LinksRead, NexthopSeen, Overrun, RouteGone, TableRead
from vrfbgp.kernel.chunk import Chunk
from vrfbgp.kernel.direct import write
from vrfbgp.kernel.netlink import NetlinkSocket, messages
from vrfbgp.kernel.uapi import RTM_DELNEXTHOP, RTNLGRP_NEXTHOP
from vrfbgp.model import Family, KernelNexthop, NexthopGroup, NexthopObject, RouteKey
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRoutes,
    DeleteNexthop,
    ReplaceRoute,
)
from vrfbgp.requests import ReadLinks, ReadTable

A, B, BOTH, ONLY_A, ONLY_B = range(FIRST_ID, FIRST_ID + 5)
A6, ONLY_A6 = FIRST_ID + 5, FIRST_ID + 6


async def objects(bench: Bench) -> None:
    """Two peers, a group of both and one of each alone; a route on each group."""
    await bench.done(
        AddNexthop(A, NexthopObject(ip_address("10.0.1.2"), bench.near)),
        AddNexthop(B, NexthopObject(ip_address("10.0.2.2"), bench.other)),
        AddNexthop(BOTH, NexthopGroup((A, B))),
        AddNexthop(ONLY_A, NexthopGroup((A,))),
        AddNexthop(ONLY_B, NexthopGroup((B,))),
        AddNexthop(A6, NexthopObject(ip_address("fd00:1::2"), bench.near)),
        AddNexthop(ONLY_A6, NexthopGroup((A6,))),
        AddRoute(v4("192.0.2.0/24"), BOTH),
        AddRoute(v4("198.51.100.0/24"), ONLY_A),
        AddRoute(v4("198.51.100.0/24", metric=20001), ONLY_B),
        AddRoute(v6("2001:db8::/32"), ONLY_A6),
    )


async def nothing_told_since(bench: Bench, since: int) -> None:
    """No event has been told from place `since` on, but of batches."""
    # A change by others, made later, comes through the same socket: nothing else is before it.
    bench.sh("ip nexthop add id 9 via 10.0.1.3 dev near")
    await bench.until(NexthopSeen, since=since)
    foreign = NexthopSeen(KernelNexthop(9, 0, NexthopObject(ip_address("10.0.1.3"), bench.near)))
    assert [event for event in bench.events[since:] if not isinstance(event, Applied)] == [foreign]
    bench.sh("ip nexthop del id 9")


class Deletions:
    """Hears of the deletion of next hops, whoever asked for it."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket()
        self._socket.listen([RTNLGRP_NEXTHOP], ())

    def wait(self) -> None:
        """Block until there was one."""
        while True:
            octets = self._socket.receive()
            if any(kind == RTM_DELNEXTHOP for kind, *_ in messages(octets)):
                return

    def close(self) -> None:
        self._socket.close()


@in_namespace
async def test_an_urgent_deletion_overtakes_the_batch_that_is_being_written(bench: Bench) -> None:
    await objects(bench)
    count = 300_000
    nlris = [b"\x18" + (65536 + n).to_bytes(3, "big") for n in range(count)]
    first, last = (RouteKey(500, Family.IPV4, nlri, 20000) for nlri in (nlris[0], nlris[-1]))
    socket, deletions = NetlinkSocket(), Deletions()
    bench.kernel.apply(4711, [AddRoutes(500, Family.IPV4, 20000, nlris, [ONLY_B] * count)])
    patient_until = time.monotonic() + PATIENCE
    while await asyncio.to_thread(write, socket, [ReplaceRoute(first, ONLY_B)]):
        assert time.monotonic() < patient_until
    # The batch is being written.
    bench.kernel.apply_at_once([DeleteNexthop(A), DeleteNexthop(A6)])
    await asyncio.to_thread(deletions.wait)
    # Its last route can still be made by others: the batch is not through, and trips over it later.
    assert write(socket, [AddRoute(last, ONLY_B)]) == []
    failures = (await bench.until_applied(4711)).failures
    assert [(failure.operation, failure.errno) for failure in failures] == [
        (AddRoute(last, ONLY_B), errno.EEXIST)
    ]
    deletions.close()
    socket.close()
    # What a failover is: the groups shrink, what had nothing else is gone, the backup stands.
    nexthops = await bench.nexthops()
    assert {number: nexthops[number].value for number in nexthops} == {
        B: NexthopObject(ip_address("10.0.2.2"), bench.other),
        BOTH: NexthopGroup((B,)),
        ONLY_B: NexthopGroup((B,)),
    }
    table = await bench.table(500)
    assert len(table) == count + 2
    assert v4("198.51.100.0/24") not in table
    assert await bench.table(500, Family.IPV6) == {}


@in_namespace
async def test_what_is_asked_behind_an_urgent_deletion_does_not_overtake_it(bench: Bench) -> None:
    await bench.done(
        AddNexthop(FIRST_ID, NexthopObject(ip_address("10.0.2.2"), bench.other)),
        AddNexthop(FIRST_ID + 1, NexthopGroup((FIRST_ID,))),
    )
    dead = range(FIRST_ID + 2, FIRST_ID + 402, 2)
    prefixes = [f"10.77.{number}.0/24" for number in range(len(dead))]
    for peer, prefix in zip(dead, prefixes, strict=True):
        bench.kernel.apply(
            0,
            [
                AddNexthop(peer, NexthopObject(ip_address("10.0.1.2"), bench.near)),
                AddNexthop(peer + 1, NexthopGroup((peer,))),
                AddRoute(v4(prefix), peer + 1),
            ],
        )
    await bench.done()
    # The route that is to go last is made again first: EEXIST, were it not gone.
    bench.kernel.apply_at_once([DeleteNexthop(peer) for peer in dead])
    await bench.done(*(AddRoute(v4(prefix), FIRST_ID + 1) for prefix in reversed(prefixes)))
    assert {route.nhid for route in (await bench.table(500)).values()} == {FIRST_ID + 1}


@in_namespace
async def test_an_urgent_deletion_waits_for_no_dump(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await objects(bench)
    go = threading.Event()
    for reader in bench.kernel._readers:
        read = reader.read
        monkeypatch.setattr(reader, "read", lambda request, read=read: go.wait(PATIENCE) and read(request))
    deletions = Deletions()
    since = len(bench.events)
    bench.kernel.read(ReadTable(500, Family.IPV4))
    bench.kernel.read(ReadLinks())
    bench.kernel.apply_at_once([DeleteNexthop(A)])
    await asyncio.to_thread(deletions.wait)
    assert bench.events[since:] == []
    go.set()
    await bench.until(TableRead, since=since)
    await bench.until(LinksRead, since=since)
    deletions.close()


@in_namespace
async def test_nothing_is_told_of_urgent_deletions_also_when_the_watch_was_replaced(bench: Bench) -> None:
    await objects(bench)
    since = len(bench.events)
    # What is gone already counts as deleted.
    for gone in ([DeleteNexthop(A), DeleteNexthop(77)], [DeleteNexthop(A), DeleteNexthop(78)]):
        bench.kernel.apply_at_once(gone)
    await bench.urgent_done()
    await nothing_told_since(bench, since)
    bench.kernel._watch._close()
    bench.kernel._watch._reopen()
    since = len(bench.events)
    bench.kernel.apply_at_once([DeleteNexthop(B)])
    await bench.urgent_done()
    await nothing_told_since(bench, since)
    assert set(await bench.nexthops()) == {A6, ONLY_A6}


@in_namespace
async def test_ipv6_routes_that_go_with_a_next_hop_are_told_by_the_kernel_in_nobodys_name(
    bench: Bench,
) -> None:
    await objects(bench)
    since = len(bench.events)
    bench.kernel.apply_at_once([DeleteNexthop(A6)])
    told = await bench.until(RouteGone, since=since)
    assert (told.route.key, told.route.nhid) == (v6("2001:db8::/32"), ONLY_A6)
    await nothing_told_since(bench, since + 1)


@in_namespace
async def test_what_is_refused_is_logged_and_all_is_to_be_read_again(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    await objects(bench)
    since = len(bench.events)
    with caplog.at_level(logging.WARNING, "vrfbgp.kernel"):
        bench.kernel.apply_at_once([AddRoute(v4("203.0.113.0/24"), 77), DeleteNexthop(A)])
        await bench.until(Overrun, since=since)
    assert bench.events[since:] == [Overrun()]
    assert "add route" in caplog.text
    assert "203.0.113.0/24" in caplog.text
    # What stands behind it was done all the same.
    assert A not in await bench.nexthops()


@in_namespace
async def test_an_error_of_ours_is_told_and_the_next_deletion_is_tried(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await objects(bench)
    since = len(bench.events)
    with monkeypatch.context() as broken:

        def chunks(operations: object) -> Iterator[Chunk]:
            raise RuntimeError("broken")
            yield

        broken.setattr(bench.kernel._process.urgent._encoder, "chunks", chunks)
        bench.kernel.apply_at_once([DeleteNexthop(A)])
        await bench.until(Overrun, since=since)
    bench.kernel.apply_at_once([DeleteNexthop(A)])
    await bench.urgent_done()
    assert A not in await bench.nexthops()
