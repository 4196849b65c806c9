"""Metrics: what they say, that looking costs nothing, and that all that is built on them exists."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.unit.nodes import RED, YELLOW, Node, intent, peer, route
from tests.unit.rib import wire
from vrfbgp.events import ConfigLoaded, LinksRead, Updates
from vrfbgp.fib.delta import Delta
from vrfbgp.intent import NetworkIntent, PrefixLimit
from vrfbgp.journal import Journal
from vrfbgp.model import Family
from vrfbgp.noroute import no_route_packets, of_ipv6_by
from vrfbgp.observe import exposition, metrics, names
from vrfbgp.observe.names import METRICS, Kind

PROJECT = Path(__file__).resolve().parents[3]
OBSERVE = PROJECT / "config" / "observe"
PAGE = (PROJECT / "docs" / "metrics.md").read_text()
RED_1 = {"network": "red", "peer": "red-1", "address": "172.16.1.140"}


def scraped(node: Node, journal: Journal | None = None) -> str:
    taken = metrics.Sampling(node.now)
    taken.core(node.core)
    taken.events(journal or Journal(1000.0))
    taken.edges(0.5, {"red": 7}, {Family.IPV4: 3})
    return exposition.text(taken.samples).decode()


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """By name and labels; fails if Prometheus could not read it, or two samples are one series."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series = sample.name, frozenset(sample.labels.items())
            assert series not in found
            found[series] = sample.value
    return found


def value(node: Node, name: str, **labels: str) -> float | None:
    return values(scraped(node)).get((name, frozenset(labels.items())))


def test_a_session_and_its_routes_are_counted() -> None:
    node = Node()
    assert value(node, "vrfbgp_peer_up", **RED_1) == 0
    node.up(RED)
    node.learns(RED, "105.8.10.0/24", "105.8.11.0/24", "127.1.0.0/16")
    of_red = RED_1 | {"family": "ipv4"}
    assert value(node, "vrfbgp_peer_up", **RED_1) == 1
    assert value(node, "vrfbgp_peer_received_prefixes", **of_red) == 3
    assert value(node, "vrfbgp_peer_accepted_prefixes", **of_red) == 2
    assert value(node, "vrfbgp_peer_refused_prefixes", **of_red, reason="martian") == 1
    assert value(node, "vrfbgp_peer_updates_total", **RED_1) == 1
    assert value(node, "vrfbgp_peer_announced_prefixes", **RED_1) == 1
    assert value(node, "vrfbgp_network_routes", network="red", family="ipv4") == 2
    assert value(node, "vrfbgp_network_routes_pending", network="red", family="ipv4") == 0
    assert value(node, "vrfbgp_network_state", network="red", state="syncing") == 1
    assert value(node, "vrfbgp_network_state", network="red", state="ok") == 0
    assert value(node, "vrfbgp_gateway_addresses", gateway="default/red") == 1
    assert value(node, "vrfbgp_network_uplink_up", network="red", device="red0") == 1
    assert value(node, "vrfbgp_speaker_up", network="red") == 1
    assert value(node, "vrfbgp_speaker_up", network="yellow") == 0
    assert value(node, "vrfbgp_network_backlog_bytes", network="red") == 7
    assert value(node, "vrfbgp_node_no_route_packets_total", family="ipv4") == 3


def test_an_uplink_without_a_carrier_is_told() -> None:
    node = Node()
    node.links[2] = replace(node.links[2], running=False)
    node.core.handle(LinksRead(dict(node.links), node.addresses), node.now)
    node.settle()
    assert value(node, "vrfbgp_network_uplink_up", network="red", device="red0") == 0
    assert value(node, "vrfbgp_network_uplink_up", network="yellow", device="yellow0") == 1


def test_what_the_kernel_has_not_got_is_pending_and_what_is_others_is_not() -> None:
    foreign = route("198.51.100.0/24", 500, 2)
    node = Node(foreign=[replace(foreign, key=replace(foreign.key, metric=20000))])
    node.up(RED)
    labels = {"network": "red", "family": "ipv4"}
    assert value(node, "vrfbgp_network_routes_pending", **labels) == 0
    made = wire.update(["105.8.10.0/24"], next_hop="172.16.1.140")
    node.core.handle(Updates(RED.id, 1, made), node.now)
    node.core.effects(node.now)
    assert value(node, "vrfbgp_network_routes_pending", **labels) == 0, "it is handed out"
    node.core.reconciler.slices[500, Family.IPV4, 20000].lack([bytes((24, 105, 8, 10))])
    assert value(node, "vrfbgp_network_routes_pending", **labels) == 1


def test_a_scrape_leaves_bulk_in_its_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "LOOKED_AT", 10)
    delta: Delta[bytes, int] = Delta()
    runs = [bytes((32, 10, 0, 0, number)) for number in range(11)]
    delta.told(runs, None, 7)
    assert metrics._pending(delta) == 11  # type: ignore[arg-type]
    assert delta.take_fresh() == [(7, runs)]


def test_a_config_that_is_gone_leaves_no_series() -> None:
    node = Node()
    node.core.handle(ConfigLoaded(intent(networks=(), gateways=())), node.now)
    node.settle()
    assert '="red' not in scraped(node)


def test_peers_that_differ_by_port_alone_are_two_series() -> None:
    other = peer("red-2", "red", "172.16.1.140")
    other = replace(other, id=replace(other.id, port=1179))
    node = Node(intent(networks=(NetworkIntent("red", 500, (RED, other)),)))
    text = scraped(node)
    values(text)
    assert "1179" not in text


def test_limits_and_events_are_told() -> None:
    limited = peer("red-1", "red", "172.16.1.140", max_prefixes=PrefixLimit(10))
    node = Node(intent(networks=(NetworkIntent("red", 500, (limited,)),)))
    assert value(node, "vrfbgp_peer_prefix_limit", **RED_1, family="ipv4") == 10
    journal = Journal(1000.0)
    journal.count("peer.up")
    journal.write(1234.0, "config.applied", "", "", warning=False)
    found = values(scraped(node, journal))
    assert found["vrfbgp_events_total", frozenset({("code", "peer.up")})] == 1
    assert found["vrfbgp_config_applied_timestamp_seconds", frozenset()] == 1234


def test_each_metric_is_filled_with_its_own_labels() -> None:
    """Once there is something to tell; and nothing else is exposed but what the process library has."""
    limited = peer("red-1", "red", "172.16.1.140", max_prefixes=PrefixLimit(10))
    node = Node(
        intent(networks=(NetworkIntent("red", 500, (limited,)), NetworkIntent("yellow", 501, (YELLOW,))))
    )
    node.up(limited)
    node.learns(limited, "105.8.10.0/24", "127.1.0.0/16")
    journal = Journal(1000.0)
    journal.write(1234.0, "config.applied", "", "", warning=False)
    labels: dict[str, set[frozenset[str]]] = {}
    for name, series in values(scraped(node, journal)):
        labels.setdefault(name, set()).add(frozenset(label for label, _ in series))
    expected = {metric.shown: {frozenset(metric.labels)} for metric in METRICS}
    assert {name: of for name, of in labels.items() if not name.startswith("process_")} == expected


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.shown)
def test_names_are_as_prometheus_wants_them(metric: names.Metric) -> None:
    assert re.fullmatch(r"vrfbgp_[a-z_]+", metric.name)
    assert not metric.name.endswith("_total")
    assert not {"prefix", "port"} & set(metric.labels)
    assert metric.meaning.endswith(".")


def test_no_route_packets_are_read_as_the_kernel_writes_them(tmp_path: Path) -> None:
    (tmp_path / "netstat").write_text("TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InX\nIpExt: 42 1\n")
    (tmp_path / "snmp6").write_text("Ip6InReceives  \t9\nIp6InNoRoutes   \t5\n")
    assert no_route_packets(tmp_path) == {Family.IPV4: 42, Family.IPV6: 5}
    assert no_route_packets(tmp_path / "nowhere") == {}
    (tmp_path / "dev_snmp6").mkdir()
    (tmp_path / "dev_snmp6" / "cali1").write_text("ifIndex \t4\nIp6InNoRoutes   \t7\n")
    assert of_ipv6_by(["cali1", "gone"], tmp_path) == {"cali1": 7}
    assert Family.IPV4 in no_route_packets(Path("/proc/self/net"))


# -- what is built on them ---------------------------------------------------------------------------

KNOWN = {metric.shown: metric for metric in METRICS}
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total", "process_start_time_seconds", "up"}
ALWAYS = {"instance", "job"}
"""Labels that Prometheus adds."""
_SELECTOR = re.compile(r"\b(up\b|[a-z]\w*_\w+)\s*(?:\{([^}]*)\})?")
_BY = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_FUNCTIONS = {"label_values", "count_values", "group_left", "group_right", "label_replace", "max_over_time"}


def expressions(value: Any) -> Iterator[str]:
    """All PromQL in a dashboard or a file of rules."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if value.get("type") == "datasource":
                continue
            if key in ("expr", "query") and isinstance(inner, str):
                yield inner
            else:
                yield from expressions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from expressions(inner)


def used(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Metrics of an expression, with the labels that are matched on."""
    bare = re.sub(r'"[^"]*"', '""', _BY.sub(" ", expression))
    for name, matchers in _SELECTOR.findall(bare):
        if name not in _FUNCTIONS:
            yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def check(expression: str) -> None:
    found = dict(used(expression))
    assert found, expression
    possible = set(ALWAYS)
    for name, matched in found.items():
        assert name in KNOWN or name in PROCESS, f"{name} is no metric: {expression}"
        labels = ALWAYS | set(KNOWN[name].labels if name in KNOWN else ())
        possible |= labels
        assert matched <= labels, f"{name} has no label {matched - labels}: {expression}"
    for grouped in _BY.findall(expression):
        labels = {label.strip() for label in grouped.split(",") if label.strip()}
        assert labels <= possible, f"nothing has the label {labels - possible}: {expression}"


@pytest.mark.parametrize(
    "broken", ["vrfbgp_peer_upp == 0", 'vrfbgp_peer_up{port="1"}', "sum by (prefix) (vrfbgp_peer_up)"]
)
def test_the_check_itself_finds_what_is_wrong(broken: str) -> None:
    with pytest.raises(AssertionError):
        check(broken)


def alerts() -> list[dict[str, Any]]:
    groups = YAML(typ="safe").load((OBSERVE / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_alerts_ask_for_what_is_there_and_say_what_to_do(rule: dict[str, Any]) -> None:
    check(rule["expr"])
    assert rule["labels"]["severity"] in ("critical", "warning")
    words = rule["annotations"]
    assert words["summary"]
    assert "vrfbgp " in words["description"], "it names a command to look with"
    known = [KNOWN[name].labels for name, _ in used(rule["expr"]) if name in KNOWN]
    labels = {label for of in known for label in of} | ALWAYS
    templated = set(re.findall(r"\$labels\.(\w+)", words["summary"] + words["description"]))
    assert templated <= labels
    for command in re.findall(r"`vrfbgp ([a-z]+)", words["description"]):
        assert command in ("status", "events", "explain", "routes", "check", "drain", "reload")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((OBSERVE / "dashboard.json").read_text())
    return found


def test_the_dashboard_asks_for_what_is_there() -> None:
    asked = list(expressions(dashboard()))
    assert len(asked) > 10
    for expression in asked:
        check(expression)


def test_the_dashboards_panels_are_whole_and_lie_apart() -> None:
    board = dashboard()
    places = [panel["gridPos"] for panel in board["panels"]]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(0 <= x < 24 for x, _ in cells)
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    variables = {variable["name"] for variable in board["templating"]["list"]}
    assert set(re.findall(r"\$(\w+)", " ".join(expressions(board)))) <= variables | {"__rate_interval"}
    for panel in board["panels"]:
        assert panel["title"]
        assert panel["type"] == "row" or panel["targets"]


def test_the_page_on_metrics_has_each_with_its_labels_and_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \| (.+) \|$", PAGE, re.MULTILINE)
    told = {name: (labels, meaning) for name, labels, meaning in rows if name.startswith("vrfbgp_")}
    expected = {
        metric.shown: (", ".join(f"`{label}`" for label in metric.labels), metric.meaning)
        for metric in METRICS
    }
    assert told == expected
    assert all(metric.kind in Kind for metric in METRICS)


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed: it comes with Prometheus")
def test_prometheus_itself_takes_rules_and_metrics_and_raises_what_it_should(tmp_path: Path) -> None:
    assert PROMTOOL is not None
    rules = [
        {
            "record": f"test:{number}",
            "expr": re.sub(r"\$(?!__)\w+", ".*", asked).replace("$__rate_interval", "5m"),
        }
        for number, asked in enumerate(expressions(dashboard()))
        if not asked.startswith("label_values")
    ]
    asked_for = tmp_path / "dashboard.yaml"
    asked_for.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    node = Node()
    node.up(RED)
    for words, given in (
        (["check", "rules", str(OBSERVE / "alerts.yaml"), str(asked_for)], ""),
        (["test", "rules", str(Path(__file__).with_name("alerts.test.yaml"))], ""),
        (["check", "metrics"], scraped(node)),
    ):
        done = subprocess.run([PROMTOOL, *words], input=given, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
