"""A password of a Secret is told to nobody, whatever is wrong with the files around it."""

from __future__ import annotations

import base64
import json
import warnings
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.unit.nodes import Node
from vrfbgp.cli import app
from vrfbgp.config.apart import understand_apart
from vrfbgp.config.documents import parse
from vrfbgp.config.facts import HostFacts
from vrfbgp.config.question import Question
from vrfbgp.events import ConfigLoaded
from vrfbgp.intent import Intent
from vrfbgp.views.status import status

PASSWORD = "hunter2-Never+seen"
ENCODED = base64.b64encode(PASSWORD.encode()).decode()
HEAD = "apiVersion: v1\nkind: Secret\nmetadata: {name: bgp, namespace: kube-system}\n"
BASICS = """\
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata: {name: red}
spec: {routeTableIndex: 500}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: red-1}
spec:
  peerIP: 172.16.1.140
  asNumber: 64512
  externalNetwork: red
  password: {secretKeyRef: {name: bgp, key: password}}
---
apiVersion: projectcalico.org/v3
kind: FelixConfiguration
metadata: {name: default}
spec: {externalNetworkSupport: Enabled}
---
"""

SECRETS = {
    "good": HEAD + f"data: {{password: {ENCODED}}}\n",
    "as text": HEAD + f"stringData: {{password: {PASSWORD}}}\n",
    "another key": HEAD + f"data: {{passwd: {ENCODED}}}\n",
    "text where base64 belongs": HEAD + f"data: {{password: {PASSWORD}}}\n",
    "base64 in bytes that are no text": HEAD + f"data: {{password: !!binary {ENCODED}}}\n",
    "too long": HEAD + f"stringData: {{password: {PASSWORD * 10}}}\n",
    "with a control character": HEAD + f'stringData: {{password: "{PASSWORD}\\u0007"}}\n',
    "a list": HEAD + f"data: [{ENCODED}]\n",
    "a string": HEAD + f"data: {ENCODED}\n",
    "a mapping too deep": HEAD + f"data: {{password: {{value: {ENCODED}}}}}\n",
    "a list too deep": HEAD + f"stringData: {{password: [{PASSWORD}]}}\n",
    "an unknown field": HEAD + f"data: {{password: {ENCODED}}}\nspec: {{password: {PASSWORD}}}\n",
    "an alias that is a number": HEAD + f"data: *{ENCODED}\n",
    "an anchor twice": HEAD + f"data: {{a: &{ENCODED} x, b: &{ENCODED} y}}\n",
    "a directive": f"%{PASSWORD} x\n---\n" + HEAD,
    "a tag handle": HEAD + f"stringData: {{password: !{PASSWORD.replace('+', '')}!x y}}\n",
    "a key twice": HEAD + f"stringData: {{password: {PASSWORD}, password: {PASSWORD}}}\n",
    "labels": HEAD.replace("}", f", labels: {PASSWORD}}}"),
    "broken YAML in the value": HEAD + f"stringData: {{password: {PASSWORD}: {PASSWORD}\n",
    "an open quote": HEAD + f'stringData:\n  password: "{PASSWORD}\n',
    "an unknown tag": HEAD + f"stringData: {{password: !{PASSWORD} x}}\n",
    "an unknown alias": HEAD + f"stringData: {{password: *{PASSWORD.replace('+', '')}}}\n",
    "a tab": HEAD + f"stringData:\n\tpassword: {PASSWORD}\n",
    "a bad escape": HEAD + f'stringData: {{password: "\\q{PASSWORD}"}}\n',
    "a wrong type of the peer's": BASICS.replace("{secretKeyRef: {name: bgp, key: password}}", PASSWORD)
    + HEAD
    + f"data: {{password: {ENCODED}}}\n",
    "an immutable that is none": HEAD + f"data: {{password: {ENCODED}}}\nimmutable: {PASSWORD}\n",
    "broken JSON": json.dumps(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "b"}, "stringData": {"p": PASSWORD}}
    )[:-2],
}
FORMS = (PASSWORD, PASSWORD.replace("+", ""), ENCODED)


def assert_untold(text: str, what: str) -> None:
    for form in FORMS:
        assert form not in text, what


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_check_tells_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(BASICS + text if "BGPPeer" not in text else text)
    for words in ([], ["--json"]):
        done = CliRunner().invoke(app, ["check", str(tmp_path), "--node", "node-1", *words])
        assert done.exit_code in (0, 1), done.output
        assert_untold(done.output + done.stderr, "check")


@pytest.mark.parametrize("text", [SECRETS["good"], SECRETS["as text"]], ids=["base64", "text"])
def test_what_the_daemon_holds_and_tells_has_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(BASICS + text)
    found = understand_apart(Question((tmp_path,), "node-1", {}, HostFacts("node-1"), False))
    assert isinstance(found, Intent)
    (network,) = found.networks
    assert network.peers[0].password == PASSWORD, "it is there to be told"
    node = Node(found)
    node.up(network.peers[0])
    assert_untold(json.dumps(status(node.core, node.now)), "status")
    assert_untold(
        repr(found) + repr(ConfigLoaded(found)) + repr(node.core.networks["red"].configured), "repr"
    )
    assert_untold("".join(map(str, node.notes)), "events")


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_the_parser_warns_nobody(text: str) -> None:
    """Its warnings go to standard error, with lines of the file in them."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        parse("all.yaml", text.encode())
    assert not heard
