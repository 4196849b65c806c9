"""Invariant 4: whatever happens, in whatever order, the kernel comes to hold what is desired, no more.

Configs, routers, links, meddling, refusals and deaths are drawn at random. When they end, and time has
passed, the kernel must hold of ours just what a daemon gives it that starts on a clean kernel with the same
facts. What must hold at any moment (`promises`) is checked after each operation on the way there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scenarios.notation import Config, config
from tests.scenarios.world import Router, World
from tests.unit.rib import wire
from vrfbgp.drain import DrainState
from vrfbgp.events import DownCause, DownKind, Overrun
from vrfbgp.model import PeerId
from vrfbgp.operations import AddNexthop, AddRoute, AddRule, ReplaceRoute

Deed = Callable[[World], None]
LINKS = {
    "eth1": ["172.16.1.10/24"],
    "eth2": ["172.16.2.10/24"],
    "eth3": ["172.16.3.10/24", "2001:db8:3::10/64"],
}
CONFIGS = [
    """
    network red 500 dev eth1,eth3
    peer 172.16.1.140 as 64501
    peer 172.16.3.140 as 64501
    network yellow 501 dev eth2
    peer 172.16.2.140 as 64502
    gateway egress/red 10.50.0.2/31 = red
    gateway egress/both 10.50.0.4/31 = red yellow
    """,
    """
    network red 501 dev eth1
    peer 172.16.1.140 as 64501
    network yellow 500 dev eth2
    peer 172.16.2.140 as 64502
    gateway egress/red 10.50.0.2/31 = red
    gateway egress/both 10.50.0.4/31 = yellow red
    """,
    """
    priority 50
    network yellow 600 dev eth2 metric=777
    peer 172.16.2.140 as 64502
    network green 500 dev eth3
    peer 2001:db8:3::140 as 64503
    gateway egress/red 10.50.0.2/31,2001:db8:50::2/127 = red green
    gateway egress/yellow 10.50.0.4/31 = yellow
    """,
    """
    priority 200
    network red 500 dev eth1,eth3 max-paths=1
    peer 172.16.1.140 as 64501
    peer 172.16.3.140 as 64501
    network green 700 dev eth3
    peer 2001:db8:3::140 as 64503
    gateway egress/red 10.50.0.2/31,2001:db8:50::2/127 = red
    gateway egress/green 10.50.0.4/31,2001:db8:50::4/127 = green isolated
    cluster 10.244.0.0/16
    """,
    "disabled",
]
PREFIXES = {
    4: ["192.0.2.0/24", "198.51.100.0/24", "0.0.0.0/0", "10.9.0.0/16"],
    6: ["2001:db8:8::/48", "::/0"],
}
MISDEEDS = [AddRoute, ReplaceRoute, AddNexthop, AddRule]


def read(number: int) -> Config:
    return config(line for line in CONFIGS[number].splitlines() if line.strip())


def load(number: int) -> Deed:
    return lambda world: world.load(read(number))


def sessions(world: World) -> list[tuple[str, PeerId]]:
    """The configured sessions, in a fixed order."""
    return sorted((str(peer), peer) for speaker in world.speakers.values() for peer in speaker.sessions)


def with_peer(choice: int, deed: Callable[..., None]) -> Deed:
    """A deed on one of the configured sessions, if there is any."""

    def done(world: World) -> None:
        if found := sessions(world):
            deed(world, found[choice % len(found)][1])

    return done


def announce(choice: int, which: int, recursive: bool, length: int) -> Deed:
    def deed(world: World, peer: PeerId) -> None:
        offered = PREFIXES[peer.address.version]
        prefix = offered[which % len(offered)]
        via = "10.9.9.9" if recursive and peer.address.version == 4 else str(peer.address)
        attributes: dict[str, object] = {"next_hop": via, "as_path": [64501] * length}
        router = world.routers.setdefault(peer, Router())
        router.announced[prefix] = attributes
        world.promises.probe(prefix)
        world.send(peer, wire.update([prefix], **attributes))  # type: ignore[arg-type]

    return with_peer(choice, deed)


def withdraw(choice: int, which: int) -> Deed:
    def deed(world: World, peer: PeerId) -> None:
        router = world.routers.setdefault(peer, Router())
        offered = list(router.announced)
        if offered:
            prefix = offered[which % len(offered)]
            del router.announced[prefix]
            world.send(peer, wire.update(withdraw=[prefix]))

    return with_peer(choice, deed)


def up(choice: int) -> Deed:
    def deed(world: World, peer: PeerId) -> None:
        if peer not in world.speakers[peer.network].up:
            world.establish(peer)

    return with_peer(choice, deed)


def down(choice: int, kind: DownKind) -> Deed:
    return with_peer(choice, lambda world, peer: world.fall(peer, DownCause(kind)))


def link(name: str, what: str) -> Deed:
    def deed(world: World) -> None:
        kernel = world.kernel
        match what:
            case "down":
                kernel.set_up(name, False)
            case "up":
                kernel.set_up(name, True)
            case "flap":
                kernel.set_up(name, False)
                kernel.set_up(name, True)
            case "no carrier" if kernel.links[kernel.index(name)].up:
                kernel.set_carrier(name, False)
            case "carrier" if kernel.links[kernel.index(name)].up:
                kernel.set_carrier(name, True)

    return deed


def meddle(what: str, which: int) -> Deed:
    def deed(world: World) -> None:
        kernel = world.kernel
        match what:
            case "route":
                routes = [key for key, route in kernel.routes.items() if route.ours]
                if routes:
                    kernel.drop_route(routes[which % len(routes)])
            case "rule":
                rules = [rule for rule in kernel.rules if rule.ours]
                if rules:
                    world.promises.reopened()
                    kernel.drop_rule(rules[which % len(rules)])
            case "nexthop":
                ids = [id_ for id_, nexthop in kernel.nexthops.items() if nexthop.ours]
                if ids:
                    kernel.drop_nexthop(ids[which % len(ids)])
            case "lost":
                kernel.told.clear()
                world.post(Overrun())

    return deed


def refuse(kind: type, times: int) -> Deed:
    return lambda world: world.kernel.fail(kind, errno.ENOMEM, times)


def die(before: int | None) -> Deed:
    def deed(world: World) -> None:
        if before is None:
            world.kill()
        else:
            world.kernel.crash_before = before

    return deed


def restart(world: World) -> None:
    if not world.alive:
        world.start()


def speaker_dies(choice: int) -> Deed:
    return with_peer(choice, lambda world, peer: world.speaker_dies(peer.network))


def drain(seconds: float | None) -> Deed:
    return lambda world: world.drain(seconds)


def wait(seconds: float) -> Deed:
    return lambda world: world.pass_time(seconds)


number = st.integers(0, 7)
deeds = st.one_of(
    st.builds(load, st.integers(0, len(CONFIGS) - 1)),
    st.builds(announce, number, number, st.booleans(), st.integers(1, 2)),
    st.builds(announce, number, number, st.just(False), st.just(1)),
    st.builds(withdraw, number, number),
    st.builds(up, number),
    st.just(lambda world: world.routers_return()),
    st.builds(down, number, st.sampled_from([DownKind.CONNECTION_LOST, DownKind.NOTIFICATION_RECEIVED])),
    st.builds(
        link, st.sampled_from(sorted(LINKS)), st.sampled_from(["down", "up", "flap", "no carrier", "carrier"])
    ),
    st.builds(meddle, st.sampled_from(["route", "rule", "nexthop", "lost"]), number),
    st.builds(refuse, st.sampled_from(MISDEEDS), st.integers(1, 4)),
    st.builds(die, st.none() | st.integers(0, 12)),
    st.just(restart),
    st.builds(speaker_dies, number),
    st.builds(drain, st.sampled_from([None, 0.0, 5.0])),
    st.builds(wait, st.sampled_from([0.05, 1.0, 61.0])),
)
"""Each is made of values, so that hypothesis can make a failing story shorter."""


def fresh() -> World:
    world = World()
    for name, addresses in LINKS.items():
        world.kernel.add_link(name)
        for address in addresses:
            world.kernel.add_address(name, address)
    return world


def ours(world: World) -> list[str]:
    """All that is ours in the kernel, in words."""
    kernel, words = world.kernel, world.words
    found = [f"route {words.route(route)}" for route in kernel.routes.values() if route.ours]
    found += [f"rule {rule}" for rule in kernel.rules if rule.ours]
    found += [words.nexthop(nexthop.value) for nexthop in kernel.nexthops.values() if nexthop.ours]
    return sorted(found)


def come_to_rest(world: World) -> None:
    """All is well again, and time passes."""
    world.kernel.forgive()
    restart(world)
    for name in LINKS:
        world.kernel.set_up(name, True)
    world.settle()
    world.routers_return()
    world.pass_time(400)
    world.routers_return()
    world.pass_time(400)


@settings(max_examples=200)
@given(st.lists(deeds, min_size=3, max_size=30), st.integers(1, 3))
def test_the_kernel_comes_to_hold_what_is_desired(happens: list[Deed], together: int) -> None:
    world = fresh()
    world.load(read(0))
    world.start()
    world.settle()
    world.routers_return()
    world.settle()
    for place, deed in enumerate(happens):
        deed(world)
        if place % together == 0:
            world.settle()
    world.settle()
    come_to_rest(world)

    clean = fresh()
    assert world.config is not None
    clean.load(world.config)
    clean.routers, clean.drained = world.routers, world.drained
    come_to_rest(clean)
    assert ours(world) == ours(clean)
    assert world.core.drain.state is (DrainState.DRAINED if world.drained else DrainState.SERVING)
    assert world.core.effects(world.now).wake is None, "it wakes for nothing"
