"""Overlaps: where the order of a gateway's networks decides, because two of them reach the same addresses.

The kernel walks a gateway's rules in order, and the first table with any match wins, however short the
match. So of two networks A before B, what B says is *shadowed* wherever A has the same prefix, or one that
covers it: a default route in A shadows all of B. (B covering A is no overlap: the longer match is in A,
and A is asked first anyway.)

There may be a million prefixes on each side, so the work of one call is bounded; where the bound is hit,
the count is what was found until then, and `complete` is false.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from vrfbgp.core import Core
from vrfbgp.model import Family, Nlri, network_of
from vrfbgp.views.words import Json, places

LOOKUPS = 200_000
"""Prefixes looked up in one call, over all gateways: some tens of milliseconds."""
SHOWN = 10


def overlaps(core: Core) -> list[Json]:
    """What is shadowed, for each pair of networks that stand in this order in a gateway's list."""
    budget = Budget(LOOKUPS)
    pairs: dict[tuple[str, str], list[str]] = {}
    for gateway in core.intent.gateways if core.intent and core.intent.enabled else ():
        for pair in combinations(dict.fromkeys(gateway.networks), 2):
            pairs.setdefault(pair, []).append(gateway.name)
    found: list[Json] = []
    for (first, second), gateways in pairs.items():
        shown: list[Json] = []
        count, complete = 0, True
        for family in Family:
            ours, theirs = _wanted(core, first, family), _wanted(core, second, family)
            for nlri, above in shadowed(ours, theirs, family, budget):
                count += 1
                if len(shown) < SHOWN:
                    shown.append(
                        {"prefix": str(network_of(family, nlri)), "by": str(network_of(family, above))}
                    )
            complete = complete and not budget.spent
        if count or not complete:
            found.append(
                {
                    "wins": first,
                    "shadowed": second,
                    "gateways": gateways,
                    "count": count,
                    "complete": complete,
                    "first": shown,
                }
            )
    return found


class Budget:
    """How many lookups are left."""

    def __init__(self, lookups: int) -> None:
        self.left = lookups

    @property
    def spent(self) -> bool:
        return self.left <= 0


def shadowed(
    first: Mapping[Nlri, object], second: Mapping[Nlri, object], family: Family, budget: Budget
) -> Iterator[tuple[Nlri, Nlri]]:
    """Prefixes of `second` with the shortest prefix of `first` that covers each, or is the same."""
    if not first or not second:
        return
    lengths = sorted({nlri[0] for nlri in first})
    for nlri in second:
        if budget.spent:
            return
        number = int.from_bytes(nlri[1:].ljust(family.bits // 8, b"\0"), "big")
        for length in lengths:
            if length > nlri[0]:
                break
            budget.left -= 1
            above = cut(number, length, family)
            if above in first:
                yield nlri, above
                break


def cut(number: int, length: int, family: Family) -> Nlri:
    """The prefix of this length that an address, as a number, is in."""
    octets = (length + 7) // 8
    kept = number >> (family.bits - length) << (octets * 8 - length)
    return bytes((length,)) + kept.to_bytes(octets, "big")


def _wanted(core: Core, network: str, family: Family) -> Mapping[Nlri, object]:
    place = places(core).get(network)
    slice_ = core.reconciler.slices.get((place.table, family, place.metric)) if place else None
    return slice_.desired if slice_ is not None else {}
