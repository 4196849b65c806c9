"""The faults. Each breaks something, or changes what should be, and leaves all that it broke mended.

What it does is drawn from `rng` alone, so that a seed gives the same faults again; the moments differ.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from typing import Any

from labs.netns.manifests import gateway, network
from labs.netns.topology import SERVED
from labs.netns.waiting import wait_for
from tests.netns.world import METRIC, PROTOCOL
from tests.soak.state import BASE, PREFIXES, State

Fault = Callable[[State, random.Random], str]
"""Returns what it did, in words."""
GAPS = (0.0, 0.0, 0.01, 0.05, 0.2, 0.6, 1.3)
"""Seconds: around every time constant of links and of the config."""


def some(state: State, rng: random.Random, kind: str, count: int) -> list[Any]:
    """Some of our objects in the kernel."""
    there = sorted(state.world.traces()[kind], key=str)
    return rng.sample(there, min(count, len(there)))


def try_ip(state: State, *lines: str) -> None:
    """`ip` commands; what is not there any more is no matter."""
    subprocess.run(
        ["ip", "-n", state.world.node.name, "-force", "-batch", "-"],
        input="".join(f"{line}\n" for line in lines),
        text=True,
        check=False,
        capture_output=True,
        timeout=60,
    )


def route_words(route: dict[str, Any]) -> str:
    return f"{route['dst']} table {route.get('table', 'main')} metric {route['metric']} proto {PROTOCOL}"


# -- what others do to the kernel ------------------------------------------------------------------


def routes_deleted(state: State, rng: random.Random) -> str:
    victims = [route_words(route) for route in some(state, rng, "routes", rng.choice((1, 1, 5, 40)))]
    try_ip(state, *(f"route del {words}" for words in victims))
    return f"{len(victims)} routes, {victims[:2]} …"


def routes_altered(state: State, rng: random.Random) -> str:
    victims = [route_words(route) for route in some(state, rng, "routes", rng.choice((1, 1, 5)))]
    how = rng.choice(("dev yellow0", "dev red0", "via 172.16.2.140 dev yellow0", "via 172.16.1.77 dev red0"))
    try_ip(state, *(f"route change {words} {how}" for words in victims))
    return f"{victims} to {how}"


def routes_turned_blackhole(state: State, rng: random.Random) -> str:
    victims = [route_words(route) for route in some(state, rng, "routes", rng.choice((1, 3)))]
    try_ip(state, *(f"route change blackhole {words}" for words in victims))
    return str(victims)


def routes_made(state: State, rng: random.Random) -> str:
    """With our protocol, in our table, but none of ours."""
    table = rng.choice(list(state.tables.values()))
    made = [f"203.0.113.{rng.randrange(256)}/32" for _ in range(rng.choice((1, 4)))]
    try_ip(state, *(f"route add {p} dev red0 table {table} metric {METRIC} proto {PROTOCOL}" for p in made))
    return f"{made} in {table}"


def rules_deleted(state: State, rng: random.Random) -> str:
    victims = some(state, rng, "rules", rng.choice((1, 1, 3)))
    lines = [
        f"rule del priority {rule['priority']} from {rule['src']}/{rule.get('srclen', 32)}"
        + (f" to {rule['dst']}/{rule.get('dstlen', 32)}" if "dst" in rule else "")
        for rule in victims
    ]
    try_ip(state, *lines)
    return str(lines)


def nexthops_deleted(state: State, rng: random.Random) -> str:
    victims = [entry["id"] for entry in some(state, rng, "nexthops", rng.choice((1, 2)))]
    try_ip(state, *(f"nexthop del id {id_}" for id_ in victims))
    return str(victims)


def nexthops_flushed(state: State, rng: random.Random) -> str:
    try_ip(state, "nexthop flush")
    return ""


def table_emptied(state: State, rng: random.Random) -> str:
    table = rng.choice(list(state.tables.values()))
    routes = [route for route in state.world.traces()["routes"] if route.get("table") == str(table)]
    try_ip(state, *(f"route del {route_words(route)}" for route in routes))
    return f"{table}, {len(routes)} routes"


def place_taken(state: State, rng: random.Random) -> str:
    """A foreign route takes the place of one of ours, and leaves."""
    name = rng.choice(list(state.tables))
    site, prefix = state.site(name), rng.choice(sorted(state.announced[name]))
    words = f"{prefix} table {state.tables[name]} metric {METRIC}"
    try_ip(state, f"route replace {words} via {site.address(99)} dev {site.uplink} proto static")
    time.sleep(rng.choice(GAPS))
    there = [route["protocol"] for route in state.world.node.routes(state.tables[name], "exact", prefix)]
    assert there == ["static"], f"a foreign route was overwritten: {there}"
    try_ip(state, f"route del {words} proto static")
    return words


def events_lost(state: State, rng: random.Random) -> str:
    """The daemon does not listen while more happens than its socket holds, our own objects included."""
    assert state.world.daemon.process is not None
    daemon = state.world.daemon.process.pid
    os.kill(daemon, signal.SIGSTOP)
    state.deaf = True
    try:
        flood = [f"10.{a}.{b}.0/24 dev eth0 table 7777" for a in range(60, 100) for b in range(256)]
        try_ip(state, *(f"route add {one}" for one in flood))
        try_ip(state, *(f"route del {one}" for one in flood))
        done = rng.choice((routes_deleted, rules_deleted, nexthops_deleted))(state, rng)
    finally:
        os.kill(daemon, signal.SIGCONT)
    return done


# -- links and addresses ---------------------------------------------------------------------------


def link_flaps(state: State, rng: random.Random) -> str:
    site, gap = state.site(rng.choice(list(state.tables))), rng.choice(GAPS)
    state.world.node.ip(f"link set {site.uplink} down")
    time.sleep(gap)
    state.world.node.ip(f"link set {site.uplink} up")
    return f"{site.uplink} for {gap} s"


def carrier_flaps(state: State, rng: random.Random) -> str:
    site, gap = state.site(rng.choice(list(state.tables))), rng.choice(GAPS)
    site.cut()
    time.sleep(gap)
    site.mend()
    return f"{site.uplink} for {gap} s"


def address_flaps(state: State, rng: random.Random) -> str:
    site, gap = state.site(rng.choice(list(state.tables))), rng.choice(GAPS)
    state.world.node.ip(f"addr del {site.node_address}/24 dev {site.uplink}")
    time.sleep(gap)
    state.world.node.ip(f"addr add {site.node_address}/24 dev {site.uplink}")
    return f"{site.node_address} for {gap} s"


def device_made_anew(state: State, rng: random.Random) -> str:
    """Under its name, with another index."""
    site, gap = state.site(rng.choice(list(state.tables))), rng.choice(GAPS)
    state.world.node.ip(f"link del {site.uplink}")
    time.sleep(gap)
    state.world.topology.wire(site)
    return f"{site.uplink} after {gap} s"


# -- processes -------------------------------------------------------------------------------------


def daemon_killed(state: State, rng: random.Random) -> str:
    """And something of its work is undone, or its world changes, while it is away."""
    state.world.daemon.kill()
    away = rng.choice((None, None, routes_deleted, rules_deleted, nexthops_deleted, routes_announced))
    done = away(state, rng) if away else ""
    state.start()
    return done


def daemon_killed_early(state: State, rng: random.Random) -> str:
    """Again, somewhere in its start."""
    moments = [round(rng.uniform(0.2, 2.0), 2) for _ in range(2)]
    for moment in moments:
        state.world.daemon.kill()
        state.start()
        time.sleep(moment)
    state.world.daemon.kill()
    state.start()
    return str(moments)


def daemon_stopped(state: State, rng: random.Random) -> str:
    assert state.world.daemon.stop() == 0
    state.start()
    return ""


def speaker_killed(state: State, rng: random.Random) -> str:
    """Or the process that forks them."""
    assert state.world.daemon.process is not None
    spared = {state.world.daemon.process.pid, state.world.writer_process()}
    children = sorted(set(state.world.daemon_processes()) - spared)
    victim = rng.randrange(max(1, len(children)))
    try:
        os.kill(children[victim], signal.SIGKILL)
    except (ProcessLookupError, IndexError):
        return "none was left"
    return f"number {victim}"


def writer_killed(state: State, rng: random.Random) -> str:
    """The process that writes: the daemon ends, and its supervisor starts it again."""
    os.kill(state.world.writer_process(), signal.SIGKILL)
    assert state.world.daemon.process is not None
    status = state.world.daemon.process.wait(30)
    state.looked = len(state.world.daemon.log())
    state.start()
    return f"the daemon ended with {status}"


def router_killed(state: State, rng: random.Random) -> str:
    """It returns with what it had."""
    name = rng.choice(list(state.tables))
    router = state.site(name).router
    (router.kill if rng.random() < 0.5 else router.stop)()
    router.start(*sorted(state.announced[name]))
    return name


def sessions_cleared(state: State, rng: random.Random) -> str:
    name = rng.choice(list(state.tables))
    state.site(name).router.vtysh("clear bgp *")
    return name


# -- what should be changes ------------------------------------------------------------------------


def routes_announced(state: State, rng: random.Random) -> str:
    """And others withdrawn."""
    name = rng.choice(list(state.tables))
    router, now = state.site(name).router, state.announced[name]
    come = set(rng.sample(PREFIXES, rng.choice((1, 5)))) - now
    go = set(rng.sample(sorted(now - {SERVED}), rng.randrange(len(now)) // 2))
    if come:
        router.announce(*sorted(come))
    if go:
        router.withdraw(*sorted(go))
    state.announced[name] = (now | come) - go
    return f"{name} +{len(come)} -{len(go)}"


def priority_edited(state: State, rng: random.Random) -> str:
    state.priority = rng.choice([p for p in range(BASE, BASE + 40, 3) if p != state.priority])
    state.save_felix()
    return str(state.priority)


def table_edited(state: State, rng: random.Random) -> str:
    """One network moves, or the two exchange their tables."""
    names = list(state.tables)
    if rng.random() < 0.3:
        one, other = names
        state.tables[one], state.tables[other] = state.tables[other], state.tables[one]
    else:
        free = [table for table in range(500, 520) if table not in state.tables.values()]
        state.tables[rng.choice(names)] = rng.choice(free)
    state.save_networks()
    return str(state.tables)


def peer_edited(state: State, rng: random.Random) -> str:
    state.hold_time = rng.choice([t for t in (30, 45, 60, 90) if t != state.hold_time])
    state.save_peers()
    return f"hold time {state.hold_time} s"


def network_leaves_and_returns(state: State, rng: random.Random) -> str:
    name, gap = rng.choice(list(state.tables)), rng.choice(GAPS)
    left = [network(other, table) for other, table in state.tables.items() if other != name]
    state.world.config.save("networks.yaml", *left)
    time.sleep(gap)
    state.save_networks()
    return f"{name} for {gap} s"


def gateway_comes_and_leaves(state: State, rng: random.Random) -> str:
    gap = rng.choice(GAPS)
    state.save_gateways(gateway("blue", ["red", "yellow"], "10.50.0.8/31"))
    time.sleep(gap)
    state.save_gateways()
    return f"for {gap} s"


def disabled_and_enabled(state: State, rng: random.Random) -> str:
    gap = rng.choice(GAPS)
    state.save_felix("Disabled")
    time.sleep(gap)
    state.save_felix()
    return f"for {gap} s"


def bad_edit(state: State, rng: random.Random) -> str:
    """It is refused, and mended."""
    wrong_field = "kind: BGPPeer\nmetadata: {name: x}\nspec: {q: 1}\n"
    text = rng.choice(("{{{ [", "kind: ExternalNetworks\n", wrong_field))
    state.world.config.save("bad.yaml", text)
    wait_for(lambda: state.status()["config"]["refused"], describe="the refusal is told")
    state.world.config.remove("bad.yaml")
    wait_for(lambda: not state.status()["config"]["refused"], describe="it is forgotten")
    return repr(text[:20])


FAULTS: dict[Fault, int] = {
    routes_deleted: 6,
    routes_altered: 6,
    routes_turned_blackhole: 3,
    routes_made: 3,
    rules_deleted: 6,
    nexthops_deleted: 4,
    nexthops_flushed: 1,
    table_emptied: 2,
    place_taken: 3,
    events_lost: 1,
    link_flaps: 4,
    carrier_flaps: 4,
    address_flaps: 4,
    device_made_anew: 2,
    daemon_killed: 3,
    daemon_killed_early: 1,
    daemon_stopped: 1,
    speaker_killed: 3,
    writer_killed: 1,
    router_killed: 2,
    sessions_cleared: 2,
    routes_announced: 8,
    priority_edited: 4,
    table_edited: 3,
    peer_edited: 2,
    network_leaves_and_returns: 2,
    gateway_comes_and_leaves: 3,
    disabled_and_enabled: 1,
    bad_edit: 2,
}
"""With how often each is drawn, in comparison."""
