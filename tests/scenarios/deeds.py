"""Steps that do something: to the node, to the daemon, to the routers, to the kernel."""

from __future__ import annotations

import errno as errnos
import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

from tests.scenarios import notation
from tests.scenarios.script import run, step, steps
from tests.scenarios.world import Router, World
from tests.unit.rib import wire
from vrfbgp import operations
from vrfbgp.events import DownCause, DownKind, Overrun, Refresh, RefreshPhase
from vrfbgp.model import (
    METRIC,
    Action,
    Family,
    KernelNexthop,
    KernelRoute,
    NexthopGroup,
    NexthopObject,
    RouteKey,
    Rule,
    nlri_of,
)

PEER = r"(?P<peer>[\w-]+(/[\w.:]+)?)"

# -- the node ------------------------------------------------------------------------------------


@step(r"link (?P<name>\S+)(?P<addresses>( \S+/\d+)*)")
def link(world: World, name: str, addresses: str = "") -> None:
    world.kernel.add_link(name)
    for address in addresses.split():
        world.kernel.add_address(name, address)


@step(r"link (?P<name>\S+) (?P<what>goes down|comes up|flaps|loses carrier|gets carrier|is removed)")
def link_changes(world: World, name: str, what: str) -> None:
    match what:
        case "goes down":
            world.kernel.set_up(name, False)
        case "comes up":
            world.kernel.set_up(name, True)
        case "flaps":
            world.kernel.set_up(name, False)
            world.kernel.set_up(name, True)
        case "loses carrier":
            world.kernel.set_carrier(name, False)
        case "gets carrier":
            world.kernel.set_carrier(name, True)
        case _:
            world.kernel.remove_link(name)


@step(r"link (?P<name>\S+) is renamed (?P<new>\S+)")
def link_renamed(world: World, name: str, new: str) -> None:
    world.kernel.rename(name, new)
    assert world.config is not None
    for devices in world.config.devices.values():
        if name in devices:
            devices.add(new)


@step(r"address (?P<address>\S+) (?P<what>comes to|leaves) (?P<name>\S+)")
def address(world: World, address: str, what: str, name: str) -> None:
    if what == "leaves":
        world.kernel.remove_address(name, address)
    else:
        world.kernel.add_address(name, address)


# -- what others do to the kernel ----------------------------------------------------------------


def foreign_route(world: World, words: str, protocol: int) -> KernelRoute:
    """`PREFIX table N [metric N] [via A] dev D` or `PREFIX table N unreachable`."""
    found = dict(re.findall(r"(table|metric|via|dev) (\S+)", words))
    prefix = ip_network(words.split()[0])
    metric = int(found.get("metric", 0 if prefix.version == 4 else 1024))
    key = RouteKey(int(found.get("table", 254)), Family.of(prefix), nlri_of(prefix), metric)
    if "dev" not in found:
        return KernelRoute(key, protocol, words.split()[-1])
    gateway = ip_address(found["via"]) if "via" in found else None
    hops = ((gateway, world.kernel.index(found["dev"])),)
    return KernelRoute(key, protocol, scope=0 if gateway else 253, nexthops=hops)


@step(r"somebody adds route (?P<words>.+?)( protocol (?P<protocol>\d+))?")
def somebody_adds_route(world: World, words: str, protocol: str = "4") -> None:
    world.kernel.put_route(foreign_route(world, words, int(protocol)))


@step(r"somebody alters route (?P<prefix>\S+) table (?P<table>\d+) to dev (?P<dev>\S+)")
def somebody_alters_route(world: World, prefix: str, table: str, dev: str) -> None:
    """Ours by protocol, but not as we made it."""
    network = ip_network(prefix)
    key = RouteKey(int(table), Family.of(network), nlri_of(network))
    world.kernel.put_route(KernelRoute(key, 179, scope=253, nexthops=((None, world.kernel.index(dev)),)))


@step(
    r"somebody deletes route (?P<prefix>\S+) table (?P<table>\d+)( metric (?P<metric>\d+))?"
    r"( (?P<times>\d+) times)?(?P<unseen> unseen)?"
)
def somebody_deletes_route(
    world: World, prefix: str, table: str, metric: str = str(METRIC), times: str = "1", unseen: str = ""
) -> None:
    """So many times in a row, whenever it has been put right; unseen: the kernel tells nobody."""
    network = ip_network(prefix)
    for _ in range(int(times)):
        world.kernel.drop_route(RouteKey(int(table), Family.of(network), nlri_of(network), int(metric)))
        if unseen:
            world.kernel.told.clear()
        world.settle()


def a_rule(words: str, protocol: int) -> Rule:
    found = re.fullmatch(r"(\d+): from (\S+)( to (\S+))? (lookup (\d+)|unreachable)", words)
    if found is None:
        raise AssertionError(f"no rule: {words}")
    source = None if found[2] == "all" else ip_network(found[2])
    target = ip_network(found[4]) if found[4] else None
    some = source or target or ip_network("0.0.0.0/0")
    action = Action.LOOKUP if found[6] else Action.UNREACHABLE
    table = int(found[6] or 0)
    return Rule(Family.of(some), int(found[1]), source, target, action, table, protocol)


@step(r"somebody adds rule (?P<words>.+)")
def somebody_adds_rule(world: World, words: str) -> None:
    world.promises.reopened()
    world.kernel.put_rule(a_rule(words, 3))


@step(r"somebody deletes rule (?P<words>.+?)( (?P<times>\d+) times)?(?P<unseen> unseen)?")
def somebody_deletes_rule(world: World, words: str, times: str = "1", unseen: str = "") -> None:
    for _ in range(int(times)):
        world.promises.reopened()
        found = [r for r in world.kernel.rules if str(r) == words]
        assert found, f"no such rule: {words}"
        world.kernel.drop_rule(found[0])
        if unseen:
            world.kernel.told.clear()
        world.settle()


def nexthop_id(world: World, words: str) -> int:
    """The id of `via A dev D`, or of the group `group via A dev D via …`."""
    for id_, nexthop in world.kernel.nexthops.items():
        if world.words.nexthop(nexthop.value) in (words, f"nexthop {words}"):
            return id_
    raise AssertionError(f"no such next hop: {words}")


@step(r"somebody deletes next hop (?P<words>.+?)(?P<unseen> unseen)?")
def somebody_deletes_nexthop(world: World, words: str, unseen: str = "") -> None:
    world.kernel.drop_nexthop(nexthop_id(world, words))
    if unseen:
        world.kernel.told.clear()


@step(r"somebody turns next hop (?P<words>.+?) to (?P<gateway>\S+)")
def somebody_turns_nexthop(world: World, words: str, gateway: str) -> None:
    standing = world.kernel.nexthops[nexthop_id(world, words)]
    assert isinstance(standing.value, NexthopObject)
    value = NexthopObject(ip_address(gateway), standing.value.ifindex)
    world.kernel.put_nexthop(replace(standing, value=value))


@step(r"a next hop of an earlier life: (?P<id>\d+) via (?P<gateway>\S+) dev (?P<dev>\S+)")
def earlier_nexthop(world: World, id: str, gateway: str, dev: str) -> None:
    value = NexthopObject(ip_address(gateway), world.kernel.index(dev))
    world.kernel.nexthops[int(id)] = KernelNexthop(int(id), 179, value)
    group = int(id) + 1
    world.kernel.nexthops[group] = KernelNexthop(group, 179, NexthopGroup((int(id),)))


@step(r"a route of an earlier life: (?P<prefix>\S+) table (?P<table>\d+) nhid (?P<id>\d+)")
def earlier_route(world: World, prefix: str, table: str, id: str) -> None:
    network = ip_network(prefix)
    key = RouteKey(int(table), Family.of(network), nlri_of(network))
    world.kernel.routes[key] = KernelRoute(key, 179, nhid=int(id))


@step(
    r"the kernel (refuses|fails) (?P<kind>\w+)( of (?P<prefix>\S+))? with (?P<number>E\w+)"
    r"( (?P<times>\d+) times)?"
)
def fails(world: World, kind: str, number: str, prefix: str = "", times: str = "1") -> None:
    world.kernel.fail(getattr(operations, kind), getattr(errnos, number), int(times), prefix)


@step(r"the kernel (?P<what>is slow to answer|answers)")
def answering(world: World, what: str) -> None:
    if what == "answers":
        world.answer()
    else:
        world.answering = False


@step(r"events of the kernel are lost")
def lost(world: World) -> None:
    world.kernel.told.clear()
    world.post(Overrun())


@step(r"as in (?P<name>\S+)")
def as_in(world: World, name: str) -> None:
    """The steps of another file first."""
    for one in steps(Path(__file__).parent.joinpath(name)):
        run(one, world)


# -- the daemon ----------------------------------------------------------------------------------


@step(r"the daemon starts")
def starts(world: World) -> None:
    world.start()


@step(r"the daemon compares every (?P<seconds>\d+) seconds")
def compares(world: World, seconds: str) -> None:
    """From its next start on."""
    world.compare_every = float(seconds)


@step(r"drain(, waiting (?P<seconds>[\d.]+) seconds)?")
def drain(world: World, seconds: str = "5") -> None:
    world.drain(float(seconds))


@step(r"undrain")
def undrain(world: World) -> None:
    world.drain(None)


@step(r"the node boots anew")
def boots(world: World) -> None:
    """Of what the daemon keeps, the word to drain does not outlive that."""
    world.kill()
    world.drained = False


@step(r"the daemon is (killed|gone)")
def killed(world: World) -> None:
    world.kill()


@step(r"config")
def config(world: World, block: list[str]) -> None:
    world.load(notation.config(block))


@step(r"pause")
def pause(world: World) -> None:
    world.paused = True


@step(r"go on")
def go_on(world: World) -> None:
    world.paused = False


@step(r"(?P<seconds>[\d.]+) seconds pass")
def passes(world: World, seconds: str) -> None:
    world.pass_time(float(seconds))


@step(r"the speaker of (?P<network>\S+) dies")
def dies(world: World, network: str) -> None:
    world.speaker_dies(network)


# -- the routers ---------------------------------------------------------------------------------


@step(rf"router {PEER} (?P<what>is silent|restarts gracefully within (?P<time>\d+) seconds)")
def router(world: World, peer: str, what: str, time: str = "0") -> None:
    known = world.routers.setdefault(world.peer(peer), Router())
    if what == "is silent":
        known.silent = True
    else:
        known.restart_time = int(time)


@step(rf"{PEER} comes up(?P<how> after a restart| after a restart that lost its forwarding state)?")
def up(world: World, peer: str, how: str = "") -> None:
    world.establish(world.peer(peer), bool(how), "lost" not in how)


@step(r"all routers come up")
def all_up(world: World) -> None:
    world.routers_return()


CAUSES = {
    "is lost": DownCause(DownKind.CONNECTION_LOST, text="connection reset"),
    "holds no more": DownCause(DownKind.HOLD_TIMER, 4, 0),
    "sends Cease": DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2),
    "cannot be reached": DownCause(DownKind.CONNECT_FAILED, text="no route to host"),
    "is reset by us": DownCause(DownKind.NOTIFICATION_SENT, 3, 1),
}


@step(rf"{PEER} (?P<what>{'|'.join(CAUSES)})")
def down(world: World, peer: str, what: str) -> None:
    world.fall(world.peer(peer), CAUSES[what])


OPTIONS = r"(?P<options>( (via|path|med|local-pref|origin) \S+)*)"


@step(rf"{PEER} announces (?P<prefixes>[0-9a-f.:/ ]+?){OPTIONS}")
def announces(world: World, peer: str, prefixes: str, options: str = "") -> None:
    who = world.peer(peer)
    attributes = _attributes(world, peer, options)
    for prefix in prefixes.split():
        world.routers.setdefault(who, Router()).announced[prefix] = attributes
        world.promises.probe(prefix)
    world.send(who, wire.update(prefixes.split(), **attributes))  # type: ignore[arg-type]


def _attributes(world: World, peer: str, options: str) -> dict[str, object]:
    found = dict(re.findall(r"(via|path|med|local-pref|origin) (\S+)", options))
    assert world.config is not None
    who = world.peer(peer)
    (intent,) = [p for n in world.config.intent.networks for p in n.peers if p.id == who]
    path = [int(number) for number in found.get("path", "").split(",") if number]
    attributes: dict[str, object] = {
        "next_hop": found.get("via", str(who.address)),
        "as_path": path or ([] if intent.internal else [intent.peer_as]),
    }
    if intent.internal:
        attributes["local_pref"] = int(found.get("local-pref", 100))
    if "med" in found:
        attributes["med"] = int(found["med"])
    if "origin" in found:
        attributes["origin"] = int(found["origin"])
    return attributes


@step(rf"{PEER} withdraws (?P<prefixes>.+)")
def withdraws(world: World, peer: str, prefixes: str) -> None:
    who = world.peer(peer)
    for prefix in prefixes.split():
        world.routers[who].announced.pop(prefix, None)
    world.send(who, wire.update(withdraw=prefixes.split()))


@step(rf"{PEER} no longer has (?P<prefixes>.+)")
def no_longer(world: World, peer: str, prefixes: str) -> None:
    """What the router will not announce when its session comes up again."""
    for prefix in prefixes.split():
        del world.routers[world.peer(peer)].announced[prefix]


@step(rf"{PEER} says End-of-RIB( (?P<family>ipv4|ipv6))?")
def end_of_rib(world: World, peer: str, family: str = "ipv4") -> None:
    world.send(world.peer(peer), wire.end_of_rib(Family[family.upper()]))


@step(rf"{PEER} sends (?P<octets>rubbish)")
def rubbish(world: World, peer: str, octets: str) -> None:
    world.send(world.peer(peer), wire.message(nlri=b"\x40\x01\x02"))


@step(rf"{PEER} (?P<what>begins|ends) a refresh")
def refresh(world: World, peer: str, what: str) -> None:
    who = world.peer(peer)
    phase = RefreshPhase.BEGIN if what == "begins" else RefreshPhase.END
    world.post(Refresh(who, world.speakers[who.network].up[who], Family.of(who.address), phase))


@step(r"gateways keep (?P<src>\S+) to (?P<dst>\S+)")
def keeps(world: World, src: str, dst: str) -> None:
    world.promises.kept.add((ip_address(src), ip_address(dst)))


@step(r"gateways keep nothing")
def keeps_nothing(world: World) -> None:
    world.promises.kept.clear()
