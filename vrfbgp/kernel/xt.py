"""Matches and targets of iptables, as iptables-nft leaves them in nf_tables: the few that are understood."""

from __future__ import annotations

from struct import Struct

from vrfbgp.kernel.nft_uapi import (
    IPSET_DIM_ONE_SRC,
    IPSET_INV_MATCH,
    XT_ADDRTYPE_INVERT_DEST,
    XT_ADDRTYPE_INVERT_SOURCE,
    XT_CONNTRACK_STATE,
)
from vrfbgp.netfilter.nat import (
    IPSET,
    Asked,
    Compare,
    Compared,
    Expression,
    Field,
    Load,
    Lookup,
    MarkSet,
    Mask,
    Translate,
)

REGISTER = 8
"""Any: a match has nothing to do with those around it."""
_TRANSLATING = frozenset({"MASQUERADE", "SNAT", "NETMAP"})
_ADDRTYPE = Struct("=HHI")
"""struct xt_addrtype_info_v1 (linux/netfilter/xt_addrtype.h)."""
_MARK = Struct("=4s4sB")
"""struct xt_mark_mtinfo1 (linux/netfilter/xt_mark.h)."""
_SET = Struct("=HBB")
"""struct xt_set_info (linux/netfilter/xt_set.h); behind it, conditions on counters and flags."""
_CONNTRACK = Struct("=146xHHH")
"""The flags, the inverted flags and the states of struct xt_conntrack_mtinfo2 and 3."""
_LOCAL = 1 << 2
"""XT_ADDRTYPE_LOCAL."""
_NEW = 1 << 3
"""XT_CONNTRACK_STATE_BIT(IP_CT_NEW)."""


def match(name: str, revision: int, info: bytes) -> list[Expression]:
    """What a match asks for; what is not understood is a condition that nobody knows the answer of."""
    holds: bool | None = None
    match name, revision:
        case "comment", _:
            return []
        case "mark", 1 if len(info) >= _MARK.size:
            value, mask, inverted = _MARK.unpack_from(info)
            return [
                Load(REGISTER, Field.MARK, 4),
                Mask(REGISTER, REGISTER, mask, bytes(4)),
                Compare(REGISTER, Compared.NEQ if inverted else Compared.EQ, value),
            ]
        case "set", 1 | 2 | 3 | 4 if len(info) >= _SET.size and not any(info[_SET.size :]):
            index, dimensions, flags = _SET.unpack_from(info)
            if dimensions == 1:
                field = Field.SOURCE if flags & IPSET_DIM_ONE_SRC else Field.DESTINATION
                lookup = Lookup(REGISTER, f"{IPSET}{index}", bool(flags & IPSET_INV_MATCH))
                return [Load(REGISTER, field), lookup]
        case "addrtype", 1 if len(info) >= _ADDRTYPE.size:
            source, destination, flags = _ADDRTYPE.unpack_from(info)
            holds = _both(
                _of_type(source, bool(flags & XT_ADDRTYPE_INVERT_SOURCE)),
                _of_type(destination, bool(flags & XT_ADDRTYPE_INVERT_DEST)),
            )
        case "conntrack", 2 | 3 if len(info) >= _CONNTRACK.size:
            asked, inverted, states = _CONNTRACK.unpack_from(info)
            if asked == XT_CONNTRACK_STATE:
                # Bits that are no state (SNAT, DNAT) are of connections that are translated already.
                holds = bool(states & _NEW) is not bool(inverted & XT_CONNTRACK_STATE)
    return [Asked(f"match {name}", holds)]


def target(name: str) -> list[Expression]:
    """What becomes of a packet; most targets leave it as it is."""
    if name in _TRANSLATING:
        return [Translate(name)]
    return [MarkSet()] if name == "MARK" else []


def _of_type(types: int, inverted: bool) -> bool | None:
    """Whether an address that is not the node's own is of any of the types; no types: it is not asked."""
    if not types:
        return True
    return inverted if types == _LOCAL else None


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
