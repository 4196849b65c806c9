"""`purge` as a command: what is told, how it ends, and that it never works beside a daemon."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from vrfbgp import alone as alone_
from vrfbgp import purge as purge_
from vrfbgp.cli import app
from vrfbgp.kernel.preflight import Unfit
from vrfbgp.show.purge import show_purge
from vrfbgp.show.tables import Page

EMPTY = {"rules": 0, "routes": 0, "nexthops": 0}
OUTCOME: dict[str, Any] = {
    "dry_run": False,
    "done": True,
    "found": {
        "rules": ["102: from 10.50.0.2/31 lookup 500"],
        "tables": [{"table": 500, "family": "ipv4", "routes": 1000000}],
        "groups": 1,
        "objects": 2,
    },
    "removed": {"rules": 1, "routes": 1000000, "nexthops": 3},
    "left": EMPTY,
    "kept": [],
    "failed": 0,
    "failures": [],
}


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the kernel's side is going to say; nobody runs here."""
    said = dict(OUTCOME)
    monkeypatch.setattr(purge_, "purge", lambda *, dry_run: said | {"dry_run": dry_run})
    monkeypatch.setattr(alone_, "LOCK", f"\0vrfbgp-test-{id(said)}")
    return said


def vrfbgp(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def test_what_went_is_counted(outcome: dict[str, Any]) -> None:
    done = vrfbgp("purge")
    assert done.exit_code == 0
    assert done.output == "Removed 1 rule, 1000000 routes, 3 next hops.\n"
    assert json.loads(vrfbgp("purge", "--json").output) == outcome


def test_a_dry_run_tells_rules_and_tables(outcome: dict[str, Any]) -> None:
    done = vrfbgp("purge", "--dry-run")
    assert done.exit_code == 0
    assert "1 rule, 1000000 routes, 1 next hop group and 2 next hop objects would be removed." in done.output
    assert "rule 102: from 10.50.0.2/31 lookup 500" in done.output
    assert "table 500, ipv4: 1000000 routes" in done.output


def test_what_is_left_ends_it_with_1_and_is_told(outcome: dict[str, Any]) -> None:
    outcome |= {
        "done": False,
        "left": EMPTY | {"rules": 1},
        "kept": [{"nexthop": 3003121664, "user": "route 10.0.0.0/8 table main metric 0, protocol 4"}],
        "failed": 30,
        "failures": ["delete rule 102: from 10.50.0.2/31 lookup 500: Device or resource busy"],
    }
    done = vrfbgp("purge")
    assert done.exit_code == 1
    assert "Left: 1 rule, 0 routes, 0 next hops." in done.output
    assert "next hop 3003121664 stays: it is used by route 10.0.0.0/8" in done.output
    assert "busy" in done.output
    assert "and 29 more" in done.output
    assert "purge again" in done.output


def test_beside_a_daemon_it_is_refused_but_for_a_dry_run(outcome: dict[str, Any]) -> None:
    with alone_.alone():
        done = vrfbgp("purge")
        assert done.exit_code == 1
        assert "another vrfbgp runs in this network namespace" in done.stderr
        assert vrfbgp("purge", "--dry-run").exit_code == 0
    assert vrfbgp("purge").exit_code == 0


@pytest.mark.parametrize("error", [Unfit("CAP_NET_ADMIN is missing"), OSError(1, "Operation not permitted")])
def test_without_the_kernel_it_says_why(
    outcome: dict[str, Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fails(*, dry_run: bool) -> None:
        raise error

    monkeypatch.setattr(purge_, "purge", fails)
    done = vrfbgp("purge")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "missing" in done.stderr or "not permitted" in done.stderr


@pytest.mark.parametrize("dry_run", [True, False])
def test_where_nothing_of_ours_is_people_are_asked_whether_it_is_the_right_place(dry_run: bool) -> None:
    def told(found: dict[str, Any]) -> str:
        out = io.StringIO()
        show_purge(Page(out), OUTCOME | {"dry_run": dry_run, "found": found})
        return out.getvalue()

    hint = "Nothing of vrfbgp's is in this network namespace"
    assert hint in told({"rules": [], "tables": [], "groups": 0, "objects": 0})
    assert hint not in told(OUTCOME["found"])
