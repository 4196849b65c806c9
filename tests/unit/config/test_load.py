"""What is accepted: Calico's spelling, cluster dumps, lists, JSON, and the user's small liberties."""

from __future__ import annotations

import json
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.config.reading import ENABLED, HOST, RED, YELLOW, Files, gateway_text, joined, ours, peer_text
from vrfbgp.config.load import read
from vrfbgp.config.resolve import Refused, resolve
from vrfbgp.config.schema.kinds import CALICO_KINDS, KINDS, OURS, find, resembling
from vrfbgp.config.schema.scalars import Endpoint
from vrfbgp.intent import Intent, Reason, Severity

ROOT = Path(__file__).parents[3]


def peer_spec(files: Files, spec: str, address: str = "172.16.1.140"):  # type: ignore[no-untyped-def]
    loaded = files.load(ours(peer_text(spec, address=address)))
    assert not loaded.refused, loaded.problems
    return loaded.objects.peers[0].model.spec


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("64512", 64512),
        ('"64512"', 64512),
        ("1.10", 65546),
        ('"1.10"', 65546),
        ("0.64512", 64512),
        ("65535.65535", 4294967295),
        ("4294967295", 4294967295),
    ],
)
def test_as_numbers(files: Files, text: str, number: int) -> None:
    assert peer_spec(files, f"localASNumber: {text}").local_as_number == number


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("2m0s", 120),
        ("1m30s", 90),
        ("1h0m0s", 3600),
        ("1.5m", 90),
        ("3000ms", 3),
        ("'0'", 0),
        ("0s", 0),
    ],
)
def test_durations(files: Files, text: str, seconds: int) -> None:
    assert peer_spec(files, f"maxRestartTime: {text}").max_restart_time == seconds


@pytest.mark.parametrize(
    ("text", "address", "port", "zone"),
    [
        ("10.0.0.1", "10.0.0.1", None, ""),
        ("10.0.0.1:1790", "10.0.0.1", 1790, ""),
        ("fd00::1", "fd00::1", None, ""),
        ("[fd00::1]", "fd00::1", None, ""),
        ("[fd00::1]:179", "fd00::1", 179, ""),
        ("fe80::1%eth1", "fe80::1", None, "eth1"),
        ("[fe80::1%bond0.7]:179", "fe80::1", 179, "bond0.7"),
    ],
)
def test_peer_addresses(files: Files, text: str, address: str, port: int | None, zone: str) -> None:
    assert peer_spec(files, "", text).peer_ip == Endpoint(ip_address(address), port, zone)


def test_quoted_numbers_are_numbers(files: Files) -> None:
    spec = peer_spec(files, 'ttlSecurity: "1"\n  numAllowedLocalASNumbers: "2"')
    assert (spec.ttl_security, spec.num_allowed_local_as_numbers) == (1, 2)
    assert files.load(RED.replace("500", '"500"')).objects.networks[0].model.spec.route_table_index == 500


def test_labels_are_strings_as_they_were_written(files: Files) -> None:
    loaded = files.load(
        """
        apiVersion: v1
        kind: Node
        metadata:
          name: egress-1
          labels: {egress: true, off: False, zone: 010, version: 1.10, none: , word: yes}
        """
    )
    assert loaded.objects.nodes[0].model.metadata.labels == {
        "egress": "true",
        "off": "false",
        "zone": "010",
        "version": "1.10",
        "none": "",
        "word": "yes",
    }


def test_a_null_is_a_field_that_is_not_there(files: Files) -> None:
    spec = peer_spec(files, "nodeSelector:\n  filters: null\n  password: ~\n  sourceAddress: null")
    assert spec.node_selector is None
    assert spec.filters == ()
    assert spec.source_address == "UseNodeIP"


def test_words_in_any_case_where_calico_takes_them_so(files: Files) -> None:
    loaded = files.load(ENABLED.replace("Enabled", "enabled"))
    assert loaded.objects.felix[0].model.spec.external_network_support == "Enabled"


def test_lists_of_either_form(files: Files) -> None:
    loaded = files.load(
        """
        apiVersion: v1
        kind: List
        items:
          - apiVersion: projectcalico.org/v3
            kind: ExternalNetwork
            metadata: {name: red}
            spec: {routeTableIndex: 500}
          - apiVersion: projectcalico.org/v3
            kind: ExternalNetworkList
            metadata: {resourceVersion: "7"}
            items:
              - metadata: {name: yellow}
                spec:
                  routeTableIndex: nine
        """
    )
    assert [entry.name for entry in loaded.objects.networks] == ["red"]
    (problem,) = loaded.problems
    assert (problem.subject, problem.place.line, problem.place.path) == (
        "ExternalNetwork yellow",
        15,
        "spec.routeTableIndex",
    )


def test_json_with_tabs_and_escapes(files: Files) -> None:
    item = {"apiVersion": "projectcalico.org/v3", "kind": "ExternalNetwork", "metadata": {"name": "red"}}
    wanted = item | {
        "metadata": {"name": "red", "labels": {"note": "a/\t😀"}},
        "spec": {"routeTableIndex": 500},
    }
    text = json.dumps(wanted, indent="\t")
    loaded = files.load(text.replace("a/", "a\\/"), name="config.json")
    assert not loaded.problems
    (entry,) = loaded.objects.networks
    assert entry.model.metadata.labels["note"] == "a/\t😀"
    assert (
        entry.positions.place(("spec", "routeTableIndex")).line
        == text[: text.index("routeTable")].count("\n") + 1
    )


def test_anchors_and_merges(files: Files) -> None:
    loaded = files.load(
        """
        apiVersion: v1
        kind: List
        items:
          - &red
            apiVersion: projectcalico.org/v3
            kind: ExternalNetwork
            metadata: {name: red}
            spec: &spec {routeTableIndex: 500}
          - <<: *red
            metadata: {name: yellow}
            spec:
              <<: *spec
              routeTableIndex: 501
        """
    )
    assert [entry.model.spec.route_table_index for entry in loaded.objects.networks] == [500, 501]


DUMP = """
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: Node
  metadata:
    annotations: {projectcalico.org/IPv4Address: 10.0.0.7/24}
    creationTimestamp: "2025-01-01T00:00:00Z"
    labels: {egress: red, kubernetes.io/hostname: egress-1}
    managedFields:
    - {apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:metadata": {}}, manager: kubelet}
    name: egress-1
    uid: 6f1c
  spec: {podCIDR: 10.244.1.0/24, podCIDRs: [10.244.1.0/24], providerID: x, taints: [{effect: NoSchedule}]}
  status:
    addresses:
    - {address: 10.0.0.7, type: InternalIP}
    - {address: egress-1, type: Hostname}
    capacity: {cpu: "4"}
    images: [{names: [a, b], sizeBytes: 5}]
- apiVersion: crd.projectcalico.org/v1
  kind: ExternalNetwork
  metadata: {generation: 1, name: red, resourceVersion: "7", annotations: {projectcalico.org/metadata: "{}"}}
  spec: {routeTableIndex: 500}
  status: {whatever: [1]}
- apiVersion: operator.tigera.io/v1
  kind: EgressGateway
  metadata: {name: red, namespace: default, finalizers: [x]}
  spec:
    replicas: 1
    logSeverity: Info
    ipPools: [{cidr: 10.50.0.2/31}]
    externalNetworks: [red]
    template:
      metadata: {labels: {egress-code: red}}
      spec:
        nodeSelector: {egress: red}
        terminationGracePeriodSeconds: 0
        tolerations: [{operator: Exists}]
        somethingNew: {a: b}
  status: {conditions: [{type: Ready}]}
- apiVersion: v1
  kind: Secret
  metadata: {name: bgp, namespace: kube-system}
  type: Opaque
  immutable: true
  data: {key: cGFzcw==}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: a}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: b}
- apiVersion: projectcalico.org/v3
  kind: NetworkPolicy
  metadata: {name: a}
  spec: {selector: all()}
- apiVersion: metallb.io/v1beta2
  kind: BGPPeer
  metadata: {name: a}
  spec: {myASN: 1}
"""


def test_a_cluster_dump_loads(files: Files) -> None:
    loaded = files.load(DUMP)
    objects = loaded.objects
    kept = (objects.nodes, objects.networks, objects.gateways, objects.secrets)
    assert [entry.full_name for kind in kept for entry in kind] == [
        "egress-1",
        "red",
        "default/red",
        "kube-system/bgp",
    ]
    assert [(problem.severity, problem.reason, problem.subject) for problem in loaded.problems] == [
        (Severity.NOTICE, Reason.NOT_ACTED_ON, "Deployment"),
        (Severity.NOTICE, Reason.NOT_ACTED_ON, "NetworkPolicy"),
        (Severity.NOTICE, Reason.NOT_ACTED_ON, "BGPPeer"),
    ]


def test_a_field_without_effect_is_named_once(files: Files) -> None:
    silent = "logSeverityScreen: Info"
    felix = f"""
    apiVersion: projectcalico.org/v3
    kind: FelixConfiguration
    metadata: {{name: NAME}}
    spec: {{bpfEnabled: true, {silent}, egressIPSupport: EnabledPerNamespace,
           bpfConntrackTimeouts: {{udpTimeout: 1s}}}}
    """
    peers = [
        peer_text("failureDetectionMode: BFDIfDirectlyConnected", "a", "172.16.1.1"),
        peer_text(
            "failureDetectionMode: BFDIfDirectlyConnected\n  restartMode: GracefulRestart", "b", "172.16.1.2"
        ),
    ]
    loaded = files.load(
        joined(RED, *peers, felix.replace("NAME", "default"), felix.replace("NAME", "node.a"))
    )
    assert {problem.severity for problem in loaded.problems} == {Severity.NOTICE}
    assert sorted(problem.place.path for problem in loaded.problems) == [
        "spec.bpfConntrackTimeouts",
        "spec.bpfEnabled",
        "spec.egressIPSupport",
        "spec.failureDetectionMode",
        "spec.logSeverityScreen",
    ]
    assert [problem.subject for problem in loaded.problems if "failure" in problem.text] == ["BGPPeer a"]


def test_fields_that_limit_are_not_noticed_but_degrade(files: Files) -> None:
    assert not files.load(joined(RED, peer_text("filters: [one]"))).problems


@pytest.mark.parametrize("directory", ["minimal", "example"])
def test_the_examples_load_without_a_word(directory: str) -> None:
    loaded = read([ROOT / "config" / directory])
    assert loaded.objects.networks
    assert [str(problem) for problem in loaded.problems] == []


class TestFiles:
    def test_a_directory_is_read_in_order_without_dotfiles(self, files: Files) -> None:
        for name in ("b.yaml", "a.yml", ".hidden.yaml", "notes.txt", "c.json"):
            files.write(RED.replace("red", name[0].strip(".") or "hidden"), name)
        (files.directory / "sub.yaml").mkdir()
        loaded = read([files.directory])
        assert [entry.name for entry in loaded.objects.networks] == ["a", "b", "c"]

    def test_a_file_named_twice_is_read_once(self, files: Files) -> None:
        path = files.write(RED)
        loaded = read([files.directory, path, files.directory / "." / path.name])
        assert not loaded.problems

    def test_a_configmap_mount(self, files: Files) -> None:
        version = files.directory / "..2025_01_01"
        version.mkdir()
        (version / "red.yaml").write_text(RED)
        (files.directory / "..data").symlink_to("..2025_01_01")
        (files.directory / "red.yaml").symlink_to("..data/red.yaml")
        loaded = read([files.directory])
        assert [entry.name for entry in loaded.objects.networks] == ["red"]
        assert loaded.objects.networks[0].positions.file == str(files.directory / "red.yaml")
        assert not loaded.problems

    def test_an_empty_directory_is_told(self, files: Files) -> None:
        (problem,) = read([files.directory]).problems
        assert (problem.severity, problem.reason) == (Severity.NOTICE, Reason.NO_EFFECT)

    def test_empty_documents_are_nothing(self, files: Files) -> None:
        assert not files.load("---\n---\n# a comment\n---\n").problems


class TestLenient:
    """At a start without a last good config: what is understood is kept, what is not is marked."""

    def test_a_gateway_keeps_its_ranges(self, files: Files) -> None:
        text = gateway_text(pools="[{cidr: 10.50.0.2/32}, {cidr: nonsense}, {cider: 1}]") + "  zzz: 1\n"
        (entry,) = files.load(text, lenient=True).objects.gateways
        assert [str(ref.cidr) for ref in entry.model.spec.ip_pools] == ["10.50.0.2/32"]
        assert entry.broken
        assert not files.load(text).objects.gateways

    def test_a_misspelt_kind_is_kept_as_what_it_resembles(self, files: Files) -> None:
        text = gateway_text().replace("kind: EgressGateway", "kind: EgressGateways")
        (entry,) = files.load(text, lenient=True).objects.gateways
        assert [problem.reason for problem in entry.broken] == [Reason.UNKNOWN_KIND]

    def test_what_lacks_something_is_left_out(self, files: Files) -> None:
        loaded = files.load(joined(RED.replace("500", "five"), YELLOW), lenient=True)
        assert [entry.name for entry in loaded.objects.networks] == ["yellow"]

    def test_the_problems_are_the_same(self, files: Files) -> None:
        text = joined(RED, RED, peer_text("zzz: 1"), "a: ]")
        assert files.load(text, lenient=True).problems == files.load(text).problems


class TestKinds:
    @pytest.mark.parametrize("kind", KINDS, ids=str)
    def test_every_kind_is_found_by_its_versions(self, kind) -> None:  # type: ignore[no-untyped-def]
        assert all(find(version, kind.name) is kind for version in kind.versions)
        assert not any(find(version, kind.name + "s") for version in kind.versions)

    @pytest.mark.parametrize("name", sorted(CALICO_KINDS))
    def test_calicos_other_kinds_are_no_misspellings(self, name: str) -> None:
        assert resembling("projectcalico.org/v3", name) is None

    @pytest.mark.parametrize(
        ("version", "name"),
        [
            ("v1", "Pod"),
            ("v1", "Namespace"),
            ("v1", "ConfigMap"),
            ("v1", "Event"),
            ("v1", "Service"),
            ("v1", "Endpoints"),
            ("metrics.k8s.io/v1beta1", "NodeMetrics"),
            ("networking.k8s.io/v1", "NetworkPolicy"),
            ("metallb.io/v1beta2", "BGPPeer"),
            ("metallb.io/v1beta1", "IPAddressPool"),
            ("whereabouts.cni.cncf.io/v1alpha1", "IPPool"),
            ("cilium.io/v2alpha1", "CiliumBGPPeerConfig"),
        ],
    )
    def test_nor_are_others_kinds(self, version: str, name: str) -> None:
        assert find(version, name) is None
        assert resembling(version, name) is None

    def test_the_superset_holds_for_calicos_kinds_alone(self) -> None:
        assert find(OURS, "EgressGateway")
        assert find(OURS, "Secret") is None


_KEYS = st.sampled_from(
    [
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "items",
        "name",
        "labels",
        "ipPools",
        "cidr",
        "peerIP",
        "asNumber",
    ]
)
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(
        [kind.name for kind in KINDS] + [kind.version for kind in KINDS] + ["List", "10.0.0.0/8"]
    )
)
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS | st.text(max_size=5), inner),
    max_leaves=20,
)
_OBJECTS = st.builds(
    lambda kind, metadata, spec: {
        "apiVersion": kind.version,
        "kind": kind.name,
        "metadata": metadata,
        "spec": spec,
    },
    st.sampled_from(KINDS),
    st.just({"name": "x"}) | _TREES,
    st.dictionaries(_KEYS | st.sampled_from(["externalNetworks", "nodeSelector", "template", "bgp"]), _TREES)
    | _TREES,
)


def use(paths: list[Path], *, lenient: bool) -> None:
    """All that a daemon does with files."""
    loaded = read(paths, lenient=lenient)
    found = resolve(loaded.objects, node="egress-1", labels={}, host=HOST, lenient=lenient)
    assert isinstance(found, Intent) or not lenient
    assert isinstance(found, Refused) or lenient or not loaded.refused
    assert all(map(str, found.problems))


class TestNeverRaises:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
    @given(st.lists(_OBJECTS | _TREES, max_size=3), st.booleans())
    def test_on_any_values(self, files: Files, values: list[object], lenient: bool) -> None:
        (files.directory / "any.json").write_text(
            json.dumps({"kind": "List", "apiVersion": "v1", "items": values})
        )
        use([files.directory / "any.json"], lenient=lenient)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
    @given(
        st.binary(max_size=60) | st.text(alphabet="ab:-[]{}&*!|>'\"#%@, \n\t?<.", max_size=60).map(str.encode)
    )
    def test_on_any_bytes(self, files: Files, content: bytes) -> None:
        (files.directory / "any.yaml").write_bytes(content)
        for problem in read([files.directory / "any.yaml"]).problems:
            assert str(problem)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
    @given(st.data())
    def test_on_a_good_file_with_a_piece_changed(self, files: Files, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(DUMP)))
        end = data.draw(st.integers(start, min(len(DUMP), start + 20)))
        piece = data.draw(st.text(alphabet="ab1:-[]{}&*'\" \n.", max_size=6))
        (files.directory / "any.yaml").write_text(DUMP[:start] + piece + DUMP[end:])
        use([files.directory / "any.yaml"], lenient=True)
