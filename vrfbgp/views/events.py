"""`events`: what happened, a page at a time, of one network or of one kind if that is asked for."""

from __future__ import annotations

import re
from fnmatch import translate

from vrfbgp.core import Core
from vrfbgp.journal import Event, Journal, Wanted, rfc3339
from vrfbgp.notes import Code
from vrfbgp.views.words import Json

PAGE = 100
LARGEST_PAGE = 1000
"""Events of an answer, if it is not said; and at most."""


def events(core: Core, journal: Journal, request: Json) -> Json:
    """The newest, or with `since` what came after the event of that number; `{"error": …}` to nonsense.

    `life` tells one daemon's numbers from the next one's; `lost` is how many were forgotten in between.
    """
    try:
        network = request.get("network")
        wanted = _wanted(core, network, request.get("code"))
        limit = _number(request.get("limit", PAGE), LARGEST_PAGE)
        since = request.get("since")
        page = (
            journal.newest(limit, wanted)
            if since is None
            else journal.since(_number(since, None), limit, wanted)
        )
    except ValueError as error:
        return {"error": str(error)}
    known = [wanted.name for wanted in core.intent.networks] if core.intent else []
    if network is not None and network not in known and not page.events:
        others = f"; there are {', '.join(sorted(known))}" if known else ""
        return {"error": f"there is no network {network} on this node, and nothing is told of one{others}"}
    return {
        "life": rfc3339(journal.began),
        "events": [event_of(event) for event in page.events],
        "next": page.next,
        "lost": page.lost,
        "more": page.more,
    }


def event_of(event: Event) -> Json:
    return {
        "number": event.number,
        "time": rfc3339(event.time),
        "code": event.code,
        "subject": event.subject,
        "text": event.text,
        "warning": event.warning,
    }


def last_reading(journal: Journal) -> Json:
    """When a config was taken last, and what became of the last one that was read; null before that."""
    applied = journal.latest.get(Code.CONFIG_APPLIED)
    refused = journal.latest.get(Code.CONFIG_REFUSED)
    last = max((e for e in (applied, refused) if e is not None), key=lambda e: e.number, default=None)
    return {
        "applied": rfc3339(applied.time) if applied else None,
        "read": rfc3339(last.time) if last else None,
        "result": None if last is None else "applied" if last is applied else "refused",
    }


def _wanted(core: Core, network: object, code: object) -> Wanted:
    codes = None if code is None else re.compile(translate(_text(code)))
    if codes is not None and not any(codes.match(one) for one in Code):
        raise ValueError(f"there is no code {code}; there are {', '.join(sorted(Code))}")
    subjects = None if network is None else _subjects(core, _text(network))

    def wanted(event: Event) -> bool:
        of_kind = codes is None or codes.match(event.code) is not None
        return of_kind and (subjects is None or subjects.match(event.subject) is not None)

    return wanted


def _subjects(core: Core, name: str) -> re.Pattern[str]:
    """What events of a network are about: itself, its peers, its gateways, its table.

    A network that is gone has nothing but its name and its sessions.
    """
    intent = core.intent
    found = [f"network {name}", f"ExternalNetwork {name}"]
    for network in intent.networks if intent else ():
        if network.name == name:
            found += [f"BGPPeer {peer.name}" for peer in network.peers] + [f"table {network.table}"]
    for gateway in intent.gateways if intent else ():
        if name in gateway.networks:
            found.append(f"EgressGateway {gateway.name}")
    whole = "|".join(map(re.escape, found))
    return re.compile(rf"(?:{whole})\Z|peer {re.escape(name)}/")


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError(f"{given!r} is no text")
    return given


def _number(given: object, most: int | None) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 0:
        raise ValueError(f"{given!r} is no number of events")
    return given if most is None else min(given, most)
