"""Where the fake kernel sends a packet: rules by priority and insertion, then the longest prefix."""

from __future__ import annotations

from dataclasses import dataclass

from tests.scenarios.fake_kernel import LOCAL_TABLE, FakeKernel
from vrfbgp.model import Action, Family, IPAddress, KernelRoute


@dataclass(frozen=True)
class Fate:
    """What becomes of a packet: `route`, with the (gateway, device) it may leave by, or why it does not."""

    kind: str
    table: int = 0
    hops: tuple[tuple[IPAddress | None, str], ...] = ()

    @property
    def devices(self) -> set[str]:
        return {device for _, device in self.hops}

    def __str__(self) -> str:
        if self.kind != "route":
            return self.kind
        hops = " ".join(
            sorted(f"via {gateway} dev {dev}" if gateway else f"dev {dev}" for gateway, dev in self.hops)
        )
        return f"table {self.table} {hops}"


def fate(kernel: FakeKernel, src: IPAddress, dst: IPAddress) -> Fate:
    """Walk the rules as fib_rules_lookup does: the first table with any match decides, a /0 too."""
    if any(address.address == dst for address in kernel.addresses):
        return Fate("local", LOCAL_TABLE)
    for rule in kernel.rules:
        if rule.family is not Family.of(dst) or rule.others:
            continue
        if (rule.src and src not in rule.src) or (rule.dst and dst not in rule.dst):
            continue
        if rule.action is Action.UNREACHABLE:
            return Fate("unreachable")
        if rule.action is Action.LOOKUP and (route := _match(kernel, rule.table, dst)) is not None:
            if route.kind != "unicast":
                return Fate(route.kind, rule.table)
            hops = tuple((gateway, kernel.links[i].name) for gateway, i in kernel.shown(route).nexthops)
            return Fate("route", rule.table, hops)
    return Fate("none")


def _match(kernel: FakeKernel, table: int, dst: IPAddress) -> KernelRoute | None:
    best: KernelRoute | None = None
    family, packed = Family.of(dst), int(dst)
    for key, route in kernel.routes.items():
        if key.table != table or key.family is not family:
            continue
        prefix = int.from_bytes(key.nlri[1:].ljust(family.bits // 8, b"\0"), "big")
        if (packed ^ prefix) >> (family.bits - key.nlri[0]):
            continue
        if best is None or (key.nlri[0], -key.metric) > (best.key.nlri[0], -best.key.metric):
            best = route
    return best
