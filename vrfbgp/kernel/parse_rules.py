"""Policy rules of the kernel as values of the model.

The kernel has many selectors, ours use two. The others are kept as words, as iproute2 prints them: they make
a rule that differs from one of ours only in them a different rule, and `explain` shows them. An attribute of
a newer kernel is such a word too: it may well be a selector.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from struct import Struct

from vrfbgp.kernel.attributes import attributes, text, u8, u16_pair, u32, u32_pair
from vrfbgp.kernel.uapi import (
    FIB_RULE_INVERT,
    FR_ACT_GOTO,
    FR_ACT_TO_TBL,
    FR_ACT_UNREACHABLE,
    FRA_DPORT_RANGE,
    FRA_DST,
    FRA_FLOW,
    FRA_FWMARK,
    FRA_FWMASK,
    FRA_GOTO,
    FRA_IIFNAME,
    FRA_IP_PROTO,
    FRA_L3MDEV,
    FRA_OIFNAME,
    FRA_PAD,
    FRA_PRIORITY,
    FRA_PROTOCOL,
    FRA_SPORT_RANGE,
    FRA_SRC,
    FRA_SUPPRESS_IFGROUP,
    FRA_SUPPRESS_PREFIXLEN,
    FRA_TABLE,
    FRA_TUN_ID,
    FRA_UID_RANGE,
    RULE_ACTIONS,
)
from vrfbgp.model import Action, Family, IPNetwork, Rule

_RULE = Struct("=BBBBBBBBI")
_FAMILIES = {int(family): family for family in Family}
_NO_SUPPRESSION = 0xFFFFFFFF
_PLAIN = frozenset(
    {FRA_DST, FRA_SRC, FRA_PRIORITY, FRA_TABLE, FRA_PROTOCOL, FRA_PAD, FRA_FWMARK, FRA_FWMASK, FRA_GOTO}
)
"""Attributes that are fields of `Rule`, that have words of their own below, or that say nothing."""


def rule(message: bytes, start: int, end: int) -> Rule | None:
    """A rule (`struct fib_rule_hdr`); None for another family or octets that are no rule."""
    if end - start < _RULE.size:
        return None
    family_number, dst_len, src_len, tos, table, _, _, action_number, flags = _RULE.unpack_from(
        message, start
    )
    family = _FAMILIES.get(family_number)
    if family is None or dst_len > family.bits or src_len > family.bits:
        return None
    found = attributes(message, start + _RULE.size, end)
    wide_table = u32(found.get(FRA_TABLE))
    return Rule(
        family,
        u32(found.get(FRA_PRIORITY)) or 0,
        _network(family, found.get(FRA_SRC), src_len),
        _network(family, found.get(FRA_DST), dst_len),
        _ACTIONS.get(action_number, Action.OTHER),
        table if wide_table is None else wide_table,
        u8(found.get(FRA_PROTOCOL)) or 0,
        _others(found, tos, action_number, flags),
    )


_ACTIONS = {FR_ACT_TO_TBL: Action.LOOKUP, FR_ACT_UNREACHABLE: Action.UNREACHABLE}


def _network(family: Family, value: bytes | None, length: int) -> IPNetwork | None:
    if value is None or len(value) != family.bits // 8 or not length:
        return None
    return ip_network((value, length), strict=False)


def _others(found: dict[int, bytes], tos: int, action: int, flags: int) -> tuple[str, ...]:
    words = ["not"] if flags & FIB_RULE_INVERT else []
    if tos:
        words.append(f"tos {tos:#x}")
    words.append(_mark(found))
    for kind in sorted(found.keys() - _PLAIN):
        word = _WORDS.get(kind)
        words.append(word(found[kind]) if word else f"attribute-{kind} {found[kind].hex()}")
    if action == FR_ACT_GOTO:
        words.append(f"goto {u32(found.get(FRA_GOTO))}")
    elif action not in _ACTIONS:
        words.append(RULE_ACTIONS.get(action, f"action {action}"))
    return tuple(word for word in words if word)


def _mark(found: dict[int, bytes]) -> str:
    mark, mask = u32(found.get(FRA_FWMARK)) or 0, u32(found.get(FRA_FWMASK))
    if mask is None:
        return f"fwmark {mark:#x}" if mark else ""
    if not mark and not mask:
        return ""
    return f"fwmark {mark:#x}" if mask == 0xFFFFFFFF else f"fwmark {mark:#x}/{mask:#x}"


def _suppression(name: str) -> Callable[[bytes], str]:
    return lambda value: "" if u32(value) == _NO_SUPPRESSION else f"{name} {u32(value)}"


def _span(name: str, pair: Callable[[bytes], tuple[int, int] | None]) -> Callable[[bytes], str]:
    return lambda value: f"{name} {'-'.join(map(str, pair(value) or ()))}"


_WORDS: dict[int, Callable[[bytes], str]] = {
    FRA_IIFNAME: lambda value: f"iif {text(value)}",
    FRA_OIFNAME: lambda value: f"oif {text(value)}",
    FRA_FLOW: lambda value: f"realms {u32(value) or 0:#x}",
    FRA_TUN_ID: lambda value: f"tun_id {int.from_bytes(value[:8], 'big')}",
    FRA_L3MDEV: lambda value: "l3mdev" if u8(value) else "",
    FRA_SUPPRESS_PREFIXLEN: _suppression("suppress_prefixlength"),
    FRA_SUPPRESS_IFGROUP: _suppression("suppress_ifgroup"),
    FRA_UID_RANGE: _span("uidrange", u32_pair),
    FRA_IP_PROTO: lambda value: f"ipproto {u8(value)}",
    FRA_SPORT_RANGE: _span("sport", u16_pair),
    FRA_DPORT_RANGE: _span("dport", u16_pair),
}
