"""The process that speakers are forked from: what its death costs, and the daemon's."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.netns.speaker_lab import (
    ASN4,
    FAMILIES,
    SECOND,
    Lab,
    Witness,
    acquainted,
    gone,
    session,
    until,
    update,
    witness,
)
from vrfbgp.events import SessionUp, SpeakerExited, SpeakerStarted, Updates
from vrfbgp.speaker import Speaker
from vrfbgp.speaker.nursery import Child, Life, NoSpeaker, Nursery

CAPABILITIES = FAMILIES + ASN4


def end(pid: int | None) -> None:
    assert pid is not None
    os.kill(pid, signal.SIGKILL)


async def left(speaker: Witness) -> None:
    """Wait until the process that forks is gone, and the daemon knows."""
    await until(lambda: speaker.nursery.pid is None, "the end of the nursery")


def test_its_death_ends_no_speaker_and_the_next_one_comes_from_another(lab: Lab) -> None:
    async def scenario() -> None:
        async with acquainted(lab, CAPABILITIES) as (peer, speaker):
            await speaker.expect(SessionUp)
            first = speaker.nursery.pid
            end(first)
            await left(speaker)
            peer.writer.write(update(1))
            await speaker.expect(Updates)
            assert peer.accepted == 1
            before = len(speaker.events)
            end(speaker.speaker.pid)
            exited = await speaker.expect(SpeakerExited, before)
            assert exited.status is None, "nobody is left who could know"
            await peer.open(CAPABILITIES)
            await speaker.expect(SessionUp, before)
            assert speaker.nursery.pid not in {None, first}

    asyncio.run(scenario())


def test_speakers_of_one_nursery_end_apart(lab: Lab) -> None:
    async def scenario() -> None:
        async with witness(lab) as red:
            heard: list[object] = []
            blue = Speaker("blue", lab.directory / "run", heard.append, red.nursery)
            try:
                blue.configure((session(SECOND),))
                red.speaker.configure((session(),))
                await red.expect(SpeakerStarted)
                await until(lambda: heard, "the other's start")
                pid = blue.pid
                end(red.speaker.pid)
                assert (await red.expect(SpeakerExited)).status == -signal.SIGKILL
                await until(lambda: red.speaker.pid, "the next life")
                assert blue.pid == pid
                assert not [event for event in heard if isinstance(event, SpeakerExited)]
            finally:
                await blue.stop()
            assert pid is not None
            assert gone(pid)

    asyncio.run(scenario())


def test_who_is_not_wanted_any_more_when_it_has_started_ends(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    start, pids = Nursery.start, list[int]()

    async def scenario() -> None:
        async with witness(lab) as red:

            async def meanwhile(*args: Any) -> Child:
                child = await start(*args)
                pids.append(child.pid)
                red.speaker.configure(())
                return child

            monkeypatch.setattr(Nursery, "start", meanwhile)
            red.speaker.configure((session(),))
            await until(lambda: pids and gone(pids[0]), "its end")
            assert not any(isinstance(event, SpeakerStarted) for event in red.events)
            monkeypatch.setattr(Nursery, "start", start)
            red.speaker.configure((session(),))
            await red.expect(SpeakerStarted)

    asyncio.run(scenario())


DAEMON = """
import asyncio, sys
from pathlib import Path
from tests.netns.speaker_lab import session
from vrfbgp.events import SpeakerStarted
from vrfbgp.speaker import Speaker
from vrfbgp.speaker.nursery import Nursery

async def main():
    def told(event):
        if isinstance(event, SpeakerStarted):
            print(speaker.pid, nursery.pid, flush=True)
    nursery = Nursery(sys.argv[2:])
    speaker = Speaker("red", Path(sys.argv[1]), told, nursery)
    speaker.configure([session()])
    await asyncio.sleep(3600)

asyncio.run(main())
"""


def test_the_daemon_takes_all_along_even_what_is_stuck(lab: Lab) -> None:
    async def scenario() -> None:
        daemon = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(DAEMON), str(lab.directory / "run"), *lab.program()],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        lab.processes.append(daemon)
        assert daemon.stdout is not None
        with daemon.stdout as told:
            speaker, nursery = map(int, told.readline().split())
        os.kill(speaker, signal.SIGSTOP)
        try:
            daemon.kill()
            await until(lambda: gone(nursery), "the end of the nursery")
            await until(lambda: gone(speaker), "the end of the speaker")
        finally:
            if not gone(speaker):
                end(speaker)

    asyncio.run(scenario())


def test_a_speaker_that_is_stuck_is_killed(lab: Lab) -> None:
    async def scenario() -> None:
        async with witness(lab) as speaker:
            speaker.speaker.configure((session(),))
            await speaker.expect(SpeakerStarted)
            pid = speaker.speaker.pid
            assert pid is not None
            os.kill(pid, signal.SIGSTOP)
            await speaker.speaker.stop()
            assert gone(pid)

    asyncio.run(scenario())


def test_what_it_says_when_it_can_not_begin_is_told(tmp_path: Path) -> None:
    async def scenario() -> None:
        nursery = Nursery(("sh", "-c", "echo another exabgp >&2; exit 3", "sh"))
        with open(os.devnull) as nothing, pytest.raises(NoSpeaker, match="another exabgp") as refusal:
            await nursery.start(nothing.fileno(), nothing.fileno(), nothing.fileno(), 0, tmp_path)
        assert refusal.value.status == 3
        assert nursery.pid is None
        await nursery.close()

    asyncio.run(scenario())


def test_a_speaker_that_is_stopped_while_it_is_born_leaves_nothing(lab: Lab) -> None:
    async def scenario() -> None:
        async with witness(lab) as speaker:
            speaker.speaker.configure((session(),))
            await speaker.expect(SpeakerStarted)
            await speaker.speaker.stop()
            nursery = speaker.nursery.pid
            children = Path(f"/proc/{nursery}/task/{nursery}/children")
            opened = len(os.listdir("/proc/self/fd"))
            for pause in range(24):
                # In 24 different moments of a birth, which takes some milliseconds.
                speaker.speaker.configure((session(),))
                await asyncio.sleep(pause / 4000)
                await asyncio.wait_for(speaker.speaker.stop(), 20)
            await until(lambda: not children.read_text(), "the end of all speakers")
            await until(lambda: len(os.listdir("/proc/self/fd")) <= opened, "closed descriptors")
            assert speaker.nursery.pid == nursery

    asyncio.run(scenario())


def test_who_is_cancelled_just_as_the_speaker_is_born_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Life._hear

    async def scenario() -> None:
        def hear_and_cancel(life: Life) -> bool:
            try:
                return heard(life)
            finally:
                waiting.cancel()

        monkeypatch.setattr(Life, "_hear", hear_and_cancel)
        nursery = Nursery()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            start = nursery.start(theirs.fileno(), 2, theirs.fileno(), 0, tmp_path / "none")
            waiting = asyncio.create_task(start)
            with pytest.raises(asyncio.CancelledError):
                await waiting
        await nursery.close()

    asyncio.run(scenario())
