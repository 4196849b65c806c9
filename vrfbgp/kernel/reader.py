"""Reads the kernel: one table, the rules of a family, next hop objects, links and addresses, one route.

All dumps are strict (NETLINK_GET_STRICT_CHK), so that a table's dump holds that table alone. A dump that a
change interrupted is repeated.
"""

from __future__ import annotations

import errno
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from struct import Struct
from typing import TypeVar

from vrfbgp.events import LinksRead, NexthopsRead, RulesRead, TableCounted, TableRead, TablesRead
from vrfbgp.kernel import parse
from vrfbgp.kernel.attributes import packed, packed_u32
from vrfbgp.kernel.census import TableCensus
from vrfbgp.kernel.finding import TableFinder
from vrfbgp.kernel.netlink import DumpInterrupted, NetlinkSocket
from vrfbgp.kernel.parse_table import TableParser
from vrfbgp.kernel.rtnl import Decoder
from vrfbgp.kernel.scan import TableScan
from vrfbgp.kernel.surveyor import TableSurveyor
from vrfbgp.kernel.uapi import (
    IFLA_EXT_MASK,
    RTA_DST,
    RTA_IIF,
    RTA_SRC,
    RTA_TABLE,
    RTEXT_FILTER_SKIP_STATS,
    RTM_F_FIB_MATCH,
    RTM_F_LOOKUP_TABLE,
    RTM_GETADDR,
    RTM_GETLINK,
    RTM_GETNEXTHOP,
    RTM_GETROUTE,
    RTM_GETRULE,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEXTHOP,
    RTM_NEWROUTE,
    RTM_NEWRULE,
)
from vrfbgp.model import PROTOCOL, Family, IPAddress, KernelRoute, RouteValue
from vrfbgp.requests import CountTable, ReadNexthops, ReadRequest, ReadRules, ReadTable, ReadTables
from vrfbgp.survey import TableSurvey

_log = logging.getLogger(__name__)

ReadEvent = TableRead | TableCounted | TablesRead | RulesRead | NexthopsRead | LinksRead

_BROKEN = frozenset({errno.ENOBUFS, errno.EBUSY, errno.ETIMEDOUT})
_NO_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP})
"""Of a family that was switched off at boot (ipv6.disable=1): it has nothing."""
_NO_TABLE = _NO_FAMILY | {errno.ENOENT}
"""A table comes into being with its first route."""
_TRIES = 6
_PAUSE_SECONDS = 0.01
_ROUTE = Struct("=BBBBBBBBI")
_RULE = Struct("=BBBBBBBBI")
_T = TypeVar("_T")
_Scan = TableScan | TableCensus | TableFinder | TableSurveyor


class Reader:
    """Reads by one socket; blocks, so it belongs into a thread."""

    def __init__(self) -> None:
        self._socket = NetlinkSocket()
        self._decoder = Decoder()

    def close(self) -> None:
        self._socket.close()

    @property
    def skipped(self) -> int:
        """Links, addresses and rules that could not be understood, so far."""
        return self._decoder.skipped

    def read(self, request: ReadRequest) -> ReadEvent:
        """The answer to a request; OSError if the kernel refuses."""
        if isinstance(request, ReadTable):
            return self._table(request.table, request.family)
        if isinstance(request, CountTable):
            return self._count(request.table, request.family)
        if isinstance(request, ReadTables):
            return self._tables()
        if isinstance(request, ReadRules):
            return self._rules(request.family)
        if isinstance(request, ReadNexthops):
            body = bytes(8)
            return NexthopsRead(tuple(self._all(RTM_GETNEXTHOP, body, RTM_NEWNEXTHOP, parse.nexthop)))
        skip_stats = packed_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
        links = self._all(RTM_GETLINK, bytes(16) + skip_stats, RTM_NEWLINK, self._decoder.link)
        addresses = self._all(RTM_GETADDR, bytes(8), RTM_NEWADDR, self._decoder.address)
        return LinksRead({link.index: link for link in links}, tuple(addresses))

    def _table(self, table: int, family: Family) -> TableRead:
        body = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + packed_u32(RTA_TABLE, table)
        scan = TableScan(table, family)
        routes = self._all(RTM_GETROUTE, body, RTM_NEWROUTE, TableParser(), _NO_TABLE, scan)
        others = (route for route in routes if route.key.table == table and route.key.family is family)
        return TableRead(table, family, tuple(others), scan.ours)

    def survey(self, table: int, family: Family) -> TableSurvey:
        """What a table holds, in brief; OSError if the kernel refuses."""
        body = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + packed_u32(RTA_TABLE, table)
        surveyor = TableSurveyor(table, family)
        routes = self._all(RTM_GETROUTE, body, RTM_NEWROUTE, TableParser(), _NO_TABLE, surveyor)
        others = (route for route in routes if route.key.table == table and route.key.family is family)
        return TableSurvey(table, family, surveyor.bunches, tuple(others))

    def _count(self, table: int, family: Family) -> TableCounted:
        body = _ROUTE.pack(family, 0, 0, 0, 0, PROTOCOL, 0, 0, 0) + packed_u32(RTA_TABLE, table)
        census = TableCensus(table, family)
        others = self._all(RTM_GETROUTE, body, RTM_NEWROUTE, TableParser(), _NO_TABLE, census)
        ours: Counter[tuple[int, RouteValue | None]] = Counter()
        for route in others:
            if route.ours and route.key.table == table and route.key.family is family:
                ours[route.key.metric, route.value] += 1
        for (metric, nexthop), routes in census.ours.items():
            ours[metric, nexthop] += routes
        return TableCounted(table, family, ours)

    def _tables(self) -> TablesRead:
        finder = TableFinder()
        for family in Family:
            body = _ROUTE.pack(family, 0, 0, 0, 0, PROTOCOL, 0, 0, 0)
            self._all(RTM_GETROUTE, body, RTM_NEWROUTE, finder.see, _NO_FAMILY, finder)
        return TablesRead(frozenset(finder.tables))

    def _rules(self, family: Family) -> RulesRead:
        body = _RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        rules = self._all(RTM_GETRULE, body, RTM_NEWRULE, self._decoder.rule, _NO_FAMILY)
        return RulesRead(family, tuple(found for found in rules if found.family is family))

    def _all(
        self,
        kind: int,
        body: bytes,
        answer: int,
        parsed: Callable[[bytes, int, int], _T | None],
        meaning_none: frozenset[int] = frozenset(),
        scan: _Scan | None = None,
    ) -> list[_T]:
        """Dump what `scan` does not take; the errors of `meaning_none` say that there is nothing to dump.

        Under changes that do not end, what the last try brought is taken: the messages of those changes
        are told behind it, and put it right.
        """
        for attempt in range(1, _TRIES + 1):
            found: list[_T] = []
            if scan is not None:
                scan.begin()
            try:
                for value in self._each(kind, body, answer, parsed, scan):
                    found.append(value)  # What came before an interruption is kept.
                return found
            except DumpInterrupted:
                time.sleep(_PAUSE_SECONDS * attempt)
            except OSError as error:
                if error.errno in meaning_none:
                    return []
                raise
        _log.warning("%d dumps (message type %d) were interrupted by changes", _TRIES, kind)
        return found

    def _each(
        self,
        kind: int,
        body: bytes,
        answer: int,
        parsed: Callable[[bytes, int, int], _T | None],
        scan: _Scan | None,
    ) -> Iterator[_T]:
        try:
            for octets, message, start, end in self._socket.dump(kind, body, scan.take if scan else None):
                if message == answer and (value := parsed(octets, start, end)) is not None:
                    yield value
        except OSError as error:
            if error.errno in _BROKEN or isinstance(error, TimeoutError):
                # A dump is half read, and the socket would refuse to begin another.
                self._socket.close()
                self._socket = NetlinkSocket()
            raise

    def route_get(self, src: IPAddress | None, dst: IPAddress, iif: int | None = None) -> KernelRoute:
        """What the kernel would do with a packet: the route that matches, with the next hop chosen.

        `iif` is the index of the device the packet comes in by; None: this node sends it, and `src` is its
        own. OSError as `ip route get` has it: ENETUNREACH if no route matches or a rule says unreachable,
        EHOSTUNREACH if a route does.
        """
        body = b""
        for kind, value in ((RTA_DST, dst), (RTA_SRC, src)):
            if value is not None:
                body += packed(kind, value.packed)
        if iif is not None:
            body += packed_u32(RTA_IIF, iif)
        # IPv6 always looks up the table, and refuses to be asked to (route.c, inet6_rtm_valid_getroute_req).
        flags = RTM_F_LOOKUP_TABLE if dst.version == 4 else 0
        chosen = self._get(dst, src, flags, body)
        match = self._get(dst, src, flags | RTM_F_FIB_MATCH, body)
        return KernelRoute(
            match.key,
            match.protocol,
            match.kind,
            match.scope,
            chosen.nexthops or match.nexthops,
            match.nhid,
            chosen.prefsrc or match.prefsrc,
        )

    def _get(self, dst: IPAddress, src: IPAddress | None, flags: int, attributes: bytes) -> KernelRoute:
        family = Family.of(dst)
        header = _ROUTE.pack(family, family.bits, family.bits if src else 0, 0, 0, 0, 0, 0, flags)
        octets, start, end = self._socket.request(RTM_GETROUTE, header + attributes)
        found = parse.lookup(octets, start, end)
        if found is None:
            raise OSError(errno.EBADMSG, "the kernel's answer is no route")
        return found
