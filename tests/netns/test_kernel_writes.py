"""What each operation does to a real kernel, and what the kernel refuses."""

from __future__ import annotations

import errno
import time
from ipaddress import ip_address, ip_network

import pytest

from tests.netns.kernel_bench import FIRST_ID, Bench, in_namespace, v4, v6
from vrfbgp.kernel.direct import write
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.model import (
    Action,
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
    AddRoutes,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRoutes,
    DeleteRule,
    ReplaceNexthop,
    ReplaceRoute,
    ReplaceRoutes,
)

A, B, GROUP, GROUP_2 = FIRST_ID, FIRST_ID + 1, FIRST_ID + 2, FIRST_ID + 3
A6, B6, GROUP6 = FIRST_ID + 4, FIRST_ID + 5, FIRST_ID + 6


async def objects(bench: Bench) -> None:
    """Two objects of each family, a group of both and one of the first alone."""
    await bench.done(
        AddNexthop(A, NexthopObject(ip_address("10.0.1.2"), bench.near)),
        AddNexthop(B, NexthopObject(ip_address("10.0.2.2"), bench.other)),
        AddNexthop(GROUP, NexthopGroup((A, B))),
        AddNexthop(GROUP_2, NexthopGroup((A,))),
        AddNexthop(A6, NexthopObject(ip_address("fd00:1::2"), bench.near)),
        AddNexthop(B6, NexthopObject(ip_address("fe80::2"), bench.other)),
        AddNexthop(GROUP6, NexthopGroup((A6, B6))),
    )


@in_namespace
async def test_routes_are_made_replaced_and_deleted(bench: Bench) -> None:
    await objects(bench)
    for key, group in ((v4("192.0.2.0/24"), GROUP), (v6("2001:db8::/32"), GROUP6), (v4("0.0.0.0/0"), GROUP)):
        family = key.family
        own = Inline(bench.near, ip_address("10.0.1.9" if family is Family.IPV4 else "fd00:1::9"))
        assert await bench.refused(ReplaceRoute(key, group)) == errno.ENOENT
        await bench.done(AddRoute(key, group))
        found = (await bench.table(500, family))[key]
        assert (found.value, found.protocol, found.ours) == (group, 179, True)
        assert await bench.refused(AddRoute(key, own)) == errno.EEXIST
        await bench.done(ReplaceRoute(key, own))
        assert (await bench.table(500, family))[key].value == own
        await bench.done(ReplaceRoute(key, group))
        assert (await bench.table(500, family))[key].value == group
        await bench.done(DeleteRoute(key))
        assert await bench.table(500, family) == {}


@in_namespace
async def test_inline_routes(bench: Bench) -> None:
    wanted = {
        v4("10.0.1.0/24"): Inline(bench.near, None, ip_address("10.0.1.1")),
        v4("10.0.2.0/24"): Inline(bench.other),
        v4("198.51.100.0/24"): Inline(bench.near, ip_address("10.0.1.2"), ip_address("10.0.2.1")),
        # The gateway is on no subnet of the node: onlink.
        v4("203.0.113.0/24"): Inline(bench.near, ip_address("192.0.2.77")),
        v4("192.0.2.0/24"): Inline(bench.near, ip_address("fe80::2")),
    }
    wanted6 = {
        v6("fd00:1::/64"): Inline(bench.near),
        v6("2001:db8::/32"): Inline(bench.near, ip_address("fe80::2"), ip_address("fd00:1::1")),
        v6("::/0"): Inline(bench.other, ip_address("2001:db8:77::1")),
    }
    await bench.done(*(AddRoute(key, value) for key, value in (wanted | wanted6).items()))
    found = await bench.table(500)
    assert {key: route.value for key, route in found.items()} == wanted
    assert found[v4("10.0.2.0/24")].scope == 253
    found6 = await bench.table(500, Family.IPV6)
    assert {key: route.value for key, route in found6.items()} == wanted6
    await bench.done(*(DeleteRoute(key) for key in wanted | wanted6))
    assert await bench.tables() == frozenset()


@in_namespace
async def test_a_foreign_route_is_neither_overwritten_nor_deleted(bench: Bench) -> None:
    await objects(bench)
    bench.sh("ip route add 192.0.2.0/24 via 10.0.1.7 table 500 metric 20000")
    bench.sh("ip -6 route add 2001:db8::/32 via fd00:1::7 table 500 metric 20000")
    for key, group in ((v4("192.0.2.0/24"), GROUP), (v6("2001:db8::/32"), GROUP6)):
        before = (await bench.table(500, key.family))[key]
        assert not before.ours
        assert await bench.refused(AddRoute(key, group)) == errno.EEXIST
        await bench.done(DeleteRoute(key))
        assert (await bench.table(500, key.family))[key] == before
        better = RouteKey(500, key.family, key.nlri, 20001)
        await bench.done(AddRoute(better, group))
        assert set(await bench.table(500, key.family)) == {key, better}


@in_namespace
async def test_what_is_gone_already_is_no_failure(bench: Bench) -> None:
    rule = Rule(Family.IPV4, 102, ip_network("10.50.0.2/32"), None, Action.LOOKUP, 500)
    rule6 = Rule(Family.IPV6, 102, ip_network("fd50::2/128"), None, Action.LOOKUP, 500)
    gone = [
        DeleteRoute(v4("192.0.2.0/24")),
        DeleteRoute(v6("2001:db8::/32")),
        DeleteRoute(v4("10.0.0.0/8", 99)),
    ]
    await bench.done(*gone, DeleteNexthop(A), DeleteRule(rule), DeleteRule(rule6))


@in_namespace
async def test_next_hops(bench: Bench) -> None:
    await objects(bench)
    assert (
        await bench.refused(AddNexthop(A, NexthopObject(ip_address("10.0.1.9"), bench.near))) == errno.EEXIST
    )
    found = await bench.nexthops()
    assert found[A] == KernelNexthop(A, 179, NexthopObject(ip_address("10.0.1.2"), bench.near))
    assert found[B6] == KernelNexthop(B6, 179, NexthopObject(ip_address("fe80::2"), bench.other))
    assert found[GROUP] == KernelNexthop(GROUP, 179, NexthopGroup((A, B)))
    await bench.done(
        ReplaceNexthop(A, NexthopObject(ip_address("10.0.1.9"), bench.near)),
        ReplaceNexthop(GROUP, NexthopGroup((B,))),
    )
    found = await bench.nexthops()
    assert found[A].value == NexthopObject(ip_address("10.0.1.9"), bench.near)
    assert found[GROUP].value == NexthopGroup((B,))
    # An object is never replaced by a group, nor the other way round: hence groups of one.
    assert await bench.refused(ReplaceNexthop(A, NexthopGroup((B,)))) != 0
    assert await bench.refused(ReplaceNexthop(77, NexthopGroup((B,)))) == errno.ENOENT


@in_namespace
async def test_a_refusal_comes_with_the_kernels_words_and_the_rest_is_done(bench: Bench) -> None:
    bad = AddRoute(v4("192.0.2.0/24"), 77)
    good = [AddRoute(v4(f"10.9.{n}.0/24"), Inline(bench.near)) for n in range(10)]
    failures = await bench.apply(*good[:5], bad, *good[5:])
    assert [(failure.operation, failure.errno) for failure in failures] == [(bad, errno.EINVAL)]
    assert "exthop" in failures[0].text
    assert len(await bench.table(500)) == 10


@in_namespace
@pytest.mark.parametrize("compat", [1, 0])
async def test_groups_shrink_and_routes_go_with_their_last_object(bench: Bench, compat: int) -> None:
    bench.sh(f"sysctl -qw net.ipv4.nexthop_compat_mode={compat}")
    await objects(bench)
    keys = [v4("192.0.2.0/24"), v4("198.51.100.0/24"), v6("2001:db8::/32")]
    await bench.done(AddRoute(keys[0], GROUP), AddRoute(keys[1], GROUP_2), AddRoute(keys[2], GROUP6))
    before = await bench.table(500)
    assert {key: route.nhid for key, route in before.items()} == {keys[0]: GROUP, keys[1]: GROUP_2}
    both = ((ip_address("10.0.1.2"), bench.near), (ip_address("10.0.2.2"), bench.other))
    assert before[keys[0]].nexthops == (both if compat else ())
    assert before[keys[0]].value == GROUP
    both6 = ((ip_address("fd00:1::2"), bench.near), (ip_address("fe80::2"), bench.other))
    found6 = await bench.table(500, Family.IPV6)
    assert (found6[keys[2]].nexthops, found6[keys[2]].value) == (both6 if compat else (), GROUP6)
    await bench.done(DeleteNexthop(A), DeleteNexthop(A6))
    assert set(await bench.table(500)) == {keys[0]}
    nexthops = await bench.nexthops()
    assert nexthops[GROUP].value == NexthopGroup((B,))
    assert GROUP_2 not in nexthops
    await bench.done(DeleteNexthop(B), DeleteNexthop(B6))
    assert await bench.table(500) == {}
    assert await bench.table(500, Family.IPV6) == {}
    assert await bench.nexthops() == {}


@in_namespace
async def test_a_next_hop_that_only_the_networks_table_knows_is_made_onlink(bench: Bench) -> None:
    await bench.done(
        AddRoute(v4("172.31.0.0/24"), Inline(bench.near)),
        AddNexthop(A, NexthopObject(ip_address("172.31.0.9"), bench.near)),
        AddNexthop(A6, NexthopObject(ip_address("2001:db8:9::9"), bench.near)),
    )


@in_namespace
@pytest.mark.parametrize("family", Family)
async def test_rules(bench: Bench, family: Family) -> None:
    net = ip_network if family is Family.IPV4 else lambda text: ip_network(SIX[text])
    src, dst = net("10.50.0.2/32"), net("10.0.0.0/8")
    base = await bench.rules(family)
    wanted = (
        Rule(family, 101, src, dst, Action.LOOKUP, 254),
        Rule(family, 102, src, None, Action.LOOKUP, 500),
        Rule(family, 102, net("10.50.0.3/32"), None, Action.LOOKUP, 70000),
        Rule(family, 110, src, None, Action.UNREACHABLE),
    )
    await bench.done(*(AddRule(rule) for rule in wanted))
    assert set(await bench.rules(family)) == {*base, *wanted}
    for rule in wanted:
        assert await bench.refused(AddRule(rule)) == errno.EEXIST
    await bench.done(DeleteRule(wanted[2]), DeleteRule(wanted[0]))
    assert set(await bench.rules(family)) == {*base, wanted[1], wanted[3]}
    await bench.done(DeleteRule(wanted[1]), DeleteRule(wanted[3]))
    assert await bench.rules(family) == base


SIX = {"10.50.0.2/32": "fd50::2/128", "10.50.0.3/32": "fd50::3/128", "10.0.0.0/8": "fd00::/8"}


@in_namespace
async def test_a_rule_of_another_protocol_is_another_rule(bench: Bench) -> None:
    ours = Rule(Family.IPV4, 102, ip_network("10.50.0.2/32"), None, Action.LOOKUP, 500)
    foreign = Rule(Family.IPV4, 102, ip_network("10.50.0.2/32"), None, Action.LOOKUP, 500, protocol=80)
    bench.sh("ip rule add pref 102 from 10.50.0.2 lookup 500 protocol 80")
    await bench.done(AddRule(ours))
    assert [rule for rule in await bench.rules() if rule.priority == 102] == [foreign, ours]
    await bench.done(DeleteRule(ours))
    assert [rule for rule in await bench.rules() if rule.priority == 102] == [foreign]
    await bench.done(DeleteRule(ours))
    assert [rule for rule in await bench.rules() if rule.priority == 102] == [foreign]


@in_namespace
async def test_foreign_rules_show_their_selectors(bench: Bench) -> None:
    bench.sh("ip rule add pref 50 not from 10.0.0.0/8 fwmark 0x1/0xf iif near lookup 500")
    bench.sh("ip rule add pref 51 lookup main suppress_prefixlength 0")
    bench.sh("ip rule add pref 52 ipproto tcp dport 80-90 uidrange 0-9 goto 32766")
    bench.sh("ip rule add pref 53 from 10.1.0.0/16 blackhole")
    found = {rule.priority: rule for rule in await bench.rules()}
    assert set(found[50].others) == {"not", "fwmark 0x1/0xf", "iif near"}
    assert found[51].others == ("suppress_prefixlength 0",)
    assert set(found[52].others) == {"ipproto 6", "dport 80-90", "uidrange 0-9", "goto 32766"}
    assert found[53].others == ("blackhole",)
    assert found[53].action is Action.OTHER
    assert found[0].others == found[32766].others == ()


@in_namespace
async def test_a_whole_batch_may_be_refused(bench: Bench) -> None:
    routes = [
        AddRoute(RouteKey(500, Family.IPV4, b"\x18" + n.to_bytes(3, "big")), 77) for n in range(70000, 110000)
    ]
    failures = await bench.apply(*routes)
    assert [failure.operation for failure in failures] == routes
    assert {failure.errno for failure in failures} == {errno.EINVAL}


@in_namespace
@pytest.mark.parametrize("compat", [1, 0])
async def test_100_000_routes_there_and_back(bench: Bench, compat: int) -> None:
    bench.sh(f"sysctl -qw net.ipv4.nexthop_compat_mode={compat}")
    await objects(bench)
    routes = [
        AddRoute(
            RouteKey(500, Family.IPV4, b"\x18" + (65536 + n).to_bytes(3, "big")), (GROUP, GROUP_2)[n % 2]
        )
        for n in range(100_000)
    ]
    began = time.monotonic()
    await bench.done(*routes)
    written = time.monotonic()
    found = await bench.table(500)
    read = time.monotonic()
    print(f"written {100_000 / (written - began):,.0f}/s, read {100_000 / (read - written):,.0f}/s")
    assert {key: route.value for key, route in found.items()} == {route.key: route.value for route in routes}
    assert await bench.tables() == {(500, Family.IPV4)}
    # Nobody is told of what we wrote ourselves.
    assert all(type(event).__name__ in {"Applied", "TableRead", "TablesRead"} for event in bench.events[-4:])
    await bench.done(*(DeleteRoute(route.key) for route in routes))
    assert await bench.table(500) == {}


@in_namespace
@pytest.mark.parametrize("compat", [1, 0])
@pytest.mark.parametrize("family", Family)
async def test_runs_of_routes_there_and_back(bench: Bench, family: Family, compat: int) -> None:
    bench.sh(f"sysctl -qw net.ipv4.nexthop_compat_mode={compat}")
    await objects(bench)
    first, second = (GROUP, GROUP_2) if family is Family.IPV4 else (GROUP6, GROUP6)
    nlris = [b"\x18" + (65536 + n).to_bytes(3, "big") for n in range(40_000)] + [b"\0", b"\x11\x0a\x01\x80"]
    nexthops = [(first, second)[n % 2] for n in range(len(nlris))]
    wanted = dict(zip(nlris, nexthops, strict=True))

    async def standing() -> dict[bytes, object]:
        return {key.nlri: route.value for key, route in (await bench.table(500, family)).items()}

    # A run stands among others; the refusal of one of its routes names that route, and stops nothing.
    taken = RouteKey(500, family, nlris[30_000], 20000)
    await bench.done(AddRoute(taken, first))
    failures = await bench.apply(
        AddRoute(RouteKey(501, family, b"\0", 20000), first),
        AddRoutes(500, family, 20000, nlris, nexthops),
        DeleteRoute(RouteKey(501, family, b"\0", 20000)),
    )
    assert [(failure.operation, failure.errno) for failure in failures] == [
        (AddRoute(taken, wanted[taken.nlri]), errno.EEXIST)
    ]
    assert await standing() == wanted | {taken.nlri: first}
    assert await bench.tables() == {(500, family)}
    turned = nexthops[::-1]
    await bench.done(ReplaceRoutes(500, family, 20000, nlris, turned))
    assert await standing() == dict(zip(nlris, turned, strict=True))
    [failure] = await bench.apply(ReplaceRoutes(500, family, 20001, nlris[:1], [first]))
    assert failure.operation == ReplaceRoute(RouteKey(500, family, nlris[0], 20001), first)
    # What is gone already is no failure.
    await bench.done(DeleteRoute(taken))
    await bench.done(DeleteRoutes(500, family, 20000, nlris[100:]))
    assert await standing() == dict(zip(nlris[:100], turned, strict=False))


@in_namespace
async def test_operations_are_done_in_their_order(bench: Bench) -> None:
    key = v4("192.0.2.0/24")
    value = Inline(bench.near)
    cycle = [AddRoute(key, value), ReplaceRoute(key, Inline(bench.other)), DeleteRoute(key)]
    await bench.done(*(cycle * 5000))
    assert await bench.table(500) == {}


@in_namespace
async def test_small_buffers_make_small_chunks(bench: Bench) -> None:
    sock = NetlinkSocket()
    sock._socket.setsockopt(1, 7, 4096)
    sock._socket.setsockopt(1, 8, 65536)
    assert sock.send_limit < 10000
    routes = [
        AddRoute(RouteKey(500, Family.IPV4, b"\x18" + n.to_bytes(3, "big")), 77) for n in range(70000, 71000)
    ]
    failures = write(sock, routes)
    assert [(failure.operation, failure.errno) for failure in failures] == [
        (op, errno.EINVAL) for op in routes
    ]
    sock.close()
