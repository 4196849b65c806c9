"""Counting a table: the same as reading it and counting then, beside all that is written."""

from __future__ import annotations

from array import array
from collections import Counter
from ipaddress import ip_address

import pytest

from tests.netns.kernel_bench import FIRST_ID, Bench, in_namespace, v4
from vrfbgp.events import Applied, TableCounted
from vrfbgp.model import METRIC, Family, Inline, NexthopGroup, NexthopObject, Nlri
from vrfbgp.operations import AddNexthop, AddRoute, AddRoutes
from vrfbgp.requests import CountTable

OBJECT, GROUP, GROUP_2 = FIRST_ID, FIRST_ID + 1, FIRST_ID + 2


async def fill(bench: Bench, family: Family, count: int) -> None:
    """Routes on two groups and at two metrics."""
    gateway = ip_address("10.0.1.2" if family is Family.IPV4 else "fd00:1::2")
    await bench.done(
        AddNexthop(OBJECT, NexthopObject(gateway, bench.near)),
        AddNexthop(GROUP, NexthopGroup((OBJECT,))),
        AddNexthop(GROUP_2, NexthopGroup((OBJECT,))),
    )
    width = 3 if family is Family.IPV4 else 6
    first = b"\x0b" if family is Family.IPV4 else b"\x20\x01\x0d"
    nlris: list[Nlri] = [
        bytes((8 * width,)) + first + number.to_bytes(width - len(first), "big") for number in range(count)
    ]
    groups = array("I", (GROUP_2 if number % 7 == 0 else GROUP for number in range(count)))
    await bench.done(AddRoutes(500, family, METRIC, nlris, groups))
    await bench.done(AddRoutes(500, family, METRIC + 1, nlris[::5], groups[::5]))


async def counted(bench: Bench, family: Family) -> TableCounted:
    since = len(bench.events)
    bench.kernel.read(CountTable(500, family))
    return await bench.until(TableCounted, since=since)


@pytest.mark.parametrize("family", list(Family))
@in_namespace
async def test_it_counts_what_reading_finds(bench: Bench, family: Family) -> None:
    assert (await counted(bench, family)).ours == {}, "a table that is not there"
    await fill(bench, family, 3000)
    if family is Family.IPV4:
        await bench.done(AddRoute(v4("10.0.1.0/24"), Inline(bench.near)))
        bench.sh("ip route add blackhole 198.51.100.0/24 table 500 metric 20000 proto 179")
        bench.sh("ip route add 203.0.113.0/24 dev near table 500 metric 20000 proto static")
        bench.sh("ip route add 203.0.113.0/24 dev near table 501 metric 20000 proto 179")
    read = Counter(
        (key.metric, route.value) for key, route in (await bench.table(500, family)).items() if route.ours
    )
    assert (await counted(bench, family)).ours == read
    assert read.total() == 3600 + (2 if family is Family.IPV4 else 0)


@in_namespace
async def test_no_batch_waits_for_it(bench: Bench) -> None:
    await fill(bench, Family.IPV4, 60_000)
    since = len(bench.events)
    for _ in range(5):
        bench.kernel.read(CountTable(500, Family.IPV4))
    await bench.done(AddRoute(v4("192.0.2.0/24"), GROUP))
    answers = [type(event) for event in bench.events[since:] if isinstance(event, Applied | TableCounted)]
    assert answers.count(TableCounted) < 5
    while sum(isinstance(event, TableCounted) for event in bench.events[since:]) < 5:
        await bench.until(TableCounted, since=len(bench.events))
