"""The daemon stops reading for a while, and the speakers go on: no session ends for it, and no route is lost,
or, where the feed is more than they may keep, all comes back right.

The stall is a SIGSTOP of the daemon's own process: nothing of it runs, its sockets stay.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from labs.netns.frr import OUT, PLAIN, Router
from labs.netns.manifests import OURS, felix, network, node, peer
from labs.netns.topology import LOCAL_AS, NODE, SERVED, Site
from labs.netns.waiting import stays_true, wait_for
from tests.netns.bird import COMMUNITIES, Bird
from tests.netns.sparrow import END_OF_RIB, EOR_ONLY, RETAINED, Soloist, update
from tests.netns.world import NODE_NAME, PROTOCOL, World
from vrfbgp.speaker.entry import SPOOL_VARIABLE

STALL = 60.0
HOLD_TIME = 9
BIRD_HOST, SOLO_HOST, OTHER_HOST = 141, 150, 151
BIRD_AS, SOLO_AS = 63401, 63402
FEED = 20_000
RED_FEED, YELLOW_FEED = 20, 21
"""First octets of what the routers feed."""


def feed(first_octet: int, begin: int = 0, end: int = FEED) -> list[str]:
    """A /24 for each number."""
    return [f"{first_octet}.{number >> 8}.{number & 255}.0/24" for number in range(begin, end)]


# -- the routers -----------------------------------------------------------------------------------


def make_wordy(router: Router) -> None:
    """Have FRR announce its blackhole routes, with the metric as MED and as many communities as BIRD's."""
    communities = " ".join(f"{router.asn}:7:{number}" for number in range(COMMUNITIES))
    router.configure(
        f"ip prefix-list FEED permit {RED_FEED}.0.0.0/8 le 24",
        "route-map FEED permit 10",
        "match ip address prefix-list FEED",
        "exit",
        f"route-map {OUT} permit {PLAIN}",
        f"set large-community {communities}",
        "exit",
        f"router bgp {router.asn}",
        "address-family ipv4 unicast",
        "redistribute kernel route-map FEED",
    )


def add_feed(router: Router, prefixes: list[str]) -> None:
    """Give FRR these routes; each has a metric of its own, so it takes an UPDATE of its own."""
    router.namespace.ip(
        *(f"route add blackhole {prefix} metric {number}" for number, prefix in enumerate(prefixes, 1))
    )


def unsent(router: Router | Bird) -> int:
    """Octets that a router's kernel still holds of its BGP sessions: the other side has not taken them."""
    lines = router.namespace.run("ss", "-Htn", "state", "established", "sport", "=", ":179").splitlines()
    return sum(int(line.split()[1]) for line in lines)


# -- the world -------------------------------------------------------------------------------------


def save_stalled(world: World, bird: Bird) -> None:
    """Red's peer is FRR and yellow's is BIRD, both with a short hold time."""
    hold = f"{HOLD_TIME}s"
    world.config.save("networks.yaml", network("red", 500), network("yellow", 501))
    world.config.save(
        "peers.yaml",
        peer("red-1", "red", world.red.router_address, LOCAL_AS, api_version=OURS, holdTime=hold),
        peer("yellow-1", "yellow", bird.address, BIRD_AS, api_version=OURS, holdTime=hold),
    )
    world.config.save("node.yaml", node(NODE_NAME, NODE))
    world.config.save("felix.yaml", felix())


def table(world: World, site: Site) -> dict[str, str]:
    """Our routes of a network's table, each with its first gateway; bootstrap routes are left out."""
    text = world.node.text(f"-4 route show table {site.table} proto {PROTOCOL}")
    found = re.finditer(r"^(\d\S+) [^\n]*?(?:\n\s+[^\n]*?)?\bvia (\S+)", text, re.MULTILINE)
    return {match[1]: match[2] for match in found}


def wait_table(world: World, site: Site, expected: dict[str, str], timeout: float = 60.0) -> None:
    """Wait until a network's table has exactly these routes."""

    def difference() -> str:
        held = table(world, site)
        missing, extra = sorted(expected.keys() - held.keys()), sorted(held.keys() - expected.keys())
        wrong = sorted(key for key in expected.keys() & held.keys() if expected[key] != held[key])
        return f"{site.name}: " + ", ".join(
            f"{len(keys)} {name} {keys[:3]}"
            for name, keys in (("missing", missing), ("too many", extra), ("elsewhere", wrong))
        )

    def same() -> bool:
        world.alive()
        return table(world, site) == expected

    wait_for(same, timeout, difference, interval=0.5)


@contextmanager
def stopped(world: World) -> Iterator[None]:
    """The daemon does nothing in this `with` block; its speakers go on."""
    assert world.daemon.process is not None
    pid = world.daemon.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: state(pid) == "T", describe="the daemon is stopped")
        yield
        assert state(pid) == "T"
    finally:
        os.kill(pid, signal.SIGCONT)


def state(pid: int) -> str:
    """The state of a process, as proc_pid_stat(5) writes it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


# -- a feed that fits the spool --------------------------------------------------------------------


def test_a_stall_of_a_minute_costs_neither_a_session_nor_a_route(world: World) -> None:
    router, bird = world.red.router, Bird(world.topology, world.yellow, BIRD_HOST, BIRD_AS)
    make_wordy(router)
    save_stalled(world, bird)
    world.daemon.start()
    red = {SERVED: world.red.router_address}
    yellow = {SERVED: bird.address}
    wait_table(world, world.red, red)
    wait_table(world, world.yellow, yellow)
    node_address = world.red.node_address
    neighbor = router.ask(f"show bgp neighbors {node_address}")[node_address]
    assert neighbor["bgpTimerHoldTimeMsecs"] == HOLD_TIME * 1000
    assert bird.session()["Hold timer"].endswith(f"/{HOLD_TIME}")

    def both_up() -> bool:
        assert (bird.session()["BGP state"], bird.sessions_begun()) == ("Established", 1)
        return router.established(node_address) and router.sessions_begun(node_address) == 1

    with stopped(world):
        until = time.monotonic() + STALL
        add_feed(router, feed(RED_FEED))
        bird.feed(feed(YELLOW_FEED), asn=BIRD_AS)
        for name, sent in (("FRR", lambda: sent_by(router, node_address)), ("BIRD", bird.exported)):
            wait_for(lambda sent=sent: sent() == FEED + 1, STALL, f"{name} has sent all", interval=0.5)
        wait_for(lambda: unsent(router) + unsent(bird) == 0, 10, "the speakers took all", interval=0.2)
        stays_true(both_up, until - time.monotonic(), "both sessions are up", interval=1)
        assert unsent(router) + unsent(bird) == 0
        assert table(world, world.red) == red, "nothing is read in a stall"
        assert table(world, world.yellow) == yellow
    wait_table(world, world.red, red | dict.fromkeys(feed(RED_FEED), world.red.router_address))
    wait_table(world, world.yellow, yellow | dict.fromkeys(feed(YELLOW_FEED), bird.address))
    assert both_up()


def sent_by(router: Router, address: str) -> int:
    """How many prefixes FRR has sent to a neighbor."""
    return int(router.neighbors()[address]["pfxSnt"])


# -- a feed that does not --------------------------------------------------------------------------


def test_a_feed_beyond_the_spool_comes_back_right(world: World) -> None:
    """The routers can send no more, and what they announce changes meanwhile; one session ends for it."""
    world.node.set_sysctls({"ipv4/tcp_rmem": "4096 65536 131072"})
    router, bird = world.red.router, Bird(world.topology, world.yellow, BIRD_HOST, BIRD_AS)
    for namespace in (router.namespace, bird.namespace):
        namespace.set_sysctls({"ipv4/tcp_wmem": "4096 65536 131072"})
    make_wordy(router)
    save_stalled(world, bird)
    world.daemon.start("env", f"{SPOOL_VARIABLE}={1 << 18}")
    red = {SERVED: world.red.router_address}
    yellow = {SERVED: bird.address}
    wait_table(world, world.red, red)
    wait_table(world, world.yellow, yellow)
    old, new = (0, FEED // 2), (FEED // 4, FEED)
    with stopped(world):
        add_feed(router, feed(RED_FEED, *old))
        bird.feed(feed(YELLOW_FEED, *old), asn=BIRD_AS)
        for one in (router, bird):
            wait_for(lambda one=one: unsent(one) > 0, describe="the speaker reads no more")
            stays_true(lambda one=one: unsent(one) > 0, 3, "the speaker reads no more", interval=0.5)
        router.vtysh("clear bgp *")
        router.namespace.ip(*(f"route del blackhole {prefix}" for prefix in feed(RED_FEED, 0, new[0])))
        add_feed(router, feed(RED_FEED, old[1], new[1]))
        bird.feed(feed(YELLOW_FEED, *new), asn=BIRD_AS)
    wait_table(world, world.red, red | dict.fromkeys(feed(RED_FEED, *new), world.red.router_address))
    wait_table(world, world.yellow, yellow | dict.fromkeys(feed(YELLOW_FEED, *new), bird.address))
    assert router.sessions_begun(world.red.node_address) > 1


# -- sessions that end in flight -------------------------------------------------------------------


@pytest.mark.parametrize("graceful_restart", [EOR_ONLY, RETAINED], ids=["dropped", "retained"])
def test_nothing_of_an_old_session_is_applied_after_its_end(world: World, graceful_restart: bytes) -> None:
    """Megabytes of an old session are in flight at its end, and at the begin of the next."""
    first, second = world.red.address(SOLO_HOST), world.red.address(OTHER_HOST)
    many, few, last = feed(RED_FEED, 0, 5000), feed(RED_FEED, 4000, 5500), "198.51.100.0/24"
    world.config.save("networks.yaml", network("red", 500))
    world.config.save("peers.yaml", peer("red-1", "red", first, SOLO_AS))
    world.config.save("node.yaml", node(NODE_NAME, NODE))
    world.config.save("felix.yaml", felix())
    with Soloist(world.topology, world.red, SOLO_HOST, asn=SOLO_AS) as solo:
        world.daemon.start()
        solo.begin(graceful_restart)
        solo.send(update([SERVED], first, SOLO_AS) + END_OF_RIB)
        wait_table(world, world.red, {SERVED: first})
        with stopped(world):
            solo.send(b"".join(update([prefix], first, SOLO_AS, words(1000)) for prefix in many))
            solo.hang_up()
            solo.begin(graceful_restart)
            for at in range(0, len(few), 500):
                solo.send(update(few[at : at + 500], second, SOLO_AS))
            solo.send(END_OF_RIB + update([last], second, SOLO_AS))
        # What comes last in the second session is behind all of the first, wherever that went.
        world.wait_route(world.red, last, second)
        wait_table(world, world.red, dict.fromkeys([*few, last], second))
        solo.send(update([SERVED], second, SOLO_AS))
        world.wait_route(world.red, SERVED, second)
        assert table(world, world.red) == dict.fromkeys([*few, last, SERVED], second)


def words(octets: int) -> bytes:
    """An attribute that nobody knows, optional and transitive, of that length (RFC 4271 4.3)."""
    return b"\xd0\xfe" + octets.to_bytes(2, "big") + bytes(octets)
