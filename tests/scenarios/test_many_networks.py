"""X12: fifty networks of four thousand prefixes each, the same ones, at once: each in its own table, by its
own device and router, looked at after every single operation."""

from __future__ import annotations

from collections import Counter
from ipaddress import ip_address, ip_network

import pytest

from tests.scenarios.fake_kernel import Violation
from tests.scenarios.notation import config
from tests.scenarios.world import World
from tests.unit.rib import wire
from vrfbgp.events import DownCause, DownKind
from vrfbgp.model import MAIN_TABLE, Family, NexthopGroup, NexthopObject, Nlri, PeerId, nlri_of
from vrfbgp.operations import AddRoute, DeleteRoute, Operation, ReplaceRoute

NETWORKS = range(50)
PREFIXES = [f"{100 + high}.{low}.0.0/16" for high in range(16) for low in range(250)]
AT_ONCE = 800
"""Prefixes in an UPDATE: what fits into 4,096 octets, nearly."""
FIRST_TABLE = 1000


def router(number: int) -> PeerId:
    return PeerId(f"n{number}", ip_address(f"172.16.{number}.140"))


class Crowd:
    """A world of that many networks, that fails at the first route in a wrong place."""

    def __init__(self) -> None:
        self.world = World()
        kernel = self.kernel = self.world.kernel
        lines = []
        for number in NETWORKS:
            kernel.add_link(f"eth{number}")
            kernel.add_address(f"eth{number}", f"172.16.{number}.10/24")
            lines.append(f"network n{number} {FIRST_TABLE + number} dev eth{number}")
            lines.append(f"peer 172.16.{number}.140 as 64501")
            lines.append(f"gateway egress/n{number} 10.50.{number}.2/31 = n{number}")
        kernel.after_each = self.see
        kernel.in_words = lambda operation: ""
        self.devices = {FIRST_TABLE + number: kernel.index(f"eth{number}") for number in NETWORKS}
        self.touched: Counter[int] = Counter()
        self.world.start()
        self.world.load(config(lines))
        self.world.settle()
        for number in NETWORKS:
            self.world.establish(router(number))
        self.world.settle()

    def see(self, operation: Operation) -> None:
        """A route that was made leads out of its own network's device, to its router or onto its link."""
        if isinstance(operation, AddRoute | ReplaceRoute | DeleteRoute):
            self.touched[operation.key.table] += 1
        if not isinstance(operation, AddRoute | ReplaceRoute):
            return
        table, value = operation.key.table, operation.value
        hops = self.hops(value) if isinstance(value, int) else {(value.ifindex, value.gateway)}
        wanted = {(self.devices[table], ip_address(f"172.16.{table - FIRST_TABLE}.140"))}
        if hops != wanted and hops != {(self.devices[table], None)}:
            raise Violation(f"{operation.key} leads to {hops}, not to {wanted}")

    def hops(self, group: int) -> set[tuple[int, object]]:
        value = self.kernel.nexthops[group].value
        assert isinstance(value, NexthopGroup)
        members = [self.kernel.nexthops[member].value for member in value.members]
        return {(one.ifindex, one.gateway) for one in members if isinstance(one, NexthopObject)}

    def announce(self, number: int, prefixes: list[str]) -> None:
        octets = wire.update(prefixes, next_hop=str(router(number).address))
        self.world.send(router(number), octets)

    def learned(self) -> dict[int, set[Nlri]]:
        """What stands on next hop groups, by table."""
        found: dict[int, set[Nlri]] = {table: set() for table in self.devices}
        for key, route in self.kernel.routes.items():
            if route.nhid is not None:
                assert key.table != MAIN_TABLE
                found[key.table].add(key.nlri)
        return found


@pytest.fixture(scope="module")
def full() -> Crowd:
    """All have announced all, in turns."""
    crowd = Crowd()
    for first in range(0, len(PREFIXES), AT_ONCE):
        for number in NETWORKS:
            crowd.announce(number, PREFIXES[first : first + AT_ONCE])
        crowd.world.settle()
    for number in NETWORKS:
        crowd.world.send(router(number), wire.end_of_rib(Family.IPV4))
    crowd.world.settle()
    return crowd


def test_x12_each_network_has_all_of_its_own_in_its_own_table(full: Crowd) -> None:
    every = {nlri_of(ip_network(prefix)) for prefix in PREFIXES}
    assert all(nlris == every for nlris in full.learned().values())
    assert all(network.in_sync for network in full.world.core.networks.values())


def test_x12_what_one_network_loses_touches_no_other(full: Crowd) -> None:
    full.touched.clear()
    full.world.send(router(7), wire.update(withdraw=PREFIXES[:AT_ONCE]))
    full.world.fall(router(8), DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2))
    full.world.settle()
    counts = {table - FIRST_TABLE: len(nlris) for table, nlris in full.learned().items()}
    assert (counts.pop(7), counts.pop(8)) == (len(PREFIXES) - AT_ONCE, 0)
    assert set(counts.values()) == {len(PREFIXES)}
    assert set(full.touched) <= {FIRST_TABLE + 7, FIRST_TABLE + 8}
