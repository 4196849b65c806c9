"""The addresses in an ipset of those kinds that hold nothing else: what Calico's rules ask for its pools.

Rules know a set by its index; the kernel lists it by its name (linux/netfilter/ipset/ip_set.h).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from vrfbgp.kernel.attributes import attributes, packed, text, walk
from vrfbgp.kernel.netlink import messages
from vrfbgp.kernel.uapi import NLM_F_ACK, NLM_F_DUMP
from vrfbgp.netfilter.nat import Element

NFNL_SUBSYS_IPSET: Final = 6
_PROTOCOL_VERSION: Final = 7
"""IPSET_PROTOCOL, since Linux 4.20."""
CMD_LIST: Final = 7
CMD_GET_BYINDEX: Final = 15
_PROTOCOL, _SETNAME, _TYPENAME, _DATA, _ADT, _INDEX = 1, 2, 3, 7, 8, 11
"""IPSET_ATTR_* of a command."""
_IP, _CIDR, _CADT_FLAGS, _NETMASK = 1, 3, 8, 20
"""IPSET_ATTR_* of an element, and of how a set was made."""
_NOMATCH: Final = 4
_NET_BYTEORDER: Final = 0x4000
_KNOWN: Final = frozenset({"hash:ip", "hash:net"})


async def read(ask: Callable[[int, int, bytes], Awaitable[bytes]], index: int) -> tuple[Element, ...] | None:
    """What the set with this index holds; None if it can't be read, or holds more than addresses. OSError."""
    version = bytes((0, 0, 0, 0)) + packed(_PROTOCOL, bytes((_PROTOCOL_VERSION,)))
    by_index = version + packed(_INDEX | _NET_BYTEORDER, index.to_bytes(2))
    named = await ask(NFNL_SUBSYS_IPSET << 8 | CMD_GET_BYINDEX, NLM_F_ACK, by_index)
    for found in _sets(CMD_GET_BYINDEX, named):
        body = version + packed(_SETNAME, found.get(_SETNAME, b""))
        return elements(await ask(NFNL_SUBSYS_IPSET << 8 | CMD_LIST, NLM_F_DUMP, body))
    return None


def elements(octets: bytes) -> tuple[Element, ...] | None:
    """What the messages list; a large set comes in several. None if anything of it is not understood."""
    listed: list[Element] = []
    known = False
    for found in _sets(CMD_LIST, octets):
        made = found.get(_DATA, b"")
        if _TYPENAME in found:
            known = text(found[_TYPENAME]) in _KNOWN and _NETMASK not in attributes(made, 0, len(made))
        adt = found.get(_ADT, b"")
        for _, first, stop in walk(adt, 0, len(adt)):
            element = _element(attributes(adt, first, stop))
            if element is None:
                return None
            listed.append(element)
    return tuple(sorted(listed, key=lambda element: element.low)) if known else None


def _element(found: dict[int, bytes]) -> Element | None:
    nested = found.get(_IP, b"")
    addresses = list(attributes(nested, 0, len(nested)).values())
    if len(addresses) != 1 or int.from_bytes(found.get(_CADT_FLAGS, b"")) & _NOMATCH:
        return None
    size = len(addresses[0])
    length = int.from_bytes(found[_CIDR]) if _CIDR in found else 8 * size
    hosts = (1 << 8 * size - length) - 1 if length <= 8 * size else 0
    low = int.from_bytes(addresses[0]) & ~hosts
    return Element(low.to_bytes(size), (low | hosts).to_bytes(size))


def _sets(command: int, octets: bytes) -> Iterator[dict[int, bytes]]:
    for kind, _, _, start, end in messages(octets):
        if kind == NFNL_SUBSYS_IPSET << 8 | command:
            yield attributes(octets, start + 4, end)
