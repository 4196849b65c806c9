"""The files in config/: each loads, works, and the commented one shows every field that is acted on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.config.reading import HOST, gateway, peer
from vrfbgp.config.facts import HostFacts
from vrfbgp.config.load import read
from vrfbgp.config.resolve import resolve
from vrfbgp.config.schema.effect import Effect, table
from vrfbgp.config.schema.kinds import KINDS
from vrfbgp.intent import Intent, SourceMode

CONFIG = Path(__file__).parents[3] / "config"


def intent(directory: str, host: HostFacts = HOST) -> Intent:
    loaded = read([CONFIG / directory])
    found = resolve(loaded.objects, node="egress-1", labels={}, host=host)
    assert isinstance(found, Intent), found
    return found


@pytest.mark.parametrize("directory", ["minimal", "example"])
def test_nothing_is_wrong_with_it(directory: str) -> None:
    found = intent(directory)
    assert found.enabled
    assert [str(problem) for problem in found.problems] == []
    assert not any(one.degraded for network in found.networks for one in (network, *network.peers))


FILES = [path for name in ("minimal", "example") for path in sorted((CONFIG / name).glob("*.yaml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_each_file_loads_alone(path: Path) -> None:
    loaded = read([path])
    assert not loaded.problems


def test_minimal_is_topology_a() -> None:
    found = intent("minimal")
    assert found.tables == {500: "red", 501: "yellow"}
    for name, address in (("red-1", "172.16.1.140"), ("yellow-1", "172.16.2.140")):
        one = peer(found, name)
        assert (str(one.id), one.local_as, one.source) == (
            f"{one.id.network}/{address}",
            64512,
            SourceMode.UPLINK,
        )
    assert str(gateway(found, "red").ranges[0]) == "10.50.0.2/32"
    assert str(gateway(found, "yellow").ranges[0]) == "10.50.0.4/32"


def test_the_example_uses_every_kind() -> None:
    used = re.findall(r"^kind: (\w+)$", _example(), re.MULTILINE)
    assert {kind.name for kind in KINDS} == set(used)


def test_the_example_shows_every_field_that_is_acted_on() -> None:
    shown = set(re.findall(r"[A-Za-z0-9]+", _example()))
    for kind in KINDS:
        missing = [
            field.path
            for field in (table(kind.spec) if kind.spec else ())
            if field.effect is Effect.ACTED
            and re.split(r"[.\[\]]+", field.path.rstrip("[]"))[-1] not in shown
        ]
        assert not missing, kind


def _example() -> str:
    return "\n".join(path.read_text() for path in (CONFIG / "example").glob("*.yaml"))
