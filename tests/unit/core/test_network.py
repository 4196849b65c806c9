"""A network's sessions: epochs, graceful restart, and when it is in sync."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from tests.unit.core.nodes import host, network, peer
from tests.unit.rib import wire
from vrfbgp.events import (
    DownCause,
    DownKind,
    Negotiated,
    PeerRestart,
    Refresh,
    RefreshPhase,
    SessionDown,
    SessionUp,
    Updates,
)
from vrfbgp.intent import PeerIntent, Problem, Reason, Severity
from vrfbgp.model import Family, Nlri, nlri_of
from vrfbgp.network import SYNC_TIME, Network
from vrfbgp.requests import ResetSession
from vrfbgp.uplinks import attach

V4, V6 = Family.IPV4, Family.IPV6
ONE, TWO = peer("172.16.1.140"), peer("172.16.1.141")
NODE = host({"eth1": "172.16.1.10/24"})
LOST, CEASE = DownCause(DownKind.CONNECTION_LOST), DownCause(DownKind.NOTIFICATION_RECEIVED, 6, 2)
GRACEFUL = PeerRestart(90, restarting=True, forwarding=frozenset({V4}))


class Bench:
    """Network red with some peers."""

    def __init__(self, *peers: PeerIntent) -> None:
        self.red = Network(network(*peers), 0.0)
        self.red.attach(attach(self.red.intent, NODE))
        self.chosen: set[Nlri] = set()

    def up(
        self,
        one: PeerIntent = ONE,
        epoch: int = 1,
        now: float = 0.0,
        restart: PeerRestart | None = None,
        families: frozenset[Family] = frozenset({V4}),
        route_refresh: bool = True,
    ) -> None:
        local = ip_address("172.16.1.10")
        agreed = Negotiated(
            64501, "172.16.1.140", local, 90, families, restart=restart, route_refresh=route_refresh
        )
        assert self.red.session_up(SessionUp(one.id, epoch, agreed), now)

    def down(self, cause: DownCause = LOST, one: PeerIntent = ONE, epoch: int = 1, now: float = 0.0) -> bool:
        return self.red.session_down(SessionDown(one.id, epoch, cause), now)

    def hear(
        self, octets: bytes, one: PeerIntent = ONE, epoch: int = 1, now: float = 0.0
    ) -> list[ResetSession]:
        return self.red.updates(Updates(one.id, epoch, octets), now)

    def announce(self, *prefixes: str, one: PeerIntent = ONE, epoch: int = 1) -> None:
        assert not self.hear(wire.update(prefixes, next_hop=str(one.id.address)), one, epoch)

    def routes(self) -> set[str]:
        self.red.bury()
        for change in self.red.loc.changes():
            for nlri in change.nlris:
                (self.chosen.add if change.now.members else self.chosen.discard)(nlri)
        known = {
            nlri_of(ip_network(text)): text for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
        }
        return {known[nlri] for nlri in self.chosen}


@pytest.fixture
def bench() -> Bench:
    return Bench(ONE)


def test_only_the_session_that_is_up_is_heard(bench: Bench) -> None:
    bench.announce("192.0.2.0/24")
    assert bench.routes() == set()
    bench.up(epoch=2)
    bench.announce("192.0.2.0/24", epoch=1)
    assert bench.routes() == set(), "an update of an older session"
    bench.announce("192.0.2.0/24", epoch=2)
    assert bench.routes() == {"192.0.2.0/24"}
    assert not bench.down(epoch=1)
    assert bench.routes() == {"192.0.2.0/24"}, "the end of an older session"


def test_within_a_block_the_last_word_counts(bench: Bench) -> None:
    bench.up()
    hop = str(ONE.id.address)
    one, gone = wire.update(["192.0.2.0/24"], next_hop=hop), wire.update(withdraw=["192.0.2.0/24"])
    both = wire.update(withdraw=["192.0.2.0/24", "203.0.113.0/24"])
    bench.hear(gone + both + one + wire.update(["203.0.113.0/24"], next_hop=hop))
    assert bench.routes() == {"192.0.2.0/24", "203.0.113.0/24"}
    bench.hear(one + gone + gone)
    assert bench.routes() == {"203.0.113.0/24"}
    bench.hear(both + wire.message(nlri=b"\x40\x01\x02"))
    assert bench.routes() == set(), "what came before the error counts"
    assert bench.red.sessions[ONE.id].updates == 8


def test_a_failed_try_is_remembered_and_ends_nothing(bench: Bench) -> None:
    bench.up()
    bench.announce("192.0.2.0/24")
    assert not bench.down(DownCause(DownKind.CONNECT_FAILED, text="refused"), epoch=0)
    assert bench.routes() == {"192.0.2.0/24"}
    assert bench.red.sessions[ONE.id].last_error == DownCause(DownKind.CONNECT_FAILED, text="refused")


def test_an_unknown_peer_is_none_of_ours(bench: Bench) -> None:
    agreed = Negotiated(64501, "172.16.1.141", ip_address("172.16.1.10"), 90, frozenset({V4}))
    assert not bench.red.session_up(SessionUp(TWO.id, 1, agreed), 0.0)
    assert not bench.down(one=TWO)
    assert bench.hear(wire.update(["192.0.2.0/24"]), TWO) == []


def test_what_cannot_be_read_resets_the_session_once(bench: Bench) -> None:
    bench.up()
    rubbish = wire.message(nlri=b"\x40\x01\x02")
    assert bench.hear(rubbish) == [ResetSession(ONE.id, 3, 10)]
    assert bench.hear(rubbish) == []


def test_without_graceful_restart_the_end_takes_the_routes(bench: Bench) -> None:
    bench.up()
    bench.announce("192.0.2.0/24")
    assert bench.down()
    assert bench.routes() == set()
    assert not bench.down(), "it ends once"


@pytest.mark.parametrize(
    ("cause", "kept"),
    [
        (LOST, True),
        (DownCause(DownKind.HOLD_TIMER, 4), True),
        (CEASE, False),
        (DownCause(DownKind.NOTIFICATION_SENT, 3, 1), False),
        (DownCause(DownKind.CONFIGURED), False),
    ],
)
def test_which_ends_a_graceful_restart_covers(bench: Bench, cause: DownCause, kept: bool) -> None:
    bench.up(restart=GRACEFUL)
    bench.announce("192.0.2.0/24")
    bench.down(cause)
    assert bool(bench.routes()) is kept


def test_stale_routes_go_when_the_time_is_over(bench: Bench) -> None:
    bench.up(restart=GRACEFUL)
    bench.announce("192.0.2.0/24")
    bench.down(now=10.0)
    assert 100.0 in bench.red.deadlines()
    bench.red.tick(99.0)
    assert bench.routes()
    bench.red.tick(100.0)
    assert not bench.routes()
    assert 100.0 not in bench.red.deadlines()


def test_no_peer_is_kept_longer_than_the_networks_stale_time(bench: Bench) -> None:
    bench.red.configure(network(ONE, stale_time=40), 0.0)
    bench.up(restart=PeerRestart(4095, True, frozenset({V4})))
    bench.announce("192.0.2.0/24")
    bench.down(now=10.0)
    bench.red.tick(49.0)
    assert bench.routes()
    bench.red.tick(50.0)
    assert not bench.routes()


def test_a_speakers_death_keeps_the_routes_of_any_peer(bench: Bench) -> None:
    bench.up()
    bench.announce("192.0.2.0/24")
    assert bench.red.speaker_exited(DownCause(DownKind.SPEAKER_ENDED), 0.0) == [ONE.id]
    assert bench.routes()
    assert not bench.red.sessions[ONE.id].up


def test_end_of_rib_ends_what_was_not_sent_again(bench: Bench) -> None:
    bench.up(restart=GRACEFUL)
    bench.announce("192.0.2.0/24", "198.51.100.0/24")
    bench.down()
    bench.up(epoch=2, restart=GRACEFUL)
    bench.announce("192.0.2.0/24", epoch=2)
    assert bench.routes() == {"192.0.2.0/24", "198.51.100.0/24"}
    bench.hear(wire.end_of_rib(), epoch=2)
    assert bench.routes() == {"192.0.2.0/24"}
    assert bench.red.sessions[ONE.id].stale_until is None


def test_a_family_that_is_no_longer_spoken_goes() -> None:
    both = peer("172.16.1.140", families=frozenset(Family))
    bench = Bench(both)
    bench.up(both, restart=PeerRestart(90, True, frozenset(Family)), families=frozenset(Family))
    bench.hear(wire.update(["2001:db8::/32"], next_hop="2001:db8:1::1"), both)
    bench.announce("192.0.2.0/24", one=both)
    bench.down(one=both)
    bench.up(both, epoch=2, restart=GRACEFUL)
    assert len(bench.red.loc.adj(both.id, V6)) == 0
    assert bench.routes() == {"192.0.2.0/24"}


def test_a_refresh_sweeps_what_it_leaves_out(bench: Bench) -> None:
    bench.up()
    bench.announce("192.0.2.0/24", "198.51.100.0/24")
    bench.red.refresh(Refresh(ONE.id, 1, V4, RefreshPhase.BEGIN), 1.0)
    bench.announce("192.0.2.0/24")
    bench.red.refresh(Refresh(ONE.id, 2, V4, RefreshPhase.END), 1.0)
    assert len(bench.routes()) == 2, "of another session"
    bench.red.refresh(Refresh(ONE.id, 1, V4, RefreshPhase.END), 1.0)
    assert bench.routes() == {"192.0.2.0/24"}


# -- in sync -------------------------------------------------------------------------------------


def test_in_sync_when_each_peer_has_said_end_of_rib_in_each_family() -> None:
    both = peer("172.16.1.141", families=frozenset(Family))
    bench = Bench(ONE, both)
    bench.up()
    bench.hear(wire.end_of_rib())
    assert not bench.red.tick(1.0)
    bench.up(both, families=frozenset(Family))
    bench.hear(wire.end_of_rib(V4), both)
    assert not bench.red.tick(1.0)
    bench.hear(wire.end_of_rib(V6), both)
    assert bench.red.tick(1.0)
    assert bench.red.in_sync
    assert not bench.red.tick(2.0), "it is told once"


def test_in_sync_when_the_time_of_the_others_is_over() -> None:
    bench = Bench(ONE, TWO)
    bench.up(now=30.0)
    assert not bench.red.tick(SYNC_TIME), "the one that came up has its own time"
    assert bench.red.tick(30.0 + SYNC_TIME)
    assert bench.red.deadlines() == []


def test_a_peer_that_can_have_no_session_yet_has_its_time_from_the_networks_start() -> None:
    """X17, P22: a Secret is not mounted yet, and the other peers are through."""
    lacking = Problem(Severity.DEGRADED, Reason.MISSING_SECRET, "BGPPeer two", "")
    bench = Bench(ONE, replace(TWO, degraded=(lacking,)))
    bench.up()
    bench.hear(wire.end_of_rib())
    assert not bench.red.tick(1.0)
    assert bench.red.deadlines()[-1] == SYNC_TIME
    assert bench.red.tick(SYNC_TIME)
    assert bench.red.deadlines() == []


def test_a_network_without_sessions_has_nothing_to_wait_for() -> None:
    assert Bench().red.tick(0.0)


# -- a new config --------------------------------------------------------------------------------


def test_a_peer_that_goes_takes_its_routes_and_no_others() -> None:
    bench = Bench(ONE, TWO)
    bench.up(ONE)
    bench.up(TWO)
    bench.announce("192.0.2.0/24", one=ONE)
    bench.announce("198.51.100.0/24", one=TWO)
    bench.red.configure(network(TWO), 0.0)
    assert bench.routes() == {"198.51.100.0/24"}
    assert bench.red.sessions.keys() == {TWO.id}
    assert bench.red.sessions[TWO.id].up


def test_a_changed_policy_is_applied_to_what_is_there() -> None:
    bench = Bench(ONE)
    bench.up()
    bench.hear(wire.update(["192.0.2.0/24"], next_hop="172.16.1.140", as_path=[64501, 64512]))
    assert bench.routes() == set()
    bench.red.configure(network(peer("172.16.1.140", allowed_local_as=1)), 0.0)
    assert bench.routes() == {"192.0.2.0/24"}
    bench.red.configure(network(ONE), 0.0)
    assert bench.routes() == set()


@pytest.mark.parametrize("listed", [frozenset[Family](), frozenset({V6})])
def test_p12_a_peer_that_lists_no_family_of_the_session_is_dead_at_once(
    bench: Bench, listed: frozenset[Family]
) -> None:
    bench.up(restart=PeerRestart(120, restarting=False, forwarding=frozenset(), families=listed))
    bench.announce("192.0.2.0/24")
    bench.down(LOST)
    assert bench.red.take_dead() == [ONE.id], "its next hops go ahead of all else"
    assert bench.routes() == set()


def test_p12_a_peer_that_comes_back_without_the_capability_kept_nothing(bench: Bench) -> None:
    bench.up(restart=GRACEFUL)
    bench.announce("192.0.2.0/24")
    bench.down(LOST)
    assert bench.routes() == {"192.0.2.0/24"}
    bench.up(epoch=2)
    assert bench.routes() == set()


def test_a_malformed_update_is_told_once_a_session(bench: Bench) -> None:
    bench.up()
    octets = wire.message(b"", wire.attribute(1, b"\x09"), wire.nlri("192.0.2.0/24"))
    assert not bench.hear(octets)
    assert any("origin-value" in str(fault) for fault in bench.red.new_faults(ONE.id))
    assert not bench.hear(octets)
    assert bench.red.new_faults(ONE.id) == []
    assert bench.routes() == set()
    bench.up(epoch=2)
    assert not bench.hear(octets, epoch=2)
    assert bench.red.new_faults(ONE.id) != []


def test_x7_a_dead_peer_is_told_before_its_paths_are_forgotten(bench: Bench) -> None:
    bench.up()
    bench.announce("192.0.2.0/24")
    assert bench.routes() == {"192.0.2.0/24"}
    assert bench.down(CEASE)
    assert bench.red.take_dead() == [ONE.id]
    assert bench.red.loc.candidates(V4, nlri_of(ip_network("192.0.2.0/24"))), "they are, in their own time"
    assert bench.red.take_dead() == []
    assert bench.routes() == set()


def test_x7_a_peer_that_is_back_at_once_is_not_dead_but_begins_anew(bench: Bench) -> None:
    bench.up()
    bench.announce("192.0.2.0/24")
    bench.down(CEASE)
    bench.up(epoch=2)
    assert bench.red.take_dead() == []
    assert bench.routes() == set()


def test_without_backups_nothing_goes_before_it_is_replaced() -> None:
    bench = Bench(ONE)
    bench.red.configure(replace(bench.red.intent, backup_routes=False), 0.0)
    bench.up()
    bench.announce("192.0.2.0/24")
    bench.down(CEASE)
    assert bench.red.take_dead() == []
    assert bench.routes() == set(), "it goes all the same"
