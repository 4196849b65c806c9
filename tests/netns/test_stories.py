"""The stories of labs/containerlab, each in network namespaces: the same topology, configs and verify.sh."""

from __future__ import annotations

from pathlib import Path

import pytest

from labs.stories.namespaces import Namespaces
from labs.stories.story import names, tell


@pytest.mark.parametrize("name", names())
def test_story(labs_work: None, tmp_path: Path, name: str) -> None:
    verdict = tell(name, lambda topology, _file: Namespaces(topology), tmp_path / "labs")
    assert not verdict.failed, f"{verdict.said}\nwhat was seen: {verdict.left}"
