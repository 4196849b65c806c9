"""The speaker against FRR: what a real router negotiates, sends, refuses and sees."""

from __future__ import annotations

import asyncio
import os
import signal
from ipaddress import ip_address, ip_network

import pytest

from tests.netns.speaker_lab import (
    NODE,
    NODE6,
    ROUTER6,
    SECOND,
    Lab,
    bgpd,
    gone,
    session,
    until,
    witness,
)
from vrfbgp.events import (
    DownKind,
    PeerRestart,
    SessionDown,
    SessionState,
    SessionUp,
    SpeakerExited,
    SpeakerStarted,
)
from vrfbgp.model import Family
from vrfbgp.requests import Announce, SendEndOfRib, Withdraw

PEER = session().peer
GATEWAY = ip_network("10.50.0.2/32")


def test_what_was_negotiated_is_told_and_updates_come_raw(lab: Lab) -> None:
    async def scenario() -> None:
        lab.frr(bgpd(networks=("192.0.2.0/24", "2001:db8:5::/48")))
        async with witness(lab) as speaker:
            [up] = await speaker.up(session(hold_time=30))
            agreed = up.negotiated
            assert (agreed.peer_as, agreed.router_id, agreed.hold_time) == (65001, "10.99.0.2", 9)
            assert agreed.local_address == ip_address(NODE)
            assert agreed.families == frozenset(Family)
            assert agreed.asn4
            assert agreed.route_refresh
            assert agreed.enhanced_refresh
            assert agreed.extended_message
            assert agreed.add_path == frozenset()
            assert agreed.restart == PeerRestart(120, True, frozenset(), frozenset(Family))
            await until(lambda: bytes.fromhex("18c00002") in speaker.octets(), "the IPv4 prefix")
            await until(lambda: bytes.fromhex("3020010db80005") in speaker.octets(), "the IPv6 prefix")
            states = [event.state for event in speaker.events if isinstance(event, SessionState)]
            assert states == ["idle", "connect", "opensent", "openconfirm"]

    asyncio.run(scenario())


def test_announcements_with_all_attributes_withdrawal_and_end_of_rib(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd())
        async with witness(lab) as speaker:
            await speaker.up(session())
            assert "ipv4Unicast" not in frr.neighbor()["gracefulRestartInfo"].get("endOfRibRecv", {})
            speaker.speaker.send(
                Announce(
                    PEER,
                    GATEWAY,
                    med=7,
                    communities=((65000, 80),),
                    large_communities=((65000, 1, 2),),
                    prepend=(65000, 65000),
                )
            )
            speaker.speaker.send(Announce(PEER, ip_network("2001:db8:50::/64"), next_hop=ip_address(NODE6)))
            speaker.speaker.send(SendEndOfRib(PEER, Family.IPV4))
            [route] = await until(lambda: frr.routes().get(str(GATEWAY)), "the route")
            assert (route["path"], route["metric"]) == ("65000 65000 65000", 7)
            assert route["nexthops"][0]["ip"] == NODE
            assert "65000:80" in frr.vty(f"show bgp ipv4 unicast {GATEWAY}")
            assert "65000:1:2" in frr.vty(f"show bgp ipv4 unicast {GATEWAY}")
            await until(lambda: "2001:db8:50::/64" in frr.routes("ipv6"), "the IPv6 route")
            await until(
                lambda: frr.neighbor()["gracefulRestartInfo"]["endOfRibRecv"]["ipv4Unicast"], "End-of-RIB"
            )
            assert "ipv6Unicast" not in frr.neighbor()["gracefulRestartInfo"]["endOfRibRecv"]
            speaker.speaker.send(Withdraw(PEER, GATEWAY))
            await until(lambda: str(GATEWAY) not in frr.routes(), "the withdrawal")

    asyncio.run(scenario())


def test_announcements_survive_a_flap_and_a_change_of_the_session(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd())
        async with witness(lab) as speaker:
            [first] = await speaker.up(session())
            speaker.speaker.send(Announce(PEER, GATEWAY))
            await until(lambda: str(GATEWAY) in frr.routes(), "the route")
            frr.vty("clear bgp *")
            down = await speaker.expect(SessionDown, epoch=first.epoch)
            assert down.cause.kind is DownKind.NOTIFICATION_RECEIVED
            assert (down.cause.code, down.cause.subcode) == (6, 4)
            await speaker.expect(SessionUp, epoch=first.epoch + 1)
            await until(lambda: str(GATEWAY) in frr.routes(), "the route after the flap")
            speaker.speaker.configure((session(router_id="10.99.0.77"),))
            await speaker.speaker.settled()
            await speaker.expect(SessionUp, epoch=first.epoch + 2)
            await until(lambda: frr.neighbor()["remoteRouterId"] == "10.99.0.77", "the new router id")
            await until(lambda: str(GATEWAY) in frr.routes(), "the route after the change")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [(65009, 65000, DownKind.NOTIFICATION_SENT), (65001, 65009, DownKind.NOTIFICATION_RECEIVED)],
)
def test_a_wrong_as_is_told_from_either_side(lab: Lab, ours: int, theirs: int, kind: DownKind) -> None:
    async def scenario() -> None:
        lab.frr(bgpd(neighbor_as=theirs))
        async with witness(lab) as speaker:
            speaker.speaker.configure((session(peer_as=ours),))
            down = await speaker.expect(SessionDown)
            assert (down.epoch, down.cause.kind) == (0, kind)
            assert (down.cause.code, down.cause.subcode) == (2, 2)
            assert "Bad Peer AS" in down.cause.text
            assert not [event for event in speaker.events if isinstance(event, SessionUp)]

    asyncio.run(scenario())


def test_a_peer_that_dies_is_down_then_refuses_then_returns(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd())
        async with witness(lab) as speaker:
            [first] = await speaker.up(session())
            frr.kill()
            down = await speaker.expect(SessionDown, epoch=first.epoch)
            assert down.cause.kind is DownKind.CONNECTION_LOST
            refused = await speaker.expect(SessionDown, epoch=0)
            assert refused.cause.kind is DownKind.CONNECT_FAILED
            assert "Connection refused" in refused.cause.text
            frr.start()
            again = await speaker.expect(SessionUp, epoch=first.epoch + 1)
            assert again.negotiated.router_id == "10.99.0.2"

    asyncio.run(scenario())


def test_a_second_peer_comes_and_goes_without_touching_the_first(lab: Lab) -> None:
    async def scenario() -> None:
        first, second = lab.frr(bgpd()), lab.frr(bgpd(asn=65002), SECOND)
        one, other = session(), session(SECOND, peer_as=65002)
        async with witness(lab) as speaker:
            [up] = await speaker.up(one)
            pid = speaker.speaker.pid
            speaker.speaker.send(Announce(PEER, GATEWAY))
            await until(lambda: str(GATEWAY) in first.routes(), "the route")
            speaker.speaker.configure((one, other))
            await speaker.expect(SessionUp, peer=other.peer)
            assert str(GATEWAY) not in second.routes()
            speaker.speaker.configure((one,))
            down = await speaker.expect(SessionDown, peer=other.peer)
            assert down.cause.kind is DownKind.CONFIGURED
            await until(
                lambda: second.neighbor()["lastResetDueTo"] == "BGP Notification received", "the farewell"
            )
            assert second.neighbor()["lastErrorCodeSubcode"] == "0603"
            assert speaker.speaker.pid == pid
            assert [event for event in speaker.events if isinstance(event, SessionUp)][:1] == [up]
            assert not [e for e in speaker.events if isinstance(e, SessionDown) and e.peer == PEER]
            assert first.neighbor()["connectionsEstablished"] == 1
            assert str(GATEWAY) in first.routes()

    asyncio.run(scenario())


@pytest.mark.parametrize("password", ["plain", 'it\'s;{odd}"quoted"\\#$HOME'])
def test_md5_right(lab: Lab, password: str) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd())
        frr.vty("configure terminal", "router bgp 65001", f"neighbor {NODE} password {password}")
        async with witness(lab) as speaker:
            await speaker.up(session(password=password))

    asyncio.run(scenario())


def test_md5_wrong_is_told_and_heals(lab: Lab) -> None:
    async def scenario() -> None:
        lab.frr(bgpd(f"neighbor {NODE} password right"))
        async with witness(lab) as speaker:
            speaker.speaker.configure((session(password="wrong"),))
            down = await speaker.expect(SessionDown)
            assert (down.epoch, down.cause.kind) == (0, DownKind.CONNECT_FAILED)
            assert "MD5" in down.cause.text
            speaker.speaker.configure((session(password="right"),))
            await speaker.expect(SessionUp)

    asyncio.run(scenario())


def test_a_speaker_that_is_killed_comes_back(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd())
        async with witness(lab) as speaker:
            [first] = await speaker.up(session())
            seen = len(speaker.events)
            pid = speaker.speaker.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            down = await speaker.expect(SessionDown, epoch=first.epoch)
            assert down.cause.kind is DownKind.SPEAKER_ENDED
            exited = await speaker.expect(SpeakerExited, network="red")
            assert exited.status == -signal.SIGKILL
            await speaker.expect(SpeakerStarted, since=seen)
            again = await speaker.expect(SessionUp, since=seen)
            assert again.epoch > first.epoch
            kinds = [type(event) for event in speaker.events[seen:]]
            order = [SessionDown, SpeakerExited, SpeakerStarted, SessionUp]
            assert sorted(order, key=kinds.index) == order
            assert frr.neighbor()["connectionsEstablished"] == 2

    asyncio.run(scenario())


def test_ttl_security_over_one_hop(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd(f"neighbor {NODE} ttl-security hops 1"))
        async with witness(lab) as speaker:
            await speaker.up(session(ttl_security=1))
            speaker.speaker.send(Announce(PEER, GATEWAY))
            await until(lambda: str(GATEWAY) in frr.routes(), "the route")

    asyncio.run(scenario())


def test_a_session_over_ipv6(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd().replace(NODE, NODE6), ROUTER6)
        async with witness(lab) as speaker:
            one = session(ROUTER6)
            await speaker.up(one)
            speaker.speaker.send(Announce(one.peer, ip_network("2001:db8:50::2/128")))
            await until(lambda: "2001:db8:50::2/128" in frr.routes("ipv6"), "the route")

    asyncio.run(scenario())


def test_no_sessions_ends_the_process_with_a_farewell(lab: Lab) -> None:
    async def scenario() -> None:
        frr = lab.frr(bgpd())
        async with witness(lab) as speaker:
            await speaker.up(session())
            pid = speaker.speaker.pid
            assert pid is not None
            speaker.speaker.configure(())
            await speaker.speaker.settled()
            assert gone(pid)
            await until(lambda: frr.neighbor()["lastErrorCodeSubcode"] == "0603", "the farewell")
            assert not [event for event in speaker.events if isinstance(event, SpeakerExited)]
            seen = len(speaker.events)
            speaker.speaker.configure((session(),))
            await speaker.expect(SessionUp, since=seen)

    asyncio.run(scenario())
