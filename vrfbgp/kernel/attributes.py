"""Type-length-value attributes of netlink (linux/netlink.h `struct nlattr`), packed and taken apart.

What is taken apart may be truncated or from a newer kernel: nothing here raises for it. An attribute
that does not fit ends the walk, and a value that is too short reads as None.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from struct import Struct

from vrfbgp.kernel.uapi import NLA_TYPE_MASK
from vrfbgp.model import Family, IPAddress

_HEADER = Struct("=HH")
_U16 = Struct("=H")
_U32 = Struct("=I")


def packed(kind: int, value: bytes) -> bytes:
    """One attribute, padded to four octets."""
    return _HEADER.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def packed_u32(kind: int, value: int) -> bytes:
    """One attribute that holds a number in the host's byte order; ValueError if it has over 32 bits."""
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"{value} does not fit 32 bits")
    return packed(kind, _U32.pack(value))


def walk(message: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The type, first octet and end of the value of each attribute between `start` and `end`."""
    while start + 4 <= end:
        size, kind = _HEADER.unpack_from(message, start)
        stop = start + size
        if size < 4 or stop > end:
            return
        yield kind & NLA_TYPE_MASK, start + 4, stop
        start += (size + 3) & ~3


def attributes(message: bytes, start: int, end: int) -> dict[int, bytes]:
    """The values by type; of a type that comes twice, the last."""
    return {kind: message[first:stop] for kind, first, stop in walk(message, start, end)}


def u16(value: bytes | None) -> int | None:
    """The number in a value of at least two octets."""
    return int(_U16.unpack_from(value)[0]) if value is not None and len(value) >= 2 else None


def u32(value: bytes | None) -> int | None:
    """The number in a value of at least four octets."""
    return int(_U32.unpack_from(value)[0]) if value is not None and len(value) >= 4 else None


def text(value: bytes | None) -> str:
    """A string that ends at its first zero octet; what is no UTF-8 is shown escaped."""
    return (value or b"").split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def address(value: bytes | None) -> IPAddress | None:
    """An address of either family, told by its length."""
    if value is not None and len(value) == 4:
        return IPv4Address(value)
    if value is not None and len(value) == 16:
        return IPv6Address(value)
    return None


def via(value: bytes | None) -> IPAddress | None:
    """The address in an RTA_VIA (`struct rtvia`): a gateway of another family than the route's."""
    if value is None or len(value) < 2:
        return None
    gateway = address(value[2:])
    if gateway is None or _U16.unpack_from(value)[0] != Family.of(gateway):
        return None
    return gateway


def packed_via(gateway: IPAddress) -> bytes:
    """The value of an RTA_VIA."""
    return _U16.pack(Family.of(gateway)) + gateway.packed
