"""The process starts only with the ExaBGP and under the daemon that it was made for."""

from __future__ import annotations

import importlib.metadata
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vrfbgp.speaker.entry import EXABGP_VERSION, SPOOL_VARIABLE, refuse_other_version, spool_limit


def test_another_exabgp_is_refused_by_both_names() -> None:
    refuse_other_version(EXABGP_VERSION)
    with pytest.raises(SystemExit) as refusal:
        refuse_other_version("5.1.0")
    assert "5.1.0" in str(refusal.value)
    assert EXABGP_VERSION in str(refusal.value)


def test_the_environment_sets_the_spool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SPOOL_VARIABLE, raising=False)
    assert spool_limit(1 << 26) == 1 << 26
    monkeypatch.setenv(SPOOL_VARIABLE, "262144")
    assert spool_limit(1 << 26) == 1 << 18


@pytest.mark.parametrize("told", ["0", "-1", "64M", "1.5"])
def test_a_spool_of_no_size_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv(SPOOL_VARIABLE, told)
    with pytest.raises(SystemExit, match=f"{SPOOL_VARIABLE}={told}"):
        spool_limit(1 << 26)


def test_the_version_is_the_one_that_is_installed_and_asked_for() -> None:
    assert importlib.metadata.version("exabgp") == EXABGP_VERSION
    project = Path(__file__).parents[3] / "pyproject.toml"
    assert f'"exabgp=={EXABGP_VERSION}"' in project.read_text()


def test_without_its_daemon_it_does_not_begin(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "vrfbgp.speaker.entry",
                str(theirs.fileno()),
                "1",
                "0",
                str(tmp_path / "none"),
            ],
            pass_fds=(theirs.fileno(),),
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.returncode == 1
    assert "the daemon ended before its speaker began" in done.stderr


def test_the_process_loads_little(tmp_path: Path) -> None:
    """30 MB for each of 50 networks: what the daemon alone needs stays out."""
    script = "import sys, vrfbgp.speaker.session, vrfbgp.speaker.reactor; print('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    loaded = set(done.stdout.split())
    assert not loaded & {
        "jinja2",
        "pydantic",
        "pyroute2",
        "vrfbgp.events",
        "vrfbgp.core",
        "vrfbgp.speaker.process",
    }
