"""Which config runs: the present one, the last good one, or what can be understood of it."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

from vrfbgp.config.facts import HostFacts
from vrfbgp.config.source import Source
from vrfbgp.config.understand import understand
from vrfbgp.events import ConfigLoaded, ConfigRefused
from vrfbgp.intent import Intent, Reason, Severity

RED = """
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: {name: red}
spec: {routeTableIndex: 500}
"""
BROKEN = "{{{ ["


def source(config: Path, state: Path) -> Source:
    return Source([config], state, node="n1", labels={}, host=HostFacts("n1"), understand=understand)


def loaded(events: list[object]) -> ConfigLoaded:
    (found,) = [event for event in events if isinstance(event, ConfigLoaded)]
    return found


def test_the_last_good_config_starts_in_place_of_a_refused_one(tmp_path: Path) -> None:
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    source(config, state).first()
    (config / "a.yaml").write_text(BROKEN)
    events = source(config, state).first()
    intent = loaded(list(events)).intent
    assert [network.name for network in intent.networks] == ["red"]
    assert not intent.partial
    assert Reason.LAST_GOOD in [problem.reason for problem in intent.problems]
    assert isinstance(events[-1], ConfigRefused)


def test_a_corrected_config_ends_the_last_good_one(tmp_path: Path) -> None:
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    source(config, state).first()
    (config / "a.yaml").write_text(BROKEN)
    again = source(config, state)
    again.first()
    assert asyncio.run(again.again()) is None
    (config / "a.yaml").write_text(RED)
    event = asyncio.run(again.again())
    assert isinstance(event, ConfigLoaded)
    assert Reason.LAST_GOOD not in [problem.reason for problem in event.intent.problems]
    assert again.refused == ()


def test_a_refused_config_does_not_become_the_last_good_one(tmp_path: Path) -> None:
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    running = source(config, state)
    running.first()
    (config / "a.yaml").write_text(BROKEN)
    assert isinstance(asyncio.run(running.again()), ConfigRefused)
    assert [network.name for network in loaded(source(config, state).first()).intent.networks] == ["red"]


def test_without_a_last_good_one_the_rest_runs_and_is_known_to_be_partial(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    (config / "b.yaml").write_text(BROKEN)
    events = source(config, tmp_path / "state").first()
    intent = loaded(list(events)).intent
    assert [network.name for network in intent.networks] == ["red"]
    assert intent.partial


def test_a_directory_without_files_at_a_start_is_taken_for_one_that_is_not_there_yet(tmp_path: Path) -> None:
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    running = source(config, state)
    assert loaded(list(running.first())).intent.partial
    (config / "a.yaml").write_text(RED)
    event = asyncio.run(running.again())
    assert isinstance(event, ConfigLoaded)
    assert not event.intent.partial


def test_secrets_in_the_copies_are_for_their_owner_alone(tmp_path: Path) -> None:
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    source(config, state).first()
    kept = [path for path in (state / "last-good").rglob("*") if path.is_file()]
    assert [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o600]
    assert stat.S_IMODE((state / "last-good").stat().st_mode) == 0o700


def test_files_that_are_all_gone_while_running_change_nothing(tmp_path: Path) -> None:
    config, state = tmp_path / "config", tmp_path / "state"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    running = source(config, state)
    running.first()
    (config / "a.yaml").unlink()
    assert isinstance(asyncio.run(running.again()), ConfigRefused)
    assert asyncio.run(running.again()) is None
    (config / "a.yaml").write_text(RED)
    assert isinstance(asyncio.run(running.again()), ConfigLoaded)


def test_who_follows_the_files_is_told_of_each_look(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(RED)
    files = source(tmp_path, tmp_path / "state")
    files.first()

    async def scenario() -> None:
        looked = asyncio.Event()
        waiting = asyncio.ensure_future(anext(files.changes(looked.set)))
        await asyncio.wait_for(looked.wait(), 15)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(scenario())


def test_a_proposal_without_any_file_is_refused_as_the_files_own_loss_would_be(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.mkdir()
    (config / "a.yaml").write_text(RED)
    running = source(config, tmp_path / "state")
    running.first()
    found = asyncio.run(running.proposed(()))
    assert not isinstance(found, Intent)
    (problem,) = found
    assert (problem.severity, problem.reason) == (Severity.REFUSED, Reason.NO_EFFECT)
    assert running.refused == ()
