"""UPDATE messages for tests, built octet by octet; nothing here is shared with the code that reads them.

`update()` makes an ordinary message. For all else, `message()` takes the three fields as they are, and
`attribute()` makes one path attribute, right or wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from struct import pack

from vrfbgp.model import Family

MARKER = b"\xff" * 16
SET, SEQUENCE, CONFED_SEQUENCE, CONFED_SET = 1, 2, 3, 4
FLAGS = {1: 0x40, 2: 0x40, 3: 0x40, 4: 0x80, 5: 0x40, 6: 0x40, 7: 0xC0, 8: 0xC0, 9: 0x80, 10: 0x80}
FLAGS |= {14: 0x80, 15: 0x80, 16: 0xC0, 17: 0xC0, 18: 0xC0, 25: 0xC0, 32: 0xC0}
"""The flags that the definition of each attribute asks for."""
AFI = {Family.IPV4: 1, Family.IPV6: 2}

Path = Sequence[int | tuple[int, Sequence[int]]]
"""AS numbers, or segments of (type, AS numbers)."""


def header(length: int, kind: int = 2) -> bytes:
    """A message header; `length` counts the header too."""
    return MARKER + pack("!HB", length, kind)


def message(withdrawn: bytes = b"", attributes: bytes = b"", nlri: bytes = b"") -> bytes:
    """An UPDATE of these three fields."""
    body = pack("!H", len(withdrawn)) + withdrawn + pack("!H", len(attributes)) + attributes + nlri
    return header(19 + len(body)) + body


def attribute(code: int, value: bytes, flags: int | None = None) -> bytes:
    """A path attribute; with two octets of length where it needs them or the flags say so."""
    flags = FLAGS.get(code, 0xC0) if flags is None else flags
    if len(value) > 255:
        flags |= 0x10
    return bytes((flags, code)) + pack("!H" if flags & 0x10 else "!B", len(value)) + value


def nlri(*prefixes: str, path_id: int | None = None) -> bytes:
    """Prefixes as they are on the wire, each with `path_id` before it if that is given."""
    field = b""
    for prefix in prefixes:
        network = ip_network(prefix)
        field += b"" if path_id is None else pack("!I", path_id)
        octets = network.network_address.packed[: (network.prefixlen + 7) // 8]
        field += bytes((network.prefixlen,)) + octets
    return field


def as_path_value(path: Path, asn4: bool = True) -> bytes:
    """The value of AS_PATH. Plain numbers that follow each other are one AS_SEQUENCE."""
    segments: list[tuple[int, list[int]]] = []
    plain = False
    for item in path:
        if isinstance(item, int):
            if plain:
                segments[-1][1].append(item)
            else:
                segments.append((SEQUENCE, [item]))
            plain = True
        else:
            segments.append((item[0], list(item[1])))
            plain = False
    one = "!I" if asn4 else "!H"
    return b"".join(
        bytes((kind, len(numbers))) + b"".join(pack(one, number) for number in numbers)
        for kind, numbers in segments
    )


def reach(next_hop: str | bytes, prefixes: Iterable[str], family: Family = Family.IPV6) -> bytes:
    """The value of MP_REACH_NLRI for unicast; `next_hop` in octets if it is not just one address."""
    octets = next_hop if isinstance(next_hop, bytes) else ip_address(next_hop).packed
    return pack("!HBB", AFI[family], 1, len(octets)) + octets + b"\0" + nlri(*prefixes)


def unreach(prefixes: Iterable[str], family: Family = Family.IPV6) -> bytes:
    """The value of MP_UNREACH_NLRI for unicast."""
    return pack("!HB", AFI[family], 1) + nlri(*prefixes)


def attributes(
    *,
    next_hop: str | None = None,
    as_path: Path = (),
    origin: int = 0,
    med: int | None = None,
    local_pref: int | None = None,
    communities: Sequence[tuple[int, int]] = (),
    large_communities: Sequence[tuple[int, int, int]] = (),
    originator_id: str | None = None,
    cluster_list: Sequence[str] = (),
    asn4: bool = True,
) -> bytes:
    """A block of plain path attributes in the order of their codes; ORIGIN and AS_PATH are always in it."""
    block = attribute(1, bytes((origin,))) + attribute(2, as_path_value(as_path, asn4))
    if next_hop is not None:
        block += attribute(3, IPv4Address(next_hop).packed)
    if med is not None:
        block += attribute(4, pack("!I", med))
    if local_pref is not None:
        block += attribute(5, pack("!I", local_pref))
    if communities:
        block += attribute(8, b"".join(pack("!HH", *community) for community in communities))
    if originator_id is not None:
        block += attribute(9, IPv4Address(originator_id).packed)
    if cluster_list:
        block += attribute(10, b"".join(IPv4Address(cluster).packed for cluster in cluster_list))
    if large_communities:
        block += attribute(32, b"".join(pack("!III", *community) for community in large_communities))
    return block


def update(
    announce: Iterable[str] = (),
    withdraw: Iterable[str] = (),
    *,
    next_hop: str = "192.0.2.1",
    as_path: Path = (64501,),
    origin: int = 0,
    med: int | None = None,
    local_pref: int | None = None,
    communities: Sequence[tuple[int, int]] = (),
    large_communities: Sequence[tuple[int, int, int]] = (),
    originator_id: str | None = None,
    cluster_list: Sequence[str] = (),
    asn4: bool = True,
) -> bytes:
    """One UPDATE, header included, with prefixes of either family or both.

    IPv4 prefixes go into the fields of RFC 4271, IPv6 ones into MP_REACH_NLRI and MP_UNREACH_NLRI, as IPv4
    ones with an IPv6 next hop do (RFC 8950); it belongs to what is announced, all of one family.
    """
    announced, withdrawn = list(announce), list(withdraw)
    over_ipv6 = [prefix for prefix in announced if ":" in prefix]
    native = [prefix for prefix in announced if ":" not in prefix]
    gone_ipv6 = [prefix for prefix in withdrawn if ":" in prefix]
    gone_native = [prefix for prefix in withdrawn if ":" not in prefix]
    if over_ipv6 and native:
        raise ValueError("one next hop can't serve both families: make two messages")
    block = b""
    if native and ":" in next_hop:
        block += attribute(14, reach(next_hop, native, Family.IPV4))
        announced, native = native, []
    if over_ipv6:
        block += attribute(14, reach(IPv6Address(next_hop).packed, over_ipv6))
    if gone_ipv6:
        block += attribute(15, unreach(gone_ipv6))
    if announced:
        block += attributes(
            next_hop=next_hop if native else None,
            as_path=as_path,
            origin=origin,
            med=med,
            local_pref=local_pref,
            communities=communities,
            large_communities=large_communities,
            originator_id=originator_id,
            cluster_list=cluster_list,
            asn4=asn4,
        )
    return message(nlri(*gone_native), block, nlri(*native))


def end_of_rib(family: Family = Family.IPV4) -> bytes:
    """The End-of-RIB marker of a family (RFC 4724 2)."""
    return message() if family is Family.IPV4 else message(attributes=attribute(15, unreach((), family)))
