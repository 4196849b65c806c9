"""How long a session outlives the loss of what it stands on."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address

import pytest

from tests.unit.core.nodes import host, peer
from vrfbgp.footing import PATIENCE, Footings
from vrfbgp.host import Host
from vrfbgp.intent import Reason
from vrfbgp.uplinks import Attachment

PEER = peer("172.16.1.140")
HELD = {PEER.id}


def node() -> tuple[Host, Attachment]:
    found = host({"eth1": "172.16.1.10/24"})
    (index,) = found.links
    return found, Attachment(PEER.id, index, ip_address("172.16.1.10"), True)


def cut(found: Host) -> None:
    """Take the carrier of the only link."""
    found.links = {index: replace(link, running=False) for index, link in found.links.items()}


def test_a_flap_is_outlived() -> None:
    found, attachment = node()
    footings = Footings(found)
    footings.renew([(PEER, attachment)], HELD, 10.0)
    footings.renew([(PEER, None)], HELD, 11.0)
    assert footings.of(PEER.id) is not None
    assert footings.deadline() == 11.0 + PATIENCE
    footings.renew([(PEER, None)], HELD, 11.0 + PATIENCE / 2)
    assert footings.deadline() == 11.0 + PATIENCE, "from the loss on"
    footings.renew([(PEER, attachment)], HELD, 11.9)
    assert footings.of(PEER.id) is not None
    assert footings.deadline() is None
    assert not footings.is_lost(PEER.id, 99.0)


@pytest.mark.parametrize("how", ["carrier", "address"])
def test_what_stays_lost_counts_as_lost_and_the_device_is_named(how: str) -> None:
    found, attachment = node()
    footings = Footings(found)
    footings.renew([(PEER, attachment)], HELD, 10.0)
    if how == "carrier":
        cut(found)
    for now in (11.0, 11.0 + PATIENCE, 99.0):
        assert not footings.is_lost(PEER.id, 11.0)
        footings.renew([(PEER, attachment if how == "carrier" else None)], HELD, now)
    assert footings.is_lost(PEER.id, 11.0 + PATIENCE)
    assert footings.of(PEER.id) is not None, "its connection is let be"
    assert footings.deadline() is None
    told = [(problem.reason, "eth1" in problem.text) for problem in footings.problems]
    assert told == ([(Reason.UPLINK_DOWN, True)] if how == "carrier" else []), "else its uplink's to tell"


def test_no_session_is_begun_on_a_dead_device() -> None:
    found, attachment = node()
    cut(found)
    footings = Footings(found)
    footings.renew([(PEER, attachment)], set(), 10.0)
    assert footings.of(PEER.id) is None
    assert [problem.reason for problem in footings.problems] == [Reason.UPLINK_DOWN]


def test_a_peer_further_away_has_other_ways() -> None:
    found, attachment = node()
    cut(found)
    footings = Footings(found)
    footings.renew([(PEER, replace(attachment, on_link=False))], set(), 10.0)
    assert footings.of(PEER.id) is not None


def test_a_peer_that_was_edited_has_to_be_reached_first() -> None:
    found, attachment = node()
    footings = Footings(found)
    footings.renew([(PEER, attachment)], HELD, 10.0)
    footings.renew([(replace(PEER, hold_time=30), None)], HELD, 10.1)
    assert footings.of(PEER.id) is None


@pytest.mark.parametrize(
    ("on_link", "port", "bound"), [(True, None, True), (False, None, False), (False, 179, True)]
)
def test_what_a_session_is_bound_to(on_link: bool, port: int | None, bound: bool) -> None:
    """One to a peer further away follows the routes, unless it was accepted on a device."""
    found, attachment = node()
    footings = Footings(found)
    footings.renew([(replace(PEER, listen_port=port), replace(attachment, on_link=on_link))], set(), 10.0)
    assert footings.device(PEER.id) == (attachment.ifindex if bound else None)
