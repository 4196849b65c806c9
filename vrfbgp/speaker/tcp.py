"""Listening sockets of passive sessions, and what Linux lets us ask of those who call.

Each is bound to one device, so the kernel itself takes nothing from another network's wire, and what it
accepts is bound to that device too (socket(7), SO_BINDTODEVICE). All but a port below 1024 needs no
capability.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from vrfbgp.model import IPAddress

SO_BINDTOIFINDEX = 62
"""asm-generic/socket.h; Linux 5.0. An index can't come to mean another device, as a name can."""
TCP_MD5SIG = 14
TCP_SAVE_SYN = 27
TCP_SAVED_SYN = 28
"""linux/tcp.h"""
IP_FREEBIND = 15
IP_MINTTL = 21
"""linux/in.h"""
IPV6_MINHOPCOUNT = 73
"""linux/in6.h"""

Bind = Callable[[socket.socket, tuple[str, int] | tuple[str, int, int, int]], None]
"""Binds a socket to an address, of IPv4 or IPv6, as socket.bind does; OSError."""
BACKLOG = 64
MOST_TTL = 255
_LONGEST_SYN = 256
"""Octets: an IPv6 header and the longest TCP header are 100."""
_OFFSET_OF_TTL = {4: 8, 6: 7}
"""In the IP header (RFC 791 3.1, RFC 8200 3)."""
_SOCKET_STORAGE = 128
_KEY = struct.Struct(f"{_SOCKET_STORAGE}sBBHi80s")
"""struct tcp_md5sig (linux/tcp.h): address, flags, prefix length, key length, device, key."""


def listening(local: IPAddress, ifindex: int, port: int, bind: Bind = socket.socket.bind) -> socket.socket:
    """A socket that is bound but does not listen yet; OSError.

    The address need not be there yet (IP_FREEBIND): IPv6 looks for duplicates first, a link may be down.
    What answers a SYN is sent with a TTL of 255, as a peer with TTL security (RFC 5082) takes no less.
    """
    family = socket.AF_INET6 if local.version == 6 else socket.AF_INET
    one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.setsockopt(socket.SOL_SOCKET, SO_BINDTOIFINDEX, ifindex)
        one.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        one.setsockopt(socket.IPPROTO_TCP, TCP_SAVE_SYN, 1)
        send_with(one, MOST_TTL)
        if local.version == 6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bind(one, (str(local), port, 0, ifindex if local.is_link_local else 0))
        else:
            bind(one, (str(local), port))
    except OSError:
        one.close()
        raise
    return one


def demand_key(one: socket.socket, peer: IPAddress, key: str | None) -> None:
    """Take only segments from the peer that are signed with this key (RFC 2385), or only unsigned ones.

    OSError: ENOMEM beyond some hundred keys (net.core.optmem_max).
    """
    octets = (key or "").encode()
    address = (
        struct.pack("=HHI16s", socket.AF_INET6, 0, 0, peer.packed)
        if peer.version == 6
        else struct.pack("=HH4s", socket.AF_INET, 0, peer.packed)
    )
    try:
        one.setsockopt(socket.IPPROTO_TCP, TCP_MD5SIG, _KEY.pack(address, 0, 0, len(octets), 0, octets))
    except FileNotFoundError:
        if octets:
            raise


def demand_ttl(one: socket.socket, least: int) -> None:
    """Take only segments with at least this TTL, or hop limit (RFC 5082); 0: all."""
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, least)
    else:
        one.setsockopt(socket.IPPROTO_IP, IP_MINTTL, least)


def send_with(one: socket.socket, ttl: int) -> None:
    """Send with this TTL, or hop limit."""
    if one.family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl)
    else:
        one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)


def ttl_of_call(one: socket.socket) -> int | None:
    """The TTL that the SYN of an accepted connection came with.

    None: the kernel has not kept it, as when it answered with a SYN cookie.
    """
    syn = one.getsockopt(socket.IPPROTO_TCP, TCP_SAVED_SYN, _LONGEST_SYN)
    return syn[_OFFSET_OF_TTL[syn[0] >> 4]] if syn else None


def unsigned_segments() -> int:
    """How many came to this network namespace with a wrong TCP MD5 signature, or none where one is demanded.

    0 if the kernel does not count them. It does not tell whose they were.
    """
    try:
        with open("/proc/thread-self/net/netstat", "rb") as file:
            lines = [line.split() for line in file if line.startswith(b"TcpExt:")]
    except OSError:
        return 0
    counters = dict(zip(*lines, strict=False)) if len(lines) == 2 else {}
    return sum(int(counters.get(name, 0)) for name in (b"TCPMD5NotFound", b"TCPMD5Failure"))


def turn_away(one: socket.socket) -> None:
    """Close with a reset, as if nobody had listened."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    one.close()
