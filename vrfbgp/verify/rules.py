"""Rules that should not be: ours that nothing asks for, and anybody's that lead into a network's table."""

from __future__ import annotations

from collections.abc import Container, Iterator

from vrfbgp.model import Action, Rule
from vrfbgp.verify.findings import Finding, Flaw
from vrfbgp.verify.gateways import removal
from vrfbgp.verify.ground import Ground, table_name, within
from vrfbgp.verify.sight import Sight

_UNASKED = "a running vrfbgp removes it; without one: "


def check_rules(ground: Ground, sight: Sight, named: Container[str]) -> Iterator[Finding]:
    """What is wrong with rules, apart from those in `named`, whose flaws were told already."""
    for rule in sight.all_rules():
        subject = f"rule {rule}"
        if rule in ground.rules or subject in named or _is_kept(ground, rule):
            continue
        leads = rule.action is Action.LOOKUP and rule.table in ground.tables
        if leads and not _serves(ground, rule):
            yield _stranger(ground, rule, subject)
        elif leads and not rule.ours:
            text = f"it is somebody else's (protocol {rule.protocol}), and looks up {_table(ground, rule)}"
            remedy = f"remove it: {removal(rule)}; or give the network another routeTableIndex"
            yield Finding(Flaw.TABLE_IN_USE, subject, text, remedy)
        elif rule.ours and not rule.others and not ground.intent.partial:
            yield Finding(
                Flaw.RULE_LEFT, subject, "it is ours, and nothing asks for it", _UNASKED + removal(rule)
            )


def _serves(ground: Ground, rule: Rule) -> bool:
    """Whether none but gateways of the network meet a rule that looks up its table."""
    if _is_for_a_session(ground, rule):
        return True
    if rule.src is None or "not" in rule.others:
        return False
    return any(
        within(rule.src, range_) and rule.table in ground.tables_of(gateway)
        for gateway in ground.gateways
        for range_ in gateway.ranges
    )


def _is_for_a_session(ground: Ground, rule: Rule) -> bool:
    """Whether it leads from one host to a peer of the network, perhaps from an address of before."""
    network = ground.networks[ground.tables[rule.table]]
    peers = {peer.id.address for peer in network.intent.peers}
    hosts = [n for n in (rule.src, rule.dst) if n is not None and n.prefixlen == n.max_prefixlen]
    return rule.ours and len(hosts) == 2 and hosts[1].network_address in peers


def _is_kept(ground: Ground, rule: Rule) -> bool:
    """Whether it is of a session whose peer can't be reached now: that is kept until it can (`footing`)."""
    if rule.table not in ground.tables or not _is_for_a_session(ground, rule):
        return False
    sessions = ground.networks[ground.tables[rule.table]].sessions
    return rule.dst not in (session.rule.dst for session in sessions)


def _stranger(ground: Ground, rule: Rule, subject: str) -> Finding:
    who = f"packets from {rule.src}" if rule.src is not None else "packets of anybody"
    if rule.others:
        who += f" ({' '.join(rule.others)})"
    text = f"it leads {who} into {_table(ground, rule)}, which no gateway of that network asks for"
    return Finding(Flaw.STRANGER_STEERED, subject, text, f"remove it: {removal(rule)}")


def _table(ground: Ground, rule: Rule) -> str:
    return f"table {table_name(ground, rule.table)}"
