"""`vrfbgp schema`: it takes what the daemon takes, and refuses what an editor can know to be wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from tests.unit.config.reading import ENABLED, Files, ours
from tests.unit.config.test_refusals import GATEWAY, NETWORK, PEER, REFUSALS
from vrfbgp.cli import app
from vrfbgp.config.documents import parse
from vrfbgp.config.schema.editor import json_schema
from vrfbgp.config.schema.effect import table
from vrfbgp.config.schema.kinds import CALICO, KINDS, OURS, Kind
from vrfbgp.intent import Reason

CONFIG = Path(__file__).parents[3] / "config"
SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

NODE = """\
apiVersion: v1
kind: Node
metadata:
  name: egress-1
"""

RIGHT = {
    "a quoted number": NETWORK.replace("500", "'500'"),
    "null is not given": PEER + "  filters: null\n  password: null\n  nextHopMode: null\n",
    "yes of YAML 1.1": PEER + "  keepOriginalNextHop: yes\n",
    "a dotted AS number": PEER + "  localASNumber: 0.100\n",
    "another dotted AS number": PEER + "  localASNumber: 1.10\n",
    "a small duration": PEER + "  keepaliveTime: 0.5m2000ms\n",
    "a port": PEER.replace("172.16.1.140", "172.16.1.140:1790"),
    "an IPv6 peer": PEER.replace("172.16.1.140", "'[fd00::1]:179'"),
    "space around": PEER.replace("172.16.1.140", "' 172.16.1.140 '"),
    "the CRD's version": PEER.replace("projectcalico.org/v3", "crd.projectcalico.org/v1"),
    "ours": ours(PEER) + "  holdTime: 30s\n  passive: true\n  maxPrefixes: {limit: '5'}\n",
    "a label that is no string": NODE + "  labels: {egress: true, rack: 010, empty: null}\n",
    "what a cluster adds": NODE
    + "  uid: x\n  managedFields: [{}]\nspec: {taints: [], podCIDR: 10.0.0.0/24}\n",
    "a status": PEER + "status: {anything: [1]}\n",
    "a word in any case": ENABLED.replace("Enabled}", "enabled, logSeverityScreen: warning}"),
    "a List": f"apiVersion: v1\nkind: List\nitems:\n- {json.dumps(parse('x', NODE.encode())[0][0].value)}\n",
    "a kind that is left alone": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {}\nspec: {replicas: 1}\n",
    "another's BGPPeer": "apiVersion: metallb.io/v1beta2\nkind: BGPPeer\nspec: {myASN: 1}\n",
}

WRONG = {
    "a misspelt field": PEER + "  nodeSelektor: all()\n",
    "a misspelt field within": PEER + "  password: {secretKeyRef: {nam: x, name: x, key: y}}\n",
    "our field in Calico's version": PEER + "  holdTime: 30s\n",
    "a version that is none": PEER.replace("org/v3", "org/v4"),
    "another kind's version": GATEWAY.replace("operator.tigera.io/v1", "projectcalico.org/v3"),
    "no kind": "apiVersion: v1\nmetadata: {name: x}\n",
    "no name": NETWORK.replace("  name: red\n", "  labels: {}\n"),
    "nothing but a name": NETWORK.partition("spec")[0],
    "null where something is needed": NETWORK.replace("500", "null"),
    "a word for a number": NETWORK.replace("500", "five"),
    "no whole number": NETWORK.replace("500", "500.5"),
    "beyond the range": ours(NETWORK) + "  maxPaths: 257\n",
    "none of the words": ours(NETWORK) + "  failureMode: open\n",
    "a duration without unit": PEER + "  keepaliveTime: 30\n",
    "no address": PEER.replace("172.16.1.140", "172.16.1.400"),
    "no AS number": PEER.replace("65001", "AS65001"),
    "a string for a list": PEER + "  filters: one\n",
    "a quoted boolean": PEER + "  keepOriginalNextHop: 'true'\n",
    "a mapping for a string": PEER.replace("externalNetwork: red", "externalNetwork: {name: red}"),
    "wrong within a List": "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1}]\n",
    "no object": "- 1\n",
}

BEYOND = {
    "spec.peerIP",  # a port of 0
    "spec.nodeSelector",  # its grammar
    "spec.ipPools[0]",  # neither of two fields
    "spec.ipPools[0].cidr",  # a length beyond the address
    "spec.exportV4[0].operations[0]",  # two of fields of which there may be one
}
"""What an editor is not told, of REFUSALS."""


def values(text: str) -> list[Any]:
    """The documents of a text, as the daemon reads them."""
    documents, problems = parse("config.yaml", text.encode())
    assert not problems
    return [document.value for document in documents]


def faults(text: str) -> list[str]:
    return [error.message for value in values(text) for error in VALIDATOR.iter_errors(value)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "path",
    sorted(path for name in ("example", "minimal") for path in (CONFIG / name).rglob("*.yaml")),
    ids=lambda path: str(path.relative_to(CONFIG)),
)
def test_our_own_configs_are_right(path: Path) -> None:
    text = path.read_text()
    assert values(text)
    assert not faults(text)


@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_is_taken_is_right(files: Files, text: str) -> None:
    assert not files.load(text).refused
    assert not faults(text)


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG)
def test_what_an_editor_can_know_is_wrong(files: Files, text: str) -> None:
    assert files.load(text).refused
    assert faults(text)


def test_fields_and_types_that_are_refused_are_wrong() -> None:
    known = [one for one in REFUSALS if one[1] in (Reason.UNKNOWN_FIELD, Reason.WRONG_TYPE)]
    missed = {path for text, _, _, path, _ in known if not faults(text)}
    assert missed == BEYOND


def test_an_editor_offers_kinds_and_versions() -> None:
    """Beside `oneOf`, as of that it takes the best match alone, and in a new document none is."""
    offered = {name: form["anyOf"][0]["enum"] for name, form in SCHEMA["properties"].items()}
    assert set(offered["kind"]) == {kind.name for kind in KINDS}
    assert set(offered["apiVersion"]) == {version for kind in KINDS for version in kind.versions}


def _properties(kind: Kind, version: str) -> Iterator[str]:
    """The paths below spec of one form, found by apiVersion and kind."""
    definitions = SCHEMA["$defs"]
    (form,) = [
        one
        for one in definitions.values()
        if one.get("properties", {}).get("kind") == {"const": kind.name}
        and version
        in one["properties"]["apiVersion"].get("enum", [one["properties"]["apiVersion"].get("const")])
    ]

    def below(form: Any, prefix: str) -> Iterator[str]:
        form = next((one for one in form.get("anyOf", ()) if "$ref" in one), form)
        if "$ref" in form:
            form = definitions[form["$ref"].removeprefix("#/$defs/")]
        for name, inner in form.get("properties", {}).items():
            yield f"{prefix}.{name}"
            many = inner.get("type") in ("array", ["array", "null"])
            yield from below(inner["items"] if many else inner, f"{prefix}.{name}" + "[]" * many)

    return below(form["properties"]["spec"], "spec")


@pytest.mark.parametrize(
    "kind", [kind for kind in KINDS if kind.spec], ids=lambda kind: f"{kind.version}-{kind}"
)
def test_every_field_is_there_and_ours_in_our_version_alone(kind: Kind) -> None:
    assert kind.spec
    fields = {field.path: field.ours for field in table(kind.spec)}
    assert fields.keys() <= set(_properties(kind, kind.versions[-1]))
    if kind.versions[-1] == OURS and kind.version == CALICO:
        calico = set(_properties(kind, CALICO))
        assert not calico & {path for path, is_ours in fields.items() if is_ours}


PEER_SPECS = st.fixed_dictionaries(
    {"peerIP": st.ip_addresses().map(str)},
    optional={
        "asNumber": st.one_of(
            st.integers(1, 2**32 - 1),
            st.tuples(st.integers(0, 65535), st.integers(1, 65535)).map("%d.%d".__mod__),
        ),
        "ttlSecurity": st.one_of(st.integers(1, 255), st.integers(1, 255).map(str)),
        "reachableBy": st.ip_addresses().map(str),
        "keepaliveTime": st.sampled_from(["1s", "1m0s", "1h", "2000ms", "1.0s", ".5m"]),
        "holdTime": st.sampled_from(["0", "0s", "1h2m3s", None]),
        "sourceInterface": st.text("aZ09._@+=~-", max_size=15),
        "filters": st.lists(st.sampled_from(["a", "b.c", ""])),
        "passive": st.sampled_from([True, False, "on", "No", None]),
    },
)


@settings(max_examples=200, deadline=None)
@given(spec=PEER_SPECS)
def test_no_peer_that_is_taken_is_wrong(spec: dict[str, Any]) -> None:
    value = {"apiVersion": OURS, "kind": "BGPPeer", "metadata": {"name": "p"}, "spec": spec}
    (kind,) = [kind for kind in KINDS if kind.name == "BGPPeer"]
    try:
        kind.model.model_validate(value)
    except ValueError:
        return
    assert VALIDATOR.is_valid(value)


@given(address=st.ip_addresses(), length=st.integers(0, 128))
def test_every_prefix_is_right(address: Any, length: int) -> None:
    network = ip_network((ip_address(address), min(length, address.max_prefixlen)), strict=False)
    value = {
        "apiVersion": CALICO,
        "kind": "IPPool",
        "metadata": {"name": "p"},
        "spec": {"cidr": str(network)},
    }
    assert VALIDATOR.is_valid(value)


def test_the_command_prints_it() -> None:
    printed = CliRunner().invoke(app, ["schema"])
    assert printed.exit_code == 0
    assert json.loads(printed.stdout) == SCHEMA


def test_the_command_prints_one_kind() -> None:
    printed = json.loads(CliRunner().invoke(app, ["schema", "Node"]).stdout)
    validator = Draft202012Validator(printed)
    (node,) = values(NODE)
    assert validator.is_valid(node)
    assert validator.is_valid(node | {"apiVersion": CALICO})
    assert not validator.is_valid(node | {"kind": "BGPPeer"})


def test_a_kind_that_is_none_is_said() -> None:
    printed = CliRunner().invoke(app, ["schema", "BGPPeers"])
    assert printed.exit_code == 2
    assert "'BGPPeers' is no kind that is read" in " ".join(printed.stderr.replace("│", "").split())
