"""The mark that keeps a node drained: over restarts of the daemon, not over a boot, and never in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from vrfbgp.drain_mark import BOOT_ID, DrainMark


@pytest.fixture
def boot_id(tmp_path: Path) -> Path:
    path = tmp_path / "boot_id"
    path.write_text("first\n")
    return path


def test_it_holds_for_another_daemon_until_it_is_cleared(tmp_path: Path, boot_id: Path) -> None:
    state = tmp_path / "made" / "when-needed"
    assert not DrainMark(state, boot_id).holds()
    assert DrainMark(state, boot_id).set()
    assert DrainMark(state, boot_id).set(), "said again"
    assert DrainMark(state, boot_id).holds()
    assert DrainMark(state, boot_id).clear()
    assert DrainMark(state, boot_id).clear(), "said again"
    assert not DrainMark(state, boot_id).holds()


def test_a_boot_ends_it(tmp_path: Path, boot_id: Path) -> None:
    DrainMark(tmp_path, boot_id).set()
    boot_id.write_text("second\n")
    assert not DrainMark(tmp_path, boot_id).holds()


def test_this_kernel_tells_its_boot(tmp_path: Path) -> None:
    assert len(BOOT_ID.read_text().strip()) == 36
    DrainMark(tmp_path).set()
    assert DrainMark(tmp_path).holds()


def test_what_can_not_be_kept_is_said(
    tmp_path: Path, boot_id: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    assert not DrainMark(tmp_path / "file", boot_id).set()
    assert "a restart of this daemon ends the drain" in caplog.text
    (tmp_path / "drained").mkdir()
    assert not DrainMark(tmp_path, boot_id).clear()
    assert "a restart of this daemon drains again" in caplog.text
    assert not DrainMark(tmp_path, boot_id).holds()
    assert "not drained" in caplog.text
