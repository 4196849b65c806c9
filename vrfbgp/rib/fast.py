"""The fast way for ordinary UPDATEs, in front of the exact one (`decode.py`), which is its reference.

A full table is a million IPv4 prefixes in a hundred and fifty thousand UPDATEs that look alike. Nothing is
taken apart octet by octet here: one regular expression cuts a field into prefixes and proves that each is
canonical (`cut.py`); a block of attributes is looked up, or recognised as a whole (`unread.py`). Whatever is
not seen to be ordinary is declined, and the exact way decides: so each message here either comes to an
`Update` equal to what the exact way makes of it, or is left to it.

Ordinary is an UPDATE without path identifiers, without bits behind a prefix and without any fault, that has
either IPv4 prefixes in the fields of RFC 4271 and no multiprotocol attributes, or prefixes in one
MP_REACH_NLRI, with one IPv6 next hop, or in one MP_UNREACH_NLRI, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from vrfbgp.model import Attributes, Family, IPAddress
from vrfbgp.rib import cut, runs
from vrfbgp.rib.unread import Recognizer, Unread
from vrfbgp.rib.update import Announced, Prefixes, Update

MARKER = b"\xff" * 16
HEADER = 19
UPDATE = 2
SHORTEST = 23
"""Octets of an UPDATE (RFC 4271 4.3)."""

_FRONT = Struct("!16sHBHH").unpack_from
"""Marker, length, type (RFC 4271 4.1), length of the withdrawn routes; of the block, if that is 0 (4.3)."""
_REACH = re.compile(
    rb"(?:\x90\x0e..|\x80\x0e.)\x00([\x01\x02])\x01\x10([\x20-\x3f\xfc\xfd].{15})\x00", re.DOTALL
).match
"""MP_REACH_NLRI up to its prefixes, of unicast with one IPv6 next hop that is no link-local one."""
_UNREACH = re.compile(rb"(?:\x90\x0f..|\x80\x0f.)\x00([\x01\x02])\x01", re.DOTALL).match
"""MP_UNREACH_NLRI up to its prefixes (RFC 4760 4)."""
_AFI_IPV6 = b"\x02"
_REACH_CODE = 14
_REMEMBERED = 1 << 19
"""Octets of messages from which blocks of attributes are remembered at a time."""
_AT_ONCE = 1 << 14
"""Octets that are decoded at once; the more, the less of what comes out is still in the processor's cache."""
_ONE_WITHDRAWN = 28
"""Octets of an UPDATE that withdraws one IPv4 prefix and has nothing else, at most."""
_STREAK, _FEWEST = 2, 8
"""Messages with the same attributes before a run of announcements is looked for, and how many are then looked
at; twice as many after each success."""
_NEXT_HOPS = 1024
"""How many are shared; few peers have more than one."""
_Read = Callable[[bytes], Attributes | None]

_IPV4, _IPV6 = Family.IPV4, Family.IPV6
"""A member of an enum is looked up at some cost."""
_new = tuple.__new__
"""Half the time of a named tuple's own."""


class Fast:
    """Decodes the ordinary UPDATEs of a session; `families`: those it carries without path identifiers."""

    def __init__(
        self,
        longest: int,
        families: Set[Family],
        recognizer: Recognizer | None,
        read: _Read,
        *,
        extended_next_hop: bool = False,
    ) -> None:
        """`read` says what a block comes to that is not recognised; None if not to attributes alone.
        `extended_next_hop`: IPv4 prefixes may have an IPv6 one (RFC 8950)."""
        self._longest = longest
        self._ipv4 = Family.IPV4 in families
        self._ipv6 = Family.IPV6 in families
        self._extended = self._ipv4 and extended_next_hop
        self._recognizer = recognizer
        self._ordinary = _never if recognizer is None else recognizer.ordinary
        self._read = read
        self._known: dict[bytes, Attributes] = {}
        self._known_reached: dict[bytes, Attributes] = {}
        """By the octets of the next hop, and the block without MP_REACH_NLRI."""
        self._next_hops: dict[bytes, IPAddress] = {}
        self._decoded = 0

    def updates(self, data: bytes, at: int) -> tuple[list[Update], int]:
        """Decode some messages from `at` on, none if the first is declined; where the next one begins."""
        found: list[Update] = []
        if not self._ipv4 and not self._ipv6:
            return found, at
        begin, end, longest, ipv4 = at, len(data), self._longest, self._ipv4
        last = min(end - SHORTEST, at + _AT_ONCE)
        limit = min(end, at + 2 * _AT_ONCE)
        before: Attributes | None = None
        streak = window = 0
        known, ordinary, next_hops = self._known, self._ordinary, self._next_hops
        front, split, new, took = _FRONT, cut.ipv4, _new, found.append
        marker_of_all, family, of_update, of_routes = MARKER, _IPV4, Update, Announced
        while at <= last:
            marker, length, kind, gone, size = front(data, at)
            stop = at + length
            block = at + SHORTEST
            if marker != marker_of_all or kind != UPDATE or length > longest or stop > end or block > stop:
                break
            withdrawn: tuple[Prefixes, ...] = ()
            if gone:
                block += gone
                if block > stop:
                    break
                size = data[block - 2] << 8 | data[block - 1]
            reach = block + size
            if reach >= stop:
                if reach > stop:
                    break
                if not gone:
                    update = self._multiprotocol(data, block, stop)
                elif (
                    ipv4
                    and length <= _ONE_WITHDRAWN
                    and stop < last
                    and data[stop + 20]
                    and (run := runs.withdrawals(data, at, limit))
                ):
                    before = None
                    took(new(Update, ((new(Prefixes, (family, run, ())),), (), None, (), len(run))))
                    at += runs.octets_of_withdrawals(run)
                    continue
                elif ipv4 and not size and (nlri := split(data, at + 21, block - 2)) is not None:
                    update = new(Update, ((new(Prefixes, (family, nlri, ())),), (), None, (), 1))
                else:
                    break
                if update is None:
                    break
                took(update)
                before = None
                at = stop
                continue
            if not ipv4:
                break
            nlri = split(data, reach, stop)
            if nlri is None:
                break
            if gone:
                unreachable = split(data, at + 21, block - 2)
                if unreachable is None:
                    break
                withdrawn = (new(Prefixes, (family, unreachable, ())),)
            octets = data[block:reach]
            attributes = known.get(octets)
            if attributes is None:
                match = ordinary(octets)
                if match is not None:
                    next_hop = next_hops.get(match[1])
                    if next_hop is None:
                        next_hop = self._next_hop(match[1])
                    attributes = Unread(octets, next_hop)
                else:
                    attributes = self._read(octets)
                    if attributes is None:
                        break
                known[octets] = attributes
            if attributes is not before or len(nlri) != 1 or gone or length > longest - 4:
                before, streak, window = attributes, 0, _FEWEST * length
            elif streak < _STREAK:
                streak += 1
            elif (run_of := runs.announcements(data, at, reach, min(limit, at + window))) is not None:
                nlri, stop = run_of
                took(
                    new(
                        of_update,
                        ((), (new(of_routes, (family, nlri, attributes, ())),), None, (), len(nlri)),
                    )
                )
                at = stop
                window *= 2
                continue
            else:
                streak = -_FEWEST
            took(new(of_update, (withdrawn, (new(of_routes, (family, nlri, attributes, ())),), None, (), 1)))
            at = stop
        self._forget(at - begin)
        return found, at

    def _multiprotocol(self, data: bytes, block: int, end: int) -> Update | None:
        """An UPDATE of these attributes alone, one of which has the prefixes; None if it is declined."""
        if self._recognizer is None or end - block < 4:
            return None
        begin = block
        match = _REACH(data, begin, end)
        if match is None:
            gone = _UNREACH(data, begin, end)
            if gone is not None:
                return self._unreached(data, gone, end)
            before = self._recognizer.before_reach(data, begin, end)
            if before is None:
                return None
            begin = before.end()
            match = _REACH(data, begin, end)
            if match is None:
                return None
        stop = _stop(data, begin)
        if stop > end or match.end() >= stop:
            return None
        if match[1] == _AFI_IPV6:
            family, carried, cut_field = _IPV6, self._ipv6, cut.ipv6
        else:
            family, carried, cut_field = _IPV4, self._extended, cut.ipv4
        rest = data[block:begin] + data[stop:end]
        key = match[2] + rest
        nlri = cut_field(data, match.end(), stop) if carried else None
        if nlri is None:
            return None
        attributes = self._known_reached.get(key)
        if attributes is None:
            if self._recognizer.ordinary_ipv6(rest) is None:
                return None
            next_hop = self._next_hops.get(match[2]) or self._next_hop(match[2])
            attributes = self._known_reached[key] = Unread(rest, next_hop)
        return _new(Update, ((), (_new(Announced, (family, nlri, attributes, ())),), None, (), 1))

    def _unreached(self, data: bytes, match: re.Match[bytes], end: int) -> Update | None:
        begin = match.end()
        if begin >= end or _stop(data, match.start()) != end:
            return None
        if match[1] == _AFI_IPV6:
            family, nlri = _IPV6, cut.ipv6(data, begin, end) if self._ipv6 else None
        else:
            family, nlri = _IPV4, cut.ipv4(data, begin, end) if self._ipv4 else None
        return None if nlri is None else Update((Prefixes(family, nlri),))

    def _next_hop(self, octets: bytes) -> IPAddress:
        if len(self._next_hops) >= _NEXT_HOPS:
            self._next_hops.clear()
        made = IPv4Address(octets) if len(octets) == 4 else IPv6Address(octets)
        self._next_hops[octets] = made
        return made

    def _forget(self, decoded: int) -> None:
        """What is remembered of octets decoded by now takes up no more than they did."""
        self._decoded += decoded
        if self._decoded >= _REMEMBERED:
            self._known.clear()
            self._known_reached.clear()
            self._decoded = 0


def _stop(data: bytes, at: int) -> int:
    """Where the attribute ends that begins here, both octets of its length being there."""
    if data[at] & 0x10:
        return at + 4 + (data[at + 2] << 8 | data[at + 3])
    return at + 3 + data[at + 2]


def _never(_: bytes) -> None:
    return None
