"""X24: where memory has a limit, each network has one: its own, or one that leaves room for the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.core.nodes import network, peer
from vrfbgp.intent import LimitAction, PrefixLimit
from vrfbgp.model import Family
from vrfbgp.scarcity import FEW, bounded

RED = network(peer("172.16.1.140"), peer("172.16.1.141"))


def limited(action: LimitAction) -> tuple[object, ...]:
    return tuple(replace(one, max_prefixes=PrefixLimit(1000, action)) for one in RED.peers)


def test_x24_a_network_without_a_limit_gets_one_where_memory_has_one() -> None:
    assert bounded(RED, None, 2) is RED
    assert bounded(RED, 1 << 30, 2).max_routes == 1_211_105
    assert bounded(RED, 1 << 30, 1).max_routes == 2_422_210
    assert bounded(RED, 64 << 20, 50).max_routes == FEW
    both = replace(RED, peers=tuple(replace(one, families=frozenset(Family)) for one in RED.peers))
    assert bounded(both, 1 << 30, 1).max_routes == 1_211_105, "of each family"


@pytest.mark.parametrize(
    "own",
    [
        {"max_routes": 5_000_000},
        {"peers": limited(LimitAction.DROP)},
        {"peers": limited(LimitAction.RESTART)},
    ],
)
def test_what_the_config_says_holds(own: dict[str, object]) -> None:
    red = replace(RED, **own)  # type: ignore[arg-type]
    assert bounded(red, 1 << 30, 2) is red


def test_a_limit_that_only_warns_is_none() -> None:
    red = replace(RED, peers=limited(LimitAction.WARN))  # type: ignore[arg-type]
    assert bounded(red, 1 << 30, 2).max_routes
