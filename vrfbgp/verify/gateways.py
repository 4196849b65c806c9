"""Each gateway's packets, rule by rule: into its networks in its order, to the cluster by main, and closed.

The promise is about what packets meet, so the rules are walked, whoever made them. A part of a gateway's
range that a rule tells apart is walked by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from vrfbgp.intent import GatewayIntent
from vrfbgp.model import MAIN_TABLE, Action, Family, IPNetwork, Rule, network_of
from vrfbgp.steering import is_open
from vrfbgp.survey import TableSurvey
from vrfbgp.verify.findings import REPAIR, Finding, Flaw
from vrfbgp.verify.ground import FAMILY_WORDS, Ground, table_name, within
from vrfbgp.verify.sight import LOCAL_TABLE, Sight
from vrfbgp.verify.walk import Match, Met, Rules, Source, closes, conditions, leap, parts, walk


@dataclass
class _Path:
    """What the packets of one source meet."""

    gateway: GatewayIntent
    source: IPNetwork
    wanted: list[int]
    """Tables that they may look up."""
    open: bool
    led: list[int] = field(default_factory=list)
    """Those of them that all packets look up, in order."""
    exempt: list[IPNetwork] = field(default_factory=list)
    """Destinations that they reach by main, ahead of any network."""
    closed: bool = False
    strays: list[tuple[Flaw, Rule]] = field(default_factory=list)
    """What takes them elsewhere, ahead of the last of the networks' tables, or of what closes."""
    behind: list[tuple[Flaw, Rule]] = field(default_factory=list)
    """What takes them elsewhere once nothing of ours is left."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What all packets of a gateway's range pass, in order: for people."""

    gateway: str
    source: IPNetwork
    rules: tuple[Rule, ...]
    closed: bool


def passages(ground: Ground, sight: Sight) -> Iterator[Passage]:
    """The rules that each gateway's packets meet."""
    rules = _by_family(sight)
    for gateway in ground.gateways:
        for range_ in gateway.ranges:
            met = list(walk(rules[Family.of(range_)].near(range_), source_of(ground, range_)))
            closed = bool(met) and closes(met[-1].rule)
            yield Passage(gateway.name, range_, tuple(one.rule for one in met), closed)


def check_gateways(ground: Ground, sight: Sight) -> Iterator[Finding]:
    """What is wrong with the rules of gateways."""
    strays: dict[tuple[Flaw, Rule], dict[str, IPNetwork]] = {}
    by_family = _by_family(sight)
    for gateway in ground.gateways:
        for range_ in gateway.ranges:
            rules = by_family[Family.of(range_)].near(range_)
            told: set[Flaw] = set()
            for part in parts(range_, rules):
                path = _walked(ground, sight, gateway, part, rules)
                for stray in path.strays:
                    strays.setdefault(stray, {}).setdefault(gateway.name, part)
                # What is wrong with the whole range, which comes first, is not told of its parts again.
                found = [finding for finding in _judged(ground, path) if finding.flaw not in told]
                told.update(finding.flaw for finding in found)
                yield from found
    for (flaw, rule), whose in strays.items():
        yield _stray(ground, sight, flaw, rule, [f"gateway {name} ({part})" for name, part in whose.items()])
    yield from _local_table(ground, sight)


def _by_family(sight: Sight) -> dict[Family, Rules]:
    return {family: Rules(sight.rules[family]) for family in Family}


def source_of(ground: Ground, range_: IPNetwork) -> Source:
    """How the packets of a range come in, as far as main tells."""
    devices = {ground.host.name(connected.ifindex) for connected in ground.connected.inside(range_)}
    return Source(range_, frozenset(devices), bool(ground.local.inside(range_)))


def _walked(
    ground: Ground, sight: Sight, gateway: GatewayIntent, part: IPNetwork, rules: list[Rule]
) -> _Path:
    networks = {network.name: network for network in ground.intent.networks}
    path = _Path(gateway, part, ground.tables_of(gateway), is_open(gateway, networks))
    for met in walk(rules, source_of(ground, part)):
        rule = met.rule
        if closes(rule) and met.match is Match.SURELY:
            path.closed = True
            path.strays += path.behind
            path.behind = []
        elif rule.action is Action.LOOKUP and rule not in ground.sessions:
            _look_up(ground, sight, path, met)
        elif (target := leap(rule)) is not None and any(
            r.ours and r.priority < target for r in rules[rules.index(rule) + 1 :]
        ):
            path.behind.append((_flaw(met), rule))
    return path


def _look_up(ground: Ground, sight: Sight, path: _Path, met: Met) -> None:
    """Take in a rule that looks up a table."""
    rule, table = met.rule, met.rule.table
    if table == LOCAL_TABLE:
        return
    if table in ground.tables:
        if table not in path.wanted:
            flaw = Flaw.WRONG_NETWORK if met.match is Match.SURELY else Flaw.MAY_DIVERT
            path.strays.append((flaw, rule))
        elif rule.dst is None and not rule.others:
            path.led.append(table)
            path.strays += path.behind
            path.behind = []
        return
    if ground.in_cluster(rule.dst):
        if table == MAIN_TABLE and not path.led and not rule.others and rule.dst is not None:
            path.exempt.append(rule.dst)
        return
    empty = table not in (MAIN_TABLE, 0) and sight.table(table, rule.family).empty
    if empty or not _is_of_the_cluster(ground, sight.table(table, rule.family)):
        path.behind.append((Flaw.MAY_DIVERT if empty else _flaw(met), rule))


def _is_of_the_cluster(ground: Ground, survey: TableSurvey) -> bool:
    """Whether a table of others leads nowhere but into the cluster, as that of Calico's WireGuard does."""
    if survey.empty or survey.bunches or survey.table == MAIN_TABLE:
        return False
    return all(
        route.kind == "throw" or ground.in_cluster(network_of(survey.family, route.key.nlri))
        for route in survey.routes
    )


def _flaw(met: Met) -> Flaw:
    if met.match is Match.PERHAPS:
        return Flaw.MAY_DIVERT
    ours = met.rule.ours and not met.rule.others and met.rule.table == MAIN_TABLE
    return Flaw.EXEMPTION_TOO_WIDE if ours else Flaw.DIVERTED


def _judged(ground: Ground, path: _Path) -> Iterator[Finding]:
    """What is wrong with all that one source's packets meet."""
    subject, whose = f"EgressGateway {path.gateway.name}", f"packets from {path.source}"
    if not path.closed and not path.open:
        onward = [rule for flaw, rule in path.behind if flaw is not Flaw.MAY_DIVERT]
        where = f"go on to the rule '{onward[0]}'" if onward else "meet no rule that drops them"
        text = f"{whose} that its networks have no route for {where}: no `unreachable` rule closes them off"
        yield Finding(Flaw.NOT_CLOSED, subject, text, REPAIR)
    led = list(dict.fromkeys(path.led))
    asked = list(dict.fromkeys(path.wanted))
    missing = [table_name(ground, table) for table in asked if table not in led]
    if missing and not ground.drained:
        yield Finding(Flaw.NOT_STEERED, subject, f"{whose} never look up table {', '.join(missing)}", REPAIR)
    if led != (right := [table for table in asked if table in led]):
        text = (
            f"{whose} look up {' before '.join(table_name(ground, t) for t in led)}; its list says "
            f"{' before '.join(table_name(ground, t) for t in right)}"
        )
        yield Finding(Flaw.WRONG_ORDER, subject, text, REPAIR)
    exempt = set(path.exempt)
    lacking = [
        range_
        for range_ in ground.intent.cluster
        if range_.version == path.source.version
        and range_ not in exempt
        and not any(within(range_, held) for held in exempt)
    ]
    if lacking and (led or path.closed):
        text = f"{whose} to {', '.join(map(str, lacking))} do not go by main ahead of its networks"
        yield Finding(Flaw.EXEMPTION_MISSING, subject, text, REPAIR)


def _stray(ground: Ground, sight: Sight, flaw: Flaw, rule: Rule, whose: list[str]) -> Finding:
    subject = f"rule {rule}"
    shown = ", ".join(whose[:3]) + (f" and {len(whose) - 3} more" if len(whose) > 3 else "")
    where = f"table {table_name(ground, rule.table)}"
    if rule.action is not Action.LOOKUP:
        where = f"priority {leap(rule)}, past rules of ours"
    remedy = REPAIR if rule.ours and not rule.others else f"remove it: {removal(rule)}"
    if not rule.ours:
        remedy += f"; or give it a priority behind {ground.intent.rule_priority + _longest(ground)}"
    match flaw:
        case Flaw.EXEMPTION_TOO_WIDE:
            beyond = f"to {rule.dst}, which is not within the cluster," if rule.dst else "to all destinations"
            text = f"packets of {shown} {beyond} go by main"
        case Flaw.WRONG_NETWORK:
            text = f"packets of {shown} are led into {where}, which is none of its networks"
        case Flaw.MAY_DIVERT if sight.table(rule.table, rule.family).empty and not conditions(rule):
            text = f"packets of {shown} would be led to {where}, if that were not empty"
        case Flaw.MAY_DIVERT:
            text = f"packets of {shown} are led to {where}, if they have what it asks for"
            remedy = "see that none of them has: " + ", ".join(conditions(rule) or ["it"])
        case _:
            text = f"packets of {shown} meet it before rules of ours and are led to {where}"
    return Finding(flaw, subject, text, remedy)


def removal(rule: Rule) -> str:
    """The command that deletes a rule, and no other that is alike but for its protocol."""
    words = [f"ip -{4 if rule.family is Family.IPV4 else 6} rule del priority {rule.priority}"]
    words += ["not"] if "not" in rule.others else []
    words.append(f"from {rule.src or 'all'}")
    words += [f"to {rule.dst}"] if rule.dst is not None else []
    words += [word for word in rule.others if word != "not"]
    if rule.action is Action.LOOKUP:
        words.append(f"lookup {rule.table}")
    elif rule.action is Action.UNREACHABLE:
        words.append("unreachable")
    if rule.protocol:
        words.append(f"protocol {rule.protocol}")
    return " ".join(words)


def _longest(ground: Ground) -> int:
    return max((len(gateway.networks) for gateway in ground.gateways), default=0)


def _local_table(ground: Ground, sight: Sight) -> Iterator[Finding]:
    """Routes in table local, which is looked up ahead of everything, that lead out of the node."""
    if not ground.gateways:
        return
    for family in Family:
        for route in sight.table(LOCAL_TABLE, family).routes:
            multicast = family is Family.IPV6 and route.key.nlri[:2] == b"\x08\xff"
            if route.kind != "unicast" or route.ours or multicast:
                continue
            devices = ", ".join(sorted(map(sight.device, sight.leaves_by(route) or ())))
            text = (
                f"it is found ahead of all rules of ours, so {FAMILY_WORDS[family]} packets of all gateways "
                f"to it leave by {devices or 'an unknown device'}"
            )
            yield Finding(Flaw.DIVERTED, f"route {route.key}", text, "remove it from table local")
