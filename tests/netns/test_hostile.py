"""X24: a peer does its worst, and only its own network sees it.

Red's second router is hostile; its first, and yellow's, are honest. Whatever the one says, the sessions of
other networks keep their uptime, their routes change by nothing (the kernel itself is watched), and no packet
of theirs is lost; when it stops, all is as it was. One world serves all of these tests: each leaves it so.
"""

from __future__ import annotations

import random
import struct
import threading
import time
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Any

import pytest

from labs.netns.lab import Lab
from labs.netns.manifests import OURS, manifest, peer
from labs.netns.topology import SERVER, Topology
from labs.netns.traffic import Capture, Probe, outcome
from labs.netns.waiting import wait_for
from tests.netns.bystander import Bystander, Watch, memory
from tests.netns.sparrow import (
    END_OF_RIB,
    UPDATE,
    Soloist,
    announcing,
    encoded,
    message,
    withdrawing,
)
from tests.netns.test_verify import verify
from tests.netns.world import World
from vrfbgp.rib.nexthops import MOST_LEARNED

HOST, ASN = 66, 65066
MILLION = 1_000_000
CLUSTER = {"clusterCIDRs": ["10.48.0.0/16", "10.96.0.0/16"]}
FLAPPING = 2.0
"""Seconds."""
AT_ONCE = 1000
"""Prefixes in an UPDATE."""
FIRST = 20 << 16
"""20.0.0.0/24, as the number of a /24; a million of them end below 36.0.0.0."""


@pytest.fixture(scope="module")
def world(labs_work: None) -> Iterator[World]:
    """Both networks and gateways work."""
    with Lab() as lab:
        topology = Topology(lab)
        topology.start()
        built = World(topology)
        built.save_basics()
        built.config.save("bgp.yaml", manifest(OURS, "BGPConfiguration", "default", CLUSTER))
        built.start()
        yield built
        built.daemon.reap()


@pytest.fixture(scope="module")
def player(world: World) -> Iterator[Soloist]:
    with Soloist(world.topology, world.red, HOST, asn=ASN) as one:
        yield one


@pytest.fixture
def foe(world: World, player: Soloist) -> Iterator[Soloist]:
    """Red's second peer, with a session. Behind the test it hangs up, and all must be as before.

    It calls us, so that it can do so again as soon as it likes; we would wait longer after each error.
    """
    before = standing(world)
    world.config.save("foe.yaml", peer("foe", "red", player.address, ASN, api_version=OURS, passive=True))
    begin(world, player)
    yield player
    player.hang_up()
    wait_for(lambda: calm(world), 60, lambda: world.daemon.ask("status").stdout)
    assert standing(world) == before
    world.wait_working("red", "yellow")
    assert verify(world) == []
    world.config.remove("foe.yaml")
    wait_for(lambda: len(world.network_status("red")["peers"]) == 1, describe="the config without it")


def begin(world: World, foe: Soloist) -> None:
    """A session of it, with nothing announced, up as far as `status` knows, too."""
    foe.call(world.red.node_address)
    foe.send(END_OF_RIB)
    wait_for(lambda: of_foe(world, foe)["state"] == "established", describe="its session")


def standing(world: World) -> list[str]:
    """Red's routes in the kernel."""
    return [line.partition(" nhid ")[0] for line in world.node.text("route show table 500").splitlines()]


def calm(world: World) -> bool:
    """Whether red has nothing but what its honest router announces, and all of it is written."""
    world.alive()
    red = world.network_status("red")
    return red["routes"] == 1 and not red["pending"]


def numbered(begin: int, end: int) -> bytes:
    """The /24s of these numbers, as NLRI."""
    return struct.pack(f"!{end - begin}I", *range((24 << 24) + FIRST + begin, (24 << 24) + FIRST + end))


def flood(foe: Soloist, count: int, next_hop: str = "") -> None:
    """Announce so many prefixes."""
    for begin in range(0, count, AT_ONCE):
        nlri = numbered(begin, min(count, begin + AT_ONCE))
        foe.send(announcing(nlri, next_hop or foe.address, ASN))


def of_foe(world: World, foe: Soloist) -> dict[str, Any]:
    """What `status` tells of it."""
    return world.peer_status("red", foe.address)


def wait_received(world: World, foe: Soloist, count: int) -> None:
    """Wait until so many prefixes of it are known, and nothing is waiting to be written."""

    def settled() -> bool:
        world.alive()
        return of_foe(world, foe)["received"] == count and not world.network_status("red")["pending"]

    wait_for(settled, 120, lambda: world.daemon.ask("status").stdout, interval=0.2)


def test_x24_a_million_prefixes(world: World, foe: Soloist) -> None:
    at_rest = memory(world)
    with Bystander(world), Probe(world.workload("red"), SERVER) as own:
        own.wait_answers("red")
        flood(foe, MILLION)
        wait_received(world, foe, MILLION)
        own.wait_answers("red")
        assert memory(world) - at_rest < 400 * MILLION
    assert own.tally.lost == own.tally.unreachable == 0, own.tally
    assert set(own.tally.answered) == {"red"}


def test_x24_prefixes_without_number_by_a_next_hop_of_yellows(world: World, foe: Soloist) -> None:
    at_rest, count = memory(world), 200_000
    with Bystander(world):
        flood(foe, count, world.yellow.router_address)
        wait_received(world, foe, count)
        assert memory(world) - at_rest < 1000 * count
        assert of_foe(world, foe)["unusable"] == {"next-hop-unresolved": count}
        assert len(standing(world)) == 2


def test_x24_attribute_sets_without_number(world: World, foe: Soloist) -> None:
    """A prefix each, a set each; then one prefix, with one set after the other."""
    at_rest, count = memory(world), 50_000

    def sets(first: int) -> Iterator[bytes]:
        return (struct.pack("!BBBI", 0xC0, 8, 4, first + number) for number in range(count))

    with Bystander(world):
        foe.send(b"".join(announcing(numbered(n, n + 1), foe.address, ASN, s) for n, s in enumerate(sets(0))))
        wait_received(world, foe, count)
        once = numbered(count, count + 1)
        foe.send(b"".join(announcing(once, foe.address, ASN, s) for s in sets(count)))
        wait_received(world, foe, count + 1)
        assert memory(world) - at_rest < 2000 * count


def test_x24_next_hops_without_number(world: World, foe: Soloist) -> None:
    """All of the subnet, and thousands beyond it, which a learned route leads to, and flaps."""
    far = 5000
    cover = encoded(["198.18.0.0/15"])
    with Bystander(world):
        for number in range(256):
            foe.send(announcing(numbered(number, number + 1), world.red.address(number), ASN))
        for number in range(256, 256 + far):
            hop = f"198.18.{number >> 8}.{number & 255}"
            foe.send(announcing(numbered(number, number + 1), hop, ASN))
        wait_received(world, foe, 256 + far)
        # Not by the network's and the broadcast address, nor by our own.
        assert sum(line.startswith("20.0.") for line in standing(world)) == 253
        never = {"next-hop-no-host": 2, "next-hop-local": 1, "next-hop-too-many": far - MOST_LEARNED}
        assert of_foe(world, foe)["unusable"] == {"next-hop-unresolved": MOST_LEARNED, **never}
        for _ in range(20):
            foe.send(announcing(cover, foe.address, ASN))
            foe.send(withdrawing(cover))
        foe.send(announcing(cover, foe.address, ASN))
        wait_for(lambda: of_foe(world, foe)["unusable"] == never, describe="they are led to")
        wait_received(world, foe, 257 + far)


def test_x24_routes_and_sessions_that_flap(world: World, foe: Soloist) -> None:
    """Routes in bulk, and one by one; then the session with them."""
    with Bystander(world), Probe(world.workload("red"), SERVER) as own:
        until = time.monotonic() + FLAPPING
        while time.monotonic() < until:
            flood(foe, 5000)
            for begin_at in range(0, 5000, AT_ONCE):
                foe.send(withdrawing(numbered(begin_at, begin_at + AT_ONCE)))
            for number in range(500):
                foe.send(announcing(numbered(number, number + 1), foe.address, ASN))
                foe.send(withdrawing(numbered(number, number + 1)))
        wait_received(world, foe, 0)
        until = time.monotonic() + FLAPPING
        while time.monotonic() < until:
            flood(foe, 5000)
            foe.hang_up()
            foe.call(world.red.node_address)
        own.wait_answers("red")
    assert own.tally.lost == own.tally.unreachable == 0, own.tally


def test_x24_a_change_of_yellows_gets_through_a_flood(world: World, foe: Soloist) -> None:
    """While a million prefixes of red's come, and while they go; `-s` shows how long each change took."""
    world.config.save("honest.yaml", peer("honest", "yellow", world.yellow.address(HOST), ASN))
    with Soloist(world.topology, world.yellow, HOST, asn=ASN) as honest, Watch(world.node, 501) as watch:
        honest.begin()
        honest.send(END_OF_RIB)
        wait_for(lambda: world.peer_status("yellow", honest.address)["state"] == "established")
        flooding = threading.Thread(target=flood, args=(foe, MILLION))
        flooding.start()
        took = [change(watch, honest, number) for number in range(10)]
        flooding.join()
        wait_received(world, foe, MILLION)
        foe.hang_up()
        took_as_it_ends = [change(watch, honest, number) for number in range(10)]
        print(f"at most {max(took):.2f} s in the flood, {max(took_as_it_ends):.2f} s as it ends")
    world.config.remove("honest.yaml")
    wait_for(lambda: len(world.network_status("yellow")["peers"]) == 1, describe="the config without it")


def change(watch: Watch, honest: Soloist, number: int) -> float:
    """Seconds until a prefix that is announced is in the kernel, or one that is withdrawn is out of it."""
    seen = len(watch.events())
    nlri = encoded(["198.51.100.0/24"])
    sent = time.monotonic()
    honest.send(withdrawing(nlri) if number % 2 else announcing(nlri, honest.address, ASN))
    wait_for(lambda: len(watch.events()) > seen, describe="the change", interval=0.002)
    return time.monotonic() - sent


# -- malformed -------------------------------------------------------------------------------------

ORIGIN = b"\x40\x01\x01\x00"
AS_PATH = b"\x40\x02\x06\x02\x01" + struct.pack("!I", ASN)


def carrying(attributes: bytes) -> bytes:
    """An announcement of the second prefix with these attributes alone."""
    return message(UPDATE, b"\0\0" + struct.pack("!H", len(attributes)) + attributes + numbered(1, 2))


WITHDRAWING = {
    "no next hop": carrying(ORIGIN + AS_PATH),
    "no AS path": carrying(ORIGIN + b"\x40\x03\x04" + IPv4Address("172.16.1.66").packed),
    "a next hop of 3 octets": carrying(ORIGIN + AS_PATH + b"\x40\x03\x03\1\2\3"),
    "an origin of 9": carrying(b"\x40\x01\x01\x09" + AS_PATH + b"\x40\x03\x04\xac\x10\1\x42"),
    "a path segment beyond its end": carrying(ORIGIN + b"\x40\x02\x02\x02\xff"),
}
"""What costs the route that it is about (RFC 7606 2)."""
ENDING = {
    "attributes beyond the message": (message(UPDATE, b"\0\0\xff\xff" + ORIGIN), "3/1"),
    "noise": (random.Random(15).randbytes(4096), "1/1"),
}
"""What costs the session (RFC 4271 6). After each, the next session waits for longer: few."""


def test_x24_what_is_malformed(world: World, foe: Soloist) -> None:
    with Bystander(world), Probe(world.workload("red"), SERVER) as own:
        for octets in WITHDRAWING.values():
            flood(foe, 2)
            foe.send(octets)
        wait_received(world, foe, 1)
        assert sum(of_foe(world, foe)["malformed"].values()) >= len(WITHDRAWING)
        for octets, code in ENDING.values():
            flood(foe, 2000)
            foe.send(octets)
            wait_for(
                lambda code=code: f"notification sent {code} " in of_foe(world, foe)["last_error"],
                describe=lambda: str(of_foe(world, foe)),
            )
            wait_for(lambda: calm(world), describe="its routes are gone")
            foe.hang_up()
            begin(world, foe)
        own.wait_answers("red")
    assert own.tally.lost == own.tally.unreachable == 0, own.tally


# -- prefixes that are others' ---------------------------------------------------------------------

REFUSED = {
    "127.0.0.0/8": "martian",
    "0.0.0.0/8": "martian",
    "224.0.0.0/4": "martian",
    "240.0.0.0/4": "martian",
    "10.48.1.0/24": "cluster-prefix",
    "10.96.0.10/32": "cluster-prefix",
    "10.240.0.10/32": "cluster-prefix",
}
SHADOWED = dict.fromkeys(("172.16.1.0/24", "172.16.1.140/32", "172.16.1.128/25"), "bootstrap-route")
"""Its own subnet, and what in it would draw the other session's packets: not installed, and why."""
DRAWN = [
    "172.16.2.0/24",
    "172.16.2.140/32",
    "172.16.2.10/32",
    "10.50.0.4/31",
    "10.240.0.0/24",
    "10.0.0.0/8",
    "0.0.0.0/0",
]
"""Yellow's subnet, its router, the node's address there, yellow's gateway, the nodes' subnet, all of the
cluster and more, everything: red's own gateway may be drawn there by red's wire, and nobody else."""
BAIT = ["203.0.113.0", "172.16.2.140", "8.8.8.8"]
"""Addresses where red's gateway is drawn to."""
HOPS = {
    "172.16.2.140": "next-hop-unresolved",
    "172.16.2.77": "next-hop-unresolved",
    "10.240.0.1": "next-hop-unresolved",
    "10.240.0.10": "next-hop-local",
    "10.50.0.4": "next-hop-unresolved",
    "8.8.8.8": "next-hop-unresolved",
    "172.16.1.10": "next-hop-local",
}
"""Yellow's router, nobody in yellow's subnet, the fabric's gateway, the node, yellow's gateway, what only a
default route covers, and the node's own address in red; and why not."""


def test_x24_next_hops_and_prefixes_of_others(world: World, foe: Soloist) -> None:
    """First next hops that nothing of red's leads to; then prefixes that make red itself lead there."""
    with Bystander(world) as bystander, Capture(world.node, "eth0") as fabric:
        hopeful = {f"203.0.113.{number}/32": hop for number, hop in enumerate(HOPS)}
        for prefix, hop in hopeful.items():
            foe.send(announcing(encoded([prefix]), hop, ASN))
        wait_received(world, foe, len(hopeful))
        assert told(world, "unusable") == {prefix: HOPS[hop] for prefix, hop in hopeful.items()}
        assert not any(line.startswith("203.0.113.") for line in standing(world))
        for prefix in hopeful:
            # The kernel tells a host that it is unreachable about once a second.
            assert outcome(world.workload("red"), prefix[:-3], timeout=0.1) in ("unreachable", "timeout")
        bystander.check()

        foe.send(announcing(encoded([*REFUSED, *SHADOWED, *DRAWN]), foe.address, ASN))
        wait_received(world, foe, len(hopeful) + len(REFUSED) + len(SHADOWED) + len(DRAWN))
        assert told(world, "refused") == REFUSED
        for prefix in DRAWN:
            assert world.gateways_of(world.red, prefix) == {foe.address}
        # What leads to yellow's router is red's now, and so are the routes by it; never by a default route.
        assert world.gateways_of(world.red, "203.0.113.0/32") == {foe.address}
        still = {p: HOPS[h] for p, h in hopeful.items() if h in ("10.240.0.10", "172.16.1.10", "8.8.8.8")}
        assert told(world, "unusable") == SHADOWED | still
        with Capture(world.node, "red0") as red:
            for address in BAIT:
                assert outcome(world.workload("red"), address, timeout=0.1) == "timeout"
            assert {packet.dst for packet in red.packets(src="10.50.0.2")} == set(BAIT)
        assert outcome(world.workload("red"), SERVER) == "red"
        assert outcome(world.workload("pod"), SERVER) == "fabric"
        assert fabric.packets(src="10.50.0.2") == []


def told(world: World, state: str) -> dict[str, str]:
    """The reason by the prefix, of what `routes` shows in a state."""
    found = world.daemon.ask_json("routes", "red", "--received", "--state", state)["received"]
    return {path["prefix"]: path["reason"] for path in found}
