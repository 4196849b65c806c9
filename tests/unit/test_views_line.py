"""The daemon in one line, and from when on its first config counts as being in force."""

from __future__ import annotations

from dataclasses import replace
from errno import EPERM

from tests.unit.nodes import RED, Node, intent
from vrfbgp.core import Core
from vrfbgp.events import Applied, ConfigLoaded, ConfigRefused, DrainAsked
from vrfbgp.fib.rules import closes
from vrfbgp.intent import Problem, Reason, Severity
from vrfbgp.views.line import in_force, line


def test_it_counts_networks_sessions_and_what_was_learned() -> None:
    node = Node()
    assert line(node.core) == "networks: 2, sessions up: 0 of 2, routes: 0"
    node.up(RED)
    node.learns(RED, "192.0.2.0/24", "198.51.100.0/24")
    assert line(node.core) == "networks: 2, sessions up: 1 of 2, routes: 2"


def test_it_tells_of_a_refused_config_and_of_a_drain() -> None:
    node = Node()
    problem = Problem(Severity.REFUSED, Reason.NO_EFFECT, "config", "Broken.")
    node.core.handle(ConfigRefused((problem,)), node.now)
    node.core.handle(DrainAsked(0.0), node.now)
    node.settle()
    assert "; withdrawing; networks: 2" in line(node.core)
    node.now += 1
    node.settle()
    found = line(node.core)
    assert "the newest config is refused, the one before runs" in found
    assert "; drained; networks: 2" in found
    assert found.endswith("see `vrfbgp status`")
    assert "\n" not in found


def test_external_networks_may_be_disabled() -> None:
    assert line(Node(replace(intent(), enabled=False)).core).startswith("external networks are disabled")
    assert line(Core()) == "reading the config"


def test_a_config_is_in_force_when_the_kernel_has_confirmed_what_closes() -> None:
    node = Node()
    assert in_force(node.core)
    core = Core()
    assert not in_force(core)
    core.handle(ConfigLoaded(intent()), node.now)
    assert core.effects(node.now).reads
    assert not in_force(core)


def test_what_the_kernel_refused_is_waited_for_no_longer() -> None:
    standing = [rule for rule, _ in Node().core.reconciler.rules.actual_items() if closes(rule)]
    assert standing
    node = Node(refuses=dict.fromkeys(standing, EPERM))
    assert in_force(node.core)
    assert len(node.core.reconciler.retry)


def test_a_batch_that_is_not_answered_yet_is_not_in_force() -> None:
    node = Node()
    added = replace(intent(), rule_priority=200)
    node.core.handle(ConfigLoaded(added), node.now)
    effects = node.core.effects(node.now)
    assert effects.operations
    assert not in_force(node.core)
    node.core.handle(Applied(effects.serial, ()), node.now)
    node.settle()
    assert in_force(node.core)
