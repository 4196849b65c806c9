"""From end to end without a kernel: what is compared with which config, what counts, how the command ends."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.unit.nodes import ADDRESSES, LINKS, MAIN
from tests.unit.verify.scene import CLOSE_RED, FABRIC, RULES, Scene, route
from tests.unit.verify.scene import status as daemon_status
from vrfbgp.cli import app
from vrfbgp.config.facts import HostFacts
from vrfbgp.config.last_good import LastGood
from vrfbgp.control import NotAnswered
from vrfbgp.events import LinksRead, NexthopsRead, RulesRead, TablesRead
from vrfbgp.model import Family, Rule
from vrfbgp.netns import own_namespace
from vrfbgp.options import DaemonOptions
from vrfbgp.requests import ReadLinks, ReadNexthops, ReadRules
from vrfbgp.started import Started
from vrfbgp.survey import TableSurvey
from vrfbgp.verify import edge, look
from vrfbgp.verify.sight import Sight
from vrfbgp.verify.source import Compared, NoConfig, config_of

HOST = HostFacts("host-1")
MANIFESTS = """\
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: {name: red}
spec: {routeTableIndex: 500}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: red-1}
spec: {peerIP: 172.16.1.140, asNumber: 64512, externalNetwork: red, nodeSelector: "egress == 'red'"}
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: {name: red, namespace: default}
spec: {ipPools: [{cidr: 10.50.0.2/31}], externalNetworks: [red]}
---
apiVersion: v1
kind: Node
metadata: {name: node-2, labels: {egress: red}}
"""


class Kernel:
    """A kernel that shows one scene after the other, the last for ever; and a daemon, or none."""

    def __init__(self, *scenes: Scene) -> None:
        self.scenes = list(scenes)
        self.status: dict[str, Any] | None = None
        self.pauses: list[float] = []
        self.compared = Compared(self.scenes[0].intent, (Path("/config"),), last_good=False)

    def look(self, *_: object) -> Sight:
        return (self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]).sight()

    def answer(self, run_dir: Path, request: dict[str, Any]) -> dict[str, Any]:
        if self.status is None:
            raise NotAnswered("no vrfbgp runs")
        return self.status


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel(Scene())
    monkeypatch.setattr(edge, "Reader", type("Nobody", (), {"close": lambda self: None}))
    monkeypatch.setattr(edge, "around", lambda reader: HOST)
    monkeypatch.setattr(edge, "look", made.look)
    monkeypatch.setattr(edge, "ask", lambda reader, src, dst, iif: None)
    monkeypatch.setattr(edge, "ask_daemon", made.answer)
    monkeypatch.setattr(edge, "config_of", lambda *_, **__: made.compared)
    monkeypatch.setattr(edge.time, "sleep", made.pauses.append)
    return made


def broken() -> Scene:
    scene = Scene()
    scene.rules.remove(CLOSE_RED)
    return scene


def vrfbgp(*words: object) -> Result:
    return CliRunner().invoke(app, ["verify", *map(str, words)])


# -- what is found -----------------------------------------------------------------------------------


def test_what_a_running_daemon_repairs_is_not_told(kernel: Kernel) -> None:
    kernel.scenes, kernel.status = [broken(), Scene()], daemon_status()
    assert vrfbgp("--json").exit_code == 0
    assert kernel.pauses == [edge.SETTLING]


def test_what_is_still_there_a_moment_later_is_told(kernel: Kernel) -> None:
    other = broken()
    other.routes[500].append(route("10.7.0.0/16", 500, FABRIC, 4, metric=0))
    kernel.scenes, kernel.status = [broken(), other], daemon_status()
    done = vrfbgp("--json")
    assert done.exit_code == 1
    assert [found["flaw"] for found in json.loads(done.stdout)["findings"]] == ["not-closed"]


def test_without_a_daemon_nobody_repairs_and_one_look_is_enough(kernel: Kernel) -> None:
    kernel.scenes = [broken(), Scene()]
    done = vrfbgp("--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["verdict"], told["daemon"]) == ("leak", {"answered": False, "text": "no vrfbgp runs"})
    assert kernel.pauses == []


def test_a_notice_ends_it_with_0(kernel: Kernel) -> None:
    kernel.status = daemon_status(config={"refused": [{"text": "unknown field"}]})
    assert "config-refused" not in vrfbgp().stdout, "what was named is compared with"
    kernel.compared = replace(kernel.compared, last_good=True)
    done = vrfbgp()
    assert done.exit_code == 0
    assert "config [config-refused]" in done.stdout
    assert done.stdout.rstrip().endswith("or go nowhere.")


def test_people_are_told_the_way_the_flaw_the_object_and_the_remedy(kernel: Kernel) -> None:
    kernel.scenes = [broken()]
    done = vrfbgp()
    assert done.exit_code == 1
    assert "default/red     10.50.0.2/32  500 (network red), main, default  -" in done.stdout
    assert "default/yellow  10.50.0.4/32  501 (network yellow)              unreachable" in done.stdout
    assert "EgressGateway default/red [not-closed]" in done.stdout
    assert "Remedy: " in done.stdout
    assert "NOT kept apart" in done.stdout


def test_the_daemons_word_on_draining_counts_more_than_the_mark(kernel: Kernel) -> None:
    scene = Scene()
    scene.rules = [rule for rule in RULES if rule.priority != 102]
    kernel.scenes = [scene]
    assert vrfbgp().exit_code == 1
    kernel.status = daemon_status(drain={"state": "drained"})
    assert vrfbgp().exit_code == 0


def test_what_can_not_be_read_ends_it_with_1(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(edge, "look", fails)
    done = vrfbgp()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "the kernel can't be read: Operation not permitted" in done.stderr


def test_a_daemon_in_another_network_namespace_is_not_judged_by_this_one(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel.scenes = [broken()]
    monkeypatch.setattr(edge, "daemon_pid", lambda run_dir: 4711)
    kernel.status = daemon_status(daemon={"network_namespace": 1})
    done = vrfbgp()
    assert (done.exit_code, done.stdout) == (1, "")
    assert "nsenter --net=/proc/4711/ns/net" in done.stderr
    monkeypatch.setattr(edge, "daemon_pid", lambda run_dir: 0)
    assert "in the daemon's container" in vrfbgp().stderr
    kernel.status = daemon_status(daemon={"network_namespace": own_namespace()})
    assert "not-closed" in vrfbgp().stdout


def test_a_daemon_elsewhere_is_told_before_a_config_is_missed(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(edge, "config_of", config_of)
    monkeypatch.setattr(edge, "daemon_pid", lambda run_dir: 4711)
    kernel.status = daemon_status(daemon={"network_namespace": 1})
    assert "nsenter --net=/proc/4711/ns/net" in vrfbgp("--state-dir", tmp_path).stderr


def test_where_nothing_of_ours_is_that_is_said_first(kernel: Kernel) -> None:
    empty = Scene()
    empty.rules, empty.nexthops, empty.bunches = [], {}, {}
    kernel.scenes = [empty]
    assert "Nothing of vrfbgp's is in this network namespace" not in vrfbgp().stdout, "the uplinks are here"
    empty.links, empty.addresses, empty.routes = {1: LINKS[1]}, (), {}
    done = vrfbgp()
    assert done.exit_code == 1
    assert done.stdout.startswith("Nothing of vrfbgp's is in this network namespace")
    kernel.status = daemon_status()
    assert not vrfbgp().stdout.startswith("Nothing of vrfbgp's")


# -- which config ------------------------------------------------------------------------------------


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "all.yaml").write_text(MANIFESTS)
    return directory


def compared(state: Path, *paths: Path, node: str | None = None) -> Compared:
    return config_of(paths, state, node=node, labels={}, host=HOST)


def test_what_the_daemon_last_took_on_the_node_that_it_was_started_as(
    tmp_path: Path, manifests: Path
) -> None:
    state = tmp_path / "state"
    LastGood(state).keep([manifests])
    assert compared(state).intent.node == "host-1"
    Started(state).keep(DaemonOptions((manifests,), "node-1", {"egress": "red"}))
    found = compared(state)
    assert (found.intent.node, found.last_good, found.refused) == ("node-1", True, ())
    assert [len(network.peers) for network in found.intent.networks] == [1]
    assert compared(state, node="node-2").intent.networks[0].peers[0].source_address is None


def test_a_daemon_that_answers_says_where_its_config_is_and_which_node_it_is(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, manifests: Path
) -> None:
    monkeypatch.setattr(edge, "config_of", config_of)
    LastGood(tmp_path / "state").keep([manifests])
    Started(tmp_path / "state").keep(DaemonOptions((manifests,), "node-1", {"egress": "red"}))
    kernel.status = daemon_status(daemon={"state_directory": str(tmp_path / "state")})
    told = json.loads(vrfbgp("--json").stdout)
    assert (told["node"], told["config"]["last_good"]) == ("node-1", True)
    kernel.status = daemon_status(node="node-3")
    told = json.loads(vrfbgp(manifests, "--state-dir", tmp_path / "none", "--json").stdout)
    assert told["node"] == "node-3", "not the host's name, which only a start without --node stands for"
    told = json.loads(vrfbgp(manifests, "--node", "node-2", "--json").stdout)
    assert told["node"] == "node-2"


def test_a_state_directory_that_may_not_be_read_is_not_taken_for_none(
    tmp_path: Path, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    LastGood(tmp_path / "state").keep([manifests])
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # The tests may be root's.
    with pytest.raises(NoConfig, match="may not be read by this user: be root, or name"):
        compared(tmp_path / "state")
    assert not compared(tmp_path / "state", manifests).last_good


def test_named_files_go_first_and_give_way_when_they_are_refused(tmp_path: Path, manifests: Path) -> None:
    state = tmp_path / "state"
    LastGood(state).keep([manifests])
    (manifests / "all.yaml").write_text(MANIFESTS.replace("500", "510"))
    found = compared(state, manifests, node="node-1")
    assert (found.intent.networks[0].table, found.last_good) == (510, False)
    (manifests / "all.yaml").write_text(MANIFESTS.replace("500", "many"))
    found = compared(state, manifests, node="node-1")
    assert (found.intent.networks[0].table, found.last_good) == (500, True)
    assert "routeTableIndex" in str(found.refused[0])


def test_without_anything_good_what_is_understood_is_compared(tmp_path: Path, manifests: Path) -> None:
    (manifests / "all.yaml").write_text(MANIFESTS.replace("peerIP", "peerIp"))
    found = compared(tmp_path / "state", manifests, node="node-1")
    assert found.intent.partial
    assert [gateway.name for gateway in found.intent.gateways] == ["default/red"]
    Started(tmp_path / "state").keep(DaemonOptions((manifests,), "node-1"))
    assert compared(tmp_path / "state") == found


def test_without_any_config_it_says_what_to_name(tmp_path: Path) -> None:
    with pytest.raises(NoConfig, match="vrfbgp verify PATH"):
        compared(tmp_path)


def test_nothing_to_compare_with_is_a_wrong_command_line(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(edge, "config_of", config_of)
    done = vrfbgp("--state-dir", tmp_path)
    assert done.exit_code == 2
    assert "name the one to compare with" in done.stderr.replace("\n", " ").replace("│", "").replace(
        "  ", " "
    )


def test_a_start_that_is_not_known_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    started = Started(tmp_path / "state")
    assert started.read() is None
    options = DaemonOptions((Path("/config"),), "node-1", {"a": "b"})
    started.keep(options)
    assert started.read() == options
    (tmp_path / "state" / "started.json").write_text("{}")
    assert started.read() is None
    (tmp_path / "file").touch()
    Started(tmp_path / "file").keep(options)
    assert "--node" in caplog.text


# -- what is read ------------------------------------------------------------------------------------


def test_tables_of_others_are_read_where_a_rule_ahead_of_ours_looks_them_up() -> None:
    rules = (
        *RULES,
        Rule(Family.IPV4, 50, table=77, protocol=3),
        Rule(Family.IPV4, 300, table=78, protocol=3),
    )

    class Reader:
        skipped = 0

        def read(self, request: object) -> object:
            if isinstance(request, ReadLinks):
                return LinksRead(LINKS, ADDRESSES)
            if isinstance(request, ReadRules):
                return RulesRead(request.family, rules if request.family is Family.IPV4 else ())
            if isinstance(request, ReadNexthops):
                return NexthopsRead(())
            return TablesRead(frozenset({(777, Family.IPV6)}))

        def survey(self, table: int, family: Family) -> TableSurvey:
            return TableSurvey(table, family, routes=MAIN if (table, family) == (254, Family.IPV4) else ())

    sight = look.look(Reader(), [500], 103)  # type: ignore[arg-type]
    tables = {table for table, family in sight.tables if family is Family.IPV4}
    assert tables == {254, 255, 500, 501, 77}
    assert (777, Family.IPV6) in sight.tables
    assert sight.table(254, Family.IPV4).routes == MAIN
    assert sight.table(12, Family.IPV4).empty


@pytest.mark.parametrize(
    ("number", "says"),
    [(101, True), (113, True), (13, True), (22, True), (18, False), (1, False)],
)
def test_a_packet_that_goes_nowhere_is_an_answer_and_an_error_is_none(number: int, says: bool) -> None:
    class Reader:
        def route_get(self, *_: object) -> None:
            raise OSError(number, "as it is")

    asked = IPv4Address("10.50.0.2"), IPv4Address("105.8.10.1"), 4
    if says:
        assert look.ask(Reader(), *asked) is None  # type: ignore[arg-type]
    else:
        with pytest.raises(OSError, match="as it is"):
            look.ask(Reader(), *asked)  # type: ignore[arg-type]
