"""`docs/reload.md` says what an edit does: of every field, and what is true.

That a session begins again is seen by its configuration (`SessionConfig`): it does when anything in it
changes but the description, the keepalive time (which a description carries), and the name of the device.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labs.netns import manifests
from labs.netns.manifests import CALICO, OURS, Manifest, manifest
from tests.unit.config.reading import Files
from tests.unit.core.nodes import host
from vrfbgp.config.resolve import Refused
from vrfbgp.config.schema.effect import Effect, table
from vrfbgp.config.schema.kinds import KINDS
from vrfbgp.model import PeerId
from vrfbgp.requests import SessionConfig
from vrfbgp.session import session_config
from vrfbgp.uplinks import attach

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "reload.md").read_text()
ROW = re.compile(r"^\| `(?P<field>[^`]+)` \| (?P<word>\w+) \|", re.MULTILINE)
WORDS = {"none", "next", "restart", "other", "present"}
ROWS = {
    section.partition("\n")[0].strip(): {row["field"]: row["word"] for row in ROW.finditer(section)}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]
}
"""By kind and field, the word on sessions."""
NODE = host({"eth0": "10.0.0.1/24 10.0.0.2/24", "eth1": "172.16.1.10/24 172.16.1.11/24"})

BASE: list[Manifest] = [
    manifests.network("red", 500, api_version=OURS),
    manifests.network("blue", 501, api_version=OURS),
    manifest(
        OURS,
        "BGPPeer",
        "p",
        {
            "peerIP": "172.16.1.140",
            "asNumber": 64500,
            "externalNetwork": "red",
            "sourceAddress": "None",
            "password": {"secretKeyRef": {"name": "s", "key": "one"}},
            "filters": ["f"],
        },
    ),
    manifest(OURS, "BGPConfiguration", "default", {}),
    manifests.bgp_filter("f", importV4=[{"action": "Reject"}]),
    manifests.felix(),
    manifests.pool("cluster", "10.48.0.0/16"),
    manifests.pool("egress", "10.50.0.0/24"),
    manifests.gateway("g", ["red"], pools=({"name": "egress"},)),
    manifest(CALICO, "Node", "egress-1", {"bgp": {"ipv4Address": "10.0.0.1/24"}}),
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"one": "a", "two": "b"}},
]

EDITS: list[tuple[str, str, str, Any]] = [
    ("ExternalNetwork", "red", "spec.routeTableIndex", 600),
    ("ExternalNetwork", "red", "spec.failureMode", "Open"),
    (
        "ExternalNetwork",
        "red",
        "spec.bootstrapRoutes",
        [{"destination": "192.0.2.0/24", "interface": "eth1"}],
    ),
    ("ExternalNetwork", "red", "spec.maxPaths", 4),
    ("ExternalNetwork", "red", "spec.multipathRelax", "Disabled"),
    ("ExternalNetwork", "red", "spec.alwaysCompareMED", "Enabled"),
    ("ExternalNetwork", "red", "spec.backupRoutes", "Disabled"),
    ("ExternalNetwork", "red", "spec.staleTime", "30s"),
    ("ExternalNetwork", "red", "spec.metric", 100),
    ("ExternalNetwork", "red", "spec.maxRoutes", 10),
    ("ExternalNetwork", "red", "spec.defaultRoute", "Reject"),
    ("ExternalNetwork", "red", "spec.clusterPrefixes", "Reject"),
    ("BGPPeer", "p", "spec.node", "egress-2"),
    ("BGPPeer", "p", "spec.nodeSelector", "egress == 'red'"),
    ("BGPPeer", "p", "spec.peerIP", "172.16.1.141"),
    ("BGPPeer", "p", "spec.asNumber", 64501),
    ("BGPPeer", "p", "spec.localASNumber", 65000),
    ("BGPPeer", "p", "spec.externalNetwork", "blue"),
    ("BGPPeer", "p", "spec.sourceAddress", "UseNodeIP"),
    ("BGPPeer", "p", "spec.sourceIP", "172.16.1.11"),
    ("BGPPeer", "p", "spec.password", {"secretKeyRef": {"name": "s", "key": "two"}}),
    ("BGPPeer", "p", "spec.password.secretKeyRef.key", "two"),
    ("BGPPeer", "p", "spec.keepaliveTime", "10s"),
    ("BGPPeer", "p", "spec.holdTime", "30s"),
    ("BGPPeer", "p", "spec.maxRestartTime", "60s"),
    ("BGPPeer", "p", "spec.ttlSecurity", 1),
    ("BGPPeer", "p", "spec.reachableBy", "172.16.1.1"),
    ("BGPPeer", "p", "spec.nextHopMode", "Keep"),
    ("BGPPeer", "p", "spec.keepOriginalNextHop", True),
    ("BGPPeer", "p", "spec.numAllowedLocalASNumbers", 1),
    ("BGPPeer", "p", "spec.filters", []),
    ("BGPPeer", "p", "spec.maxPrefixes", {"limit": 5}),
    ("BGPPeer", "p", "spec.families", ["IPv4", "IPv6"]),
    ("BGPPeer", "p", "spec.passive", True),
    ("BGPFilter", "f", "spec.importV4", [{"action": "Accept"}]),
    ("BGPFilter", "f", "spec.exportV4", [{"action": "Reject"}]),
    ("BGPConfiguration", "default", "spec.prefixAdvertisements", [{"cidr": "10.50.0.0/24"}]),
    ("BGPConfiguration", "default", "spec.communities", [{"name": "c", "value": "65000:1"}]),
    ("BGPConfiguration", "default", "spec.asNumber", 65001),
    ("BGPConfiguration", "default", "spec.listenPort", 1790),
    ("BGPConfiguration", "default", "spec.routerID", "192.0.2.1"),
    ("BGPConfiguration", "default", "spec.clusterCIDRs", ["10.60.0.0/16"]),
    ("BGPConfiguration", "default", "spec.serviceClusterIPs", [{"cidr": "10.96.0.0/12"}]),
    ("BGPConfiguration", "default", "spec.serviceExternalIPs", [{"cidr": "10.96.0.0/12"}]),
    ("BGPConfiguration", "default", "spec.serviceLoadBalancerIPs", [{"cidr": "10.96.0.0/12"}]),
    ("FelixConfiguration", "default", "spec.externalNetworkSupport", "Disabled"),
    ("FelixConfiguration", "default", "spec.externalNetworkRoutingRulePriority", 110),
    ("FelixConfiguration", "default", "spec.routeTableRanges", [{"min": 500, "max": 500}]),
    ("FelixConfiguration", "default", "spec.routeTableRange", {"min": 500, "max": 500}),
    ("IPPool", "egress", "spec.cidr", "10.51.0.0/24"),
    ("IPPool", "egress", "spec.disableBGPExport", True),
    ("Node", "egress-1", "spec.bgp.asNumber", 65001),
    ("Node", "egress-1", "spec.bgp.ipv4Address", "10.0.0.2/24"),
    ("Node", "egress-1", "spec.bgp.ipv4IPIPTunnelAddr", "10.48.0.1"),
    ("Node", "egress-1", "spec.ipv4VXLANTunnelAddr", "10.48.0.1"),
    ("EgressGateway", "g", "spec.ipPools", [{"cidr": "10.50.0.8/31"}]),
    ("EgressGateway", "g", "spec.externalNetworks", ["blue"]),
    ("EgressGateway", "g", "spec.template.spec.nodeSelector", {"egress": "red"}),
    ("Secret", "s", "stringData", {"one": "c"}),
]


def edited(kind: str, name: str, path: str, value: Any) -> list[Manifest]:
    """The base, with one field of one object set."""
    objects = copy.deepcopy(BASE)
    (place,) = [one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    *way, last = path.split(".")
    for step in way:
        place = place.setdefault(step, {})
    place[last] = value
    return objects


def sessions(files: Files, objects: list[Manifest]) -> dict[PeerId, SessionConfig]:
    """The sessions that a config has on the node; those of the base, if it is refused."""
    intent = files.resolve("\n---\n".join(map(json.dumps, objects)))
    if isinstance(intent, Refused):
        assert objects != BASE
        return sessions(files, BASE)
    found: dict[PeerId, SessionConfig] = {}
    for network in intent.networks:
        if intent.enabled and not network.degraded:
            reached = attach(network, NODE).attachments
            for peer in network.peers:
                if peer.id in reached and not peer.degraded:
                    attachment = reached[peer.id]
                    found[peer.id] = session_config(peer, attachment)
    return found


def effect(before: dict[PeerId, SessionConfig], after: dict[PeerId, SessionConfig]) -> str:
    """What becomes of the sessions, in a word of the page."""
    if before.keys() != after.keys():
        return "other" if before.keys() - after.keys() and after.keys() - before.keys() else "present"
    if before == after:
        return "none"
    quiet: dict[str, Any] = {"description": "", "keepalive_time": None, "source_interface": None}
    same = all(replace(before[peer], **quiet) == replace(after[peer], **quiet) for peer in before)
    return "next" if same else "restart"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.version}-{kind.name}")
def test_every_field_with_an_effect_has_a_row(kind: Any) -> None:
    rows = ROWS[kind.name]
    assert set(rows.values()) <= WORDS
    if kind.spec is None:
        assert kind.name == "Secret"
        assert {"data", "stringData"} <= rows.keys()
        return
    acted = [field.path for field in table(kind.spec) if field.effect is not Effect.IGNORED]
    # What is within a rule of a filter is one with its list.
    missing = [path for path in acted if path not in rows and not (kind.name == "BGPFilter" and "[]" in path)]
    assert not missing, "docs/reload.md does not say what a change of these does"


@pytest.mark.parametrize("kind", sorted(ROWS))
def test_every_row_is_of_a_field(kind: str) -> None:
    known = {field.path for one in KINDS if one.name == kind and one.spec for field in table(one.spec)}
    known |= {"data", "stringData"} if kind == "Secret" else {"status.addresses"} if kind == "Node" else set()
    assert ROWS[kind].keys() <= known


@pytest.mark.parametrize(("kind", "name", "path", "value"), EDITS, ids=[f"{e[0]}-{e[2]}" for e in EDITS])
def test_the_word_is_true(files: Files, kind: str, name: str, path: str, value: Any) -> None:
    before = sessions(files, BASE)
    assert len(before) == 1
    assert effect(before, sessions(files, edited(kind, name, path, value))) == ROWS[kind][path]


@pytest.mark.parametrize("kind", ["ExternalNetwork", "BGPPeer", "BGPConfiguration", "FelixConfiguration"])
def test_no_field_that_matters_to_sessions_is_left_out(kind: str) -> None:
    tried = {path for of, _, path, _ in EDITS if of == kind}
    left = {path for path in ROWS[kind] if not any(path.startswith(done) for done in tried)}
    assert left <= {"spec.password.secretKeyRef", "spec.password.secretKeyRef.name", "spec.sourceInterface"}
