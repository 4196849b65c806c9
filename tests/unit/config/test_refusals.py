"""What can't be understood is refused whole, with its file, line and path, the cause and a remedy."""

from __future__ import annotations

import pytest

from tests.unit.config.reading import ENABLED, RED, Files, joined, ours
from vrfbgp.config.load import read
from vrfbgp.intent import Reason, Severity

PEER = """\
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: red-1
spec:
  externalNetwork: red
  peerIP: 172.16.1.140
  asNumber: 65001
"""

NETWORK = """\
apiVersion: projectcalico.org/v3
kind: ExternalNetwork
metadata:
  name: red
spec:
  routeTableIndex: 500
"""

GATEWAY = """\
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata:
  name: red
spec:
  ipPools:
    - cidr: 10.50.0.2/32
  externalNetworks: [red]
"""

FILTER = """\
apiVersion: projectcalico.org/v3
kind: BGPFilter
metadata:
  name: red-in
spec:
"""

# text, reason, line, path, words of the problem's text
REFUSALS = [
    # syntax
    ("a: [1\n", Reason.SYNTAX, 2, "", "no YAML"),
    ("a: 1\na: 2\n", Reason.SYNTAX, 2, "", "'a' twice"),
    ("just text\n", Reason.SYNTAX, 1, "", "must be a mapping"),
    ("- 1\n", Reason.SYNTAX, 1, "", "must be a mapping"),
    # what it is
    ("kind: BGPPeer\nmetadata: {}\n", Reason.WRONG_TYPE, 1, "apiVersion", "apiVersion is missing"),
    ("\napiVersion: v1\n", Reason.WRONG_TYPE, 2, "kind", "kind is missing"),
    (
        NETWORK.replace("kind: ExternalNetwork", "kind: ExternalNetworks"),
        Reason.UNKNOWN_KIND,
        2,
        "kind",
        "did you mean kind ExternalNetwork, apiVersion projectcalico.org/v3?",
    ),
    (
        NETWORK.replace("projectcalico.org/v3", "projectcalico.org/v4"),
        Reason.UNKNOWN_KIND,
        1,
        "apiVersion",
        "apiVersion projectcalico.org/v3?",
    ),
    (
        NETWORK.replace("projectcalico.org/v3", "v1"),
        Reason.UNKNOWN_KIND,
        1,
        "apiVersion",
        "projectcalico.org/v3?",
    ),
    (
        NETWORK.replace("projectcalico.org/v3", "vrfbgp.io/v1"),
        Reason.UNKNOWN_KIND,
        1,
        "apiVersion",
        "apiVersion vrfbgp.io/v1alpha1?",
    ),
    (
        GATEWAY.replace("operator.tigera.io/v1", "projectcalico.org/v3"),
        Reason.UNKNOWN_KIND,
        1,
        "apiVersion",
        "apiVersion operator.tigera.io/v1?",
    ),
    # names
    (NETWORK.replace("  name: red\n", "  labels: {}\n"), Reason.WRONG_TYPE, 3, "metadata.name", "is missing"),
    (NETWORK.replace("name: red", "name: 'a;b'"), Reason.OUT_OF_RANGE, 4, "metadata.name", "is no name"),
    (NETWORK.replace("name: red", "name: 12"), Reason.WRONG_TYPE, 4, "metadata.name", "quote it"),
    # unknown fields
    (
        PEER + "  nodeSelektor: all()\n",
        Reason.UNKNOWN_FIELD,
        9,
        "spec.nodeSelektor",
        "did you mean nodeSelector?",
    ),
    (PEER + "  peerip: 1.1.1.1\n", Reason.UNKNOWN_FIELD, 9, "spec.peerip", "did you mean peerIP?"),
    (PEER + "  zzz: 1\n", Reason.UNKNOWN_FIELD, 9, "spec.zzz", "remove it"),
    (NETWORK.replace("spec:", "spce:"), Reason.UNKNOWN_FIELD, 5, "spce", "did you mean spec?"),
    (
        PEER + "  password:\n    secretKeyRef:\n      nam: x\n      name: x\n      key: y\n",
        Reason.UNKNOWN_FIELD,
        11,
        "spec.password.secretKeyRef.nam",
        "did you mean name?",
    ),
    (
        GATEWAY.replace(
            "    - cidr: 10.50.0.2/32\n",
            "    - cidr: 10.50.0.2/32\n    - cider: 10.50.0.4/32\n      name: x\n",
        ),
        Reason.UNKNOWN_FIELD,
        8,
        "spec.ipPools[1].cider",
        "did you mean cidr?",
    ),
    # fields of ours
    (
        PEER + "  holdTime: 30s\n",
        Reason.UNKNOWN_FIELD,
        9,
        "spec.holdTime",
        "is a field of vrfbgp.io/v1alpha1: change apiVersion",
    ),
    (
        FILTER + "  exportV4:\n  - action: Accept\n    operations:\n    - setMED: {value: 1}\n",
        Reason.UNKNOWN_FIELD,
        9,
        "spec.exportV4[0].operations[0].setMED",
        "is a field of vrfbgp.io/v1alpha1: change apiVersion",
    ),
    (
        ours(FILTER)
        + "  exportV4:\n  - action: Accept\n    operations:\n    - setMED: {value: 1}\n"
        + "      setPriority: {value: 1}\n",
        Reason.WRONG_TYPE,
        9,
        "spec.exportV4[0].operations[0]",
        "must have one operation",
    ),
    (NETWORK + "  failureMode: Open\n", Reason.UNKNOWN_FIELD, 7, "spec.failureMode", "vrfbgp.io/v1alpha1"),
    # types
    (
        NETWORK.replace("500", "five"),
        Reason.WRONG_TYPE,
        6,
        "spec.routeTableIndex",
        "must be a whole number, is 'five'",
    ),
    (NETWORK.replace("500", "500.5"), Reason.WRONG_TYPE, 6, "spec.routeTableIndex", "must be a whole number"),
    (NETWORK.replace("500", "true"), Reason.WRONG_TYPE, 6, "spec.routeTableIndex", "is true"),
    (NETWORK.replace("500", "[500]"), Reason.WRONG_TYPE, 6, "spec.routeTableIndex", "is a list"),
    (NETWORK.replace("500", "null"), Reason.WRONG_TYPE, 6, "spec.routeTableIndex", "is missing"),
    (
        NETWORK.replace("spec:\n  routeTableIndex: 500", "spec: 500"),
        Reason.WRONG_TYPE,
        5,
        "spec",
        "must be a mapping",
    ),
    (NETWORK.replace("\n  name: red", " red"), Reason.WRONG_TYPE, 3, "metadata", "must be a mapping"),
    (PEER.replace("172.16.1.140", "172.16.1.400"), Reason.WRONG_TYPE, 7, "spec.peerIP", "must be an address"),
    (
        PEER.replace("172.16.1.140", "172.16.1.140:0"),
        Reason.WRONG_TYPE,
        7,
        "spec.peerIP",
        "must be an address",
    ),
    (
        PEER.replace("172.16.1.140", "router.example"),
        Reason.WRONG_TYPE,
        7,
        "spec.peerIP",
        "must be an address",
    ),
    (PEER.replace("65001", "AS65001"), Reason.WRONG_TYPE, 8, "spec.asNumber", "must be an AS number"),
    (PEER + "  nodeSelector: egress = 'red'\n", Reason.WRONG_TYPE, 9, "spec.nodeSelector", "at character 8"),
    (PEER + "  keepaliveTime: 30\n", Reason.WRONG_TYPE, 9, "spec.keepaliveTime", "must be a duration as 90s"),
    (
        PEER + "  keepaliveTime: 30 s\n",
        Reason.WRONG_TYPE,
        9,
        "spec.keepaliveTime",
        "must be a duration as 90s",
    ),
    (PEER + "  filters: one\n", Reason.WRONG_TYPE, 9, "spec.filters", "must be a list"),
    (
        PEER + "  keepOriginalNextHop: 'true'\n",
        Reason.WRONG_TYPE,
        9,
        "spec.keepOriginalNextHop",
        "true or false",
    ),
    (
        GATEWAY.replace("- cidr: 10.50.0.2/32", "- {}"),
        Reason.WRONG_TYPE,
        7,
        "spec.ipPools[0]",
        "name or cidr",
    ),
    (
        GATEWAY.replace("10.50.0.2/32", "10.50.0.2/33"),
        Reason.WRONG_TYPE,
        7,
        "spec.ipPools[0].cidr",
        "must be a CIDR",
    ),
    (
        GATEWAY.replace("  ipPools:\n    - cidr: 10.50.0.2/32\n", ""),
        Reason.WRONG_TYPE,
        5,
        "spec.ipPools",
        "is missing",
    ),
    (
        GATEWAY + "  template: {spec: {nodeSelector: egress}}\n",
        Reason.WRONG_TYPE,
        9,
        "spec.template.spec.nodeSelector",
        "must be a mapping of strings",
    ),
    # ranges
    (
        NETWORK.replace("500", "-1"),
        Reason.OUT_OF_RANGE,
        6,
        "spec.routeTableIndex",
        "between 0 and 4294967295",
    ),
    (NETWORK.replace("500", "4294967296"), Reason.OUT_OF_RANGE, 6, "spec.routeTableIndex", "between 0"),
    (PEER.replace("65001", "4294967296"), Reason.OUT_OF_RANGE, 8, "spec.asNumber", "at most 4294967295"),
    (PEER.replace("65001", "1.65536"), Reason.OUT_OF_RANGE, 8, "spec.asNumber", "at most 65535"),
    (PEER + "  localASNumber: 0\n", Reason.OUT_OF_RANGE, 9, "spec.localASNumber", "between 1"),
    (PEER + "  ttlSecurity: 256\n", Reason.OUT_OF_RANGE, 9, "spec.ttlSecurity", "between 0 and 255"),
    (PEER + "  ttlSecurity: 0\n", Reason.OUT_OF_RANGE, 9, "spec.ttlSecurity", "between 1 and 255"),
    (
        PEER + "  sourceAddress: none\n",
        Reason.OUT_OF_RANGE,
        9,
        "spec.sourceAddress",
        "one of UseNodeIP, None",
    ),
    (PEER + "  nextHopMode: Own\n", Reason.OUT_OF_RANGE, 9, "spec.nextHopMode", "one of Auto, Self, Keep"),
    (PEER + "  keepaliveTime: 500ms\n", Reason.OUT_OF_RANGE, 9, "spec.keepaliveTime", "whole seconds"),
    (PEER + "  maxRestartTime: 2h\n", Reason.OUT_OF_RANGE, 9, "spec.maxRestartTime", "at most 4095s"),
    (ours(PEER) + "  holdTime: 2s\n", Reason.OUT_OF_RANGE, 9, "spec.holdTime", "at least 3s"),
    (
        ours(PEER) + "  holdTime: 30s\n  keepaliveTime: 30s\n",
        Reason.OUT_OF_RANGE,
        10,
        "spec.keepaliveTime",
        "shorter than holdTime",
    ),
    (
        GATEWAY.replace("10.50.0.2/32", "10.50.0.2/24"),
        Reason.OUT_OF_RANGE,
        7,
        "spec.ipPools[0].cidr",
        "write 10.50.0.0/24",
    ),
    (ours(NETWORK) + "  maxPaths: 0\n", Reason.OUT_OF_RANGE, 7, "spec.maxPaths", "between 1"),
    # fields that exclude each other
    (
        PEER + "  node: egress-1\n  nodeSelector: all()\n",
        Reason.EXCLUSIVE_FIELDS,
        10,
        "spec.nodeSelector",
        "together with node",
    ),
    (GATEWAY + "  network: x\n", Reason.EXCLUSIVE_FIELDS, 9, "spec.network", "with externalNetworks"),
    (PEER.replace("172.16.1.140", "fd00::1%eth1"), Reason.WRONG_TYPE, 7, "spec.peerIP", "must be an address"),
    (PEER.replace("172.16.1.140", "fe80::1%"), Reason.WRONG_TYPE, 7, "spec.peerIP", "must be an address"),
    (PEER.replace("172.16.1.140", "1.1.1.1%eth1"), Reason.WRONG_TYPE, 7, "spec.peerIP", "must be an address"),
    (
        ours(PEER).replace("172.16.1.140", "fe80::1%eth1") + "  sourceInterface: eth2\n",
        Reason.EXCLUSIVE_FIELDS,
        9,
        "spec.sourceInterface",
        "is eth2, but peerIP says eth1",
    ),
    (
        ours(PEER) + "  sourceInterface: 'a;b'\n",
        Reason.OUT_OF_RANGE,
        9,
        "spec.sourceInterface",
        "of a device",
    ),
    (PEER + "  network: x\n", Reason.EXCLUSIVE_FIELDS, 9, "spec.network", "together with externalNetwork"),
    (
        PEER + "  reachableBy: fd00::1\n",
        Reason.EXCLUSIVE_FIELDS,
        9,
        "spec.reachableBy",
        "another address family",
    ),
    (
        ours(PEER) + "  sourceIP: fd00::1\n",
        Reason.EXCLUSIVE_FIELDS,
        9,
        "spec.sourceIP",
        "another address family",
    ),
    (ours(PEER) + "  families: [IPv6]\n", Reason.EXCLUSIVE_FIELDS, 9, "spec.families", "must have IPv4"),
    (ours(PEER) + "  families: [IPv5]\n", Reason.OUT_OF_RANGE, 9, "spec.families[0]", "one of IPv4, IPv6"),
    (
        PEER + "  nextHopMode: Self\n  keepOriginalNextHop: true\n",
        Reason.EXCLUSIVE_FIELDS,
        10,
        "spec.keepOriginalNextHop",
        "together with nextHopMode",
    ),
    (
        ENABLED.replace(
            "{externalNetworkSupport: Enabled}",
            "\n  routeTableRanges: []\n  routeTableRange: {min: 1, max: 2}",
        ),
        Reason.EXCLUSIVE_FIELDS,
        7,
        "spec.routeTableRange",
        "together with routeTableRanges",
    ),
    (
        ENABLED.replace("{externalNetworkSupport: Enabled}", "\n  routeTableRanges:\n    - {min: 3, max: 2}"),
        Reason.OUT_OF_RANGE,
        7,
        "spec.routeTableRanges[0].min",
        "larger than max",
    ),
    # twice
    (joined(RED, RED), Reason.DUPLICATE_NAME, 11, "metadata.name", "is also in"),
]


@pytest.mark.parametrize(("text", "reason", "line", "path", "words"), REFUSALS)
def test_refusal(files: Files, text: str, reason: Reason, line: int, path: str, words: str) -> None:
    problem = files.refusal(text)
    assert problem.reason is reason
    assert words in problem.text
    assert (problem.place.line, problem.place.path) == (line, path)
    assert problem.place.file == str(files.directory / "config.yaml")


def test_every_error_of_a_file_is_told(files: Files) -> None:
    loaded = files.load(joined(NETWORK.replace("500", "x"), PEER + "  zzz: 1\n  yyy: 2\n"))
    assert [(problem.place.line, problem.place.path) for problem in loaded.problems] == [
        (6, "spec.routeTableIndex"),
        (17, "spec.zzz"),
        (18, "spec.yyy"),
    ]


def test_a_problem_prints_all_that_is_known(files: Files) -> None:
    problem = files.refusal(PEER + "  peerip: 1.1.1.1\n")
    assert str(problem) == (
        f"{files.directory}/config.yaml:9: spec.peerip: BGPPeer red-1: "
        "spec.peerip is no field of BGPPeer.spec: did you mean peerIP? [unknown-field]"
    )


def test_one_name_in_two_files(files: Files) -> None:
    files.write(RED, "a.yaml")
    files.write(RED, "b.yml")
    (problem,) = read([files.directory]).problems
    assert problem.reason is Reason.DUPLICATE_NAME
    assert problem.place.file.endswith("b.yml")
    assert "a.yaml, line 4" in problem.text


def test_the_same_name_in_two_kinds_and_namespaces_is_fine(files: Files) -> None:
    text = joined(RED, GATEWAY, GATEWAY.replace("name: red\n", "name: red\n  namespace: other\n"), NODES)
    assert not files.load(text).problems


NODES = """
apiVersion: v1
kind: Node
metadata: {name: n}
---
apiVersion: projectcalico.org/v3
kind: Node
metadata: {name: n}
"""


def test_a_secret_is_never_printed(files: Files) -> None:
    text = """
    apiVersion: v1
    kind: Secret
    metadata: {name: s}
    data: {key: {hunter2: x}}
    stringData: [hunter2]
    """
    loaded = files.load(text)
    assert [problem.reason for problem in loaded.problems] == [Reason.WRONG_TYPE] * 2
    assert "hunter2" not in str(loaded.problems)
    understood = files.load(
        text.replace("{hunter2: x}", "aHVudGVyMg==").replace("[hunter2]", "{key: hunter2}")
    )
    assert understood.objects.secrets[0].model.value("key") == b"hunter2"
    assert "hunter2" not in repr(understood)
    assert "aHVudGVyMg" not in repr(understood)


@pytest.mark.parametrize(
    ("file", "content"),
    [("a.yaml", b"\xff\xfe\x00"), ("a.yaml", b"a: &a [*a]"), ("a.yaml", b"[" * 4000), ("a.json", b'{"a": ')],
)
def test_unreadable_files(files: Files, file: str, content: bytes) -> None:
    (files.directory / file).write_bytes(content)
    (problem,) = read([files.directory]).problems
    assert (problem.severity, problem.reason) == (Severity.REFUSED, Reason.SYNTAX)
    assert problem.place.line == 1


def test_aliases_that_explode(files: Files) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    problem = files.refusal("\n".join(lines))
    assert problem.reason is Reason.SYNTAX
    assert "aliases" in problem.text


def test_a_missing_path(files: Files) -> None:
    (problem,) = read([files.directory / "nowhere.yaml"]).problems
    assert problem.severity is Severity.REFUSED
    assert "No such file" in problem.text


def test_a_syntax_error_leaves_the_other_documents(files: Files) -> None:
    loaded = files.load(joined(RED, "a: ]", NETWORK.replace("500", "x")))
    assert [problem.reason for problem in loaded.problems] == [Reason.SYNTAX, Reason.WRONG_TYPE]
    assert [problem.place.line for problem in loaded.problems] == [8, 15]
    assert [entry.name for entry in loaded.objects.networks] == ["red"]
