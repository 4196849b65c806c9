"""Lives and is ready: each loop that stops, and each thing that is missing, is told by name."""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.unit.nodes import RED, YELLOW, Node, intent
from tests.unit.rib import wire
from vrfbgp.beats import Beats
from vrfbgp.core import Core
from vrfbgp.events import ConfigLoaded, ConfigRefused, DrainAsked
from vrfbgp.intent import Problem, Reason, Severity
from vrfbgp.model import Family
from vrfbgp.network import SYNC_TIME
from vrfbgp.observe import health
from vrfbgp.observe.health import live, ready


class Clock:
    """Time as a test wants it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def synced() -> Node:
    """All is well."""
    node = Node()
    for peer in (RED, YELLOW):
        node.up(peer)
        node.hears(peer, wire.end_of_rib(Family.IPV4))
    return node


def told(core: Core) -> tuple[HTTPStatus, str]:
    response = ready(core)
    return response.status, response.body.decode()


def test_ready_when_all_networks_are_in_sync_and_the_rules_stand() -> None:
    assert told(synced().core) == (HTTPStatus.OK, "ready\n")


def test_not_ready_before_there_is_a_config() -> None:
    status, text = told(Core())
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "no config" in text


def test_not_ready_while_a_network_is_not_in_sync_and_ready_when_its_time_is_over() -> None:
    node = Node()
    node.up(RED)
    node.hears(RED, wire.end_of_rib(Family.IPV4))
    status, text = told(node.core)
    assert (status, text) == (HTTPStatus.SERVICE_UNAVAILABLE, "network yellow is not in sync\n")
    node.now += SYNC_TIME + 1
    node.core.stir()
    node.settle()
    assert told(node.core)[0] == HTTPStatus.OK, "a dead peer is no reason to keep traffic away for ever"


def test_a_refused_config_is_no_reason_once_another_runs() -> None:
    node = synced()
    problem = Problem(Severity.REFUSED, Reason.SYNTAX, "file x", "It is no YAML.")
    node.core.handle(ConfigRefused((problem,)), node.now)
    assert told(node.core)[0] == HTTPStatus.OK


def test_not_ready_with_what_could_be_understood_of_a_refused_config() -> None:
    node = synced()
    node.core.handle(ConfigLoaded(intent(partial=True)), node.now)
    node.settle()
    assert "refused" in told(node.core)[1]


def test_not_ready_while_rules_do_not_stand() -> None:
    node = synced()
    rule = next(rule for rule, _ in node.core.reconciler.rules.actual_items() if rule.priority == 103)
    node.core.reconciler.rules.saw(rule, None)
    assert "1 rules do not stand yet" in told(node.core)[1]


def test_not_ready_before_the_kernel_was_asked_for_its_rules() -> None:
    core = Core()
    core.handle(ConfigLoaded(intent(networks=(), gateways=())), 1000.0)
    core.effects(1000.0)
    assert "not confirmed" in told(core)[1]


def test_not_ready_while_drained() -> None:
    node = synced()
    node.core.handle(DrainAsked(5.0), node.now)
    assert "drained" in told(node.core)[1]


# -- loops -------------------------------------------------------------------------------------------


def test_it_lives_if_all_loops_beat_and_a_silent_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.3)
    clock = Clock()
    turns, looks = Beats(clock), Beats(clock)
    silence = 0.0
    path = tmp_path / "control.sock"

    async def scenario(wakes: bool = True) -> tuple[HTTPStatus, dict[str, str]]:
        probes = {
            "core": lambda: health.goes_round(turns, turns.beat if wakes else lambda: None),
            "config": lambda: health.was_round(looks, 60.0),
            "kernel": lambda: health.answers(silence),
            "control": lambda: health.takes_connections(path),
        }
        response = await live(probes)
        lines = (line.partition(": ") for line in response.body.decode().splitlines())
        return response.status, {name: text for name, _, text in lines}

    def look(wakes: bool = True) -> list[str]:
        """The loops that do not beat."""
        status, found = asyncio.run(scenario(wakes))
        wrong = [name for name, text in found.items() if text != "ok"]
        assert (status == HTTPStatus.OK) == (not wrong)
        return wrong

    assert look() == ["control"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        assert look() == []
        assert look(wakes=False) == ["core"]
        silence = 31.0
        assert look() == ["kernel"]
        silence = 29.0
        clock.now += 61.0
        assert look() == ["config"]
        looks.beat()
        assert look() == []
