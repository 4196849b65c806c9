"""Steps that look: at what was asked for, at the kernel, at what the core says."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from tests.scenarios.deeds import PEER
from tests.scenarios.fate import fate
from tests.scenarios.script import step
from tests.scenarios.world import World
from vrfbgp.fib.rules import steers
from vrfbgp.model import MAIN_TABLE, Family, nlri_of


def equal(what: str, expected: list[str], got: list[str]) -> None:
    """Both as lists of lines, so that a difference can be read."""
    if expected != got:
        lines = [f"  {what}", "  expected:", *(f"    {line}" for line in expected)]
        raise AssertionError("\n".join([*lines, "  got:", *(f"    {line}" for line in got)]))


# -- what was asked for --------------------------------------------------------------------------


@step(r"the kernel was told")
def told(world: World, block: list[str]) -> None:
    equal("operations since the last look, in order", block, world.operations())


@step(r"the kernel was told, in any order")
def told_any_order(world: World, block: list[str]) -> None:
    equal("operations since the last look", sorted(block), sorted(world.operations()))


@step(r"the kernel was told nothing")
def told_nothing(world: World) -> None:
    equal("operations since the last look", [], world.operations())


@step(r"the kernel was told first: (?P<words>.+)")
def told_first(world: World, words: str) -> None:
    equal("first operation", [words], world.operations()[:1])


@step(r"the kernel was not told to delete")
def told_no_delete(world: World) -> None:
    equal("deletions", [], [words for words in world.operations() if words.startswith("-")])


@step(r"nobody looks back")
def forget(world: World) -> None:
    world.operations()
    world.asked.clear()
    world.notes.clear()


@step(r"speakers were told")
def asked(world: World, block: list[str]) -> None:
    got, world.asked = world.asked, []
    equal("requests since the last look, in order", block, got)


@step(r"speakers were told nothing")
def asked_nothing(world: World) -> None:
    equal("requests since the last look", [], world.asked)


# -- the kernel ----------------------------------------------------------------------------------


def of_table(world: World, table: int, ours: bool) -> list[str]:
    routes = [r for k, r in world.kernel.routes.items() if k.table == table and r.ours is ours]
    found = [world.words.route(route).replace(f" table {table}", "") for route in routes]
    return sorted(found)


@step(r"table (?P<table>\d+) holds")
def table(world: World, table: str, block: list[str]) -> None:
    equal(f"our routes in table {table}", sorted(block), of_table(world, int(table), True))


@step(r"table (?P<table>\d+) holds nothing( of ours)?")
def table_empty(world: World, table: str) -> None:
    equal(f"our routes in table {table}", [], of_table(world, int(table), True))


@step(r"foreign routes of table (?P<table>\d+) are")
def foreign(world: World, table: str, block: list[str]) -> None:
    equal(f"foreign routes in table {table}", sorted(block), of_table(world, int(table), False))


@step(r"table (?P<table>\d+) has (?P<route>.+)")
def table_has(world: World, table: str, route: str) -> None:
    found = of_table(world, int(table), True)
    if route not in found:
        equal(f"our routes in table {table}", [f"… {route}"], found)


@step(r"table (?P<table>\d+) lacks (?P<prefix>\S+)")
def table_lacks(world: World, table: str, prefix: str) -> None:
    network = ip_network(prefix)
    nlri, family = nlri_of(network), Family.of(network)
    found = [
        world.words.route(route)
        for key, route in world.kernel.routes.items()
        if (key.table, key.family, key.nlri) == (int(table), family, nlri) and route.ours
    ]
    equal(f"our routes to {prefix} in table {table}", [], found)


@step(r"main holds nothing of ours")
def main(world: World) -> None:
    equal("our routes in main", [], of_table(world, MAIN_TABLE, True))


@step(r"rules are")
def rules(world: World, block: list[str]) -> None:
    equal("our rules, as the kernel walks them", block, [str(r) for r in world.kernel.rules if r.ours])


@step(r"there are no rules( of ours)?")
def no_rules(world: World) -> None:
    equal("our rules", [], [str(r) for r in world.kernel.rules if r.ours])


@step(r"there are (?P<number>\d+) next hops( of ours)?")
def nexthops(world: World, number: str) -> None:
    found = [world.words.nexthop(n.value) for n in world.kernel.nexthops.values() if n.ours]
    assert len(found) == int(number), f"  expected {number} next hops and groups, got:\n    " + "\n    ".join(
        found
    )


@step(r"(?P<src>\S+) to (?P<dst>[\d.:a-f]+) meets (?P<outcome>.+)")
def meets(world: World, src: str, dst: str, outcome: str) -> None:
    found = fate(world.kernel, ip_address(src), ip_address(dst))
    equal(f"{src} to {dst}", [outcome], [str(found)])


@step(r"no gateway is steered")
def not_steered(world: World) -> None:
    found = [str(rule) for rule in world.kernel.rules if rule.ours and steers(rule)]
    equal("rules of ours that steer", [], found)


# -- what the core says --------------------------------------------------------------------------


@step(r"problems are")
def problems(world: World, block: list[str]) -> None:
    found = [f"{p.reason} {p.subject}" for p in world.core.problems.standing]
    equal("standing problems", sorted(block), sorted(found))


@step(r"there are no problems")
def no_problems(world: World) -> None:
    equal("standing problems", [], [str(p) for p in world.core.problems.standing])


@step(r"a problem says (?P<text>.+)")
def problem_says(world: World, text: str) -> None:
    found = [str(p) for p in world.core.problems.standing]
    if not any(text in one for one in found):
        equal("standing problems", [f"… {text} …"], found)


@step(r"notes are")
def notes(world: World, block: list[str]) -> None:
    got, world.notes = world.notes, []
    equal("notes since the last look", block, [f"{n.code} {n.subject}".strip() for n in got])


@step(r"a note says (?P<text>.+)")
def note_says(world: World, text: str) -> None:
    if not any(text in str(note) for note in world.notes):
        equal("notes since the last look", [f"… {text} …"], [str(note) for note in world.notes])


@step(r"no note says (?P<text>.+)")
def no_note_says(world: World, text: str) -> None:
    equal("notes", [], [str(note) for note in world.notes if text in str(note)])


@step(rf"path (?P<prefix>\S+) of {PEER} is (?P<verdict>.+)")
def path(world: World, prefix: str, peer: str, verdict: str) -> None:
    who, network = world.peer(peer), ip_network(prefix)
    loc = world.core.networks[who.network].loc
    adj = loc.adj(who, Family.of(network))
    nlri = nlri_of(network)
    if nlri in adj.refused:
        got = f"refused: {adj.refused[nlri][1]}"
    elif nlri not in adj.paths:
        got = "not there"
    elif reason := loc.ineligible(adj.family, nlri, adj.paths[nlri]):
        got = f"ineligible: {reason}"
    else:
        selection = loc.select(adj.family, nlri)
        got = str(selection.why_not(adj.paths[nlri]))
    equal(f"path {prefix} of {who}", [verdict], [got])


@step(r"(?P<network>\S+) is (?P<state>in sync|not in sync)")
def in_sync(world: World, network: str, state: str) -> None:
    got = "in sync" if world.core.networks[network].in_sync else "not in sync"
    equal(f"network {network}", [state], [got])


@step(r"the node is (?P<state>serving|withdrawing|closing|drained)")
def drain_state(world: World, state: str) -> None:
    equal("state of the node", [state], [world.core.drain.state.value])


@step(r"repairs are (?P<number>\d+)")
def repairs(world: World, number: str) -> None:
    equal("repairs", [number], [str(world.core.repairs)])


@step(r"the core sleeps (until woken|for (?P<seconds>[\d.]+) seconds)")
def sleeps(world: World, seconds: str = "") -> None:
    wake = world.core.effects(world.now).wake
    got = "" if wake is None else f"{wake - world.now:g}"
    equal("seconds to sleep", [seconds], [got])
