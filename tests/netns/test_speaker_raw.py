"""The speaker against a peer that does what no router should: the lane, its bounds, and its ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
from ipaddress import ip_network
from pathlib import Path

import pytest

from tests.netns.speaker_lab import (
    ASN4,
    ENHANCED_REFRESH,
    EXTENDED,
    FAMILIES,
    GRACEFUL,
    SECOND,
    Lab,
    Witness,
    acquainted,
    capability,
    gone,
    message,
    raw_peer,
    session,
    until,
    update,
    witness,
)
from vrfbgp.events import (
    DownKind,
    PeerRestart,
    Refresh,
    RefreshPhase,
    SessionDown,
    SessionUp,
    SpeakerEvent,
    SpeakerExited,
    SpeakerStarted,
    Updates,
)
from vrfbgp.model import Family
from vrfbgp.requests import Announce, ResetSession, SendEndOfRib, Withdraw
from vrfbgp.speaker import Speaker
from vrfbgp.speaker.channel import SPOOL_LIMIT
from vrfbgp.speaker.nursery import Nursery
from vrfbgp.speaker.rest import REST
from vrfbgp.speaker.session import FLAPS

PEER = session().peer
IP_MINTTL = 21
"""linux/in.h; Python has no name for it."""
CAPABILITIES = FAMILIES + ASN4 + ENHANCED_REFRESH + GRACEFUL


async def heard(speaker: Witness, octets: bytes, seconds: float = 20) -> None:
    """Wait until just these UPDATEs have come."""
    await until(lambda: len(speaker.octets()) >= len(octets), f"{len(octets)} octets", seconds)
    assert speaker.octets() == octets


def test_updates_in_the_segment_of_the_handshake_are_not_lost(lab: Lab) -> None:
    async def scenario() -> None:
        early = b"".join(map(update, range(50)))
        async with acquainted(lab, CAPABILITIES, more=early) as (_peer, speaker):
            await heard(speaker, early)

    asyncio.run(scenario())


def test_twenty_thousand_prefixes_in_odd_pieces_arrive_as_they_were(lab: Lab) -> None:
    async def scenario() -> None:
        octets = b"".join(map(update, range(20_000)))
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            at = 0
            for size in (1, 18, 19, 22, 23, 4095, 4096, 65_537, 1 << 20):
                for _ in range(3):
                    peer.writer.write(octets[at : at + size])
                    at += size
                    await peer.writer.drain()
                    await asyncio.sleep(0.001)
            peer.writer.write(octets[at:])
            await heard(speaker, octets)
            starts = {e.block[:19] for e in speaker.events if isinstance(e, Updates)}
            assert all(re.fullmatch(rb"\xff{16}..\x02", start, re.DOTALL) for start in starts)

    asyncio.run(scenario())


def test_updates_that_come_one_by_one_are_gathered_and_none_is_lost_at_the_end(lab: Lab) -> None:
    async def scenario() -> None:
        count = 1000
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(),))
                await peer.open(CAPABILITIES)
                up = await speaker.expect(SessionUp)
                begin = time.monotonic()
                for number in range(count):
                    peer.writer.write(update(number))
                    await peer.writer.drain()
                    await asyncio.sleep(0.0005)
                peer.writer.write(message(3, b"\6\2"))
                peer.writer.close()
                down = await speaker.expect(SessionDown, epoch=up.epoch)
                assert down.cause.kind is DownKind.NOTIFICATION_RECEIVED
                assert speaker.octets() == b"".join(map(update, range(count)))
                reads = sum(isinstance(e, Updates) for e in speaker.events)
                assert reads < 10 + (time.monotonic() - begin) / REST

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("bad", "answer"),
    [
        (b"\xff" * 15 + b"\xfe" + b"\0\x17\2", b"\1\1"),
        (b"\xff" * 16 + b"\0\0\2", b"\1\2\0\0"),
        (b"\xff" * 16 + b"\0\x16\2", b"\1\2\0\x16"),
        (b"\xff" * 16 + b"\x10\1\2", b"\1\2\x10\1"),
        (b"\xff" * 16 + b"\0\x14\4\0", b"\1\2\0\x14"),
        (b"\xff" * 16 + b"\0\x13\x09", b"\1\3\x09"),
        (message(1, b"\4" + b"\0" * 9), b"\5\3"),
    ],
)
def test_a_bad_header_ends_the_session_after_what_was_good(lab: Lab, bad: bytes, answer: bytes) -> None:
    async def scenario() -> None:
        good = update(1) + update(2)
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            peer.writer.write(good + bad + update(3))
            assert (await peer.notification())[: len(answer)] == answer
            up = await speaker.expect(SessionUp)
            down = await speaker.expect(SessionDown, epoch=up.epoch)
            assert down.cause.kind is DownKind.NOTIFICATION_SENT
            assert (down.cause.code, down.cause.subcode) == tuple(answer[:2])
            assert speaker.octets() == good
            await peer.open(CAPABILITIES)
            await speaker.expect(SessionUp, epoch=up.epoch + 1)

    asyncio.run(scenario())


def test_extended_messages_are_taken_if_both_sides_can(lab: Lab) -> None:
    async def scenario() -> None:
        long = message(2, b"\0" * 60_000)
        async with acquainted(lab, CAPABILITIES + EXTENDED) as (peer, speaker):
            up = await speaker.expect(SessionUp)
            assert up.negotiated.extended_message
            peer.writer.write(long)
            await heard(speaker, long)

    asyncio.run(scenario())


def test_updates_alone_hold_the_session_and_silence_ends_it(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, CAPABILITIES, hold_time=3) as (peer, speaker):
            for number in range(12):
                peer.writer.write(update(number))
                await asyncio.sleep(0.5)
            up = await speaker.expect(SessionUp)
            assert not [event for event in speaker.events if isinstance(event, SessionDown)]
            down = await speaker.expect(SessionDown, epoch=up.epoch)
            assert (down.cause.kind, down.cause.code) == (DownKind.HOLD_TIMER, 4)
            assert (await peer.notification())[:2] == b"\4\0"

    asyncio.run(scenario())


def test_keepalives_as_often_as_asked(lab: Lab) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(hold_time=90, keepalive_time=1),))
                await peer.open(CAPABILITIES)
                begun = loop.time()
                for _ in range(3):
                    assert (await peer.read())[0] == 4
                assert loop.time() - begun < 10

    asyncio.run(scenario())


def test_route_refresh_is_answered_and_its_demarcations_are_told_in_order(lab: Lab) -> None:
    async def scenario() -> None:
        begin, end = message(5, b"\0\1\1\1"), message(5, b"\0\1\2\1")
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            peer.writer.write(update(1) + begin + update(2) + end + message(5, b"\0\1\7\1") + update(3))
            up = await speaker.expect(SessionUp)
            await heard(speaker, update(1) + update(2) + update(3))
            told = [e for e in speaker.events if isinstance(e, Updates | Refresh)]
            assert told == [
                Updates(PEER, up.epoch, update(1)),
                Refresh(PEER, up.epoch, Family.IPV4, RefreshPhase.BEGIN),
                Updates(PEER, up.epoch, update(2)),
                Refresh(PEER, up.epoch, Family.IPV4, RefreshPhase.END),
                Updates(PEER, up.epoch, update(3)),
            ]
            speaker.speaker.send(Announce(PEER, ip_network("10.50.0.2/32")))
            assert (await peer.read())[0] == 2
            peer.writer.write(message(5, b"\0\1\0\1"))
            assert await peer.read() == (5, b"\0\1\1\1")
            assert (await peer.read())[0] == 2
            assert await peer.read() == (5, b"\0\1\2\1")
            # RFC 7313 5: the answer to a wrong length has the whole message.
            wrong = message(5, b"\0\1\1\1\0")
            peer.writer.write(wrong)
            assert await peer.notification() == b"\7\1" + wrong

    asyncio.run(scenario())


def test_a_plain_route_refresh_is_answered_without_demarcations(lab: Lab) -> None:
    """RFC 2918: the peer can't do enhanced ones."""

    async def scenario() -> None:
        async with acquainted(lab, FAMILIES + ASN4 + capability(2)) as (peer, speaker):
            up = await speaker.expect(SessionUp)
            assert (up.negotiated.route_refresh, up.negotiated.enhanced_refresh) == (True, False)
            speaker.speaker.send(Announce(PEER, ip_network("10.50.0.2/32")))
            announced = await peer.read()
            assert announced[0] == 2
            peer.writer.write(message(5, b"\0\1\0\1"))
            assert await peer.read() == announced

    asyncio.run(scenario())


def test_a_reset_is_a_notification_even_with_graceful_restart(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            up = await speaker.expect(SessionUp)
            assert up.negotiated.restart is not None
            speaker.speaker.send(ResetSession(PEER, 3, 1))
            assert await peer.notification() == b"\3\1"
            down = await speaker.expect(SessionDown, epoch=up.epoch)
            assert (down.cause.kind, down.cause.code, down.cause.subcode) == (
                DownKind.NOTIFICATION_SENT,
                3,
                1,
            )
            await peer.open(CAPABILITIES)
            await speaker.expect(SessionUp, epoch=up.epoch + 1)

    asyncio.run(scenario())


def test_ttl_security_counts_hops_in_both_directions(lab: Lab) -> None:
    async def scenario() -> None:
        # The peer takes what comes from next door only, and is itself two hops away.
        options = [(socket.IPPROTO_IP, IP_MINTTL, 255), (socket.IPPROTO_IP, socket.IP_TTL, 254)]
        with raw_peer(lab, options=options) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(ttl_security=1),))
                down = await speaker.expect(SessionDown)
                assert (down.epoch, down.cause.kind) == (0, DownKind.CONNECT_FAILED)
                assert "timed out" in down.cause.text
                speaker.speaker.configure((session(ttl_security=2),))
                await peer.open(CAPABILITIES)
                await speaker.expect(SessionUp)

    asyncio.run(scenario())


def test_graceful_restart_that_we_do_not_offer_is_not_negotiated(lab: Lab) -> None:
    async def scenario() -> None:
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(restart_time=0),))
                theirs = await peer.open(CAPABILITIES)
                assert b"\x40\x06" not in theirs
                up = await speaker.expect(SessionUp)
                assert up.negotiated.restart is None

    asyncio.run(scenario())


def test_the_last_words_of_a_peer_are_heard(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            peer.writer.write(update(1) + message(3, b"\6\2\4bye!") + update(2))
            peer.writer.close()
            up = await speaker.expect(SessionUp)
            down = await speaker.expect(SessionDown, epoch=up.epoch)
            assert down.cause.kind is DownKind.NOTIFICATION_RECEIVED
            assert (down.cause.code, down.cause.subcode) == (6, 2)
            assert "bye!" in down.cause.text
            assert speaker.octets() == update(1)

    asyncio.run(scenario())


def test_a_consumer_that_stalls_costs_bounded_memory_and_no_session(lab: Lab) -> None:
    async def scenario() -> None:
        filler = message(2, b"\0" * 4000)
        count = (SPOOL_LIMIT + sockets_hold()) // len(filler)
        async with acquainted(lab, CAPABILITIES, hold_time=3) as (peer, speaker):
            up = await speaker.expect(SessionUp)
            speaker.gate.clear()
            sending = asyncio.create_task(send(peer.writer, filler, count))
            pid = speaker.speaker.pid
            await until(lambda: memory(pid) > SPOOL_LIMIT, "a full spool")
            for _ in range(6):
                # Twice the hold time: we send keepalives, and take the peer's silence for ours.
                assert (await peer.read())[0] == 4
            assert not sending.done()
            assert memory(pid) < SPOOL_LIMIT + (64 << 20)
            speaker.gate.set()
            await sending
            # It may take longer than the hold time until all has been taken.
            alive = asyncio.create_task(keep_alive(peer.writer))
            await until(lambda: length(speaker.events) == count * len(filler), "all of it", 60)
            alive.cancel()
            assert speaker.octets() == filler * count
            assert [e for e in speaker.events if isinstance(e, SessionUp | SessionDown)] == [up]

    asyncio.run(scenario())


async def keep_alive(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(message(4))
        await asyncio.sleep(0.5)


def length(events: list[SpeakerEvent]) -> int:
    return sum(len(event.block) for event in events if isinstance(event, Updates))


def sockets_hold() -> int:
    """Octets that the two ends of a connection, and the channel, keep at most and some more (tcp(7))."""
    limits = [Path(f"/proc/sys/net/ipv4/tcp_{one}mem").read_text().split()[2] for one in "rw"]
    return sum(map(int, limits)) + (8 << 20)


async def send(writer: asyncio.StreamWriter, octets: bytes, times: int) -> None:
    for _ in range(times):
        writer.write(octets)
        await writer.drain()


def memory(pid: int | None) -> int:
    """Resident octets of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_an_idle_speaker_sleeps(lab: Lab) -> None:
    async def scenario() -> None:
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                # One peer that is up, one that refuses.
                speaker.speaker.configure((session(), session(SECOND)))
                await peer.open(CAPABILITIES)
                await speaker.expect(SessionUp)
                peer.writer.write(update(1))
                await heard(speaker, update(1))
                pid = speaker.speaker.pid
                woken, worked = wakeups(pid), busy(pid)
                await asyncio.sleep(4)
                assert wakeups(pid) - woken < 30
                assert busy(pid) - worked < 0.1

    asyncio.run(scenario())


def wakeups(pid: int | None) -> int:
    """How often a process went to sleep."""
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)
    assert found
    return int(found[1])


DAEMON = """
import asyncio, sys
from pathlib import Path
from tests.netns.speaker_lab import session
from vrfbgp.events import SessionUp
from vrfbgp.speaker import Speaker
from vrfbgp.speaker.nursery import Nursery

async def main():
    def told(event):
        if isinstance(event, SessionUp):
            print("up", speaker.pid, flush=True)
    speaker = Speaker("red", Path(sys.argv[1]), told, Nursery(sys.argv[2:]))
    speaker.configure([session()])
    await asyncio.sleep(3600)

asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_speaker_goes_silently_with_its_daemon(lab: Lab, how: signal.Signals) -> None:
    async def scenario() -> None:
        with raw_peer(lab) as peer:
            daemon = subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(DAEMON), str(lab.directory / "run"), *lab.program()],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
            lab.processes.append(daemon)
            await peer.open(CAPABILITIES)
            assert daemon.stdout is not None
            with daemon.stdout as told:
                pid = int(told.readline().split()[1])
            daemon.send_signal(how)
            assert set(await peer.last_messages()) <= {4}
            await until(lambda: gone(pid), "the end of the speaker")

    asyncio.run(scenario())


def test_a_speaker_that_is_terminated_says_nothing(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            await speaker.expect(SessionUp)
            assert speaker.speaker.pid is not None
            os.kill(speaker.speaker.pid, signal.SIGTERM)
            assert set(await peer.last_messages()) <= {4}
            await peer.open(CAPABILITIES)
            await speaker.speaker.stop()
            assert set(await peer.last_messages()) <= {4}

    asyncio.run(scenario())


def test_a_refused_session_does_not_hold_up_the_others(lab: Lab) -> None:
    async def scenario() -> None:
        with raw_peer(lab, port=1790) as peer:
            async with witness(lab) as speaker:
                bad = session(SECOND, password="x" * 81)
                good = session(port=1790)
                speaker.speaker.configure((bad, good))
                await peer.open(CAPABILITIES)
                assert (await speaker.expect(SessionUp)).peer == good.peer
                down = await speaker.expect(SessionDown, peer=bad.peer)
                assert down.cause.kind is DownKind.CONNECT_FAILED
                assert "81 octets" in down.cause.text

    asyncio.run(scenario())


def test_a_program_that_can_not_be_started_is_told(lab: Lab, tmp_path: Path) -> None:
    async def scenario() -> None:
        events: list[object] = []
        speaker = Speaker("red", tmp_path / "run", events.append, Nursery(("/nonexistent/python",)))
        speaker.configure((session(),))
        try:
            await until(lambda: events, "the news")
        finally:
            await speaker.stop()
        assert isinstance(events[0], SpeakerExited)
        assert "/nonexistent/python" in events[0].text
        assert not [event for event in events if isinstance(event, SpeakerStarted)]

    asyncio.run(scenario())


def test_passwords_are_for_nobody_else(lab: Lab) -> None:
    async def scenario() -> None:
        async with witness(lab) as speaker:
            speaker.speaker.configure((session(password="secret"),))
            await speaker.expect(SpeakerStarted)
            directory = lab.directory / "run"
            [file] = directory.iterdir()
            assert (directory.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
            assert "secret" not in Path(f"/proc/{speaker.speaker.pid}/cmdline").read_text()
            assert "secret" not in repr(session(password="secret"))

    asyncio.run(scenario())


def test_it_keeps_no_privileges_and_opens_no_doors(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, CAPABILITIES) as (_peer, speaker):
            await speaker.expect(SessionUp)
            status = Path(f"/proc/{speaker.speaker.pid}/status").read_text()
            assert re.search(r"^CapEff:\s+0+$", status, re.M)
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
            listening = subprocess.run(
                ["ip", "netns", "exec", lab.node, "ss", "-Hltn"],
                capture_output=True,
                text=True,
                check=True,
            )
            assert listening.stdout == ""
            children = Path(f"/proc/{speaker.speaker.pid}/task/{speaker.speaker.pid}/children").read_text()
            assert children == ""

    asyncio.run(scenario())


def test_a_peer_that_does_not_read_gets_whole_messages_later(lab: Lab) -> None:
    async def scenario() -> None:
        prefixes = [ip_network((0x0A000000 + (number << 8), 24)) for number in range(4000)]
        with raw_peer(lab, options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)]) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(hold_time=90, keepalive_time=1),))
                await peer.open(CAPABILITIES)
                await speaker.expect(SessionUp)
                peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
                for number, prefix in enumerate(prefixes):
                    large = tuple((number, index, 1) for index in range(80))
                    speaker.speaker.send(Announce(PEER, prefix, large_communities=large))
                pid = speaker.speaker.pid
                await until(lambda: unsent(lab) > 20_000, "a full socket")
                await until(lambda: not speaker.speaker._asked, "all answers", 60)
                before = busy(pid)
                await asyncio.sleep(3)
                assert busy(pid) - before < 0.3, "it spins"
                peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
                seen: set[bytes] = set()
                while len(seen) < len(prefixes):
                    kind, body = await peer.read()
                    assert kind in (2, 4)
                    if kind == 2:
                        seen.add(body[-4:])
                assert seen == {bytes((24,)) + prefix.network_address.packed[:3] for prefix in prefixes}

    asyncio.run(scenario())


def unsent(lab: Lab) -> int:
    """Octets in the socket's send queue."""
    shown = subprocess.run(
        ["ip", "netns", "exec", lab.node, "ss", "-Htn"], capture_output=True, text=True, check=True
    )
    return max((int(line.split()[2]) for line in shown.stdout.splitlines()), default=0)


def busy(pid: int | None) -> float:
    """Seconds of processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_session_that_always_fails_is_tried_less_often(lab: Lab) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(),))
                begun = []
                for _ in range(4):
                    await peer.open(CAPABILITIES)
                    begun.append(loop.time())
                    peer.writer.write(b"\0" * 19)
                    await peer.notification()
                assert begun[1] - begun[0] < 1.5
                assert begun[3] - begun[2] > 1.5

    asyncio.run(scenario())


def test_hostile_handshakes_cost_the_try_and_nothing_else(lab: Lab) -> None:
    async def scenario() -> None:
        fixed = b"\4" + struct.pack("!HH4s", 65001, 90, b"\x0a\x63\0\2")
        hostile = [
            b"GET / HTTP/1.1\r\nHost: router\r\n\r\n",
            message(1, fixed + b"\xff\xff\0"),
            message(1, fixed + b"\4\2\2\x40\1"),
            message(1, fixed + b"\x08\2\6\1\4\0\1\0"),
            message(2, b"\0\0\0\0"),
        ]
        strange = capability(1, b"\x03\xe7\0\x4d") + capability(200, b"what") + capability(70)
        strange += capability(64, b"\x80\x78" + b"\0\1\1\x80" + b"\x03\xe7\x4d\x80" + b"\0\2\1\0")
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(),))
                for octets in hostile:
                    await peer.accept()
                    peer.writer.write(octets)
                    await peer.last_messages()
                pid = speaker.speaker.pid
                await peer.open(FAMILIES + ASN4 + strange)
                up = await speaker.expect(SessionUp)
                assert up.negotiated.families == frozenset(Family)
                ipv4 = frozenset({Family.IPV4})
                assert up.negotiated.restart == PeerRestart(120, True, ipv4, frozenset(Family))
                assert speaker.speaker.pid == pid
                downs = [event for event in speaker.events if isinstance(event, SessionDown)]
                assert {(down.epoch, down.cause.kind) for down in downs} == {(0, DownKind.NOTIFICATION_SENT)}

    asyncio.run(scenario())


def test_a_peer_without_any_capability_speaks_ipv4_and_short_as_numbers(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, b"") as (peer, speaker):
            up = await speaker.expect(SessionUp)
            assert up.negotiated.families == frozenset({Family.IPV4})
            assert not up.negotiated.asn4
            assert not up.negotiated.route_refresh
            assert up.negotiated.restart is None
            speaker.speaker.send(Announce(PEER, ip_network("10.50.0.2/32")))
            speaker.speaker.send(SendEndOfRib(PEER, Family.IPV4))
            kind, body = await peer.read()
            assert (kind, body[-5:]) == (2, b"\x20\x0a\x32\0\2")
            assert bytes.fromhex("400204 0201 fde8") in body
            assert await peer.read() == (2, b"\0\0\0\0")

    asyncio.run(scenario())


def test_a_session_that_is_cut_comes_back_at_once(lab: Lab) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with acquainted(lab, CAPABILITIES) as (peer, _speaker):
            begun = loop.time()
            for _ in range(4):
                peer.writer.write(update(1))
                await peer.writer.drain()
                peer.close()
                await peer.open(CAPABILITIES)
            assert loop.time() - begun < 3

    asyncio.run(scenario())


def test_a_change_reaches_a_peer_that_never_answers(lab: Lab) -> None:
    async def scenario() -> None:
        with raw_peer(lab) as peer, raw_peer(lab, port=1790) as other:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(),))
                await peer.accept()
                assert (await peer.read())[0] == 1
                speaker.speaker.configure((session(port=1790),))
                await other.open(CAPABILITIES)
                assert (await speaker.expect(SessionUp)).peer.port == 1790
                down = await speaker.expect(SessionDown)
                assert (down.peer, down.cause.kind) == (PEER, DownKind.CONFIGURED)

    asyncio.run(scenario())


def test_p8_what_was_taken_back_before_the_session_stood_is_not_announced(lab: Lab) -> None:
    async def scenario() -> None:
        brief, lasting = ip_network("10.50.0.2/32"), ip_network("10.50.0.4/32")
        with raw_peer(lab) as peer:
            async with witness(lab) as speaker:
                speaker.speaker.configure((session(),))
                await speaker.expect(SpeakerStarted)
                for request in Announce(PEER, brief), Withdraw(PEER, brief), Announce(PEER, lasting):
                    speaker.speaker.send(request)
                await until(lambda: not speaker.speaker._asked, "answers")
                await peer.open(CAPABILITIES)
                await speaker.expect(SessionUp)
                speaker.speaker.send(SendEndOfRib(PEER, Family.IPV4))
                announced = b""
                while (told := await peer.read())[1] != bytes(4):
                    announced += told[1] if told[0] == 2 else b""
                assert lasting.network_address.packed in announced
                assert brief.network_address.packed not in announced

    asyncio.run(scenario())


# -- two peers at one address --------------------------------------------------------------------


def test_two_ports_of_one_address_are_two_peers(lab: Lab) -> None:
    """What is announced, reset and removed is that of the one peer."""

    async def scenario() -> None:
        first, second = session(), session(port=1790)
        with raw_peer(lab) as one, raw_peer(lab, port=1790) as other:
            async with witness(lab) as speaker:
                speaker.speaker.configure((first, second))
                for peer, config in ((one, first), (other, second)):
                    await peer.open(CAPABILITIES)
                    await speaker.expect(SessionUp, peer=config.peer)
                speaker.speaker.send(Announce(first.peer, ip_network("10.50.0.2/32")))
                speaker.speaker.send(Announce(second.peer, ip_network("10.50.0.4/32")))
                for peer, host in ((one, 2), (other, 4)):
                    kind, body = await peer.read()
                    assert kind == 2
                    assert body.endswith(bytes((32, 10, 50, 0, host)))
                one.writer.write(update(1))
                await speaker.expect(Updates, peer=first.peer)
                speaker.speaker.send(ResetSession(second.peer, 6, 4))
                assert await other.notification() == b"\6\4"
                await speaker.expect(SessionDown, peer=second.peer)
                speaker.speaker.configure((first,))
                await speaker.speaker.settled()
                one.writer.write(update(2))
                await until(lambda: update(2) in speaker.octets(), "the one goes on")
                assert one.accepted == 1

    asyncio.run(scenario())


def test_a_peer_that_begins_and_ends_without_end_has_to_wait(lab: Lab) -> None:
    capabilities = FAMILIES + ASN4

    async def scenario() -> None:
        async with acquainted(lab, capabilities) as (peer, speaker):
            for _ in range(FLAPS):
                peer.close()
                await peer.open(capabilities)
            await until(
                lambda: sum(isinstance(event, SessionUp) for event in speaker.events) > FLAPS, "the sessions"
            )
            peer.close()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(peer.open(capabilities), 1.0)
            await peer.open(capabilities)

    asyncio.run(scenario())
