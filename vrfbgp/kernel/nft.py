"""nf_tables' messages as values: chains, rules and sets, from what the kernel dumps.

Pure. Numbers are big-endian. As everywhere in this package, what is truncated or unknown raises nothing: an
expression that is not known is a condition that nobody knows the answer of.
"""

from __future__ import annotations

from collections.abc import Iterator

from vrfbgp.kernel import nft_uapi as nft
from vrfbgp.kernel import xt
from vrfbgp.kernel.attributes import attributes, text, walk
from vrfbgp.netfilter.nat import (
    Asked,
    Between,
    Compare,
    Compared,
    Decide,
    Element,
    Expression,
    Field,
    Load,
    Lookup,
    MarkSet,
    Mask,
    Name,
    Rule,
    Translate,
    Verdict,
)

FAMILIES = {1: "inet", 2: "ip", 10: "ip6"}
"""Those of NFPROTO_* (linux/netfilter.h) whose chains see IP packets that leave."""
NFGENMSG_OCTETS = 4
_META = {
    nft.NFT_META_MARK: Field.MARK,
    nft.NFT_META_OIF: Field.DEVICE_INDEX,
    nft.NFT_META_OIFNAME: Field.DEVICE_NAME,
    nft.NFT_META_NFPROTO: Field.FAMILY,
}
_META_WORDS = {4: "iif", 6: "iifname", 10: "skuid", 16: "l4proto", 19: "pkttype", 22: "oifgroup"}
_CT = {nft.NFT_CT_STATE: Field.CT_STATE, nft.NFT_CT_STATUS: Field.CT_STATUS}
_WITHOUT_EFFECT = frozenset({"counter", "log", "last", "notrack", "objref", "dup"})
"""Expressions that neither ask for anything nor end anything."""
_Attributes = dict[int, bytes]


def base_chain(message: bytes, start: int, end: int) -> tuple[int, Name] | None:
    """The priority and name of a chain of type nat at hook postrouting; None for any other."""
    found = attributes(message, start + NFGENMSG_OCTETS, end)
    family = FAMILIES.get(message[start]) if end > start else None
    hook = found.get(nft.NFTA_CHAIN_HOOK)
    if hook is None or family is None or text(found.get(nft.NFTA_CHAIN_TYPE)) != "nat":
        return None
    where = attributes(hook, 0, len(hook))
    if number(where.get(nft.NFTA_HOOK_HOOKNUM)) != nft.NF_INET_POST_ROUTING:
        return None
    priority = int.from_bytes(where.get(nft.NFTA_HOOK_PRIORITY, b"\0"), signed=True)
    table, chain = text(found.get(nft.NFTA_CHAIN_TABLE)), text(found.get(nft.NFTA_CHAIN_NAME))
    return priority, Name(family, table, chain)


def rule(message: bytes, start: int, end: int) -> Rule:
    """The expressions of a rule, in their order."""
    found = attributes(message, start + NFGENMSG_OCTETS, end).get(nft.NFTA_RULE_EXPRESSIONS, b"")
    expressions: list[Expression] = []
    for kind, first, stop in walk(found, 0, len(found)):
        if kind == nft.NFTA_LIST_ELEM:
            of_one = attributes(found, first, stop)
            body = of_one.get(nft.NFTA_EXPR_DATA, b"")
            expressions += _expression(text(of_one.get(nft.NFTA_EXPR_NAME)), attributes(body, 0, len(body)))
    return tuple(expressions)


def flags_of_set(message: bytes, start: int, end: int) -> int:
    """NFT_SET_*, of the definition of a set."""
    return number(attributes(message, start + NFGENMSG_OCTETS, end).get(nft.NFTA_SET_FLAGS))


def listed(message: bytes, start: int, end: int) -> Iterator[tuple[bytes, bytes, int, Decide | None]]:
    """Of each element in a message: its key, the end of its key (or nothing), its flags and its verdict."""
    found = attributes(message, start + NFGENMSG_OCTETS, end).get(nft.NFTA_SET_ELEM_LIST_ELEMENTS, b"")
    for _, first, stop in walk(found, 0, len(found)):
        of_one = attributes(found, first, stop)
        value = of_one.get(nft.NFTA_SET_ELEM_DATA, b"")
        yield (
            _value(of_one.get(nft.NFTA_SET_ELEM_KEY)),
            _value(of_one.get(nft.NFTA_SET_ELEM_KEY_END)),
            number(of_one.get(nft.NFTA_SET_ELEM_FLAGS)),
            _verdict(value),
        )


def elements(flags: int, found: list[tuple[bytes, bytes, int, Decide | None]]) -> tuple[Element, ...] | None:
    """The set that these make up; None if it is of a kind that is not understood.

    Of an interval there is the first key, and behind its last one an end, or the first of the next.
    """
    if flags & nft.NFT_SET_CONCAT or any(f & nft.NFT_SET_ELEM_CATCHALL or stop for _, stop, f, _ in found):
        return None
    if len({len(key) for key, _, _, _ in found if key}) > 1:
        return None
    if not flags & nft.NFT_SET_INTERVAL:
        return tuple(sorted((Element(key, key, verdict) for key, _, _, verdict in found), key=_by_key))
    ordered = sorted(found, key=lambda one: (one[0], not one[2] & nft.NFT_SET_ELEM_INTERVAL_END))
    intervals = []
    for place, (key, _, flag, verdict) in enumerate(ordered):
        if not flag & nft.NFT_SET_ELEM_INTERVAL_END and key:
            after = [int.from_bytes(one[0]) for one in ordered[place + 1 : place + 2]]
            last = (after[0] if after else 1 << 8 * len(key)) - 1
            intervals.append(Element(key, last.to_bytes(len(key)), verdict))
    return tuple(intervals)


def number(value: bytes | None) -> int:
    """A number of netfilter's; 0 if there is none."""
    return int.from_bytes(value or b"")


def _by_key(element: Element) -> bytes:
    return element.low


def _register(value: bytes | None) -> int:
    """By its number among those of 32 bits: there are two names for some."""
    register = number(value)
    if nft.NFT_REG_1 <= register <= nft.NFT_REG_4:
        return nft.NFT_REG32_00 + 4 * (register - nft.NFT_REG_1)
    return register


def _value(nested: bytes | None) -> bytes:
    """The octets in a `struct nft_data`."""
    return attributes(nested or b"", 0, len(nested or b"")).get(nft.NFTA_DATA_VALUE, b"")


def _verdict(nested: bytes) -> Decide | None:
    found = attributes(nested, 0, len(nested)).get(nft.NFTA_DATA_VERDICT)
    if found is None:
        return None
    of_verdict = attributes(found, 0, len(found))
    code = int.from_bytes(of_verdict.get(nft.NFTA_VERDICT_CODE, b"\0"), signed=True)
    known = Verdict(code) if code in Verdict.__members__.values() else Verdict.DROP
    return Decide(known, text(of_verdict.get(nft.NFTA_VERDICT_CHAIN)))


def _expression(name: str, found: _Attributes) -> list[Expression]:
    match name:
        case "payload" if nft.NFTA_PAYLOAD_DREG in found:
            return [_payload(found)]
        case "meta" if nft.NFTA_META_SREG in found:
            return [MarkSet()] if number(found.get(nft.NFTA_META_KEY)) == nft.NFT_META_MARK else []
        case "meta":
            key = number(found.get(nft.NFTA_META_KEY))
            word = _META_WORDS.get(key, f"meta {key}")
            return [_load(found, nft.NFTA_META_DREG, _META.get(key, Field.OTHER), word)]
        case "ct" if nft.NFTA_CT_DREG in found:
            key = number(found.get(nft.NFTA_CT_KEY))
            return [_load(found, nft.NFTA_CT_DREG, _CT.get(key, Field.OTHER), f"ct {key}")]
        case "fib":
            return [_fib(found)]
        case "bitwise":
            return [_bitwise(found)]
        case "cmp" if number(found.get(nft.NFTA_CMP_OP)) in Compared.__members__.values():
            how = Compared(number(found.get(nft.NFTA_CMP_OP)))
            register = _register(found.get(nft.NFTA_CMP_SREG))
            return [Compare(register, how, _value(found.get(nft.NFTA_CMP_DATA)))]
        case "range":
            register = _register(found.get(nft.NFTA_RANGE_SREG))
            low, high = (_value(found.get(end)) for end in (nft.NFTA_RANGE_FROM_DATA, nft.NFTA_RANGE_TO_DATA))
            return [Between(register, low, high, bool(number(found.get(nft.NFTA_RANGE_OP))))]
        case "lookup":
            return _lookup(found)
        case "immediate" if number(found.get(nft.NFTA_IMMEDIATE_DREG)) == 0:
            verdict = _verdict(found.get(nft.NFTA_IMMEDIATE_DATA, b""))
            return [verdict] if verdict else []
        case "immediate":
            return [_load(found, nft.NFTA_IMMEDIATE_DREG, Field.OTHER, "a constant")]
        case "masq":
            return [Translate("masquerade")]
        case "nat" if number(found.get(nft.NFTA_NAT_TYPE)) == nft.NFT_NAT_SNAT:
            return [Translate("snat")]
        case "match":
            called, revision = text(found.get(nft.NFTA_TARGET_NAME)), number(found.get(nft.NFTA_TARGET_REV))
            return xt.match(called, revision, found.get(nft.NFTA_TARGET_INFO, b""))
        case "target":
            return xt.target(text(found.get(nft.NFTA_TARGET_NAME)))
        case effectless if effectless in _WITHOUT_EFFECT:
            return []
    return [Asked(name or "what has no name")]


def _load(found: _Attributes, register: int, field: Field, word: str) -> Load:
    return Load(_register(found.get(register)), field, word=word if field is Field.OTHER else "")


def _payload(found: _Attributes) -> Load:
    register = _register(found.get(nft.NFTA_PAYLOAD_DREG))
    offset, length = (number(found.get(k)) for k in (nft.NFTA_PAYLOAD_OFFSET, nft.NFTA_PAYLOAD_LEN))
    if number(found.get(nft.NFTA_PAYLOAD_BASE)) == nft.NFT_PAYLOAD_NETWORK_HEADER:
        return Load(register, Field.NETWORK_HEADER, length, offset, "the network header")
    return Load(register, Field.OTHER, length, offset, "ports")


def _fib(found: _Attributes) -> Load:
    flags, field = number(found.get(nft.NFTA_FIB_FLAGS)), Field.OTHER
    if number(found.get(nft.NFTA_FIB_RESULT)) == nft.NFT_FIB_RESULT_ADDRTYPE:
        if flags & nft.NFTA_FIB_F_DADDR:
            field = Field.DESTINATION_TYPE
        elif flags & nft.NFTA_FIB_F_SADDR:
            field = Field.SOURCE_TYPE
    return _load(found, nft.NFTA_FIB_DREG, field, "fib")


def _bitwise(found: _Attributes) -> Expression:
    target = _register(found.get(nft.NFTA_BITWISE_DREG))
    if number(found.get(nft.NFTA_BITWISE_OP)):
        return Load(target, Field.OTHER, word="a shift")
    mask, xor = _value(found.get(nft.NFTA_BITWISE_MASK)), _value(found.get(nft.NFTA_BITWISE_XOR))
    return Mask(_register(found.get(nft.NFTA_BITWISE_SREG)), target, mask, xor)


def _lookup(found: _Attributes) -> list[Expression]:
    source = _register(found.get(nft.NFTA_LOOKUP_SREG))
    name = text(found.get(nft.NFTA_LOOKUP_SET))
    inverted = bool(number(found.get(nft.NFTA_LOOKUP_FLAGS)) & nft.NFT_LOOKUP_F_INV)
    if nft.NFTA_LOOKUP_DREG not in found:
        return [Lookup(source, name, inverted)]
    target = _register(found.get(nft.NFTA_LOOKUP_DREG))
    if target == 0:
        return [Lookup(source, name, verdicts=True)]
    return [Lookup(source, name), Load(target, Field.OTHER, word=f"map {name}")]
