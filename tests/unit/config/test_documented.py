"""Manifests of the shapes that Calico's own documentation shows load as they are: all is understood, and what
has no effect is named with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.unit.config.reading import HOST, gateway, network, peer, reasons
from vrfbgp.config.load import read
from vrfbgp.config.resolve import resolve
from vrfbgp.intent import Intent, NextHopMode, Reason, Severity, SourceMode

SHAPES = Path(__file__).parent / "documented"

NOTICES = {
    "EgressGateway": {"replicas", "egressGatewayFailureDetection", "aws"},
    "IPPool": {
        "blockSize",
        "nodeSelector",
        "allowedUses",
        "awsSubnetID",
        "ipipMode",
        "natOutgoing",
    },
    "BGPPeer": {
        "failureDetectionMode",
        "restartMode",
        "birdGatewayMode",
        "peerSelector",
        "localWorkloadSelector",
        "reversePeering",
        "network",
    },
    "BGPConfiguration": {
        "nodeToNodeMeshEnabled",
        "nodeMeshMaxRestartTime",
        "nodeMeshPassword",
        "bindMode",
        "ignoredInterfaces",
        "localWorkloadPeeringIPV4",
        "localWorkloadPeeringIPV6",
        "ipv4NormalRoutePriority",
        "ipv6NormalRoutePriority",
        "programClusterRoutes",
    },
}
"""What is set there to something, and has no effect here."""


@pytest.mark.parametrize("path", sorted(SHAPES.iterdir()), ids=lambda path: path.stem)
def test_each_file_is_understood_and_tells_why_of_what_has_no_effect(path: Path) -> None:
    for problem in read([path]).problems:
        assert (problem.severity, problem.reason) == (Severity.NOTICE, Reason.NOT_ACTED_ON), str(problem)
        assert "is understood, but not acted on: " in problem.text, str(problem)


def test_just_the_fields_that_have_no_effect_are_named() -> None:
    named: dict[str, set[str]] = {}
    for problem in read([SHAPES]).problems:
        path, _, kind = problem.text.removeprefix("spec.").partition(" is understood")[0].partition(" of ")
        named.setdefault(kind, set()).add(path)
    assert named == NOTICES


@pytest.mark.parametrize("as_json", [False, True])
def test_together_they_are_what_they_say(tmp_path: Path, as_json: bool) -> None:
    for path in SHAPES.iterdir():
        text = path.read_text()
        if as_json:
            items = list(YAML(typ="safe", pure=True).load_all(text))
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=1)
        (tmp_path / f"{path.stem}.{'json' if as_json else 'yaml'}").write_text(text)
    found = resolve(read([tmp_path]).objects, node="egress-1", labels={}, host=HOST)
    assert isinstance(found, Intent), found
    assert found.enabled
    assert found.tables == {700: "crimson", 701: "amber"}
    assert not network(found, "crimson").degraded
    router = peer(found, "crimson.router")
    assert (router.local_as, router.peer_as, router.source) == (64601, 64700, SourceMode.UPLINK)
    rack = peer(found, "top-of-rack")
    assert (rack.id.port, rack.peer_as, rack.password, rack.ttl_security) == (
        1790,
        4200000001,
        "a password",
        1,
    )
    assert (rack.allowed_local_as, len(rack.filters.import_v4), len(rack.filters.export_v4)) == (1, 2, 2)
    assert peer(found, "everywhere").next_hop_mode is NextHopMode.KEEP
    one = peer(found, "one-node")
    assert (one.peer_as, one.local_as, one.keepalive_time) == (65546, 64800, 20)
    assert not any(one.degraded for of in found.networks for one in of.peers)
    assert [str(prefix) for prefix in gateway(found, "amber-gateway").ranges] == ["10.71.0.0/29"]
    assert [str(prefix) for prefix in gateway(found, "amber-gateway").exported] == ["10.71.0.0/30"]
    (advertisement,) = found.advertisements
    assert advertisement.communities == ((64600, 300, 100), (64600, 120))
    # Those without an externalNetwork get no session, and are told so.
    without = [problem for problem in found.problems if problem.reason is Reason.NO_EFFECT]
    assert {problem.subject for problem in without} == {
        "BGPPeer reflectors",
        "BGPPeer to-workloads",
        "BGPPeer second-interface",
    }
    assert set(reasons(found.problems)) <= {Reason.NO_EFFECT, Reason.NOT_ACTED_ON}
