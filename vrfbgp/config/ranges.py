"""Arithmetic on sets of prefixes, both families together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import TypeVar

from vrfbgp.model import IPNetwork

T = TypeVar("T")


def _key(prefix: IPNetwork) -> tuple[int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen


def collapse(prefixes: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    """The fewest prefixes that cover the same addresses, disjoint and sorted, IPv4 first."""
    listed = list(prefixes)
    v4 = collapse_addresses(prefix for prefix in listed if isinstance(prefix, IPv4Network))
    v6 = collapse_addresses(prefix for prefix in listed if isinstance(prefix, IPv6Network))
    return (*v4, *v6)


def sources(prefixes: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    """As `collapse`, of prefixes that a rule can have as its source.

    A prefix of length 0 is none to the kernel, whose rule then asks for no source at all, and is taken for
    another one that exists (fib_rules.c, rule_exists): the two halves of it serve.
    """
    collapsed = collapse(prefixes)
    return tuple(part for one in collapsed for part in ([one] if one.prefixlen else one.subnets()))


def without(prefixes: Iterable[IPNetwork], removed: Iterable[IPNetwork]) -> tuple[IPNetwork, ...]:
    """What is left of some prefixes when others are taken out of them."""
    left = list(prefixes)
    for hole in removed:
        left = [part for prefix in left for part in _minus(prefix, hole)]
    return collapse(left)


def _minus(prefix: IPNetwork, hole: IPNetwork) -> Iterator[IPNetwork]:
    if prefix.version != hole.version or not prefix.overlaps(hole):
        yield prefix
    elif prefix.prefixlen < hole.prefixlen:
        yield from prefix.address_exclude(hole)  # type: ignore[arg-type]


def overlaps(owned: Iterable[tuple[IPNetwork, T]]) -> Iterator[tuple[IPNetwork, T, T]]:
    """Every pair of owners whose prefixes overlap, with the smaller of the two prefixes.

    Prefixes nest or are disjoint: sorted by their start, those that hold the present one are a stack.
    """
    stack: list[tuple[IPNetwork, T]] = []
    for prefix, owner in sorted(owned, key=lambda pair: _key(pair[0])):
        while stack and not stack[-1][0].overlaps(prefix):
            stack.pop()
        for _, other in stack:
            if other != owner:
                yield prefix, other, owner
        stack.append((prefix, owner))
