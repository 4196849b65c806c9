"""What happens in one turn of the core is taken in order: nothing is asked of the kernel that it must refuse.

What is chosen is ahead of what the reconciler was told of it until that is looked at (`rib/table.py`).
"""

from __future__ import annotations

import pytest

from tests.scenarios.notation import Config, config
from tests.scenarios.world import World
from tests.unit.rib import wire

RED = "network red 500 dev eth1", "peer 172.16.1.140 as 64501"
YELLOW = "network yellow 501 dev eth2", "peer 172.16.2.140 as 64502"
FURTHER = "peer 172.16.9.140 as 64501"


def read(*lines: str) -> Config:
    return config(lines)


@pytest.fixture
def world() -> World:
    """One that has learned 198.51.100.0/24 and 172.16.9.0/24 in network red."""
    world = World()
    for name, addresses in ("eth1", ("172.16.1.10/24", "172.16.9.10/24")), ("eth2", ("172.16.2.10/24",)):
        world.kernel.add_link(name)
        for address in addresses:
            world.kernel.add_address(name, address)
    world.load(read(*RED, *YELLOW))
    world.start()
    world.settle()
    world.establish(world.peer("red/172.16.1.140"))
    announce(world, "198.51.100.0/24", "172.16.9.0/24")
    world.settle()
    assert in_table(world) == {"172.16.1.0/24", "172.16.9.0/24", "198.51.100.0/24"}
    world.operations()
    return world


def announce(world: World, *prefixes: str) -> None:
    world.send(world.peer("red/172.16.1.140"), wire.update(prefixes, next_hop="172.16.1.140"))


def withdraw(world: World, *prefixes: str) -> None:
    world.send(world.peer("red/172.16.1.140"), wire.update(withdraw=prefixes))


def in_table(world: World, table: int = 500) -> set[str]:
    return {str(key).split()[0] for key in world.kernel.routes if key.table == table}


def settle(world: World) -> list[str]:
    """One turn, and what follows from it; what was done in the kernel, nothing of which was refused."""
    world.settle()
    done = world.operations()
    assert not [operation for operation in done if " !" in operation]
    return done


def test_a_route_is_withdrawn_and_somebody_deletes_it(world: World) -> None:
    withdraw(world, "198.51.100.0/24")
    (key,) = [key for key in world.kernel.routes if str(key).startswith("198.51.100.0/24 table 500")]
    world.kernel.drop_route(key)
    assert settle(world) == []
    assert "198.51.100.0/24" not in in_table(world)


def test_a_route_comes_and_its_network_goes(world: World) -> None:
    announce(world, "203.0.113.0/24")
    world.load(read(*YELLOW))
    settle(world)
    assert in_table(world) == set()


def test_a_learned_prefix_becomes_the_way_to_a_peer_and_no_more(world: World) -> None:
    announce(world, "203.0.113.0/24")
    world.load(read(*RED, FURTHER, *YELLOW))
    assert "~route 172.16.9.0/24 table 500 dev eth1" in settle(world), "it is replaced"
    assert in_table(world) == {"172.16.1.0/24", "172.16.9.0/24", "198.51.100.0/24", "203.0.113.0/24"}


def test_a_peer_takes_back_what_it_takes_back(world: World) -> None:
    withdraw(world, "198.51.100.0/24")
    withdraw(world, "172.16.9.0/24")
    announce(world, "198.51.100.0/24")
    withdraw(world, "198.51.100.0/24")
    announce(world, "172.16.9.0/24")
    settle(world)
    assert in_table(world) == {"172.16.1.0/24", "172.16.9.0/24"}
