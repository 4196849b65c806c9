"""From a peer's octets to routes: the first step of a route's way to the kernel. No input raises out of it.

A session has one `Decoder`. `block` takes runs of whole UPDATE messages, as they came from the socket, and
yields an `Update` for each: prefixes withdrawn, prefixes announced with their attributes, End-of-RIB, and
the faults that RFC 7606 lets pass. The way through the modules, in order:

    decode      frames messages, splits an UPDATE into its three fields, decides what a fault costs
    attributes  cuts a block of attributes, reads their values by the one table of RFC 7606 treatments
    aspath      AS_PATH and AS4_PATH
    multiprotocol  MP_REACH_NLRI and MP_UNREACH_NLRI
    nlri        cuts a field of NLRI into prefixes
    intern      equal attribute blocks are read once and shared

    fast        in front of all this: ordinary messages, without taking them apart
    cut         fields of NLRI for it
    unread      ordinary attributes, that are read when somebody looks

What is here is the exact way, which takes everything apart octet by octet. The fast way is right if, for
every message, it either declines or yields an `Update` equal to the exact one's; that is what its tests
check. The exact way is itself compared with ExaBGP's decoder, in `tests/unit/rib/test_oracle.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from vrfbgp.events import Negotiated
from vrfbgp.model import Attributes, Family, IPAddress
from vrfbgp.rib import multiprotocol
from vrfbgp.rib.attributes import DISCARD, MANDATORY, WITHDRAW, Block, Dialect, parse, split
from vrfbgp.rib.errors import Code, Fault, Reason, Reset, SessionError, Subcode, reset
from vrfbgp.rib.fast import HEADER, MARKER, SHORTEST, UPDATE, Fast
from vrfbgp.rib.intern import Interned
from vrfbgp.rib.nlri import NlriError, identified_prefixes, prefixes
from vrfbgp.rib.unread import Recognizer
from vrfbgp.rib.update import Announced, Prefixes, Update

LONGEST, LONGEST_EXTENDED = 4096, 65535
"""Octets of an UPDATE (RFC 4271 4.1, RFC 8654 4)."""


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What a block of attributes comes to, with the next hop that goes with it."""

    attributes: Attributes | None
    """None if no route can have them."""
    faults: tuple[Fault, ...]
    missing: tuple[Fault, ...]
    """What is wrong besides, if a route is announced with them."""


class Decoder:
    """Decodes the UPDATEs of one session, from its Established to its end; `exact`: all in the exact way."""

    def __init__(self, negotiated: Negotiated, internal: bool, *, exact: bool = False) -> None:
        self.faults: Counter[Fault] = Counter()
        """How often what was found since the session began."""
        self._families = negotiated.families
        self._add_path = negotiated.add_path
        self._extended_next_hop = negotiated.extended_next_hop
        self._dialect = Dialect(internal, negotiated.asn4)
        self._longest = LONGEST_EXTENDED if negotiated.extended_message else LONGEST
        self._native: Interned[_Outcome] = Interned()
        """By the block without its multiprotocol attributes; the next hop is the attribute NEXT_HOP."""
        self._multiprotocol: Interned[_Outcome] = Interned()
        """By the next hop of MP_REACH_NLRI, its length before it, and such a block."""
        self._over = False
        plain = frozenset[Family]() if exact else negotiated.families - negotiated.add_path
        recognizer = Recognizer(internal) if negotiated.asn4 else None
        extended = negotiated.extended_next_hop
        self._fast = Fast(self._longest, plain, recognizer, self._faultless, extended_next_hop=extended)

    def block(self, data: bytes) -> Iterator[Update | SessionError]:
        """Decode a run of whole messages.

        A `SessionError` is the last that comes: what the peer sent after it, in this block or in a later
        one, is not decoded any more, since its session is to be reset.
        """
        at, end = 0, len(data)
        while at < end and not self._over:
            ordinary, at = self._fast.updates(data, at)
            if ordinary:
                yield from ordinary
                continue
            found: Update | SessionError
            try:
                stop = self._message_end(data, at)
                found = self._update(data[at + HEADER : stop])
                at = stop
                if found.faults:
                    self.faults.update(found.faults)
            except Reset as error:
                found, self._over = error.error, True
            yield found

    def _message_end(self, data: bytes, at: int) -> int:
        """Check a header; where the message ends (RFC 4271 4.1, 6.1)."""
        if data[at : at + 16] != MARKER:
            raise _header_error(1, Reason.MARKER)
        length = int.from_bytes(data[at + 16 : at + 18], "big")
        if not SHORTEST <= length <= self._longest or at + length > len(data):
            raise _header_error(2, Reason.MESSAGE_LENGTH)
        if data[at + 18] != UPDATE:
            raise _header_error(3, Reason.MESSAGE_TYPE)
        return at + length

    def _update(self, body: bytes) -> Update:
        withdrawn, block, announced = _fields(body)
        if not (withdrawn or block or announced):
            return Update(end_of_rib=Family.IPV4 if Family.IPV4 in self._families else None)
        draft = _Draft(reachable=bool(announced))
        outcome = self._native.get(block)
        if outcome is None:
            cut = split(block)
            outcome = self._native.made(cut.rest, lambda: self._outcome(cut))
            if cut.unreach is not None:
                gone = self._unreached(cut.unreach, draft)
                alone = not (withdrawn or announced or cut.rest or cut.reach)
                if gone is not None and not gone.nlri and alone:
                    return Update(end_of_rib=gone.family)
                draft.withdraw(gone)
            if cut.reach is not None:
                self._reached(cut.reach, cut, draft)
        draft.note(outcome.faults)
        if withdrawn:
            draft.withdraw(self._prefixes(withdrawn, Family.IPV4, Code.MESSAGE, draft))
        if announced:
            draft.announce(self._prefixes(announced, Family.IPV4, Code.MESSAGE, draft), outcome)
        return draft.update()

    def _faultless(self, block: bytes) -> Attributes | None:
        """The attributes of IPv4 prefixes with this block; None if a fault or more routes are in it."""
        try:
            cut = split(block)
            if cut.reach is not None or cut.unreach is not None:
                return None
            outcome = self._native.made(block, lambda: self._outcome(cut))
        except Reset:
            return None
        return None if outcome.faults or outcome.missing else outcome.attributes

    def _unreached(self, value: bytes, draft: _Draft) -> Prefixes | None:
        family = multiprotocol.family_of(value, Code.MP_UNREACH_NLRI)
        return self._prefixes(value[3:], family, Code.MP_UNREACH_NLRI, draft)

    def _reached(self, value: bytes, cut: Block, draft: _Draft) -> None:
        family = multiprotocol.family_of(value, Code.MP_REACH_NLRI)
        if family is None or family not in self._families:
            draft.note((Fault(Code.MP_REACH_NLRI, Reason.FAMILY, DISCARD),))
            draft.reachable = True
            return
        next_hop, nlri = multiprotocol.reach(value, family, extended=self._extended_next_hop)
        found = self._prefixes(nlri, family, Code.MP_REACH_NLRI, draft)
        key = value[3 : 4 + value[3]] + cut.rest
        outcome = self._multiprotocol.made(key, lambda: self._outcome(cut, next_hop, reached=True))
        draft.note(outcome.faults)
        draft.reachable |= bool(nlri)
        draft.announce(found, outcome)

    def _prefixes(self, nlri: bytes, family: Family | None, code: Code, draft: _Draft) -> Prefixes | None:
        """The prefixes of a field; None, with a fault, if the session does not carry their family."""
        if family is None or family not in self._families:
            draft.note((Fault(code, Reason.FAMILY, DISCARD),))
            return None
        try:
            if family in self._add_path:
                path_ids, found = identified_prefixes(nlri, family.bits)
                return Prefixes(family, found, path_ids)
            return Prefixes(family, prefixes(nlri, family.bits))
        except NlriError as error:
            # the prefixes to withdraw are not known (RFC 7606 3 j); subcodes: RFC 4271 6.3, RFC 4760 7
            subcode = Subcode.OPTIONAL_ATTRIBUTE if code else Subcode.INVALID_NETWORK_FIELD
            raise reset(error.reason, code, subcode) from None

    def _outcome(self, cut: Block, next_hop: IPAddress | None = None, *, reached: bool = False) -> _Outcome:
        """What the plain attributes come to: `reached` by MP_REACH_NLRI's next hop, else by their own."""
        parsed = parse(cut, self._dialect)
        needed = MANDATORY if reached else (*MANDATORY, Code.NEXT_HOP)
        missing = [Fault(code, Reason.MISSING, WITHDRAW) for code in needed if code not in cut.plain]
        if not reached:
            next_hop = parsed.values.get(Code.NEXT_HOP)
        elif next_hop is None:
            missing.append(Fault(Code.MP_REACH_NLRI, Reason.NEXT_HOP_VALUE, WITHDRAW))
        usable = not missing and all(fault.treatment < WITHDRAW for fault in parsed.faults)
        attributes = parsed.attributes(next_hop) if usable and next_hop is not None else None
        return _Outcome(attributes, parsed.faults, tuple(missing))


class _Draft:
    """What is known so far of the UPDATE in hand."""

    def __init__(self, reachable: bool) -> None:
        self.reachable = reachable
        """It encodes prefixes that are reachable, ours or of a family that we don't carry."""
        self._withdrawn: list[Prefixes] = []
        self._announced: list[tuple[Prefixes, _Outcome]] = []
        self._faults: dict[Fault, None] = {}

    def note(self, faults: tuple[Fault, ...]) -> None:
        self._faults.update(dict.fromkeys(faults))

    def withdraw(self, found: Prefixes | None) -> None:
        if found is not None and found.nlri:
            self._withdrawn.append(found)

    def announce(self, found: Prefixes | None, outcome: _Outcome) -> None:
        if found is not None and found.nlri:
            self._announced.append((found, outcome))
            self.note(outcome.missing)

    def update(self) -> Update:
        """The whole, by the strongest of its faults. Raises `Reset`."""
        faults = tuple(self._faults)
        fatal = next((fault for fault in faults if fault.treatment >= WITHDRAW), None)
        if fatal is None:
            routes = tuple(
                Announced(found.family, found.nlri, outcome.attributes, found.path_ids)
                for found, outcome in self._announced
                if outcome.attributes is not None
            )
            return Update(tuple(self._withdrawn), routes, None, faults)
        if not self.reachable:
            # RFC 7606 5.2: what else was misread, if attributes come with nothing that has them?
            raise reset(fatal.reason, fatal.attribute)
        return Update((*self._withdrawn, *(found for found, _ in self._announced)), (), None, faults)


def _fields(body: bytes) -> tuple[bytes, bytes, bytes]:
    """Withdrawn routes, path attributes, NLRI (RFC 4271 4.3). Raises `Reset` if they do not fit."""
    attributes = 4 + int.from_bytes(body[:2], "big")
    if attributes > len(body):
        raise reset(Reason.FIELD_LENGTH)
    nlri = attributes + int.from_bytes(body[attributes - 2 : attributes], "big")
    if nlri > len(body):
        raise reset(Reason.FIELD_LENGTH)
    return body[2 : attributes - 2], body[attributes:nlri], body[nlri:]


def _header_error(subcode: int, reason: Reason) -> Reset:
    """A Message Header Error, code 1 (RFC 4271 6.1)."""
    return Reset(SessionError(1, subcode, Code.MESSAGE, reason))
