"""MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 3 and 4, RFC 2545 3, RFC 8950 3), for IPv4 and IPv6 unicast.

Whatever is malformed here is a session reset: without the prefixes, nothing can be treated as withdrawn
(RFC 7606 3 j, 5.3, 7.11).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from vrfbgp.model import Family, IPAddress
from vrfbgp.rib.errors import Code, Reason, Subcode, reset

UNICAST = 1
AFI_FAMILY = {1: Family.IPV4, 2: Family.IPV6}


def family_of(value: bytes, code: Code) -> Family | None:
    """The family of either attribute; None for one that is not ours. Raises `Reset` if there is no room."""
    if len(value) < (5 if code is Code.MP_REACH_NLRI else 3):
        raise reset(Reason.LENGTH, code, Subcode.OPTIONAL_ATTRIBUTE)
    return AFI_FAMILY.get(value[0] << 8 | value[1]) if value[2] == UNICAST else None


def reach(value: bytes, family: Family, *, extended: bool = False) -> tuple[IPAddress | None, bytes]:
    """Next hop and NLRI of an MP_REACH_NLRI of this family; `extended`: that of IPv4 may be IPv6. Raises
    `Reset`."""
    length = value[3]
    if family is Family.IPV6:
        expected: tuple[int, ...] = (16, 32)
    else:
        expected = (4, 16, 32) if extended else (4,)
    if length not in expected or len(value) < 5 + length:
        raise reset(Reason.NEXT_HOP_LENGTH, Code.MP_REACH_NLRI)
    # the octet behind the next hop is reserved and ignored (RFC 4760 3)
    return next_hop(value[4 : 4 + length]), value[5 + length :]


def next_hop(octets: bytes) -> IPAddress | None:
    """The next hop in 4, 16 or 32 octets; of a pair, the global one (RFC 2545 3).

    A pair whose global half is unspecified, as some speakers send over links that have only link-local
    addresses, stands for its link-local half. None for what no host can have: unspecified, loopback,
    multicast.
    """
    if len(octets) == 4:
        return None if octets[0] in (0, 127) or octets[0] >= 224 else IPv4Address(octets)
    address = IPv6Address(octets[:16])
    if len(octets) == 32 and address.is_unspecified:
        address = IPv6Address(octets[16:])
    if address.is_unspecified or address.is_loopback or address.is_multicast:
        return None
    return address
