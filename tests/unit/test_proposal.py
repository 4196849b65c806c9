"""What a client sends for a plan is looked at before anything is made of it; nothing of it can raise."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from vrfbgp import proposal
from vrfbgp.core import Core


@pytest.mark.parametrize(
    ("files", "why"),
    [
        (None, "a plan is made of files"),
        ([{"name": "..", "text": ""}], "a plan is made of files"),
        ([{"name": "a\0b", "text": ""}], "can't be written"),
        ([{"name": "x" * 300, "text": ""}], "can't be written"),
        ([{"name": "a", "text": "\ud800"}], "can't be written"),
        ([{"name": "\ud800", "text": ""}], "can't be written"),
    ],
)
def test_x21_files_that_are_none_are_told(files: Any, why: str, tmp_path: Path) -> None:
    class Unasked:
        async def proposed(self, _: object) -> None:
            raise AssertionError

    asked = proposal.plan(Core(), Unasked(), {"files": files}, tmp_path, 0.0)  # type: ignore[arg-type]
    assert why in asyncio.run(asked)["error"]
    assert not list(tmp_path.iterdir())
