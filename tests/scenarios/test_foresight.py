"""`plan` tells what then happens: before each config of each scenario it is asked, and held to its word."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path

import pytest

from tests.scenarios import deeds, sights  # noqa: F401  (the steps' meanings)
from tests.scenarios.notation import Config
from tests.scenarios.script import run, steps
from tests.scenarios.world import World
from vrfbgp.operations import AddRoute, AddRule, DeleteRoute, DeleteRule, ReplaceRoute
from vrfbgp.requests import Announce, RequestRefresh, SpeakerRequest, Withdraw
from vrfbgp.views.foresight import foresee
from vrfbgp.views.words import Json, endpoint

FILES = sorted(Path(__file__).parent.glob("*.scenario"))
KINDS = {AddRoute: "add", ReplaceRoute: "replace", DeleteRoute: "delete"}


class Asking(World):
    """A world where nobody edits a config without asking before."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[SpeakerRequest] = []

    def _ask(self, request: SpeakerRequest) -> None:
        self.requests.append(request)
        super()._ask(request)

    def load(self, config: Config) -> None:
        ready = self.alive and self.answering and not self.paused and self.core.reconciler.at_rest
        if not ready or self.kernel.failing:
            super().load(config)
            return
        told = foresee(copy.deepcopy(self.core), config.intent, self.kernel.read, self.now)
        super().load(config)
        tried = copy.deepcopy(self)
        tried.kernel.after_each = tried._check
        held, recorded = sessions(tried), len(tried.kernel.record)
        tried.requests.clear()
        tried.settle()
        assert told["settled"]
        compare(told, tried, held, recorded)
        again = foresee(copy.deepcopy(tried.core), config.intent, tried.kernel.read, tried.now)
        assert again["empty"], f"it is applied, and yet: {again}"


def sessions(world: World) -> set[str]:
    return {f"{name}/{endpoint(peer)}" for name, s in world.speakers.items() for peer in s.sessions}


def compare(told: Json, world: Asking, held: set[str], recorded: int) -> None:
    """What was told, with what is in the kernel's record and in the speakers' requests."""
    done = [operation for operation, _, _ in world.kernel.record[recorded:]]
    for kind, key in ((AddRule, "add"), (DeleteRule, "delete")):
        assert told["rules"][key] == [
            str(operation.rule) for operation in done if isinstance(operation, kind)
        ]
    routes = Counter(
        (operation.key.table, KINDS[type(operation)]) for operation in done if type(operation) in KINDS
    )
    foreseen: Counter[tuple[int, str]] = Counter()
    for table in told["tables"]:
        foreseen.update({(table["table"], kind): table[kind] for kind in KINDS.values()})
    asked = [r for r in world.requests if isinstance(r, RequestRefresh)]
    assert [(r["network"], r["peer"]) for r in told["refreshes"]] == [
        (r.peer.network, endpoint(r.peer)) for r in asked
    ]
    # What a router then sends isn't known before.
    assert +foreseen == routes or (asked and +foreseen < routes)
    assert bool(done or world.requests) != told["empty"]
    now = sessions(world)
    ways = told["sessions"]
    assert {f"{s['network']}/{s['peer']}" for s in ways["begin"]} == now - held
    assert {f"{s['network']}/{s['peer']}" for s in ways["end"]} == held - now
    if not ways["restart"]:
        for kind, key in ((Announce, "announce"), (Withdraw, "withdraw")):
            expected = Counter(str(r.prefix) for r in world.requests if isinstance(r, kind))
            assert Counter(a["prefix"] for a in told["announcements"][key]) == expected


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_what_was_told_comes(path: Path) -> None:
    world = Asking()
    for step in steps(path):
        run(step, world)
