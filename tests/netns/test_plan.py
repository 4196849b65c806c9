"""`plan` asks the daemon what a config would change: nothing is changed by that, and it comes true."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from labs.netns.manifests import OURS, network
from labs.netns.topology import SERVED, SERVER
from labs.netns.traffic import Probe
from labs.netns.waiting import wait_for
from tests.netns.world import World


def test_a_plan_changes_nothing_comes_true_and_is_empty_then(working: World, tmp_path: Path) -> None:
    world = working
    assert world.daemon.ask("plan", str(world.config.path)).stdout == "Nothing would change.\n"
    proposed = tmp_path / "proposed"
    shutil.copytree(world.config.path, proposed)
    (proposed / "networks.yaml").write_text(
        json.dumps(network("red", 500, api_version=OURS, metric=30000))
        + "\n---\n"
        + json.dumps(network("yellow", 511))
    )
    before = world.traces()
    with Probe(world.workload("red"), SERVER) as probe:
        probe.wait_answers("red")
        found = json.loads(world.daemon.ask("plan", str(proposed), "--json").stdout)
        told = world.daemon.ask("plan", "-v", str(proposed)).stdout
        assert world.traces() == before
        tables = {table["table"]: (table["add"], table["delete"]) for table in found["tables"]}
        assert tables[500][0] == tables[500][1] > 0, "each route is written at the new metric, then leaves"
        assert tables[501][0] == tables[511][1] == 0
        assert tables[511][0] == tables[501][1] > 0
        assert any("lookup 511" in rule for rule in found["rules"]["add"])
        assert found["sessions"]["begin"] == found["sessions"]["end"] == found["sessions"]["restart"] == []
        assert found["sessions"]["stay"] == 2
        assert f"add route {SERVED} table 511" in told
        shutil.copytree(proposed, world.config.path, dirs_exist_ok=True)
        world.wait_route(511, SERVED, world.yellow.router_address)
        world.wait_working("red", "yellow")
        wait_for(
            lambda: world.daemon.ask("plan", str(proposed)).stdout == "Nothing would change.\n",
            describe=lambda: world.daemon.ask("plan", "-v", str(proposed)).stdout,
        )
        probe.wait_answers("red")
    assert probe.tally.lost == probe.tally.unreachable == 0, probe.tally


def test_a_plan_of_a_bad_config_tells_why_and_names_the_users_file(working: World, tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(json.dumps(network("red", 500, routeTabelIndex=7)))
    done = working.daemon.ask("plan", str(bad))
    assert done.returncode == 1
    assert "routeTabelIndex" in done.stdout
    assert f"{bad}:" in done.stdout
    assert "plan-" not in done.stdout.replace(str(tmp_path), "")
    done = working.daemon.ask("plan", str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert "No such file" in done.stderr
