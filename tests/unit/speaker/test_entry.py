"""The process starts only with the ExaBGP and under the daemon that it was made for."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.unit.speaker.test_render import GOLDEN
from vrfbgp.speaker.entry import EXABGP_VERSION, SPOOL_VARIABLE, refuse_other_version, spool_limit
from vrfbgp.speaker.spared import SPARED


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


def start(control: socket.socket) -> subprocess.Popen[str]:
    """The process, with this end of the control socket."""
    return subprocess.Popen(
        [sys.executable, "-m", "vrfbgp.speaker.entry", str(control.fileno())],
        pass_fds=(control.fileno(),),
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_without_its_daemon_it_ends_by_itself() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        process = start(theirs)
    with process:
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")


def test_a_speaker_has_nothing_open_but_its_own(tmp_path: Path) -> None:
    """A channel that another speaker holds open would not end with its daemon."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    config = tmp_path / "one.conf"
    config.write_text(GOLDEN.replace("connect 179;", "connect 179;\n    passive true;"))
    order = json.dumps({"epoch": 0, "config": str(config)}).encode()
    with contextlib.ExitStack() as until_here:
        until_here.enter_context(ours)
        with theirs:
            process = until_here.enter_context(start(theirs))
        until_here.callback(ours.close)
        pids = []
        for _ in range(2):
            channel, errors, calls = socket.socketpair(), os.pipe(), socket.socketpair()
            until_here.callback(os.close, errors[0])
            until_here.enter_context(channel[0])
            until_here.enter_context(calls[0])
            with channel[1], calls[1]:
                socket.send_fds(ours, [order], [channel[1].fileno(), errors[1], calls[1].fileno()])
                os.close(errors[1])
                ours.settimeout(60)
                packet, [pidfd], _, _ = socket.recv_fds(ours, 4096, 1)
            until_here.callback(os.close, pidfd)
            pids.append(json.loads(packet)["born"])
            channel[0].settimeout(60)
            assert channel[0].recv(1), "it speaks when its descriptors are in order"
        opened = [sorted(map(int, os.listdir(f"/proc/{pid}/fd"))) for pid in pids]
        assert opened == [[0, 1, 2, 3, 4]] * 2
        assert [os.getsid(pid) for pid in pids] == pids
        ours.close()
        process.communicate(timeout=60)


LOADED = "import sys; from vrfbgp.speaker import entry; entry.load(); print('\\n'.join(sys.modules))"


def test_the_process_loads_little() -> None:
    """What the daemon alone needs stays out, and what ExaBGP would load for nothing."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    loaded = set(done.stdout.split())
    assert set(SPARED) <= loaded, "by what stands in their place"
    assert not loaded & {
        "asyncio",
        "exabgp.configuration.configuration",
        "exabgp.reactor.api.command",
        "jinja2",
        "pdb",
        "pydantic",
        "pyroute2",
        "ssl",
        "vrfbgp.core",
        "vrfbgp.events",
        "vrfbgp.speaker.process",
    }


def test_what_is_spared_is_there_to_be_spared() -> None:
    assert [name for name in SPARED if find_spec(name) is None] == []
