"""The command line: what each command asks of whom, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.unit.nodes import RED, Node
from vrfbgp import __version__, itself
from vrfbgp.cli import app, follow
from vrfbgp.cli.asking import NO_DAEMON
from vrfbgp.control import SOCKET, Control
from vrfbgp.events import DrainAsked, DrainUndone
from vrfbgp.journal import Journal
from vrfbgp.model import IPAddress, KernelRoute
from vrfbgp.options import DaemonOptions
from vrfbgp.show import screen
from vrfbgp.views import answer, events

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
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {externalNetworkSupport: Enabled}
---
apiVersion: v1
kind: Node
metadata: {name: node-1, labels: {egress: red}}
status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VRFBGP_")]:
        monkeypatch.delenv(name)


def vrfbgp(*words: object, **environment: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(word) for word in words], env=environment)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "all.yaml").write_text(MANIFESTS)
    return directory


class Daemon:
    """The daemon's answers, from a thread: what the socket and the views do, without the rest."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self.node = Node()
        self.asked: list[dict[str, Any]] = []
        self.reloaded: dict[str, Any] = {"changed": True, "refused": []}
        self.kept = True
        """Whether the word to drain outlives this daemon."""
        self.journal = Journal(1000.0)
        self.goes_on = True
        """Whether anything comes of it."""
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Daemon:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with Control(self.run_dir / SOCKET, self._answer):
            self._ready.set()
            await self._stop.wait()

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(request)
        if request["command"] == "reload":
            return self.reloaded
        if request["command"] == "drain":
            word = DrainUndone() if request.get("undo") else DrainAsked(request.get("wait", 0.0))
            self.node.core.handle(word, self.node.now)
            return {"kept": self.kept, "wait": 0.0}
        if request["command"] == "events":
            return events(self.node.core, self.journal, request)
        if request["command"] == "drain-state" and self.goes_on:
            self.node.now += 1
            self.node.settle()
        return await answer(self.node.core, self._route_get, request, self.node.now)

    async def _route_get(self, src: IPAddress | None, dst: IPAddress, iif: int | None) -> KernelRoute:
        raise OSError(113, "No route to host")


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "run") as running:
        yield running


# -- run -------------------------------------------------------------------------------------------


@pytest.fixture
def options(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `run` hands to the daemon that it becomes; that ends with 7."""
    given: list[Any] = []

    def become(module: str, text: str) -> None:
        assert module == "vrfbgp.daemon"
        given.append(DaemonOptions.from_text(text))
        raise SystemExit(7)

    monkeypatch.setattr(itself, "become", become)
    return given


def test_run_hands_its_options_to_the_daemon_and_ends_as_it_does(options: list[Any]) -> None:
    done = vrfbgp(
        *("run", "--config", "/a", "--config", "/b", "--node", "n", "--label", "a=1", "--label", "b=x=y"),
        *("--run-dir", "/r", "--state-dir", "/s", "--log-format", "json", "--log-level", "debug"),
    )
    assert done.exit_code == 7
    (given,) = options
    assert given.config == (Path("/a"), Path("/b"))
    assert (given.node, given.labels) == ("n", {"a": "1", "b": "x=y"})
    assert (given.run_dir, given.state_dir) == (Path("/r"), Path("/s"))
    assert (given.log_format, given.log_level) == ("json", "debug")


def test_all_of_it_can_be_said_by_the_environment(options: list[Any]) -> None:
    vrfbgp(
        "run",
        VRFBGP_CONFIG="/a:/b",
        VRFBGP_NODE="n",
        VRFBGP_LABELS="a=1,b=2",
        VRFBGP_RUN_DIR="/r",
        VRFBGP_STATE_DIR="/s",
        VRFBGP_LISTEN="[::1]:9179",
        VRFBGP_LOG_FORMAT="json",
        VRFBGP_LOG_LEVEL="warning",
    )
    (given,) = options
    assert given.config == (Path("/a"), Path("/b"))
    assert (given.node, given.labels) == ("n", {"a": "1", "b": "2"})
    assert (given.run_dir, given.state_dir) == (Path("/r"), Path("/s"))
    assert (given.listen, given.log_format, given.log_level) == ("[::1]:9179", "json", "warning")


def test_the_defaults_are_the_daemons_own(options: list[Any]) -> None:
    vrfbgp("run", "--config", "/a")
    assert options == [DaemonOptions(config=(Path("/a"),))]


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("run", "--config", "/a", "--label", "novalue"),
        ("run", "--config", "/a", "--label", "=x"),
        ("run", "--config", "/a", "--listen", "everywhere"),
        ("run", "--config", "/a", "--log-format", "xml"),
        ("run", "--config", "/a", "--log-level", "loud"),
        ("routes", "red", "--best", "--installed"),
        ("routes", "red", "--refused", "--state", "best"),
        ("routes", "red", "--installed", "--received"),
        ("routes", "red", "--longer"),
        ("explain", "red"),
        ("explain", "--from", "10.0.0.1", "red", "10.0.0.0/8"),
        ("routes",),
        ("nonsense",),
    ],
)
def test_a_wrong_command_line_ends_with_2(words: tuple[str, ...], options: list[Any]) -> None:
    assert vrfbgp(*words).exit_code == 2
    assert options == []


def test_the_command_line_is_quick_to_start() -> None:
    assert loaded_by("vrfbgp.cli") == []


def test_the_daemon_holds_neither_the_command_line_nor_what_reads_the_config() -> None:
    assert loaded_by("vrfbgp.daemon") == []


def loaded_by(module: str) -> list[str]:
    """The large libraries that it brings, but what parses the command line in the module that does."""
    large = {"rich", "pydantic", "pyroute2", "ruamel", "exabgp", "prometheus_client"}
    if module != "vrfbgp.cli":
        large.add("typer")
    script = f"import sys, {module}; print(*({large} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_version_and_help() -> None:
    assert vrfbgp("--version").output == f"vrfbgp {__version__}\n"
    help_ = vrfbgp("--help")
    assert help_.exit_code == 0
    for command in ("run", "check", "status", "routes", "explain", "reload", "drain", "events"):
        assert command in help_.output


def test_it_can_be_run_as_a_module() -> None:
    words = [sys.executable, "-m", "vrfbgp", "--version"]
    assert (
        subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip().endswith(__version__)
    )


# -- check -----------------------------------------------------------------------------------------


def test_check_of_a_good_config_says_what_it_would_do_and_ends_with_0(manifests: Path) -> None:
    done = vrfbgp("check", manifests, "--node", "node-1")
    assert done.exit_code == 0, done.output
    assert "1 network, 1 session, 1 gateway" in done.output
    assert "This config is good." in done.output
    told = json.loads(vrfbgp("check", manifests, "--node", "node-1", "--json").stdout)
    assert told["verdict"] == "ok"
    assert told["networks"][0]["peers"][0]["address"] == "172.16.1.140"


def test_check_counts_the_labels_that_run_would(manifests: Path) -> None:
    def sessions(*words: str) -> int:
        told = json.loads(vrfbgp("check", manifests, "--json", *words).stdout)
        return sum(len(network["peers"]) for network in told["networks"])

    assert sessions("--node", "elsewhere") == 0
    assert sessions("--node", "elsewhere", "--label", "egress=red") == 1
    assert sessions("--node", "node-1", "--label", "egress=blue") == 0


def test_check_of_a_refused_config_names_the_place_and_ends_with_1(manifests: Path) -> None:
    (manifests / "bad.yaml").write_text(
        MANIFESTS.split("---")[0].replace("red", "b").replace("500}", "500, x: 1}")
    )
    done = vrfbgp("check", manifests, "--node", "node-1")
    assert done.exit_code == 1
    assert "bad.yaml:4: spec.x" in done.output
    assert "This config is refused" in done.output
    told = json.loads(vrfbgp("check", manifests, "--node", "node-1", "--json").stdout)
    assert told["verdict"] == "refused"
    assert [one["reason"] for one in told["problems"] if one["severity"] == "refused"] == ["unknown-field"]


def test_check_of_a_degraded_config_says_that_the_rest_works_and_ends_with_1(manifests: Path) -> None:
    text = MANIFESTS.replace("externalNetworks: [red]", "externalNetworks: [red, blue]")
    (manifests / "all.yaml").write_text(text)
    done = vrfbgp("check", manifests, "--node", "node-1")
    assert done.exit_code == 1
    assert "missing-network" in done.output
    assert "some of it does not work" in done.output


def test_check_of_a_path_that_does_not_exist_ends_with_1(tmp_path: Path) -> None:
    done = vrfbgp("check", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "nowhere" in done.output


def test_check_of_a_place_without_a_manifest_says_so_and_ends_with_1(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing of ours")
    done = vrfbgp("check", tmp_path)
    assert done.exit_code == 1
    assert "There is no manifest (" in done.output
    assert "good" not in done.output


def test_check_of_manifests_without_a_network_says_so_and_ends_with_0(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n")
    done = vrfbgp("check", tmp_path)
    assert done.exit_code == 0
    assert "There is no ExternalNetwork in it" in done.output


def test_check_takes_its_paths_from_the_environment(manifests: Path) -> None:
    assert vrfbgp("check", VRFBGP_CONFIG=str(manifests), VRFBGP_NODE="node-1").exit_code == 0


# -- the commands that ask the daemon ----------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [("status",), ("routes", "red"), ("explain", "red", "10.0.0.0/8"), ("reload",), ("drain",), ("events",)],
)
def test_without_a_daemon_they_say_what_to_do_and_end_with_3(words: tuple[str, ...], tmp_path: Path) -> None:
    done = vrfbgp(*words, "--run-dir", tmp_path)
    assert done.exit_code == NO_DAEMON
    assert done.stdout == ""
    assert str(tmp_path) in done.stderr
    assert "--run-dir" in done.stderr


def test_status_is_told_as_a_table_and_as_json(daemon: Daemon) -> None:
    assert "red-1" in vrfbgp("status", "--run-dir", daemon.run_dir).stdout
    told = json.loads(vrfbgp("status", "--json", VRFBGP_RUN_DIR=str(daemon.run_dir)).stdout)
    assert [network["name"] for network in told["networks"]] == ["red", "yellow"]


def test_status_that_is_watched_is_told_again_until_it_is_interrupted(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(screen.time, "sleep", sleep)
    done = vrfbgp("status", "--watch", "--json", "--run-dir", daemon.run_dir)
    assert done.exit_code == 0
    assert [json.loads(line)["node"] for line in done.stdout.splitlines()] == ["node-1"] * 3
    assert "\x1b" not in done.stdout, "nothing is cleared and coloured but a terminal"


def test_events_are_a_line_each_and_as_json_an_object_each(daemon: Daemon) -> None:
    daemon.journal.write(1000.0, "peer.up", "peer red/192.0.2.1", "hold\ntime \x1b[31m90 s", warning=False)
    daemon.journal.write(1001.0, "peer.down", "peer yellow/192.0.2.1", "x" * 300, warning=True)
    first, second = vrfbgp("events", "--run-dir", daemon.run_dir).stdout.splitlines()
    assert first.endswith("peer.up peer red/192.0.2.1: hold time \\x1b[31m90 s")
    assert second.endswith("x" * 300)
    told = vrfbgp("events", "--json", "--network", "red", "--code", "peer.*", "--run-dir", daemon.run_dir)
    assert [json.loads(line)["number"] for line in told.stdout.splitlines()] == [1]
    assert vrfbgp("events", "--network", "blue", "--run-dir", daemon.run_dir).exit_code == 1
    assert len(vrfbgp("events", "-n", 1, "--run-dir", daemon.run_dir).stdout.splitlines()) == 1


def test_events_that_are_forgotten_are_told_apart(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    daemon.journal = Journal(1000.0, kept=2)
    daemon.journal.write(1000.0, "a", "", "", warning=False)

    def sleep(_: float) -> None:
        if len(daemon.asked) > 1:
            raise KeyboardInterrupt
        for _ in range(5):
            daemon.journal.write(1000.0, "b", "", "", warning=False)

    monkeypatch.setattr(follow.time, "sleep", sleep)
    done = vrfbgp("events", "--follow", "--json", "--run-dir", daemon.run_dir)
    assert done.exit_code == 0, done.output
    assert [json.loads(line)["number"] for line in done.stdout.splitlines()] == [1, 5, 6]
    assert "3 events in between" in done.stderr


def test_routes_are_put_together_from_pages(daemon: Daemon) -> None:
    daemon.node.up(RED)
    daemon.node.learns(RED, *(f"105.8.{number}.0/24" for number in range(30)))

    def told(*words: object) -> dict[str, Any]:
        done = vrfbgp("routes", "red", "--json", "--run-dir", daemon.run_dir, *words)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert len(told()["routes"]) == 31
    assert told()["next"] is None
    assert len(told("--limit", 12)["routes"]) == 12
    assert told("--limit", 12)["next"] is not None
    assert len(told("--within", "105.8.16.0/20")["routes"]) == 14
    assert len(told("--prefix", "105.8.16.0/20", "--longer")["routes"]) == 14
    assert len(told("--prefix", "105.8.16.0/24")["routes"]) == 1
    assert len(told("--installed")["routes"]) == 31
    assert len(told("--best")["received"]) == 30
    assert told("--refused")["received"] == []
    assert told("--state", "unused")["routes"] == []
    assert "--limit" in vrfbgp("routes", "red", "--limit", 12, "--run-dir", daemon.run_dir).stdout
    none = vrfbgp("routes", "red", "--prefix", "105.8.10.1", "--run-dir", daemon.run_dir)
    assert (none.exit_code, "vrfbgp explain red 105.8.10.1" in none.stdout) == (0, True)
    there = vrfbgp("routes", "red", "--prefix", "105.8.1.0/24", "--refused", "--run-dir", daemon.run_dir)
    assert "Not exactly" not in there.stdout


def test_all_routes_are_asked_for_page_by_page(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vrfbgp.cli.paging.LARGEST_PAGE", 10)
    daemon.node.up(RED)
    daemon.node.learns(RED, *(f"105.8.{number}.0/24" for number in range(30)))
    done = vrfbgp("routes", "red", "--limit", 0, "--json", "--run-dir", daemon.run_dir)
    assert len(json.loads(done.stdout)["routes"]) == 31
    assert len(daemon.asked) == 4
    text = vrfbgp("routes", "red", "--limit", 15, "--run-dir", daemon.run_dir).stdout
    assert text.count("installed") == 15
    assert "15 prefixes\n\nThere are more" in text


def test_explain_has_two_forms(daemon: Daemon) -> None:
    daemon.node.up(RED)
    daemon.node.learns(RED, "105.8.10.0/24")
    done = vrfbgp("explain", "red", "105.8.10.0/24", "--run-dir", daemon.run_dir)
    assert "in the kernel" in done.stdout
    done = vrfbgp("explain", "--from", "10.50.0.2", "105.8.10.1", "--run-dir", daemon.run_dir)
    assert "forwarded by network red" in done.stdout
    assert "differs from the kernel: the kernel says: No route to host" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("routes", "blue"), "there are red, yellow"),
        (("routes", "red", "--within", "10.0.0.1/8"), "no prefix"),
        (("routes", "red", "--state", "odd"), "installed"),
        (("routes", "red", "--state", "best"), "add --received"),
        (("explain", "red", "nonsense"), "no prefix"),
        (("explain", "--from", "nonsense", "10.0.0.1"), "no IP address"),
        (("explain", "--from", "10.0.0.1", "2001:db8::1"), "families"),
    ],
)
def test_a_question_that_has_no_answer_ends_with_1(daemon: Daemon, words: tuple[str, ...], said: str) -> None:
    done = vrfbgp(*words, "--run-dir", daemon.run_dir)
    assert done.exit_code == 1
    assert said in done.stderr
    assert "Traceback" not in done.output


def test_reload_tells_what_became_of_the_config(daemon: Daemon) -> None:
    done = vrfbgp("reload", "--run-dir", daemon.run_dir)
    assert (done.exit_code, done.stdout) == (0, "The new config is taken.\n")
    daemon.reloaded = {"changed": False, "refused": []}
    assert "not changed" in vrfbgp("reload", "--run-dir", daemon.run_dir).stdout
    daemon.reloaded = {"changed": False, "refused": ["a.yaml:3: no such field"]}
    done = vrfbgp("reload", "--run-dir", daemon.run_dir)
    assert done.exit_code == 1
    assert "a.yaml:3" in done.stdout


# -- drain -----------------------------------------------------------------------------------------


def test_drain_waits_for_the_end_and_undo_takes_it_back(daemon: Daemon) -> None:
    daemon.node.up(RED)
    done = vrfbgp("drain", "--wait", "2.5", "--run-dir", daemon.run_dir)
    assert done.exit_code == 0, done.output
    assert "Drained: nothing is announced" in done.output
    assert "drain --undo" in done.output
    assert daemon.asked[0] == {"command": "drain", "wait": 2.5}
    told = json.loads(vrfbgp("drain", "--json", "--run-dir", daemon.run_dir).stdout)
    assert (told["done"], told["state"], told["announced"], told["steering"]) == (True, "drained", 0, 0)
    status = vrfbgp("status", "--run-dir", daemon.run_dir).output
    assert "This node leaves: drained" in status
    assert "withdrawn" in status
    undone = vrfbgp("drain", "--undo", "--run-dir", daemon.run_dir)
    assert undone.exit_code == 0
    assert "This node serves: 2 rules steer gateways" in undone.output
    assert "leaves" not in vrfbgp("status", "--run-dir", daemon.run_dir).output


def test_a_drain_that_does_not_end_is_told_and_ends_with_1(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vrfbgp.cli.act.DRAIN_PATIENCE", 0.2)
    daemon.goes_on = daemon.kept = False
    done = vrfbgp("drain", "--run-dir", daemon.run_dir)
    assert done.exit_code == 1
    assert "Not drained yet" in done.output
    assert "state directory can't be written" in done.output
    assert json.loads(vrfbgp("drain", "--json", "--run-dir", daemon.run_dir).stdout)["done"] is False


@pytest.mark.parametrize("wait", ["-1", "soon", "3601"])
def test_a_time_that_is_none_ends_drain_with_2(wait: str) -> None:
    assert vrfbgp("drain", "--wait", wait).exit_code == 2


def test_a_time_to_wait_is_none_of_undo() -> None:
    done = vrfbgp("drain", "--undo", "--wait", "3")
    assert (done.exit_code, "--wait" in done.stderr) == (2, True)
