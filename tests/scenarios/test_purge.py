"""`purge` against the fake kernel: closed until the last step, whatever is refused, wherever it ends."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EBUSY
from ipaddress import ip_address
from pathlib import Path

import pytest

from tests.scenarios import deeds, sights  # noqa: F401  (they give the steps their meanings)
from tests.scenarios.fake_kernel import Crash
from tests.scenarios.fate import fate
from tests.scenarios.script import run, steps
from tests.scenarios.world import World
from vrfbgp.fib.rules import closes
from vrfbgp.operations import DeleteNexthop, DeleteRoute, DeleteRule, Failure, Step, expanded
from vrfbgp.purge import Json, purged

HERE = Path(__file__).parent
GATEWAY, SERVER = ip_address("10.50.0.2"), ip_address("105.8.10.1")


class Purge:
    """Topology A at work, its daemon killed; then `purge`."""

    def __init__(self) -> None:
        self.world = World()
        for step in steps(HERE / "topology-a.steps"):
            run(step, self.world)
        self.world.kill()
        self.kernel = self.world.kernel
        self.foreign = self.standing(ours=False)

    def standing(self, *, ours: bool) -> list[object]:
        kernel = self.kernel
        things = (*kernel.rules, *kernel.routes.values(), *kernel.nexthops.values())
        return [thing for thing in things if thing.ours is ours]

    def run(self) -> Json:
        return purged(self.kernel.read, self._apply)

    def _apply(self, batch: Sequence[Step]) -> Sequence[Failure]:
        if any(isinstance(one, DeleteRule) and closes(one.rule) for step in batch for one in expanded(step)):
            # From here on the promise that gateways are closed is given up, and nothing else is left.
            assert all(isinstance(one, DeleteRule) and closes(one.rule) for one in batch)
            self.kernel.after_each = lambda operation: None
        return self.kernel.apply(0, batch).failures


def test_nothing_of_ours_is_left_and_all_else_is() -> None:
    purge = Purge()
    before = len(purge.standing(ours=True))
    assert before > 10
    told = purge.run()
    assert told["done"]
    assert sum(told["removed"].values()) == before
    assert purge.standing(ours=True) == []
    assert purge.standing(ours=False) == purge.foreign
    assert purge.run()["removed"] == {"rules": 0, "routes": 0, "nexthops": 0}


@pytest.mark.parametrize("kind", [DeleteRule, DeleteRoute, DeleteNexthop])
def test_after_a_refusal_what_closes_stays_and_the_next_purge_goes_on(kind: type) -> None:
    purge = Purge()
    purge.kernel.fail(kind, EBUSY, 1)
    told = purge.run()
    assert not told["done"]
    assert told["failed"] == 1
    assert "delete" in told["failures"][0]
    assert told["left"]["rules"] >= 2
    assert fate(purge.kernel, GATEWAY, SERVER).kind in ("unreachable", "route")
    assert purge.run()["done"]
    assert purge.standing(ours=True) == []


def test_it_may_die_before_any_step() -> None:
    number = 0
    while True:
        purge = Purge()
        purge.kernel.crash_before = number
        try:
            purge.run()
        except Crash:
            purge.kernel.crash_before = None
        else:
            break
        assert purge.run()["done"], f"died before operation {number}"
        assert purge.standing(ours=True) == []
        assert purge.standing(ours=False) == purge.foreign
        number += 1
    assert number > 10


def test_a_dry_run_reads_and_no_more() -> None:
    purge = Purge()
    before = purge.standing(ours=True)
    told = purged(purge.kernel.read, None)
    assert (told["dry_run"], told["done"]) == (True, False)
    assert purge.standing(ours=True) == before
    assert told["found"] == purge.run()["found"]
