"""`plan`: what another config would change, found out by a core that lives through it.

Nothing is predicted by a second set of rules: the core is given the config and asked for effects until it has
none left. They are collected and not performed; batches count as taken by the kernel, and the kernel is read
where the core wants to know of it. So the core is spoiled by this: it is to be a copy.

Told is what follows at once. What waits for others, as the announcements to a peer that isn't up yet, and the
routes of a session that begins, is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

from vrfbgp.core import Core
from vrfbgp.events import Applied, ConfigLoaded, KernelEvent
from vrfbgp.intent import Intent, Problem
from vrfbgp.model import Inline, NexthopGroup, NexthopObject, NexthopValue, RouteValue
from vrfbgp.operations import (
    AddNexthop,
    AddRoute,
    AddRoutes,
    AddRule,
    DeleteNexthop,
    DeleteRoute,
    DeleteRoutes,
    DeleteRule,
    Operation,
    ReplaceNexthop,
    ReplaceRoute,
    ReplaceRoutes,
    Step,
    count_of,
    described,
    expanded,
    slice_of,
)
from vrfbgp.requests import (
    Announce,
    CountTable,
    ReadRequest,
    RequestRefresh,
    ResetSession,
    SessionConfig,
    SpeakerRequest,
    Withdraw,
)
from vrfbgp.views.words import Json, endpoint, problem

TURNS = 100
"""How often the core is asked at most: it needs one for each answer that it waits for."""
LISTED = 10_000
"""How many operations are told one by one."""

Read = Callable[[ReadRequest], KernelEvent]


@dataclass
class _Life:
    """What a core asked for."""

    steps: list[Step] = field(default_factory=list)
    requests: list[SpeakerRequest] = field(default_factory=list)


def foresee(core: Core, intent: Intent, read: Read, now: float) -> Json:
    """What `intent` would change. The core is spoiled. OSError of `read`.

    `empty`: nothing at all. `settled`: the core had nothing else to do when it was asked; if it had, what it
    waits for may be missing from the answer.
    """
    core.handle(Applied(core.serial, ()), now)
    _live(core, read, now)
    settled = core.reconciler.at_rest
    sessions = _sessions(core)
    told = set(core.problems.standing)
    core.handle(ConfigLoaded(intent), now)
    life = _live(core, read, now)
    after = _sessions(core)
    resets = {request.peer for request in life.requests if isinstance(request, ResetSession)}
    found: Json = {
        "settled": settled,
        "sessions": {
            "begin": [_session(s) for peer, s in after.items() if peer not in sessions],
            "restart": [
                _session(s) | {"changed": _changed(sessions[peer], s)}
                for peer, s in after.items()
                if peer in sessions and (_restarts(sessions[peer], s) or peer in resets)
            ],
            "end": [_session(s) for peer, s in sessions.items() if peer not in after],
            "stay": sum(
                peer in after and peer not in resets and not _restarts(s, after[peer])
                for peer, s in sessions.items()
            ),
        },
        "rules": {
            "add": [str(step.rule) for step in life.steps if isinstance(step, AddRule)],
            "delete": [str(step.rule) for step in life.steps if isinstance(step, DeleteRule)],
        },
        "tables": _tables(core, life.steps),
        "announcements": {
            "announce": [_announcement(r) for r in life.requests if isinstance(r, Announce)],
            "withdraw": [_announcement(r) for r in life.requests if isinstance(r, Withdraw)],
        },
        "refreshes": [
            {"network": r.peer.network, "peer": endpoint(r.peer), "family": r.family.name.lower()}
            for r in life.requests
            if isinstance(r, RequestRefresh)
        ],
        "problems": [problem(one) for one in _new(core, told)],
    }
    operations = [operation for step in life.steps for operation in expanded(step)]
    found["operations"] = [_exact(core, operation) for operation in islice(operations, LISTED)]
    found["left_off"] = max(0, len(operations) - LISTED)
    found["empty"] = not operations and not life.requests
    return found


def _live(core: Core, read: Read, now: float) -> _Life:
    """Let the core do all that it can do now."""
    life = _Life()
    for _ in range(TURNS):
        effects = core.effects(now)
        life.requests += effects.speakers
        life.steps += effects.urgent + effects.operations
        if effects.operations:
            core.handle(Applied(effects.serial, ()), now)
        # The comparison's own questions aside: what was only planned isn't in the kernel.
        for request in (request for request in effects.reads if not isinstance(request, CountTable)):
            core.handle(read(request), now)
        due = effects.wake is not None and effects.wake <= now
        if not (effects.urgent or effects.operations or effects.reads or due):
            break
    return life


# -- sessions --------------------------------------------------------------------------------------


def _sessions(core: Core) -> dict[object, SessionConfig]:
    """What the speakers were told last, by peer."""
    return {s.peer: s for network in core.networks.values() for s in network.configured}


def _restarts(before: SessionConfig, now: SessionConfig) -> bool:
    """Whether the session begins again: two fields hold from its next begin on (docs/reload.md)."""
    return replace(now, description=before.description, keepalive_time=before.keepalive_time) != before


def _changed(before: SessionConfig, now: SessionConfig) -> list[str]:
    """Names of the fields; values are not told, since one of them is the password."""
    names = (name for name in SessionConfig.__dataclass_fields__ if name != "description")
    return [name for name in names if getattr(before, name) != getattr(now, name)]


def _session(session: SessionConfig) -> Json:
    return {"network": session.peer.network, "peer": endpoint(session.peer), "as": session.peer_as}


def _announcement(request: Announce | Withdraw) -> Json:
    peer = request.peer
    return {"network": peer.network, "peer": endpoint(peer), "prefix": str(request.prefix)}


# -- the kernel ------------------------------------------------------------------------------------


def _tables(core: Core, steps: list[Step]) -> list[Json]:
    """How many routes of which table are made, changed and deleted."""
    counts: Counter[tuple[int, int, str]] = Counter()
    for step in steps:
        if of := slice_of(step):
            table, family, _ = of
            counts[table, family, _KINDS[type(step)]] += count_of(step)
    names = {place.table: name for name, place in core.planner.places.items()}
    return [
        {
            "table": table,
            "family": "ipv4" if family == 2 else "ipv6",
            "network": names.get(table),
            **{kind: counts[table, family, kind] for kind in ("add", "replace", "delete")},
        }
        for table, family in sorted({(table, family) for table, family, _ in counts})
    ]


_KINDS = {
    AddRoute: "add",
    AddRoutes: "add",
    ReplaceRoute: "replace",
    ReplaceRoutes: "replace",
    DeleteRoute: "delete",
    DeleteRoutes: "delete",
}


def _exact(core: Core, operation: Operation) -> str:
    """An operation with all that it says, as `ip` would print it."""
    match operation:
        case AddRoute(_, value) | ReplaceRoute(_, value) | AddNexthop(_, value) | ReplaceNexthop(_, value):
            return f"{described(operation)} {_value(core, value)}"
        case DeleteRoute() | DeleteNexthop() | AddRule() | DeleteRule():
            return described(operation)


def _value(core: Core, value: RouteValue | NexthopValue) -> str:
    match value:
        case Inline(ifindex, gateway):
            via = f"via {gateway} " if gateway is not None else ""
            return f"{via}dev {core.host.name(ifindex)}"
        case NexthopObject(gateway, ifindex):
            return f"via {gateway} dev {core.host.name(ifindex)} onlink"
        case NexthopGroup(members):
            return "group " + "/".join(map(str, members))
        case _:
            return f"nhid {value}"


def _new(core: Core, told: set[Problem]) -> Iterator[Problem]:
    return (found for found in core.problems.standing if found not in told)
