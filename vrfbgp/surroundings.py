"""What decides on this node, beside routes and rules, whether they do their work: the values as read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from vrfbgp.netfilter.nat import Nat


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Sysctls of this network namespace (ip-sysctl.rst), other programs' settings, and the memory limit.

    What could not be read is as if it were right.
    """

    ip_forward: bool = True
    ipv6_forwarding: bool = True
    strict: frozenset[str] = frozenset()
    """Devices whose reverse path filter is strict (RFC 3704): the higher of `all` and their own is 1."""
    drops_addresses: frozenset[str] = frozenset()
    """Devices that lose their IPv6 addresses when they are set down (`keep_addr_on_down` is 0)."""
    hash_policy: Mapping[int, int] = field(default_factory=dict)
    """`fib_multipath_hash_policy` by address family; 0: by addresses alone."""
    nexthop_compat_mode: bool = False
    networkd: tuple[str, ...] = ()
    """Settings by which a running systemd-networkd removes what it did not make (networkd.conf(5))."""
    memory_limit: int | None = None
    """The lowest limit, in octets, of our cgroup and those around it."""
    memory_short: int | None = None
    """The limit, in octets, of a cgroup of ours that has used up nearly all of it."""
    nat: Nat = field(default_factory=Nat)
    """What netfilter does to source addresses of packets that leave."""
