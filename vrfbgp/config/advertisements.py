"""`prefixAdvertisements` of the BGPConfiguration: which communities go with what is announced."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vrfbgp.config.findings import Findings
from vrfbgp.config.objects import Entry, Objects
from vrfbgp.config.schema.bgp import BGPConfiguration
from vrfbgp.filters import Community
from vrfbgp.intent import Advertisement, Reason

_VALUE = re.compile(r"[0-9]+(:[0-9]+){1,2}")


def advertisements_of(objects: Objects, node: str, findings: Findings) -> tuple[Advertisement, ...]:
    """Those of this node, or else of `default`; a community may be called by its name or its value."""
    by_name = {entry.name: entry for entry in objects.bgp}
    scopes = [by_name[name] for name in (f"node.{node}", "default") if name in by_name]
    values = {c.name: c.value for entry in reversed(scopes) for c in entry.model.spec.communities}
    chosen = next((entry for entry in scopes if entry.model.spec.prefix_advertisements), None)
    return tuple(_advertisements(chosen, values, findings)) if chosen else ()


def _advertisements(
    entry: Entry[BGPConfiguration], values: dict[str, str], findings: Findings
) -> Iterator[Advertisement]:
    for index, spec in enumerate(entry.model.spec.prefix_advertisements):
        if spec.cidr is None:
            continue
        found: list[Community] = []
        for place, word in enumerate(spec.communities):
            value = values.get(word, word)
            if _VALUE.fullmatch(value):
                found.append(tuple(map(int, value.split(":"))))
                continue
            text = f"There is no community {word}: add it to communities, or write its value, as 65000:100."
            path = ("spec", "prefixAdvertisements", index, "communities", place)
            findings.tell(entry.notice(Reason.MISSING_COMMUNITY, text, *path))
        if found:
            yield Advertisement(spec.cidr, tuple(found))
