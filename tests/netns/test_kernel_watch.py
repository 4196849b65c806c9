"""What the edge tells of a real kernel: others' changes within a second, our own never."""

from __future__ import annotations

import asyncio
import errno
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network

import pytest

from tests.netns.kernel_bench import FIRST_ID, Bench, alone, in_namespace, v4, v6
from vrfbgp.events import (
    LinksRead,
    NexthopGone,
    NexthopSeen,
    Overrun,
    RouteGone,
    RouteSeen,
    RulesRead,
    TableRead,
)
from vrfbgp.kernel import Kernel, Unfit
from vrfbgp.kernel.preflight import check
from vrfbgp.model import (
    Action,
    Address,
    Family,
    Inline,
    KernelNexthop,
    NexthopGroup,
    NexthopObject,
    RouteKey,
    Rule,
)
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRule,
    ReplaceNexthop,
)
from vrfbgp.requests import ReadTable

A, B, GROUP = FIRST_ID, FIRST_ID + 1, FIRST_ID + 2
SOON = 1.0


@in_namespace
async def test_routes_of_others_in_any_table(bench: Bench) -> None:
    for command, key in (
        ("ip route {} 192.0.2.0/24 via 10.0.1.2 table 500", v4("192.0.2.0/24", 500, 0)),
        ("ip route {} 198.51.100.0/24 dev near metric 7", v4("198.51.100.0/24", 254, 7)),
        ("ip -6 route {} 2001:db8::/32 via fd00:1::2 table 70000", v6("2001:db8::/32", 70000, 1024)),
        ("ip route {} unreachable 203.0.113.0/24 table 500", v4("203.0.113.0/24", 500, 0)),
    ):
        bench.sh(command.format("add"))
        seen = await bench.until(RouteSeen, lambda event, key=key: event.route.key == key, seconds=SOON)  # type: ignore[misc]
        assert not seen.route.ours
        bench.sh(command.format("del"))
        gone = await bench.until(RouteGone, lambda event, key=key: event.route.key == key, seconds=SOON)  # type: ignore[misc]
        assert gone.route.kind == ("unreachable" if "unreachable" in command else "unicast")


@in_namespace
async def test_ecmp_of_ipv6_is_one_route(bench: Bench) -> None:
    since = len(bench.events)
    bench.sh("ip -6 route add 2001:db8::/32 table 500 nexthop via fd00:1::2 nexthop via fd00:2::2")
    hops = ((ip_address("fd00:1::2"), bench.near), (ip_address("fd00:2::2"), bench.other))
    seen = await bench.until(RouteSeen, since=since, seconds=SOON)
    [read] = (await bench.table(500, Family.IPV6)).values()
    assert seen.route.nexthops == read.nexthops == hops


@in_namespace
async def test_our_own_writes_are_not_told_and_alterations_of_them_are(bench: Bench) -> None:
    key, key6 = v4("192.0.2.0/24"), v6("2001:db8::/32")
    rule = Rule(Family.IPV4, 102, ip_network("10.50.0.2/32"), None, Action.LOOKUP, 500)
    before = len(bench.events)
    await bench.done(
        AddNexthop(A, NexthopObject(ip_address("10.0.1.2"), bench.near)),
        AddNexthop(GROUP, NexthopGroup((A,))),
        AddNexthop(B, NexthopObject(ip_address("10.0.2.2"), bench.other)),
        AddRoute(key, GROUP),
        AddRoute(key6, Inline(bench.near)),
        AddRule(rule),
        ReplaceNexthop(GROUP, NexthopGroup((A, B))),
        DeleteNexthop(A),
        DeleteRule(rule),
        DeleteRoute(key6),
    )
    # A change by others, made later, comes through the same socket: nothing else is before it.
    bench.sh("ip nexthop add id 9 via 10.0.1.3 dev near")
    await bench.until(NexthopSeen, seconds=SOON)
    _, seen = bench.events[before:]
    assert seen == NexthopSeen(KernelNexthop(9, 0, NexthopObject(ip_address("10.0.1.3"), bench.near)))
    bench.sh("ip nexthop del id 9")
    assert await bench.until(NexthopGone, seconds=SOON) == NexthopGone(9)
    bench.sh("ip route del 192.0.2.0/24 table 500")
    gone = await bench.until(RouteGone, seconds=SOON)
    assert (gone.route.key, gone.route.ours, gone.route.nhid) == (key, True, GROUP)
    bench.sh(f"ip nexthop del id {B}")
    assert await bench.until(NexthopGone, lambda event: event.id == B, seconds=SOON)


@in_namespace
async def test_a_rule_of_others_brings_all_rules(bench: Bench) -> None:
    for flag, family in (("-4", Family.IPV4), ("-6", Family.IPV6)):
        since = len(bench.events)
        bench.sh(f"for n in $(seq 60 69); do ip {flag} rule add pref $n lookup 77; done")

        def complete(event: RulesRead, family: Family = family) -> bool:
            return event.family is family and {60, 69} <= {rule.priority for rule in event.rules}

        await bench.until(RulesRead, complete, since=since, seconds=SOON)
        bench.sh(f"ip {flag} rule del pref 65")
        await bench.until(
            RulesRead,
            lambda event: 65 not in {rule.priority for rule in event.rules},
            since=len(bench.events),
            seconds=SOON,
        )


@in_namespace
async def test_addresses_and_names(bench: Bench) -> None:
    added = Address(bench.near, ip_address("10.0.7.1"), 24)
    bench.sh("ip addr add 10.0.7.1/24 dev near")
    read = await bench.until(LinksRead, lambda event: added in event.addresses, seconds=SOON)
    assert read.lapsed == frozenset()
    bench.sh("ip addr del 10.0.7.1/24 dev near")
    read = await bench.until(LinksRead, lambda event: bool(event.lapsed), seconds=SOON)
    assert added not in read.addresses
    assert read.lapsed == {bench.near}
    near = bench.near
    bench.sh("ip link set near name uplink")
    named = await bench.until(
        LinksRead, lambda event: "uplink" in {link.name for link in event.links.values()}, seconds=SOON
    )
    bench.sh("ip link del uplink")
    since = bench.events.index(named)
    read = await bench.until(LinksRead, lambda event: near not in event.links, since=since, seconds=SOON)
    assert near in read.lapsed


@in_namespace
async def test_a_burst_costs_few_dumps(bench: Bench) -> None:
    since = len(bench.events)
    bench.sh("for n in $(seq 1 200); do echo addr add 10.77.0.$n/32 dev near; done | ip -batch -")
    await bench.until(
        LinksRead, lambda event: sum(str(a.address).startswith("10.77") for a in event.addresses) == 200
    )
    assert sum(isinstance(event, LinksRead) for event in bench.events[since:]) < 100


@in_namespace
async def test_a_link_that_flaps_too_fast_for_a_dump_is_told(bench: Bench) -> None:
    await bench.done(AddRoute(v4("192.0.2.0/24"), Inline(bench.near, ip_address("10.0.1.2"))))
    bench.sh("printf 'link set near down\\nlink set near up\\n' | ip -batch -")
    read = await bench.until(LinksRead, lambda event: bool(event.lapsed), seconds=SOON)
    assert bench.near in read.lapsed
    # The fact that makes it matter: the route went without a word.
    assert await bench.table(500) == {}
    assert not [event for event in bench.events if isinstance(event, RouteGone) and event.route.ours]
    await bench.calm()
    assert (await bench.links()).lapsed == frozenset()


@in_namespace
async def test_carrier_loss_takes_objects_silently(bench: Bench) -> None:
    inline = v4("198.51.100.0/24")
    await bench.done(
        AddNexthop(A, NexthopObject(ip_address("10.0.1.2"), bench.near)),
        AddNexthop(B, NexthopObject(ip_address("10.0.2.2"), bench.other)),
        AddNexthop(GROUP, NexthopGroup((A, B))),
        AddNexthop(GROUP + 1, NexthopGroup((A,))),
        AddRoute(v4("192.0.2.0/24"), GROUP),
        AddRoute(v4("203.0.113.0/24"), GROUP + 1),
        AddRoute(inline, Inline(bench.near, ip_address("10.0.1.2"))),
    )
    bench.sh("ip link set near-far down")
    read = await bench.until(LinksRead, lambda event: not event.links[bench.near].running, seconds=SOON)
    assert (read.links[bench.near].up, bench.near in read.lapsed) == (True, True)
    assert {found.id: found.value for found in (await bench.nexthops()).values()} == {
        B: NexthopObject(ip_address("10.0.2.2"), bench.other),
        GROUP: NexthopGroup((B,)),
    }
    assert set(await bench.table(500)) == {v4("192.0.2.0/24"), inline}
    bench.sh("ip link set near-far up")
    await bench.until(
        LinksRead, lambda event: event.links[bench.near].running, since=bench.events.index(read), seconds=SOON
    )
    await bench.done(AddNexthop(A, NexthopObject(ip_address("10.0.1.2"), bench.near)))


@in_namespace
async def test_a_change_behind_a_dump_is_told_behind_it(bench: Bench) -> None:
    routes = [
        AddRoute(RouteKey(500, Family.IPV4, b"\x18" + (65536 + n).to_bytes(3, "big")), Inline(bench.near))
        for n in range(60_000)
    ]
    await bench.done(*routes)
    first = routes[0].key
    since = len(bench.events)
    request = ReadTable(500, Family.IPV4)
    bench.kernel.read(request)
    while request not in bench.kernel._hold._under_way:
        time.sleep(0)
    # The loop was not given a chance, and the dump is under way in its thread: the deletion is told in
    # the loop's next turn if it is not held, before the dump.
    time.sleep(0.02)
    bench.by_others(DeleteRoute(first))
    await bench.until(RouteGone, since=since)
    kinds = [type(event) for event in bench.events[since:] if isinstance(event, TableRead | RouteGone)]
    assert kinds == [TableRead, RouteGone]


@in_namespace
async def test_reads_and_batches_are_answered_in_the_order_of_asking(bench: Bench) -> None:
    since = len(bench.events)
    keys = [v4(f"10.9.{n}.0/24") for n in range(50)]
    for serial, key in enumerate(keys):
        bench.kernel.apply(1000 + serial, [AddRoute(key, Inline(bench.near))])
        bench.kernel.read(ReadTable(500, Family.IPV4))
    await bench.until(TableRead, lambda event: len(event.routes) == 50, since=since)
    reads = [event for event in bench.events[since:] if isinstance(event, TableRead)]
    assert [len(read.routes) for read in reads] == list(range(1, 51))


@in_namespace
async def test_lost_events_are_told_and_watching_goes_on(bench: Bench) -> None:
    routes = [
        AddRoute(RouteKey(500, Family.IPV4, b"\x18" + (65536 + n).to_bytes(3, "big")), Inline(bench.near))
        for n in range(80_000)
    ]
    # This blocks the event loop, as a core that is behind would: the socket's buffer overflows.
    bench.by_others(*routes)
    await bench.until(Overrun)
    # Nothing of the flood comes after the word that all must be read again.
    assert len(await bench.table(500)) == 80_000
    bench.sh("ip route del 1.0.7.0/24 table 500")
    gone = await bench.until(RouteGone, since=bench.events.index(Overrun()), seconds=SOON)
    assert gone.route.key.nlri == bytes((24, 1, 0, 7))
    # The filter is there still.
    since = len(bench.events)
    await bench.done(DeleteRoute(v4("1.0.8.0/24")))
    bench.sh("ip route del 1.0.9.0/24 table 500")
    gone = await bench.until(RouteGone, since=since, seconds=SOON)
    assert gone.route.key.nlri == bytes((24, 1, 0, 9))


@in_namespace
async def test_what_the_kernel_would_do_with_a_packet(bench: Bench) -> None:
    await bench.done(
        AddNexthop(A, NexthopObject(ip_address("10.0.1.2"), bench.near)),
        AddNexthop(B, NexthopObject(ip_address("10.0.2.2"), bench.other)),
        AddNexthop(GROUP, NexthopGroup((A, B))),
        AddNexthop(GROUP + 1, NexthopObject(ip_address("fd00:1::2"), bench.near)),
        AddNexthop(GROUP + 2, NexthopGroup((GROUP + 1,))),
        AddRoute(v4("105.8.10.0/24"), GROUP),
        AddRoute(v6("2001:db8::/32"), GROUP + 2),
        AddRule(Rule(Family.IPV4, 102, ip_network("10.0.1.77/32"), None, Action.LOOKUP, 500)),
        AddRule(Rule(Family.IPV4, 110, ip_network("10.0.1.77/32"), None, Action.UNREACHABLE)),
        AddRule(Rule(Family.IPV6, 102, ip_network("fd00:1::77/128"), None, Action.LOOKUP, 500)),
    )
    source, source6 = ip_address("10.0.1.77"), ip_address("fd00:1::77")
    found = await bench.kernel.route_get(source, ip_address("105.8.10.1"), bench.near)
    assert (found.key, found.nhid, found.protocol, found.kind) == (v4("105.8.10.0/24"), GROUP, 179, "unicast")
    assert found.nexthops in (
        ((ip_address("10.0.1.2"), bench.near),),
        ((ip_address("10.0.2.2"), bench.other),),
    )
    found = await bench.kernel.route_get(source6, ip_address("2001:db8::1"), bench.near)
    assert (found.key, found.nhid, found.nexthops) == (
        v6("2001:db8::/32"),
        GROUP + 2,
        ((ip_address("fd00:1::2"), bench.near),),
    )
    found = await bench.kernel.route_get(None, ip_address("10.0.2.9"))
    assert (found.key.table, found.nexthops, found.prefsrc) == (
        254,
        ((None, bench.other),),
        ip_address("10.0.2.1"),
    )
    bench.sh("ip route add unreachable 203.0.113.0/24 table 500")
    for destination, number in (
        ("192.0.2.1", errno.ENETUNREACH),
        ("203.0.113.1", errno.EHOSTUNREACH),
        ("2001:db9::1", errno.ENETUNREACH),
    ):
        target = ip_address(destination)
        with pytest.raises(OSError) as caught:  # noqa: PT011
            await bench.kernel.route_get(source if target.version == 4 else source6, target, bench.near)
        assert caught.value.errno == number


@in_namespace
async def test_a_table_of_one_network_is_read_alone(bench: Bench) -> None:
    await bench.done(
        AddRoute(v4("192.0.2.0/24", 500), Inline(bench.near)),
        AddRoute(v4("192.0.2.0/24", 501), Inline(bench.other)),
        AddRoute(v6("2001:db8::/32", 501), Inline(bench.other)),
    )
    assert set(await bench.table(500)) == {v4("192.0.2.0/24", 500)}
    assert set(await bench.table(501, Family.IPV6)) == {v6("2001:db8::/32", 501)}
    assert await bench.table(502) == {}
    assert await bench.table(502, Family.IPV6) == {}
    bench.sh("ip route add 10.8.0.0/16 dev near table 503")
    assert await bench.tables() == {(500, Family.IPV4), (501, Family.IPV4), (501, Family.IPV6)}
    assert {route.kind for route in (await bench.table(255)).values()} >= {"local", "broadcast"}


@in_namespace
async def test_next_hops_are_read_whole_while_others_churn(bench: Bench) -> None:
    steady = [
        AddNexthop(FIRST_ID + n, NexthopObject(ip_address("10.0.1.2"), bench.near)) for n in range(3000)
    ]
    await bench.done(*steady)
    churn = [
        AddNexthop(5, NexthopObject(ip_address("10.0.1.3"), bench.near)),
        DeleteNexthop(5),
    ]
    ending = asyncio.Event()

    async def churning() -> None:
        while not ending.is_set():
            bench.by_others(*churn)
            await asyncio.sleep(0)

    task = asyncio.create_task(churning())
    try:
        for _ in range(10):
            assert {operation.id for operation in steady} <= set(await bench.nexthops())
    finally:
        ending.set()
        await task


# -- start and stop ------------------------------------------------------------------------------


@in_namespace
async def test_stop_answers_all_that_was_asked(bench: Bench) -> None:
    kernel, events = Kernel(), []
    await kernel.start(events.append)
    for serial in range(20):
        kernel.apply(serial, [AddRoute(v4(f"10.9.{serial}.0/24"), Inline(bench.near))])
    await kernel.stop()
    await kernel.stop()
    assert [event.serial for event in events] == list(range(20))
    assert len(await bench.table(500)) == 20


def test_this_machine_is_fit() -> None:
    alone(check)


@pytest.mark.parametrize(
    "prefix",
    [
        ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-all"],
        ["unshare", "--user", "--map-root-user"],
    ],
    ids=["no-capability", "capability-over-another-namespace"],
)
def test_a_missing_privilege_is_said(prefix: list[str]) -> None:
    trial = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"{prefix[0]} does not work here: {trial.stderr.strip()}")
    done = subprocess.run(
        [*prefix, sys.executable, "-c", "from vrfbgp.kernel.preflight import check; check()"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "CAP_NET_ADMIN is missing" in last
    assert Unfit.__name__ in last
