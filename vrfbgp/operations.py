"""What the core asks of the kernel: a list of these, applied in order.

Creations are CREATE|EXCL and never overwrite; replacements are made only of what was read back, or made,
as ours (a REPLACE overwrites a foreign route of the same prefix and metric silently: it was tried).
"""

from __future__ import annotations

from dataclasses import dataclass

from vrfbgp.model import NexthopValue, RouteKey, RouteValue, Rule


@dataclass(frozen=True, slots=True)
class AddRoute:
    """RTM_NEWROUTE with NLM_F_CREATE|NLM_F_EXCL: EEXIST if anything stands there."""

    key: RouteKey
    value: RouteValue


@dataclass(frozen=True, slots=True)
class ReplaceRoute:
    """RTM_NEWROUTE with NLM_F_REPLACE and without NLM_F_CREATE: only of a route that is ours."""

    key: RouteKey
    value: RouteValue


@dataclass(frozen=True, slots=True)
class DeleteRoute:
    """RTM_DELROUTE that names the table, prefix, metric and our protocol; ESRCH if there is none."""

    key: RouteKey


@dataclass(frozen=True, slots=True)
class AddNexthop:
    """RTM_NEWNEXTHOP with NLM_F_CREATE|NLM_F_EXCL; a single object gets RTNH_F_ONLINK."""

    id: int
    value: NexthopValue


@dataclass(frozen=True, slots=True)
class ReplaceNexthop:
    """RTM_NEWNEXTHOP with NLM_F_REPLACE: every route on it follows at once."""

    id: int
    value: NexthopValue


@dataclass(frozen=True, slots=True)
class DeleteNexthop:
    """RTM_DELNEXTHOP: groups shrink, and routes that have nothing left go with it."""

    id: int


@dataclass(frozen=True, slots=True)
class AddRule:
    """RTM_NEWRULE with NLM_F_CREATE|NLM_F_EXCL."""

    rule: Rule


@dataclass(frozen=True, slots=True)
class DeleteRule:
    """RTM_DELRULE that names every selector, the priority and the protocol."""

    rule: Rule


Operation = (
    AddRoute | ReplaceRoute | DeleteRoute | AddNexthop | ReplaceNexthop | DeleteNexthop | AddRule | DeleteRule
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An operation that the kernel refused: `errno`, and the text of its extended ack, if any."""

    operation: Operation
    errno: int
    text: str = ""
