"""The world of the acceptance tests: topology A in namespaces, a config directory and the daemon.

Each test builds its own and takes it down; that costs less than a second. When a test fails, its report tells
what the daemon logged, what the node's kernel held and what the routers saw.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from labs.netns import requirements
from labs.netns.lab import Lab
from labs.netns.topology import Topology
from tests.netns import speaker_lab
from tests.netns.world import World


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands in this folder."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.netns)


@pytest.fixture(scope="session")
def labs_work() -> None:
    """Skip, with the reason, where no lab can be built."""
    if reason := requirements.missing():
        pytest.skip(reason)


@pytest.fixture
def lab(labs_work: None) -> Iterator[speaker_lab.Lab]:
    """For a speaker without the daemon: its namespace and the routers'."""
    with speaker_lab.built_lab() as one:
        yield one


@pytest.fixture
def world(labs_work: None) -> Iterator[World]:
    """Topology A, started; the daemon is not running yet."""
    with Lab() as lab:
        topology = Topology(lab)
        topology.start()
        built = World(topology)
        yield built
        built.daemon.reap()


@pytest.fixture
def working(world: World) -> World:
    """The basic config in force: both networks and both gateways work."""
    world.save_basics()
    world.start()
    return world


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what the world looked like to the report of a test that failed."""
    report = yield
    if report.when != "teardown" and report.failed:
        world = getattr(item, "funcargs", {}).get("world")
        if isinstance(world, World):
            report.sections.append(("the world when it failed", world.describe()))
    return report
