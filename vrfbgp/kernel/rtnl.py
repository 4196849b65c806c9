"""Links, addresses and rules as values, by pyroute2's classes of messages: the only importer of pyroute2.

Its sockets are not used: they dump all tables for one, pass over an interrupted dump, and keep an order of
their own. Routes and next hop objects are ours (`parse`, `batch`): it makes some 5,000 routes/s, and knows no
objects. Measured with Python 3.11 and pyroute2 0.9.7: decoding 500 veths takes 7 ms (63 ms if all of their
attributes are looked at), 500 addresses 16 ms, 500 rules 19 ms, encoding these 33 ms. A link event takes
12 ms on a node with 250 pods. The import of the package takes 60 ms and 10 MB, of these modules alone 1 MB.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_network
from typing import Any, TypeVar

from vrfbgp.kernel.attributes import walk
from vrfbgp.kernel.bare import bare
from vrfbgp.kernel.netlink import HEADER
from vrfbgp.kernel.uapi import FIB_RULE_INVERT, IFF_LOWER_UP, IFF_UP, IFLA_IFNAME, NLA_TYPE_MASK
from vrfbgp.model import Action, Address, Family, IPNetwork, Link, Rule

with bare("pyroute2"):
    from pyroute2.netlink.rtnl.fibmsg import (
        FR_ACT_GOTO,
        FR_ACT_TO_TBL,
        FR_ACT_UNREACHABLE,
        FR_ACT_VALUES,
        fibmsg,
    )
    from pyroute2.netlink.rtnl.ifaddrmsg import IFA_F_DADFAILED, IFA_F_OPTIMISTIC, IFA_F_TENTATIVE, ifaddrmsg
    from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

_LINK_OCTETS = 16
_FAMILIES = {int(family): family for family in Family}
_ADDRESS_FIELDS = frozenset({"IFA_ADDRESS", "IFA_LOCAL", "IFA_FLAGS"})
_ACTIONS = {FR_ACT_TO_TBL: Action.LOOKUP, FR_ACT_UNREACHABLE: Action.UNREACHABLE}
_RULE_FIELDS = frozenset(
    {"FRA_DST", "FRA_SRC", "FRA_PRIORITY", "FRA_TABLE", "FRA_PROTOCOL", "FRA_PAD", "FRA_FWMARK", "FRA_FWMASK"}
    | {"FRA_GOTO"}
)
"""Attributes that are fields of `Rule`, that have words of their own below, or that say nothing."""
_WORDS = {
    "FRA_IIFNAME": "iif",
    "FRA_OIFNAME": "oif",
    "FRA_FLOW": "realms",
    "FRA_SUPPRESS_PREFIXLEN": "suppress_prefixlength",
    "FRA_UID_RANGE": "uidrange",
    "FRA_IP_PROTO": "ipproto",
    "FRA_SPORT_RANGE": "sport",
    "FRA_DPORT_RANGE": "dport",
}
"""What iproute2 calls an attribute, where that is not the kernel's name for it."""


class Decoder:
    """Messages of the kernel, from the octets behind their `struct nlmsghdr`, as values of the model.

    None means that the model has no such thing, another family's for instance. A message that cannot be
    decoded is passed over too, the first of them with a line in the log; nothing here raises.
    """

    def __init__(self) -> None:
        self.skipped = 0
        """Messages that could not be decoded."""

    def link(self, message: bytes, start: int, end: int) -> Link | None:
        """A network device (`struct ifinfomsg`); None for the other families' views of one."""
        # Of some 40 attributes one is wanted, and it comes first: the rest would cost ten times as much.
        for kind, _, stop in walk(message, start + _LINK_OCTETS, end):
            if kind == IFLA_IFNAME:
                return self._decoded(_link, ifinfmsg, message[start:stop])
        return None

    def address(self, message: bytes, start: int, end: int) -> Address | None:
        """An address (`struct ifaddrmsg`); None while it is unusable (RFC 4862 5.4: tentative, duplicate)."""
        return self._decoded(_address, ifaddrmsg, message[start:end], _ADDRESS_FIELDS)

    def rule(self, message: bytes, start: int, end: int) -> Rule | None:
        """A rule (`struct fib_rule_hdr`); None for another family."""
        return self._decoded(_rule, fibmsg, message[start:end])

    def _decoded(
        self,
        meaning: Callable[[Any, dict[str, Any]], _T | None],
        kind: Callable[[bytes], Any],
        octets: bytes,
        wanted: frozenset[str] | None = None,
    ) -> _T | None:
        try:
            message = kind(HEADER.pack(HEADER.size + len(octets), 0, 0, 0, 0) + octets)
            message.decode()
            return meaning(message, dict(_attributes(message, wanted)))
        except Exception as error:  # pyroute2 raises whatever its parts raise.
            if not self.skipped:
                reason = "a message of the kernel cannot be decoded and is passed over, as others will be"
                _log.warning("%s: %r in a %s of %s", reason, error, kind.__name__, octets.hex())
            self.skipped += 1
            return None


def _attributes(message: Any, wanted: frozenset[str] | None) -> Iterator[tuple[str, Any]]:
    for slot in message["attrs"]:
        name, attribute = slot.cell
        if wanted is not None and name not in wanted:
            continue
        attribute.decode()  # The slot's own way to the value logs any error, and gives octets for it.
        if name == "UNKNOWN":
            value = attribute.data[attribute.offset + 4 : attribute.offset + attribute.length].hex()
            yield f"attribute-{attribute['header']['type'] & NLA_TYPE_MASK}", value
        else:
            value = attribute.getvalue()
            yield name, value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value


def _link(message: Any, found: dict[str, Any]) -> Link | None:
    if message["family"] != 0:
        return None
    up = bool(message["flags"] & IFF_UP)
    return Link(message["index"], found["IFLA_IFNAME"], up, up and bool(message["flags"] & IFF_LOWER_UP))


def _address(message: Any, found: dict[str, Any]) -> Address | None:
    family = _FAMILIES.get(message["family"])
    own = found.get("IFA_LOCAL") or found.get("IFA_ADDRESS")
    flags = found.get("IFA_FLAGS") or message["flags"]
    if family is None or own is None:
        return None
    if flags & IFA_F_DADFAILED or (flags & IFA_F_TENTATIVE and not flags & IFA_F_OPTIMISTIC):
        return None
    address = ip_address(own)
    if Family.of(address) is not family or message["prefixlen"] > family.bits:
        return None
    return Address(message["index"], address, message["prefixlen"])


def _rule(message: Any, found: dict[str, Any]) -> Rule | None:
    family = _FAMILIES.get(message["family"])
    if family is None:
        return None
    return Rule(
        family,
        found.get("FRA_PRIORITY", 0),
        _network(family, found.get("FRA_SRC"), message["src_len"]),
        _network(family, found.get("FRA_DST"), message["dst_len"]),
        _ACTIONS.get(message["action"], Action.OTHER),
        found.get("FRA_TABLE", message["table"]),
        found.get("FRA_PROTOCOL", 0),
        tuple(_others(message, found)),
    )


def _network(family: Family, address: str | None, length: int) -> IPNetwork | None:
    if address is None or not length:
        return None
    network = ip_network(f"{address}/{length}", strict=False)
    if Family.of(network) is not family:
        raise ValueError(f"{network} in a rule of {family.name}")
    return network


def _others(message: Any, found: dict[str, Any]) -> Iterator[str]:
    """The selectors that ours never have, as iproute2 prints them.

    They make a rule that differs from one of ours only in them a different rule, and `explain` shows them.
    An attribute of a newer kernel is such a word too: it may well be a selector.
    """
    if message["flags"] & FIB_RULE_INVERT:
        yield "not"
    if message["tos"]:
        yield f"tos {message['tos']:#x}"
    mark, mask = found.get("FRA_FWMARK", 0), found.get("FRA_FWMASK")
    if mark or mask:
        yield f"fwmark {mark:#x}" if mask in (None, 0xFFFFFFFF) else f"fwmark {mark:#x}/{mask:#x}"
    for name, value in found.items():
        if name in _RULE_FIELDS or (name.startswith("FRA_SUPPRESS") and value == 0xFFFFFFFF):
            continue
        word = _WORDS.get(name, name.removeprefix("FRA_").lower())
        if name == "FRA_L3MDEV":
            if value:
                yield word
        elif name == "FRA_FLOW":
            yield f"{word} {value:#x}"
        else:
            yield f"{word} {value.replace(':', '-') if name.endswith('_RANGE') else value}"
    action = message["action"]
    if action not in _ACTIONS:
        word = FR_ACT_VALUES.get(action, f"action {action}").removeprefix("FR_ACT_").lower()
        yield f"{word} {found.get('FRA_GOTO')}" if action == FR_ACT_GOTO else word


def encoded(rule: Rule) -> bytes:
    """The octets behind the `struct nlmsghdr` that tell the kernel of a rule, to add or to delete it.

    Both name all of the rule: a delete takes the first that has what it names. ValueError if ours never
    look like it, struct.error if a number is too large.
    """
    if rule.others or rule.action is Action.OTHER:
        raise ValueError(f"rule '{rule}' has selectors or an action that ours never have")
    attributes: list[tuple[str, Any]] = []
    for name, network in (("FRA_SRC", rule.src), ("FRA_DST", rule.dst)):
        if network is not None:
            if Family.of(network) is not rule.family:
                raise ValueError(f"rule '{rule}' is not of one family")
            attributes.append((name, str(network.network_address)))
    attributes += [("FRA_PRIORITY", rule.priority), ("FRA_PROTOCOL", rule.protocol)]
    lookup = rule.action is Action.LOOKUP
    if lookup:
        attributes.append(("FRA_TABLE", rule.table))
    message = fibmsg()
    message["family"] = int(rule.family)
    message["src_len"] = rule.src.prefixlen if rule.src is not None else 0
    message["dst_len"] = rule.dst.prefixlen if rule.dst is not None else 0
    message["table"] = rule.table if lookup and rule.table < 256 else 0
    message["action"] = FR_ACT_TO_TBL if lookup else FR_ACT_UNREACHABLE
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data[HEADER.size :])
