"""Each session's own packets look up their network's table: else they may reach another network's router."""

from __future__ import annotations

from collections.abc import Container, Iterator

from vrfbgp.model import Action, Family, IPAddress, network_of
from vrfbgp.survey import TableSurvey
from vrfbgp.verify.findings import REPAIR, Finding, Flaw
from vrfbgp.verify.gateways import removal
from vrfbgp.verify.ground import Ground, Session, table_name
from vrfbgp.verify.sight import LOCAL_TABLE, Sight
from vrfbgp.verify.walk import drops, first_for, leap


def check_sessions(ground: Ground, sight: Sight, resting: Container[str] = ()) -> Iterator[Finding]:
    """What is wrong with the rules of sessions; one that can't be held now, or rests, needs none."""
    held: dict[tuple[IPAddress, IPAddress, int], str] = {}
    for network in ground.networks.values():
        for session in network.sessions:
            attachment = network.attached.attachments[session.peer]
            # Of two networks with one pair of addresses only the first has a session.
            other = held.setdefault(attachment.pair, network.name)
            if attachment.ifindex not in network.attached.reach.running or other != network.name:
                continue
            if session.rule not in sight.rules[Family.of(session.local)]:
                if str(session.peer) not in resting:
                    text = f"its packets, from {session.local}, have no rule to table {network.table}"
                    yield Finding(Flaw.SESSION_RULE_MISSING, f"session {session.peer}", text, REPAIR)
                continue
            yield from _diverted(ground, sight, session)


def _diverted(ground: Ground, sight: Sight, session: Session) -> Iterator[Finding]:
    """What a session's packets meet ahead of their own rule."""
    rules = sight.rules[Family.of(session.local)]
    for rule in first_for(rules, session.local, session.peer.address, session.rule):
        if rule in ground.sessions:
            continue  # That of the same pair of link-local addresses on another link (RFC 4007).
        where = "nowhere"
        if rule.action is Action.LOOKUP:
            if rule.table in (LOCAL_TABLE, session.rule.table):
                continue
            if not _knows(sight.table(rule.table, rule.family), session.peer.address):
                continue
            where = f"table {table_name(ground, rule.table)}"
        elif not drops(rule):
            target = leap(rule)
            if target is None or target <= session.rule.priority:
                continue
            where = f"priority {target}"
        text = (
            f"its packets, from {session.local}, are led to {where} by the rule '{rule}', ahead of their own"
        )
        yield Finding(
            Flaw.SESSION_DIVERTED, f"session {session.peer}", text, f"remove that rule: {removal(rule)}"
        )


def _knows(survey: TableSurvey, peer: IPAddress) -> bool:
    """Whether a table has a route for the peer; one of ours may well."""
    return bool(survey.bunches) or any(
        route.kind != "throw" and peer in network_of(survey.family, route.key.nlri) for route in survey.routes
    )
