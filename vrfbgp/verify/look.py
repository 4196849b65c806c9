"""Reads from the kernel what `verify` looks at. Needs no capability: all of it is dumps and questions."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import TypeVar

from vrfbgp.config.facts import HostFacts
from vrfbgp.events import LinksRead, NexthopsRead, RulesRead, TableRead, TablesRead
from vrfbgp.hostfacts import host_facts
from vrfbgp.kernel.reader import Reader, ReadEvent
from vrfbgp.model import MAIN_TABLE, Action, Family, IPAddress, KernelRoute, Rule
from vrfbgp.requests import ReadLinks, ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables
from vrfbgp.verify.sight import LOCAL_TABLE, Sight

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL})
"""No route, or `unreachable`, `prohibit`, `blackhole` (fib_props in fib_semantics.c)."""
_E = TypeVar("_E", bound=ReadEvent)


def look(reader: Reader, networks: Iterable[int], behind: int) -> Sight:
    """The kernel as it is now; OSError if it can't be read.

    `networks` are the tables of the config's networks; a table of others is read if a rule ahead of priority
    `behind` looks it up. Next hops are read before the routes that need them.
    """
    before = reader.skipped
    links = _read(reader, ReadLinks(), LinksRead)
    rules = {family: _read(reader, ReadRules(family), RulesRead).rules for family in Family}
    nexthops = _read(reader, ReadNexthops(), NexthopsRead).nexthops
    numbers = {MAIN_TABLE, LOCAL_TABLE, *networks}
    wanted = {(table, family) for table in numbers for family in Family}
    wanted |= _read(reader, ReadTables(), TablesRead).tables
    wanted |= {(r.table, family) for family, of in rules.items() for r in of if _looks_up(r, behind)}
    tables = {of: reader.survey(*of) for of in sorted(wanted)}
    by_id = {nexthop.id: nexthop for nexthop in nexthops}
    return Sight(links, rules, by_id, tables, reader.skipped - before)


def around(reader: Reader) -> HostFacts:
    """What the config's defaults need to know of this node; OSError if it can't be read."""
    links = _read(reader, ReadLinks(), LinksRead)
    main = [_read(reader, ReadTable(MAIN_TABLE, family), TableRead) for family in Family]
    return host_facts(socket.gethostname(), links, main)


def ask(reader: Reader, src: IPAddress, dst: IPAddress, iif: int) -> KernelRoute | None:
    """The kernel's own answer about a packet; None if it goes nowhere. OSError if it can't say."""
    try:
        return reader.route_get(src, dst, iif)
    except OSError as error:
        if error.errno in _NO_WAY:
            return None
        raise


def _looks_up(rule: Rule, behind: int) -> bool:
    return rule.action is Action.LOOKUP and rule.table != 0 and rule.priority < behind


def _read(reader: Reader, request: ReadRequest, kind: type[_E]) -> _E:
    found = reader.read(request)
    assert isinstance(found, kind)
    return found
