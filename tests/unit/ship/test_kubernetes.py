"""The manifests in config/kubernetes: their fields exist, they ask for no more than is needed, and what they
mount, name and run is there."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from labs.kubernetes import claims
from tests.unit.config.reading import HOST
from vrfbgp import cli
from vrfbgp.config.load import read
from vrfbgp.config.resolve import resolve
from vrfbgp.intent import Intent
from vrfbgp.model import Family

DIRECTORY = Path(__file__).parents[3] / "config" / "kubernetes"
SCHEMA = json.loads(Path(__file__).with_name("kubernetes.schema.json").read_text())
FILES = sorted(DIRECTORY.glob("*.yaml"))
Object = dict[str, Any]


def objects(*files: Path) -> list[Object]:
    yaml = YAML(typ="safe", pure=True)
    return [found for file in files for found in yaml.load_all(file.read_text())]


def of_kind(kind: str, *files: Path) -> Object:
    [found] = [one for one in objects(*files) if one["kind"] == kind]
    return dict(found)


DAEMON_SET = of_kind("DaemonSet", *FILES)
DEPLOYMENT = of_kind("Deployment", *FILES)
PODS = {
    "daemonset": DAEMON_SET["spec"]["template"]["spec"],
    "sidecar": DEPLOYMENT["spec"]["template"]["spec"],
}


def containers(pod: Object) -> Iterator[Object]:
    yield from pod.get("initContainers", [])
    yield from pod["containers"]


def vrfbgp(pod: Object) -> Object:
    [found] = [one for one in containers(pod) if one["name"] == "vrfbgp"]
    return found


@pytest.fixture(params=PODS)
def pod(request: pytest.FixtureRequest) -> Object:
    return dict(PODS[request.param])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_field_is_one_of_kubernetes(file: Path) -> None:
    found = objects(file)
    assert found
    for one in found:
        kind = {"$ref": f"#/$defs/{one['kind']}", "$defs": SCHEMA["$defs"]}
        jsonschema.Draft202012Validator(kind).validate(one)


def test_the_schema_sees_what_is_misspelt() -> None:
    wrong = json.loads(json.dumps(DAEMON_SET))
    wrong["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readonlyRootFilesystem"] = True
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(wrong)


def test_vrfbgp_gets_one_capability_and_nothing_to_write_to_but_its_volumes(pod: Object) -> None:
    security = vrfbgp(pod)["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert security["readOnlyRootFilesystem"] is True
    assert "privileged" not in security
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert {**pod["securityContext"], **security}["runAsNonRoot"] is True
    for mount in vrfbgp(pod)["volumeMounts"]:
        assert mount["mountPath"].startswith("/etc/") == mount.get("readOnly", False)
    assert pod["automountServiceAccountToken"] is False


def test_what_runs_as_root_is_short_and_can_only_give_a_directory_away() -> None:
    [state] = [one for one in containers(PODS["daemonset"]) if one is not vrfbgp(PODS["daemonset"])]
    assert state["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["CHOWN", "FOWNER"]}
    assert state["securityContext"]["allowPrivilegeEscalation"] is False
    assert [mount["name"] for mount in state["volumeMounts"]] == ["state"]


def test_each_volume_is_mounted_and_each_mount_has_its_volume(pod: Object) -> None:
    mounted = {mount["name"] for one in containers(pod) for mount in one.get("volumeMounts", ())}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_directories_are_those_that_the_daemon_uses(pod: Object) -> None:
    mounts = {mount["mountPath"] for mount in vrfbgp(pod)["volumeMounts"]}
    assert {str(cli.options.RUN_DIR), str(cli.options.STATE_DIR)} <= mounts
    env = {one["name"]: one.get("value", "") for one in vrfbgp(pod)["env"]}
    assert set(env["VRFBGP_CONFIG"].split(":")) == mounts - {
        str(cli.options.RUN_DIR),
        str(cli.options.STATE_DIR),
    }


def test_what_it_is_told_by_the_environment_is_an_option_of_run(pod: Object) -> None:
    run = get_command(cli.app).commands["run"]  # type: ignore[attr-defined]
    known = {option.envvar for option in run.params}
    assert {one["name"] for one in vrfbgp(pod)["env"]} <= known
    assert vrfbgp(pod)["args"] == ["run"]


def test_probes_ask_what_there_is_to_ask(pod: Object) -> None:
    commands = get_command(cli.app).commands  # type: ignore[attr-defined]
    listen = {one["name"]: one.get("value") for one in vrfbgp(pod)["env"]}.get("VRFBGP_LISTEN", "")
    probes = [probe for name, probe in vrfbgp(pod).items() if name.endswith("Probe")]
    assert len(probes) >= 2
    for probe in probes:
        if "exec" in probe:
            program, command, *options = probe["exec"]["command"]
            assert program == "vrfbgp"
            assert set(options) <= {word for option in commands[command].params for word in option.opts}
        else:
            assert f"{probe['httpGet']['host']}:{probe['httpGet']['port']}" == listen
            assert probe["httpGet"]["path"] in ("/livez", "/readyz")
            assert "hostNetwork" in pod, "the kubelet reaches the loopback of the host alone"


def test_a_start_may_take_minutes_and_is_not_ended_for_it(pod: Object) -> None:
    probe = vrfbgp(pod)["startupProbe"]
    assert probe["periodSeconds"] == 1, "or an update waits for nothing"
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 300
    assert "initialDelaySeconds" not in vrfbgp(pod)["livenessProbe"]


def test_an_update_replaces_one_pod_at_a_time_and_never_drains(pod: Object) -> None:
    update = DAEMON_SET["spec"]["updateStrategy"]
    assert update == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}}
    assert "lifecycle" not in inspect.cleandoc(json.dumps(pod))
    assert pod["terminationGracePeriodSeconds"] >= 20


def test_it_runs_where_the_label_is_and_nothing_drives_it_away() -> None:
    found = PODS["daemonset"]
    [term] = found["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert {"key": "egress", "operator": "Exists"} in term["matchExpressions"]
    assert found["tolerations"] == [{"operator": "Exists"}]
    assert found["hostNetwork"] is True
    assert "hostNetwork" not in PODS["sidecar"]


def test_selectors_match_their_templates() -> None:
    for one in (DAEMON_SET, DEPLOYMENT):
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_the_sidecar_is_there_before_the_gateway() -> None:
    [sidecar] = PODS["sidecar"]["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    assert sidecar["startupProbe"]


@pytest.mark.parametrize(("files", "node"), [(("1-config.yaml",), "egress-1"), (("sidecar.yaml",), "gw-0")])
def test_the_configs_in_them_have_no_problem(tmp_path: Path, files: tuple[str, ...], node: str) -> None:
    for one in objects(*(DIRECTORY / name for name in files)):
        for name, text in {**one.get("data", {}), **one.get("stringData", {})}.items():
            (tmp_path / name).write_text(text)
    loaded = read([tmp_path])
    found = resolve(loaded.objects, node=node, labels={"egress": "true"}, host=HOST)
    assert isinstance(found, Intent), found
    assert found.problems == ()
    [network] = found.networks
    assert network.peers
    assert found.gateways
    assert found.enabled


def test_the_sidecar_steers_all_of_its_namespace_and_announces_the_gateway_alone(
    tmp_path: Path,
) -> None:
    """What is forwarded has its client's address when it is routed, and an unbound socket has none."""
    [config] = [one for one in objects(DIRECTORY / "sidecar.yaml") if one["kind"] == "ConfigMap"]
    (tmp_path / "all.yaml").write_text(config["data"]["all.yaml"])
    found = resolve(read([tmp_path]).objects, node="gw-0", labels={}, host=HOST)
    assert isinstance(found, Intent), found
    ranges = [prefix for gateway in found.gateways for prefix in gateway.ranges]
    missed = [ip_network("0.0.0.0/0")]
    for prefix in map(ip_network, map(str, ranges)):
        assert prefix.prefixlen, "the kernel takes no rule for all sources beside others"
        missed = [rest for one in missed for rest in without(one, prefix)]
    assert not missed
    [peer] = found.networks[0].peers
    rules = peer.filters.exports(Family.IPV4)
    [own] = [gateway.ranges for gateway in found.gateways if gateway.name == "vrfbgp/red"]
    assert [(rule.accept, rule.prefix and rule.prefix.network) for rule in rules] == [
        (True, own[0]),
        (False, None),
    ]


def without(whole: IPv4Network, part: IPv4Network) -> list[IPv4Network]:
    """What of a prefix is not in another."""
    if whole.subnet_of(part):
        return []
    return list(whole.address_exclude(part)) if part.subnet_of(whole) else [whole]


def test_references_between_the_objects_hold() -> None:
    known = {(one["kind"], one["metadata"]["name"]) for one in objects(*FILES)}
    for found in PODS.values():
        for volume in found["volumes"]:
            if "configMap" in volume:
                assert ("ConfigMap", volume["configMap"]["name"]) in known
            if "secret" in volume:
                assert ("Secret", volume["secret"]["secretName"]) in known
    spaces = {one["metadata"].get("namespace", "vrfbgp") for one in objects(*FILES)}
    assert spaces == {"vrfbgp"}


def test_the_version_is_that_of_the_project() -> None:
    from vrfbgp import __version__

    images = {one["image"] for found in PODS.values() for one in containers(found)} - {
        "registry.example/gateway:1"
    }
    assert images == {f"vrfbgp:{__version__}"}
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_what_the_cluster_is_asked_is_said_and_what_it_runs_is_what_is_shipped() -> None:
    """`make kubernetes` prints each claim's docstring, and takes the names of images from the manifests."""
    found = claims.Claims.all(claims.Claims.__new__(claims.Claims))
    assert len({claim.__doc__ for claim in found}) == len(found) >= 9
    assert all(claim.__doc__ for claim in found)
    named = {one["image"] for pod in PODS.values() for one in containers(pod)}
    assert named == {claims.image(), claims.gateway_image()}
