"""Events wait for the core in their order, and who brings too many has to wait himself."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address

from vrfbgp.events import Overrun, Refresh, RefreshPhase, SpeakerStarted, Updates
from vrfbgp.inbox import FULL, ROUND, Inbox
from vrfbgp.model import Family, PeerId

PEER = PeerId("red", ip_address("10.0.0.1"))


def updates(octets: int) -> Updates:
    return Updates(PEER, 1, bytes(octets))


def test_the_kernel_first_then_the_networks_in_turn_each_in_order() -> None:
    inbox = Inbox()
    blue = PeerId("blue", PEER.address)
    big, last = updates(ROUND), updates(1)
    for event in (big, last):
        assert inbox.put_from("red", event) is None
    inbox.put_from("blue", Updates(blue, 1, b"x"))
    inbox.put(Overrun())
    assert list(inbox.take()) == [Overrun(), big, Updates(blue, 1, b"x")]
    assert list(inbox.take()) == [last]


def test_it_wakes_for_an_event_and_for_the_time() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        await inbox.wait(0.0)
        for put in (lambda: inbox.put(Overrun()), lambda: inbox.put_from("red", SpeakerStarted("red"))):
            waiting = asyncio.create_task(inbox.wait(3600.0))
            await asyncio.sleep(0)
            assert not waiting.done()
            put()
            put()
            await waiting
            assert len(list(inbox.take())) == 2

    asyncio.run(scenario())


def test_no_timer_is_left_behind() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        waiting = asyncio.create_task(inbox.wait(3600.0))
        await asyncio.sleep(0)
        inbox.put(Overrun())
        await waiting
        loop = asyncio.get_running_loop()
        assert all(timer.cancelled() for timer in loop._scheduled)  # type: ignore[attr-defined]

    asyncio.run(scenario())


def test_a_network_that_is_too_far_ahead_waits_until_it_is_not() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        while (room := inbox.put_from("red", updates(ROUND))) is None:
            pass
        assert inbox.put_from("red", updates(1)) is room
        assert inbox.put_from("blue", updates(ROUND)) is None
        while not room.done():
            assert list(inbox.take())
        taken = 0
        while found := list(inbox.take()):
            taken += sum(len(event.block) for event in found if isinstance(event, Updates))
        assert taken <= FULL + 1

    asyncio.run(scenario())


def test_who_says_little_but_often_waits_too_and_takes_no_more_than_his_turn() -> None:
    async def scenario() -> None:
        begun = Refresh(PEER, 1, Family.IPV4, RefreshPhase.BEGIN)
        for event in (begun, updates(23)):
            inbox, count = Inbox(), 1
            while inbox.put_from("red", event) is None:
                count += 1
            assert count < 50_000, "memory has a bound"
            assert len(list(inbox.take())) < count, "others have their turn"
            while list(inbox.take()):
                pass
            assert inbox.backlog == {"red": 0}

    asyncio.run(scenario())


def test_who_gave_up_waiting_does_no_harm() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        while (room := inbox.put_from("red", updates(ROUND))) is None:
            pass
        room.cancel()
        while list(inbox.take()):
            pass
        assert inbox.put_from("red", updates(1)) is None

    asyncio.run(scenario())


def test_x24_what_is_held_waits_and_the_others_do_not() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        blue = PeerId("blue", PEER.address)
        inbox.put_from("red", updates(1))
        inbox.put_from("blue", Updates(blue, 1, b"x"))
        inbox.hold(frozenset({"red"}))
        assert list(inbox.take()) == [Updates(blue, 1, b"x")]
        waiting = asyncio.create_task(inbox.wait(3600.0))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done(), "a loop around nothing"
        inbox.hold(frozenset())
        await waiting
        assert list(inbox.take()) == [updates(1)]

    asyncio.run(scenario())


def test_x24_who_is_held_for_long_is_not_read_any_more() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        inbox.hold(frozenset({"red"}))
        assert inbox.holds_back
        room = None
        while room is None:
            room = inbox.put_from("red", updates(ROUND))
            assert not list(inbox.take())
        assert inbox.backlog["red"] <= FULL + 2 * ROUND
        inbox.hold(frozenset())
        while list(inbox.take()):
            pass
        assert room.done()

    asyncio.run(scenario())
