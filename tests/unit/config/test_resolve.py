"""From objects to the Intent of one node: defaults, selection, what is degraded, what is told."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from tests.unit.config.reading import (
    ENABLED,
    HOST,
    RED,
    YELLOW,
    Files,
    gateway,
    gateway_text,
    joined,
    network,
    ours,
    peer,
    peer_text,
    reasons,
)
from vrfbgp.config.facts import HostFacts
from vrfbgp.filters import FilterRule, Operations, Operator, PrefixMatch
from vrfbgp.intent import (
    Advertisement,
    Intent,
    LimitAction,
    NextHopMode,
    PeerFilters,
    PrefixLimit,
    Reason,
    Severity,
    SourceMode,
    StaticBootstrap,
)
from vrfbgp.model import Family, PeerId

P0 = """
apiVersion: v1
kind: Node
metadata:
  name: egress-1
  labels: {egress: "red", kubernetes.io/os: linux}
status:
  addresses: [{type: InternalIP, address: 10.1.0.5}]
---
apiVersion: v1
kind: Node
metadata:
  name: egress-2
  labels: {egress: "yellow", kubernetes.io/os: linux}
status:
  addresses: [{type: InternalIP, address: 10.1.0.6}]
---
kind: FelixConfiguration
apiVersion: projectcalico.org/v3
metadata: {name: default}
spec:
  egressIPSupport: EnabledPerNamespace
  externalNetworkSupport: Enabled
---
kind: ExternalNetwork
apiVersion: projectcalico.org/v3
metadata: {name: red}
spec: {routeTableIndex: 500}
---
kind: ExternalNetwork
apiVersion: projectcalico.org/v3
metadata: {name: yellow}
spec: {routeTableIndex: 501}
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: peer-red}
spec:
  peerIP: 172.16.101.1
  asNumber: 64512
  nodeSelector: egress == 'red'
  sourceAddress: None
  externalNetwork: red
---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: peer-yellow}
spec:
  peerIP: 172.16.102.1
  asNumber: 63400
  nodeSelector: has(egress)
  externalNetwork: yellow
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: {name: gw-red, namespace: default}
spec:
  logSeverity: Info
  replicas: 1
  ipPools: [{cidr: 10.10.10.0/31}]
  externalNetworks: [red]
  template:
    metadata: {labels: {egress-code: red}}
    spec:
      nodeSelector: {kubernetes.io/os: linux, egress: red}
      terminationGracePeriodSeconds: 0
---
apiVersion: operator.tigera.io/v1
kind: EgressGateway
metadata: {name: gw-yellow, namespace: default}
spec:
  logSeverity: Info
  replicas: 1
  ipPools: [{cidr: 10.10.10.2/31}]
  externalNetworks: [yellow]
  template:
    spec:
      nodeSelector: {kubernetes.io/os: linux}
"""


class TestP0:
    """Manifests of the shape that Calico's documents have, and nothing else."""

    def test_both_networks(self, files: Files) -> None:
        intent = files.intent(P0)
        assert intent.enabled
        assert intent.rule_priority == 102
        assert intent.tables == {500: "red", 501: "yellow"}
        red, yellow = peer(intent, "peer-red"), peer(intent, "peer-yellow")
        assert (red.internal, yellow.internal) == (True, False)
        assert (red.peer_as, red.local_as, yellow.peer_as, yellow.local_as) == (64512, 64512, 63400, 64512)
        assert red.id == PeerId("red", ip_address("172.16.101.1"), 179)
        assert red.router_id == "10.1.0.5"
        assert (red.source, red.source_address) == (SourceMode.UPLINK, None)
        assert (yellow.source, yellow.source_address) == (SourceMode.NODE, ip_address("10.1.0.5"))
        assert (red.hold_time, red.restart_time, red.keepalive_time) == (90, 120, None)
        assert not any(found.degraded for found in (*intent.networks, *intent.gateways, red, yellow))
        assert gateway(intent, "gw-red").ranges == (ip_network("10.10.10.0/31"),)
        assert gateway(intent, "gw-red").exported == (ip_network("10.10.10.0/31"),)
        assert [problem.place.path for problem in intent.problems] == ["spec.egressIPSupport"]

    def test_the_other_node(self, files: Files) -> None:
        intent = files.intent(P0, node="egress-2")
        assert reasons(network(intent, "red").degraded) == [Reason.NO_PEER]
        assert peer(intent, "peer-yellow").source_address == ip_address("10.1.0.6")
        assert [found.name for found in intent.gateways] == ["default/gw-yellow"]

    def test_the_same_text_gives_the_same_intent(self, files: Files) -> None:
        turned = "\n---\n".join(reversed(P0.split("\n---\n")))
        one, other = files.intent(P0), files.intent(turned)
        assert one == files.intent(P0)
        assert (one.networks, one.gateways, one.cluster) == (other.networks, other.gateways, other.cluster)


class TestP3:
    """externalNetworkSupport."""

    @pytest.mark.parametrize(
        "felix", ["", ENABLED.replace("Enabled", "Disabled"), ENABLED.replace("Enabled", "''")]
    )
    def test_not_enabled_is_told_once(self, files: Files, felix: str) -> None:
        intent = files.intent(joined(felix, RED, YELLOW, peer_text(), gateway_text()))
        assert not intent.enabled
        told = [problem for problem in intent.problems if problem.reason is Reason.NOT_ENABLED]
        assert len(told) == 1
        assert "externalNetworkSupport: Enabled" in told[0].text
        assert told[0].severity is Severity.NOTICE

    def test_without_networks_there_is_nothing_to_tell(self, files: Files) -> None:
        assert not files.intent("").problems

    def test_the_nodes_own_overrides_the_default(self, files: Files) -> None:
        own = ENABLED.replace("default", "node.egress-1").replace("Enabled", "Disabled")
        text = joined(ENABLED, own, RED)
        assert not files.intent(text).enabled
        assert files.intent(text, node="egress-2").enabled

    def test_it_overrides_field_by_field(self, files: Files) -> None:
        own = ENABLED.replace("default", "node.egress-1").replace(
            "externalNetworkSupport: Enabled", "externalNetworkRoutingRulePriority: 200"
        )
        intent = files.intent(joined(ENABLED, own))
        assert (intent.enabled, intent.rule_priority) == (True, 200)

    def test_another_name_means_nothing(self, files: Files) -> None:
        intent = files.intent(ENABLED.replace("default", "defualt"))
        assert not intent.enabled
        assert reasons(intent.problems) == [Reason.NO_EFFECT]


class TestP5:
    """Which nodes a peer is for."""

    NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: egress-1, labels: {egress: true}}"

    @pytest.mark.parametrize(
        ("spec", "here"),
        [
            ("", True),
            ("node: egress-1", True),
            ("node: egress-2", False),
            ("node: ''", True),
            ("nodeSelector: ''", True),
            ("nodeSelector: egress == 'true'", True),
            ("nodeSelector: egress == 'false'", False),
            ("nodeSelector: all()", True),
            ("nodeSelector: kubernetes.io/hostname == 'egress-1' && kubernetes.io/os == 'linux'", True),
        ],
    )
    def test_selection(self, files: Files, spec: str, here: bool) -> None:
        intent = files.intent(joined(ENABLED, RED, self.NODE, peer_text(spec)))
        assert bool(network(intent, "red").peers) is here

    def test_labels_of_the_command_line_override(self, files: Files) -> None:
        text = joined(ENABLED, RED, self.NODE, peer_text("nodeSelector: egress == 'cmd' && x == 'y'"))
        assert network(files.intent(text, labels={"egress": "cmd", "x": "y"}), "red").peers
        assert not network(files.intent(text), "red").peers

    def test_without_a_node_object(self, files: Files) -> None:
        text = joined(
            ENABLED, RED, peer_text("nodeSelector: kubernetes.io/hostname == 'n' && egress == 'red'")
        )
        assert network(files.intent(text, node="n", labels={"egress": "red"}), "red").peers

    def test_a_node_that_is_not_among_those_given_is_told(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, self.NODE), node="egress-9")
        (problem,) = intent.problems
        assert (problem.reason, problem.severity) == (Reason.MISSING_NODE, Severity.NOTICE)
        assert "--node" in problem.text

    def test_labels_of_calicos_node(self, files: Files) -> None:
        node = self.NODE.replace("apiVersion: v1", "apiVersion: projectcalico.org/v3")
        text = joined(ENABLED, RED, node, peer_text("nodeSelector: egress == 'true'"))
        assert network(files.intent(text), "red").peers


class TestPeers:
    def test_all_that_is_carried(self, files: Files) -> None:
        spec = """localASNumber: 1.10
  keepaliveTime: 10s
  holdTime: 30s
  maxRestartTime: 4m
  nextHopMode: Self
  numAllowedLocalASNumbers: 3
  ttlSecurity: 2
  reachableBy: 172.16.1.254
  sourceIP: 172.16.1.9
  sourceInterface: eth1"""
        found = peer(
            files.intent(joined(ENABLED, RED, ours(peer_text(spec, address="172.16.9.1:1790")))), "red-1"
        )
        assert found.id.port == 1790
        assert (found.local_as, found.keepalive_time, found.hold_time, found.restart_time) == (
            65546,
            10,
            30,
            240,
        )
        assert (found.next_hop_mode, found.allowed_local_as, found.ttl_security) == (NextHopMode.SELF, 3, 2)
        assert found.reachable_by == ip_address("172.16.1.254")
        assert (found.source, found.source_address) == (SourceMode.EXPLICIT, ip_address("172.16.1.9"))
        assert found.source_interface == "eth1"
        assert not found.degraded

    def test_a_long_keepalive_time_takes_the_hold_time_along(self, files: Files) -> None:
        found = peer(files.intent(joined(ENABLED, RED, peer_text("keepaliveTime: 60s"))), "red-1")
        assert (found.keepalive_time, found.hold_time) == (60, 180)

    def test_ipv6(self, files: Files) -> None:
        found = peer(files.intent(joined(ENABLED, RED, peer_text(address="fd00:1::2"))), "red-1")
        assert found.families == {Family.IPV6}
        assert found.source_address == HOST.ipv6
        assert found.router_id == "10.0.0.1"

    @pytest.mark.parametrize("address", ["172.16.1.2", "fd00:1::2"])
    def test_both_families_over_one_session(self, files: Files, address: str) -> None:
        text = ours(peer_text("families: [IPv6, IPv4]", address=address))
        found = peer(files.intent(joined(ENABLED, RED, text)), "red-1")
        assert found.families == {Family.IPV4, Family.IPV6}
        assert found.source_address is not None
        assert {found.source_address, found.other_address} == {HOST.ipv4, HOST.ipv6}

    @pytest.mark.parametrize(("spec", "mode"), [("", "Auto"), ("keepOriginalNextHop: true", "Keep")])
    def test_the_old_name_of_next_hop_mode(self, files: Files, spec: str, mode: str) -> None:
        assert peer(files.intent(joined(ENABLED, RED, peer_text(spec))), "red-1").next_hop_mode == mode

    def test_long_lived_restart_time_is_another_time(self, files: Files) -> None:
        spec = "restartMode: LongLivedGracefulRestart\n  maxRestartTime: 2h"
        intent = files.intent(joined(ENABLED, RED, peer_text(spec)))
        assert peer(intent, "red-1").restart_time == 120
        assert reasons(intent.problems) == [Reason.NOT_ACTED_ON]

    @pytest.mark.parametrize(
        ("spec", "port", "restart_time"),
        [("", None, 120), ("passive: true", 179, 30), ("passive: true\n  maxRestartTime: 90s", 179, 90)],
    )
    def test_a_passive_peer_is_waited_for(
        self, files: Files, spec: str, port: int | None, restart_time: int
    ) -> None:
        found = peer(files.intent(joined(ENABLED, RED, ours(peer_text(spec)))), "red-1")
        assert (found.listen_port, found.restart_time) == (port, restart_time)

    @pytest.mark.parametrize(
        ("text", "reason", "path"),
        [
            (peer_text().replace("  asNumber: 65001\n", ""), Reason.MISSING_AS, "spec.asNumber"),
            (peer_text("filters: [f]"), Reason.MISSING_FILTER, "spec.filters[0]"),
        ],
    )
    def test_degraded(self, files: Files, text: str, reason: Reason, path: str) -> None:
        intent = files.intent(joined(ENABLED, RED, text))
        found = peer(intent, "red-1").degraded
        assert (found[0].reason, found[0].place.path, found[0].severity) == (reason, path, Severity.DEGRADED)
        assert set(found) <= set(intent.problems)

    def test_p16_filters_become_rules_in_their_order(self, files: Files) -> None:
        servers = """
        apiVersion: projectcalico.org/v3
        kind: BGPFilter
        metadata: {name: servers}
        spec:
          importV4:
            - {action: Accept, cidr: 10.0.0.0/8, matchOperator: In, prefixLength: {min: 16}, peerType: eBGP,
               source: RemotePeers, interface: eth*, communities: {values: ["65000:1", "1:2:3"]},
               asPathPrefix: [1.1, 7], priority: 20000,
               operations: [{addCommunity: {value: "65000:2"}}, {prependASPath: {prefix: [5, 6]}},
                            {setPriority: {value: 512}}]}
            - {action: Reject}
          exportV6: [{action: Reject, cidr: 2001:db8::/32, matchOperator: Equal}]
        """
        others = """
        apiVersion: projectcalico.org/v3
        kind: BGPFilter
        metadata: {name: others}
        spec: {importV4: [{action: Accept}]}
        """
        intent = files.intent(joined(ENABLED, RED, others, servers, peer_text("filters: [servers, others]")))
        found = peer(intent, "red-1")
        assert not found.degraded
        assert found.filters == PeerFilters(
            import_v4=(
                FilterRule(
                    "servers importV4[0]",
                    True,
                    PrefixMatch(ip_network("10.0.0.0/8"), Operator.IN, 16, 32),
                    internal=False,
                    learned=True,
                    interface="eth*",
                    communities=((65000, 1), (1, 2, 3)),
                    as_path_prefix=(65537, 7),
                    priority=20000,
                    operations=Operations(((65000, 2),), (5, 6), local_pref=2147483135),
                ),
                FilterRule("servers importV4[1]", False),
                FilterRule("others importV4[0]", True),
            ),
            export_v6=(
                FilterRule(
                    "servers exportV6[0]",
                    False,
                    PrefixMatch(ip_network("2001:db8::/32"), Operator.EQUAL, 0, 128),
                ),
            ),
        )

    def test_communities_of_announcements_by_name_and_value(self, files: Files) -> None:
        text = """
        apiVersion: projectcalico.org/v3
        kind: BGPConfiguration
        metadata: {name: default}
        spec:
          communities: [{name: ours, value: "65000:7"}]
          prefixAdvertisements: [{cidr: 10.50.0.0/24, communities: [ours, "1:2:3", nobodys]}]
        """
        intent = files.intent(joined(ENABLED, RED, text, peer_text()))
        assert intent.advertisements == (Advertisement(ip_network("10.50.0.0/24"), ((65000, 7), (1, 2, 3))),)
        (problem,) = intent.problems
        assert (problem.reason, problem.place.path, problem.severity) == (
            Reason.MISSING_COMMUNITY,
            "spec.prefixAdvertisements[0].communities[2]",
            Severity.NOTICE,
        )

    def test_x11_limits(self, files: Files) -> None:
        red = ours(RED).replace("500", "500, maxRoutes: 10, defaultRoute: Reject, clusterPrefixes: Accept")
        cluster = """
        apiVersion: vrfbgp.io/v1alpha1
        kind: BGPConfiguration
        metadata: {name: default}
        spec: {clusterCIDRs: [10.48.0.0/16]}
        """
        one = ours(peer_text("maxPrefixes: {limit: 10, action: Restart, restartAfter: 30s}"))
        intent = files.intent(joined(ENABLED, red, YELLOW, cluster, one))
        assert peer(intent, "red-1").max_prefixes == PrefixLimit(10, LimitAction.RESTART, 30)
        found = network(intent, "red")
        assert (found.max_routes, found.default_route, found.refused_ranges) == (10, False, ())
        yellow = network(intent, "yellow")
        assert (yellow.max_routes, yellow.default_route) == (None, True)
        assert ip_network("10.48.0.0/16") in yellow.refused_ranges

    @pytest.mark.parametrize(
        "field", ["clusterPrefixes: Reject", "defaultRoute: Reject", "backupRoutes: Enabled"]
    )
    def test_what_limits_nothing_degrades_nothing(self, files: Files, field: str) -> None:
        red = ours(RED).replace("500", f"500, {field}")
        assert not peer(files.intent(joined(ENABLED, red, peer_text())), "red-1").degraded

    def test_a_missing_network(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, YELLOW, peer_text()))
        assert [
            (problem.reason, problem.subject) for problem in intent.problems if "red" in problem.text
        ] == [(Reason.MISSING_NETWORK, "BGPPeer red-1")]

    def test_without_an_external_network_there_is_one_notice(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, peer_text().replace("  externalNetwork: red\n", "")))
        assert [(problem.reason, problem.severity) for problem in intent.problems] == [
            (Reason.NO_EFFECT, Severity.NOTICE)
        ]

    def test_sorted_by_address(self, files: Files) -> None:
        texts = [peer_text(name=f"p{n}", address=f"172.16.1.{n}") for n in (20, 3, 100)]
        found = network(files.intent(joined(ENABLED, RED, *texts)), "red").peers
        assert [one.name for one in found] == ["p3", "p20", "p100"]


SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: bgp, namespace: kube-system}
data: {red: cGFzc3dvcmQK}
stringData: {plain: pass, long: "%s", odd: "pä"}
""" % ("x" * 81)


class TestPasswords:
    @staticmethod
    def password(key: str, name: str = "bgp") -> str:
        return peer_text(f"password: {{secretKeyRef: {{name: {name}, key: {key}, optional: true}}}}")

    @pytest.mark.parametrize(("key", "password"), [("red", "password"), ("plain", "pass")])
    def test_from_a_secret(self, files: Files, key: str, password: str) -> None:
        intent = files.intent(joined(ENABLED, RED, SECRET, self.password(key)))
        assert peer(intent, "red-1").password == password
        assert password + "'" not in repr(intent)

    @pytest.mark.parametrize(
        ("key", "name"), [("red", "other"), ("none", "bgp"), ("long", "bgp"), ("odd", "bgp")]
    )
    def test_never_a_session_without(self, files: Files, key: str, name: str) -> None:
        found = peer(files.intent(joined(ENABLED, RED, SECRET, self.password(key, name))), "red-1")
        assert found.password is None
        assert reasons(found.degraded) == [Reason.MISSING_SECRET]

    def test_of_several_namespaces_calicos(self, files: Files) -> None:
        mine = SECRET.replace("kube-system", "mine").replace("cGFzc3dvcmQK", "eA==")
        assert (
            peer(files.intent(joined(ENABLED, RED, SECRET, mine, self.password("red"))), "red-1").password
            == "password"
        )
        theirs = mine.replace("mine", "theirs")
        found = peer(files.intent(joined(ENABLED, RED, mine, theirs, self.password("red"))), "red-1")
        assert "several namespaces" in found.degraded[0].text


class TestNode:
    CALICO = """
    apiVersion: projectcalico.org/v3
    kind: Node
    metadata: {name: egress-1}
    spec:
      bgp: {asNumber: 64999, ipv4Address: 10.9.0.1/24, ipv6Address: fd00:9::1/64,
            ipv4IPIPTunnelAddr: 10.244.0.1}
      addresses: [{address: 10.9.0.1/24, type: CalicoNodeIP}, {address: 10.8.0.1, type: InternalIP}]
      ipv4VXLANTunnelAddr: 10.244.0.2
      wireguard: {interfaceIPv4Address: 10.244.0.3}
      orchRefs: [{nodeName: egress-1, orchestrator: k8s}]
    """
    BGP = """
    apiVersion: vrfbgp.io/v1alpha1
    kind: BGPConfiguration
    metadata: {name: default}
    spec: {asNumber: 64777, routerID: 9.9.9.9, clusterCIDRs: [10.128.0.0/11]}
    """

    def found(self, files: Files, *texts: str, host: HostFacts = HOST):  # type: ignore[no-untyped-def]
        return peer(files.intent(joined(ENABLED, RED, peer_text(), *texts), host=host), "red-1")

    def test_defaults(self, files: Files) -> None:
        found = self.found(files)
        assert (found.local_as, found.router_id, found.source_address) == (64512, "10.0.0.1", HOST.ipv4)

    def test_bgp_configuration(self, files: Files) -> None:
        found = self.found(files, self.BGP)
        assert (found.local_as, found.router_id) == (64777, "9.9.9.9")

    def test_calicos_node_goes_before(self, files: Files) -> None:
        found = self.found(files, self.BGP, self.CALICO)
        assert (found.local_as, str(found.source_address)) == (64999, "10.9.0.1")

    def test_the_nodes_own_bgp_configuration(self, files: Files) -> None:
        own = self.BGP.replace("default", "node.egress-1").replace("9.9.9.9", "8.8.8.8")
        intent = files.intent(joined(ENABLED, RED, peer_text(), self.BGP, own))
        found = peer(intent, "red-1")
        assert (found.router_id, found.local_as) == ("8.8.8.8", 64777)
        assert reasons(intent.problems) == [Reason.NO_EFFECT]

    def test_kubernetes_node(self, files: Files) -> None:
        node = """
        apiVersion: v1
        kind: Node
        metadata:
          name: egress-1
          annotations: {projectcalico.org/ASNumber: "64888", projectcalico.org/IPv6Address: "fd00:5::1/64"}
        status: {addresses: [{type: Hostname, address: x}, {type: InternalIP, address: 10.7.0.1}]}
        """
        found = self.found(files, self.BGP, node)
        assert (found.local_as, str(found.source_address)) == (64888, "10.7.0.1")

    def test_no_address_at_all(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, RED, peer_text()), host=HostFacts("egress-1"))
        found = peer(intent, "red-1")
        assert (found.source, found.source_address) == (SourceMode.UPLINK, None)
        assert found.router_id not in ("", "0.0.0.0")
        assert ip_address(found.router_id)
        assert sorted(reasons(intent.problems)) == sorted([Reason.NO_SOURCE, Reason.MISSING_NODE])
        assert not found.degraded

    def test_cluster(self, files: Files) -> None:
        services = """
        apiVersion: projectcalico.org/v3
        kind: BGPConfiguration
        metadata: {name: node.egress-1}
        spec:
          serviceClusterIPs: [{cidr: 10.96.0.1/12}]
          serviceExternalIPs: [{cidr: 104.244.42.129/32}]
          serviceLoadBalancerIPs: [{cidr: 172.217.3.0/24}]
        """
        pools = """
        apiVersion: projectcalico.org/v3
        kind: IPPoolList
        items:
          - {metadata: {name: pods}, spec: {cidr: 10.244.0.0/16}}
          - {metadata: {name: gateways}, spec: {cidr: 10.50.0.0/24}}
          - {metadata: {name: bare}, spec: {cidr: 10.51.0.0/31}}
        """
        node = """
        apiVersion: v1
        kind: Node
        metadata: {name: other}
        spec: {podCIDRs: [10.245.0.0/24]}
        status:
          addresses: [{type: InternalIP, address: 10.0.0.2}, {type: ExternalIP, address: 198.51.100.7}]
        """
        gateways = gateway_text(pools="[{name: gateways}, {cidr: 10.51.0.0/31}]")
        intent = files.intent(joined(ENABLED, RED, self.BGP, services, pools, node, self.CALICO, gateways))
        assert [str(prefix) for prefix in intent.cluster] == [
            "10.0.0.2/32",
            "10.8.0.1/32",
            "10.9.0.1/32",
            "10.96.0.0/12",
            "10.128.0.0/11",
            "10.244.0.0/16",
            "10.245.0.0/24",
            "104.244.42.129/32",
            "169.254.0.0/16",
            "172.217.3.0/24",
            "198.51.100.7/32",
            "fd00:9::1/128",
            "fe80::/10",
        ]


class TestNetworks:
    def test_fields_of_ours(self, files: Files) -> None:
        spec = """500, failureMode: Open, maxPaths: 4, metric: 100,
            alwaysCompareMED: Enabled, multipathRelax: Disabled, bootstrapRoutes: [
            {destination: 10.9.0.0/24, gateway: 172.16.1.254}, {destination: 10.8.0.1, interface: eth1}]"""
        found = network(files.intent(joined(ENABLED, ours(RED).replace("500", spec), peer_text())), "red")
        assert (found.fail_open, found.max_paths, found.metric) == (True, 4, 100)
        assert (found.always_compare_med, found.multipath_relax) == (True, False)
        assert set(found.bootstrap_routes) == {
            StaticBootstrap(ip_network("10.9.0.0/24"), ip_address("172.16.1.254")),
            StaticBootstrap(ip_network("10.8.0.1/32"), None, "eth1"),
        }

    def test_without_a_peer_here(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, RED, peer_text("node: egress-2")))
        (problem,) = network(intent, "red").degraded
        assert problem.reason is Reason.NO_PEER
        assert problem in intent.problems

    def test_a_table_that_felix_has_by_default_is_a_notice(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, RED.replace("500", "250"), peer_text()))
        assert [(problem.reason, problem.severity) for problem in intent.problems] == [
            (Reason.TABLE_RESERVED, Severity.NOTICE)
        ]


class TestGateways:
    POOLS = """
    apiVersion: projectcalico.org/v3
    kind: IPPoolList
    items:
      - {metadata: {name: a}, spec: {cidr: 10.50.0.0/24}}
      - {metadata: {name: hidden}, spec: {cidr: 10.50.1.0/24, disableBGPExport: true}}
      - {metadata: {name: v6}, spec: {cidr: "fd00:50::/64"}}
    """

    def found(self, files: Files, pools: str, networks: str = "[red]"):  # type: ignore[no-untyped-def]
        return gateway(
            files.intent(joined(ENABLED, RED, self.POOLS, gateway_text("g", pools, networks))), "g"
        )

    @pytest.mark.parametrize(
        ("pools", "ranges", "exported"),
        [
            ("[{name: a}]", "10.50.0.0/24", "10.50.0.0/24"),
            ("[{cidr: 10.60.0.0/31}]", "10.60.0.0/31", "10.60.0.0/31"),
            ("[{cidr: 10.60.0.1}]", "10.60.0.1/32", "10.60.0.1/32"),
            ("[{name: a, cidr: 10.50.0.8/31}]", "10.50.0.8/31", "10.50.0.8/31"),
            ("[{name: v6}, {name: a}, {name: a}]", "10.50.0.0/24 fd00:50::/64", "10.50.0.0/24 fd00:50::/64"),
            ("[{name: hidden}]", "10.50.1.0/24", ""),
            ("[{cidr: 10.50.1.2/32}]", "10.50.1.2/32", ""),
            ("[{cidr: 10.50.0.0/23}]", "10.50.0.0/23", "10.50.0.0/24"),
            ("[{cidr: 10.60.0.0/32}, {cidr: 10.60.0.1/32}]", "10.60.0.0/31", "10.60.0.0/31"),
            ("[{cidr: 'fd00::/8'}, {cidr: '::/0'}]", "::/1 8000::/1", "::/0"),
        ],
    )
    def test_ranges(self, files: Files, pools: str, ranges: str, exported: str) -> None:
        found = self.found(files, pools)
        assert " ".join(map(str, found.ranges)) == ranges
        assert " ".join(map(str, found.exported)) == exported
        assert not found.degraded

    def test_a_pool_that_calico_masquerades_is_told(self, files: Files) -> None:
        masqueraded = self.POOLS.replace("10.50.0.0/24", "10.50.0.0/24, natOutgoing: true")
        for pools, expected in (("[{name: a}]", True), ("[{name: v6}]", False)):
            intent = files.intent(joined(ENABLED, RED, masqueraded, gateway_text("g", pools, "[red]")))
            assert any(problem.reason is Reason.MASQUERADED for problem in intent.problems) == expected

    def test_a_missing_pool(self, files: Files) -> None:
        found = self.found(files, "[{name: a}, {name: nowhere}]")
        assert reasons(found.degraded) == [Reason.MISSING_POOL]
        assert found.degraded[0].place.path == "spec.ipPools[1].name"
        assert found.ranges == (ip_network("10.50.0.0/24"),)

    def test_a_range_that_is_no_part_of_the_pool(self, files: Files) -> None:
        found = self.found(files, "[{name: a, cidr: 10.60.0.0/31}]")
        assert reasons(found.degraded) == [Reason.OUT_OF_RANGE]
        assert [str(prefix) for prefix in found.ranges] == ["10.50.0.0/24", "10.60.0.0/31"]

    def test_p6_a_missing_network_keeps_its_place(self, files: Files) -> None:
        found = self.found(files, "[{name: a}]", "[missing, red]")
        assert found.networks == ("missing", "red")
        (problem,) = found.degraded
        assert (problem.reason, problem.place.path) == (Reason.MISSING_NETWORK, "spec.externalNetworks[0]")
        assert "missing" in problem.text
        assert not found.isolated

    def test_p6_it_heals(self, files: Files) -> None:
        text = joined(ENABLED, RED, gateway_text(networks="[red, yellow]"))
        assert gateway(files.intent(text), "red").degraded
        assert not gateway(files.intent(joined(text, YELLOW)), "red").degraded

    def test_a_network_named_twice_counts_once(self, files: Files) -> None:
        assert self.found(files, "[{name: a}]", "[red, red]").networks == ("red",)

    def test_without_networks_there_is_one_notice(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, gateway_text(networks="[]")))
        assert intent.gateways == ()
        assert [(problem.reason, problem.severity) for problem in intent.problems] == [
            (Reason.NO_EFFECT, Severity.NOTICE)
        ]

    @pytest.mark.parametrize(
        ("selector", "here"),
        [
            ("{}", True),
            ("{kubernetes.io/hostname: egress-1, kubernetes.io/os: linux}", True),
            ("{egress: true}", True),
            ("{egress: true, zone: b}", False),
        ],
    )
    def test_where_it_runs(self, files: Files, selector: str, here: bool) -> None:
        text = gateway_text() + f"  template: {{spec: {{nodeSelector: {selector}}}}}"
        intent = files.intent(joined(ENABLED, RED, text), labels={"egress": "true"})
        assert bool(intent.gateways) is here


def test_problems_are_sorted_and_each_once(files: Files) -> None:
    text = joined(RED, YELLOW, peer_text("filters: [f]"))
    problems = files.intent(text).problems
    assert [problem.severity for problem in problems] == [Severity.DEGRADED] * 2 + [Severity.NOTICE]
    assert len(set(problems)) == len(problems)


def test_the_listen_port_of_this_node_goes_before_that_of_all(files: Files) -> None:
    config = """
    apiVersion: projectcalico.org/v3
    kind: BGPConfiguration
    metadata: {name: %s}
    spec: {listenPort: %s}
    """
    passive = ours(peer_text("passive: true"))
    own, default = config % ("node.egress-1", 1790), config % ("default", "'1179'")
    for texts, port in (([default], 1179), ([default, own], 1790)):
        assert peer(files.intent(joined(ENABLED, RED, passive, *texts)), "red-1").listen_port == port


def test_nothing_is_a_config(files: Files) -> None:
    intent = files.intent("")
    assert intent == Intent(node="egress-1", enabled=False, cluster=intent.cluster)
