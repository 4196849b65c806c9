"""Objects that exclude each other: refused whole, or, leniently, degraded, all of them (X1, X23, P4)."""

from __future__ import annotations

import pytest

from tests.unit.config.reading import (
    ENABLED,
    RED,
    YELLOW,
    Files,
    gateway,
    gateway_text,
    joined,
    network,
    ours,
    peer_text,
    reasons,
)
from vrfbgp.config.resolve import Refused
from vrfbgp.intent import Reason, Severity


def refused(files: Files, text: str) -> list[tuple[Reason, str]]:
    found = files.resolve(text)
    assert isinstance(found, Refused)
    return [
        (problem.reason, problem.subject)
        for problem in found.problems
        if problem.severity is Severity.REFUSED
    ]


class TestX1:
    """Tables that a network can't have."""

    @pytest.mark.parametrize("table", [0, 253, 254, 255])
    def test_the_kernels_own(self, files: Files, table: int) -> None:
        text = joined(ENABLED, RED.replace("500", str(table)), YELLOW)
        assert refused(files, text) == [(Reason.TABLE_RESERVED, "ExternalNetwork red")]
        intent = files.intent(text, lenient=True)
        assert reasons(network(intent, "red").degraded)[0] is Reason.TABLE_RESERVED
        assert Reason.TABLE_RESERVED not in reasons(network(intent, "yellow").degraded)

    def test_one_for_two(self, files: Files) -> None:
        text = joined(ENABLED, RED, YELLOW.replace("501", "500"), peer_text())
        both = [(Reason.TABLE_SHARED, "ExternalNetwork red"), (Reason.TABLE_SHARED, "ExternalNetwork yellow")]
        assert refused(files, text) == both
        intent = files.intent(text, lenient=True)
        assert all(Reason.TABLE_SHARED in reasons(found.degraded) for found in intent.networks)
        assert all(problem.severity is Severity.DEGRADED for problem in network(intent, "red").degraded)

    @pytest.mark.parametrize(
        "spec",
        ["routeTableRanges: [{min: 1, max: 9}, {min: 400, max: 500}]", "routeTableRange: {min: 1, max: 250}"],
    )
    def test_felixs(self, files: Files, spec: str) -> None:
        table = "500" if "Ranges" in spec else "250"
        text = joined(ENABLED.replace("Enabled", f"Enabled, {spec}"), RED.replace("500", table), YELLOW)
        assert refused(files, text) == [(Reason.TABLE_RESERVED, "ExternalNetwork red")]

    def test_the_next_one_is_free(self, files: Files) -> None:
        text = joined(ENABLED.replace("Enabled", "Enabled, routeTableRanges: [{min: 1, max: 499}]"), RED)
        assert Reason.TABLE_RESERVED not in reasons(files.intent(text).problems)


class TestP4:
    """The whole layout of the rules must fit between 1 and 32765."""

    @staticmethod
    def text(priority: int, count: int = 1) -> str:
        networks = ", ".join(f"n{index}" for index in range(count))
        felix = ENABLED.replace("Enabled", f"Enabled, externalNetworkRoutingRulePriority: {priority}")
        return joined(felix, gateway_text(networks=f"[{networks}]"))

    @pytest.mark.parametrize(("priority", "count"), [(2, 1), (102, 3), (32764, 1), (32762, 3)])
    def test_fits(self, files: Files, priority: int, count: int) -> None:
        assert files.intent(self.text(priority, count)).rule_priority == priority

    @pytest.mark.parametrize(
        ("priority", "count"), [(-1, 1), (0, 1), (1, 1), (32765, 1), (32766, 0), (32763, 3), (99999, 1)]
    )
    def test_does_not_fit(self, files: Files, priority: int, count: int) -> None:
        text = self.text(priority, count)
        assert refused(files, text) == [(Reason.RULES_DO_NOT_FIT, "FelixConfiguration default")]
        assert files.intent(text, lenient=True).rule_priority == 102


class TestX23:
    """Gateways with overlapping ranges and different networks."""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("10.50.0.0/24", "10.50.0.8/31"),
            ("10.50.0.8/31", "10.50.0.0/24"),
            ("10.50.0.1/32", "10.50.0.1/32"),
            ("'fd00::/64'", "'fd00::5'"),
        ],
    )
    def test_overlap(self, files: Files, one: str, other: str) -> None:
        text = joined(
            ENABLED,
            RED,
            YELLOW,
            gateway_text("a", f"[{{cidr: {one}}}]", "[red]"),
            gateway_text("b", f"[{{cidr: {other}}}]", "[yellow]"),
            gateway_text("c", "[{cidr: 10.99.0.0/24}]", "[yellow]"),
        )
        both = [(Reason.RANGES_OVERLAP, f"EgressGateway default/{name}") for name in "ab"]
        assert refused(files, text) == both
        intent = files.intent(text, lenient=True)
        for name in "ab":
            assert gateway(intent, name).isolated
            assert reasons(gateway(intent, name).degraded) == [Reason.RANGES_OVERLAP]
        assert not gateway(intent, "c").isolated

    def test_another_order_is_another_choice(self, files: Files) -> None:
        text = joined(
            ENABLED,
            RED,
            YELLOW,
            gateway_text("a", networks="[red, yellow]"),
            gateway_text("b", networks="[yellow, red]"),
        )
        assert len(refused(files, text)) == 2

    def test_the_same_networks_may_share(self, files: Files) -> None:
        text = joined(ENABLED, RED, gateway_text("a"), gateway_text("b"))
        intent = files.intent(text)
        assert not any(found.isolated or found.degraded for found in intent.gateways)

    def test_a_gateway_without_networks_can_not_share_with_one_that_has(self, files: Files) -> None:
        text = joined(ENABLED, RED, gateway_text("a"), gateway_text("b", networks="[]"))
        assert len(refused(files, text)) == 2
        intent = files.intent(text, lenient=True)
        assert [(found.name, found.isolated) for found in intent.gateways] == [("default/a", True)]

    def test_on_different_nodes_they_do_not_meet(self, files: Files) -> None:
        elsewhere = gateway_text("b", networks="[yellow]") + "  template: {spec: {nodeSelector: {zone: b}}}"
        text = joined(ENABLED, RED, YELLOW, gateway_text("a"), elsewhere)
        assert [found.name for found in files.intent(text).gateways] == ["default/a"]

    def test_by_pool(self, files: Files) -> None:
        pool = (
            "apiVersion: projectcalico.org/v3\nkind: IPPool\nmetadata: {name: p}\nspec: {cidr: 10.50.0.0/24}"
        )
        text = joined(
            ENABLED,
            RED,
            YELLOW,
            pool,
            gateway_text("a", "[{name: p}]"),
            gateway_text("b", networks="[yellow]"),
        )
        assert len(refused(files, text)) == 2


class TestOneSession:
    def test_two_peers_for_one_session(self, files: Files) -> None:
        text = joined(ENABLED, RED, peer_text(name="a"), peer_text(name="b", address="172.16.1.140:179"))
        assert refused(files, text) == [
            (Reason.DUPLICATE_NAME, "BGPPeer a"),
            (Reason.DUPLICATE_NAME, "BGPPeer b"),
        ]
        (found,) = network(files.intent(text, lenient=True), "red").peers
        assert reasons(found.degraded) == [Reason.DUPLICATE_NAME] * 2

    def test_another_port_or_network_is_another_session(self, files: Files) -> None:
        yellow = peer_text(name="c").replace("externalNetwork: red", "externalNetwork: yellow")
        text = joined(
            ENABLED, RED, YELLOW, peer_text(name="a"), peer_text(name="b", address="172.16.1.140:180"), yellow
        )
        intent = files.intent(text)
        assert [len(found.peers) for found in intent.networks] == [2, 1]


class TestLenient:
    """What can be understood runs; nothing of what can't is open."""

    def test_a_broken_gateway_is_closed(self, files: Files) -> None:
        text = joined(ENABLED, RED, peer_text(), gateway_text() + "  zzz: 1\n")
        assert isinstance(files.resolve(text), Refused)
        intent = files.intent(text, lenient=True)
        found = gateway(intent, "red")
        assert found.isolated
        assert str(found.ranges[0]) == "10.50.0.2/32"
        assert [(problem.reason, problem.severity) for problem in found.degraded] == [
            (Reason.UNKNOWN_FIELD, Severity.DEGRADED)
        ]
        assert not network(intent, "red").degraded

    def test_a_broken_gateway_is_closed_also_without_networks(self, files: Files) -> None:
        text = gateway_text().replace("externalNetworks: [red]", "externalNetwork: [red]")
        (found,) = files.intent(joined(ENABLED, RED, text), lenient=True).gateways
        assert found.isolated
        assert found.networks == ()

    def test_a_broken_filter_is_a_missing_one(self, files: Files) -> None:
        rules = "apiVersion: projectcalico.org/v3\nkind: BGPFilter\nmetadata: {name: f}\nspec: {imports: []}"
        intent = files.intent(joined(ENABLED, RED, rules, peer_text("filters: [f]")), lenient=True)
        assert reasons(network(intent, "red").peers[0].degraded)[0] is Reason.MISSING_FILTER

    def test_a_broken_peer_has_no_session(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, RED, peer_text("passwort: x")), lenient=True)
        (found,) = network(intent, "red").peers
        assert reasons(found.degraded) == [Reason.UNKNOWN_FIELD]

    def test_a_broken_network_has_no_routes(self, files: Files) -> None:
        intent = files.intent(joined(ENABLED, RED.replace("500", "500, x: 1"), peer_text()), lenient=True)
        assert reasons(network(intent, "red").degraded) == [Reason.UNKNOWN_FIELD]

    def test_names_given_twice(self, files: Files) -> None:
        text = joined(ENABLED, RED, RED, YELLOW, gateway_text(), gateway_text(pools="[{cidr: 10.50.0.9/32}]"))
        intent = files.intent(text, lenient=True)
        assert [found.name for found in intent.networks] == ["red", "yellow"]
        assert Reason.DUPLICATE_NAME in reasons(network(intent, "red").degraded)
        (found,) = intent.gateways
        assert found.isolated
        assert [str(prefix) for prefix in found.ranges] == ["10.50.0.2/32", "10.50.0.9/32"]

    def test_a_secret_given_twice_is_no_password(self, files: Files) -> None:
        secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {k: pass}"
        text = joined(ENABLED, RED, secret, secret, peer_text("password: {secretKeyRef: {name: s, key: k}}"))
        (found,) = network(files.intent(text, lenient=True), "red").peers
        assert found.password is None
        assert reasons(found.degraded) == [Reason.MISSING_SECRET]

    def test_a_good_config_is_the_same_either_way(self, files: Files) -> None:
        text = joined(ENABLED, RED, YELLOW, peer_text(), gateway_text())
        assert files.intent(text) == files.intent(text, lenient=True)


@pytest.mark.parametrize("passive", [(), ("a",), ("b",)], ids=["active", "first", "second"])
def test_two_ports_at_one_address_are_two_peers(files: Files, passive: tuple[str, ...]) -> None:
    texts = [peer_text("passive: true" if name in passive else "", name=name) for name in ("a", "b")]
    texts[1] = texts[1].replace("172.16.1.140", "172.16.1.140:1790")
    peers = network(files.intent(joined(ENABLED, RED, *map(ours, texts))), "red").peers
    assert [(peer.id.port, peer.degraded) for peer in peers] == [(179, ()), (1790, ())]


def test_of_two_passive_peers_at_one_address_the_second_is_told_why_not(files: Files) -> None:
    texts = [ours(peer_text("passive: true", name=name)) for name in ("a", "b")]
    texts[1] = texts[1].replace("172.16.1.140", "172.16.1.140:1790")
    first, second = network(files.intent(joined(ENABLED, RED, *texts)), "red").peers
    assert first.degraded == ()
    assert reasons(second.degraded) == [Reason.DUPLICATE_NAME]
    assert "BGPPeer a" in second.degraded[0].text
    assert "make one of them active" in second.degraded[0].text
