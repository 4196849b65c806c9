"""docs/cli.md is what the commands say of themselves; a shell completes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from vrfbgp import cli, control
from vrfbgp.cli import complete
from vrfbgp.manual import MARK, rewritten

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"
COMMANDS: dict[str, Any] = get_command(cli.app).commands  # type: ignore[attr-defined]


def completed(line: str) -> set[str]:
    """What Tab offers at the end of a line, as the script of `--show-completion` asks for it."""
    asked = {"_VRFBGP_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    done = subprocess.run(
        [sys.executable, "-m", "vrfbgp"],
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return set(done.stdout.split())


def test_the_page_is_what_the_commands_say() -> None:
    page = PAGE.read_text()
    assert rewritten(page) == page, "run `make docs`"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_and_each_of_its_options_has_a_meaning(name: str) -> None:
    section = PAGE.read_text().partition(f"\n## vrfbgp {name}\n")[2].partition("\n## ")[0]
    assert f"vrfbgp {name}" in section
    for one in COMMANDS[name].params:
        assert one.help, one.name
        for word in one.opts if one.param_type_name == "option" else ():
            assert word in section


def test_a_page_without_the_mark_is_no_page() -> None:
    with pytest.raises(LookupError, match=MARK.strip()):
        rewritten("# Words\n")


def test_a_shell_completes_commands_and_options() -> None:
    assert completed("vrfbgp st") == {"status"}
    assert {"run", "check", "drain"} <= completed("vrfbgp ")
    assert completed("vrfbgp status --run") == {"--run-dir"}


def test_networks_are_those_of_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        params = {"run_dir": Path("/somewhere")}  # noqa: RUF012

    def answered(run_dir: Path, request: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert (run_dir, request) == (Path("/somewhere"), {"command": "status"})
        return {"networks": [{"name": "red"}, {"name": "rose"}, {"name": "yellow"}]}

    monkeypatch.setattr(control, "ask", answered)
    assert complete.networks(Context(), "r") == ["red", "rose"]  # type: ignore[arg-type]


def test_without_a_daemon_no_network_is_offered(tmp_path: Path) -> None:
    class Context:
        params = {"run_dir": tmp_path}  # noqa: RUF012

    assert complete.networks(Context(), "") == []  # type: ignore[arg-type]
