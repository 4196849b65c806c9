"""The daemon: one core between its edges, in one event loop.

    files ─▶ Source ─────────┐                    ┌─▶ Speaker (a process per network)
    speakers ─▶ Inbox ─▶ Core.handle ─▶ Core.effects ─▶ Kernel (writer, readers, watch)
    kernel ─▶ Inbox ────────┘                    └─▶ log

Root tasks: the loop around the core, the watch on the config, SIGHUP, the control socket, and the process
that writes to the kernel. If one ends, all end, with the reason. Stopping leaves the kernel as it is: packets
go on while a new daemon starts.

`vrfbgp run` becomes `python -m vrfbgp.daemon OPTIONS`, so that nothing of the command line's libraries stays.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from vrfbgp import __version__, control, failclosed, logs, noroute, privileges, views
from vrfbgp.alone import AnotherDaemon, alone
from vrfbgp.beats import Beats
from vrfbgp.config.apart import understand_apart
from vrfbgp.config.source import Source
from vrfbgp.core import Core, Effects
from vrfbgp.drain import LONGEST_WAIT, WAIT
from vrfbgp.drain_mark import DrainMark
from vrfbgp.events import (
    Applied,
    ConfigLoaded,
    DrainAsked,
    DrainUndone,
    Event,
    KernelEvent,
    LinksRead,
    SurroundingsRead,
    TableRead,
)
from vrfbgp.hostfacts import host_facts
from vrfbgp.inbox import Inbox
from vrfbgp.journal import Journal, rfc3339
from vrfbgp.kernel import Kernel, Unfit, surroundings
from vrfbgp.model import MAIN_TABLE, Family
from vrfbgp.netns import own_namespace
from vrfbgp.notes import Code, Note
from vrfbgp.notify import Notify
from vrfbgp.options import DaemonOptions
from vrfbgp.proposal import plan
from vrfbgp.repeats import WINDOW
from vrfbgp.requests import ConfigureSpeaker, ReadLinks, ReadTable, SpeakerRequest
from vrfbgp.speaker.listen import Listeners
from vrfbgp.speaker.nursery import Nursery
from vrfbgp.speaker.process import Speaker
from vrfbgp.started import Started
from vrfbgp.views.line import in_force, line

log = logging.getLogger(__name__)

LOOK_EVERY = 60.0
"""Seconds from one look at the node's settings to the next."""


def run(options: DaemonOptions) -> int:
    """Run until SIGTERM or SIGINT; the exit status."""
    journal = Journal(time.time())
    sink = logs.configure(options.log_format, options.log_level, journal)
    try:
        with alone():
            asyncio.run(Daemon(options, sink, journal).run())
    except (Unfit, control.Occupied, AnotherDaemon) as error:
        log.error("%s", error)
        return 1
    except OSError as error:
        log.error("can't run: %s", error)
        return 1
    except BaseExceptionGroup as group:
        # A root task failed: an error of our own. Routes and rules stay; our supervisor starts us again.
        log.critical("ended by an error in vrfbgp itself: %r", group.exceptions[0], exc_info=group)
        return 70
    finally:
        sink.catch_up(all_=True)
    return 0


def _keep_collector_away() -> None:
    """A full table is a million values without a cycle: looking through them again and again cost a fifth of
    the time of taking them in."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def _later(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Call it in the loop when what is held back of the log is due."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.call_later, WINDOW, callback)


def _in_callback(
    fault: asyncio.Future[None], loop: asyncio.AbstractEventLoop, context: dict[str, Any]
) -> None:
    """What a callback raises has nobody to go to; yet the core may be half way through an event."""
    loop.default_exception_handler(context)
    error = context.get("exception")
    if "handle" in context and isinstance(error, BaseException) and not fault.done():
        fault.set_exception(error)


async def _raised(fault: asyncio.Future[None]) -> None:
    await fault


class Daemon:
    """The core and its edges."""

    def __init__(self, options: DaemonOptions, sink: logs.Sink, journal: Journal) -> None:
        self._options = options
        self._sink = sink
        self._journal = journal
        self._core = Core(options.compare_every)
        self._inbox = Inbox()
        self._kernel = Kernel(privileges.give_up)
        self._nursery = Nursery()
        self._listeners = Listeners(self._kernel.bind)
        self._speakers: dict[str, Speaker] = {}
        self._source: Source | None = None
        self._stopping = asyncio.Event()
        self._hung_up = asyncio.Event()
        self._drain_mark = DrainMark(options.state_dir)
        self._notify = Notify()
        self._turns = Beats(time.monotonic)
        self._looks = Beats(time.monotonic)

    async def run(self) -> None:
        """Until a signal says stop, or a root task fails."""
        loop = asyncio.get_running_loop()
        fault = loop.create_future()
        loop.set_exception_handler(partial(_in_callback, fault))
        self._sink.on_held = lambda: _later(loop, self._sink.catch_up)
        logs.tell(Note(Code.STARTED, "", f"vrfbgp {__version__}, pid {os.getpid()}"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._hung_up.set)
        try:
            self._options.run_dir.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            made = f"the run directory {self._options.run_dir} can't be made: {error.strerror}"
            raise Unfit(f"{made}; make it for this user, or name another (--run-dir)") from error
        Started(self._options.state_dir).keep(self._options)
        await self._kernel.start(self._hear)
        try:
            node = await self._look_around()
            self._source = Source(
                self._options.config,
                self._options.state_dir,
                node=self._options.node,
                labels=self._options.labels,
                host=node,
                understand=understand_apart,
            )
            if self._drain_mark.holds():
                log.warning("this node was drained since it booted, and stays so: vrfbgp drain --undo")
                self._inbox.put(DrainAsked(0.0))
            for event in self._source.first():
                self._inbox.put(event)
            _keep_collector_away()
            async with asyncio.TaskGroup() as tasks:
                roots = [
                    tasks.create_task(self._turn(), name="core"),
                    tasks.create_task(self._follow_config(self._source), name="config"),
                    tasks.create_task(self._reload_on_signal(), name="signal"),
                    tasks.create_task(self._serve(), name="control"),
                    tasks.create_task(self._look_again(), name="surroundings"),
                    tasks.create_task(self._watch_hits(), name="hits"),
                    tasks.create_task(self._kernel.ended(), name="kernel"),
                    tasks.create_task(_raised(fault), name="callbacks"),
                ]
                if self._options.listen is not None:
                    roots.append(tasks.create_task(self._observed(self._options.listen), name="http"))
                await self._stopping.wait()
                self._notify.stopping()
                for root in roots:
                    root.cancel()
        finally:
            await asyncio.gather(*(speaker.stop() for speaker in self._speakers.values()))
            await self._nursery.close()
            await self._kernel.stop()
        log.info("stopped; routes and rules stay as they are")

    async def _look_around(self) -> Any:
        """Read what the config's defaults depend on: links, addresses and the default routes."""
        links: LinksRead | None = None
        main: dict[Family, TableRead] = {}
        self._kernel.read(ReadLinks())
        for family in Family:
            self._kernel.read(ReadTable(MAIN_TABLE, family))
        self._core.handle(SurroundingsRead(surroundings.read()), time.monotonic())
        while links is None or len(main) < len(Family):
            await self._inbox.wait(None)
            for event in self._inbox.take():
                if isinstance(event, LinksRead):
                    links = event
                elif isinstance(event, TableRead) and event.table == MAIN_TABLE:
                    main[event.family] = event
                self._core.handle(event, time.monotonic())
        return host_facts(socket.gethostname(), links, main.values())

    async def _look_again(self) -> None:
        """The node's settings change without a word."""
        known = self._core.host.surroundings
        while True:
            nat = await self._kernel.nat()
            found = replace(await asyncio.to_thread(surroundings.read), nat=nat)
            if found != known:
                known = found
                self._inbox.put(SurroundingsRead(found))
            await asyncio.sleep(LOOK_EVERY)

    async def _watch_hits(self) -> None:
        """Nobody tells that a packet met an `unreachable` rule: it is but counted."""
        tally = failclosed.Tally()
        while True:
            counters = noroute.of_ipv6_by(failclosed.devices(self._core))
            if (packets := noroute.of_ipv4()) is not None:
                counters[failclosed.IPV4] = packets
            hits = tally.look(counters, time.monotonic())
            if hits and (note := failclosed.note(self._core, hits)):
                logs.tell(note)
            await asyncio.sleep(failclosed.LOOK_EVERY)

    def _hear(self, event: KernelEvent) -> None:
        """An event of the kernel. That a batch is through is mostly no reason for a turn."""
        if isinstance(event, Applied) and not self._inbox.holds_first:
            self._core.handle(event, time.monotonic())
            if self._core.stirred or self._inbox.holds_back:
                self._inbox.wake()
        else:
            self._inbox.put(event)

    async def _turn(self) -> None:
        """The loop around the core."""
        told_in_force, told_line = partial(in_force, self._core), partial(line, self._core)
        while True:
            now = time.monotonic()
            self._turns.beat()
            self._inbox.hold(self._far_ahead())
            for event in self._inbox.take():
                self._core.handle(event, now)
            effects = self._core.effects(now)
            while effects.urgent:
                self._kernel.apply_at_once(effects.urgent)
                effects = self._core.effects(now)
            self._perform(effects)
            self._notify.turned(now, told_in_force, told_line)
            wait = None if effects.wake is None else max(0.0, effects.wake - time.monotonic())
            await self._inbox.wait(self._notify.within(wait, now))

    def _far_ahead(self) -> frozenset[str]:
        """The networks whose peers say more than the kernel can take."""
        if not (full := self._kernel.full):
            return frozenset()
        return frozenset(name for name, place in self._core.planner.places.items() if place.table in full)

    def _perform(self, effects: Effects) -> None:
        for note in effects.notes:
            logs.tell(note)
        for request in effects.speakers:
            self._ask_speaker(request)
        if effects.operations:
            self._kernel.apply(effects.serial, effects.operations)
        for read in effects.reads:
            self._kernel.read(read)

    def _ask_speaker(self, request: SpeakerRequest) -> None:
        if not isinstance(request, ConfigureSpeaker):
            if speaker := self._speakers.get(request.peer.network):
                speaker.send(request)
            return
        speaker = self._speakers.get(request.network)
        if speaker is None:
            if not request.sessions:
                return
            speaker = self._speakers[request.network] = self._new_speaker(request.network)
        speaker.configure(request.sessions)

    def _new_speaker(self, network: str) -> Speaker:
        run_dir = self._options.run_dir / "speakers"
        return Speaker(
            network,
            run_dir,
            lambda event: self._inbox.put_from(network, event),
            self._nursery,
            self._listeners,
        )

    async def _follow_config(self, source: Source) -> None:
        async for event in source.changes(self._looks.beat):
            self._inbox.put(event)

    async def _serve(self) -> None:
        async with control.Control(self._socket, self._answer):
            await asyncio.Event().wait()

    @property
    def _socket(self) -> Path:
        return self._options.run_dir / control.SOCKET

    async def _observed(self, address: str) -> None:
        """Metrics and health, for others to look at; what they need is loaded only here."""
        from vrfbgp.observe import health, metrics, service

        def samples() -> metrics.Samples:
            taken = metrics.Sampling(time.monotonic())
            taken.core(self._core)
            taken.events(self._journal)
            taken.edges(self._kernel.silence, self._inbox.backlog, noroute.no_route_packets())
            return taken.samples

        probes: dict[str, health.Probe] = {
            "core": lambda: health.goes_round(self._turns, self._inbox.wake),
            "config": lambda: health.was_round(self._looks, health.LONGEST_LOOK),
            "kernel": lambda: health.answers(self._kernel.silence),
            "control": lambda: health.takes_connections(self._socket),
        }
        await service.serve(address, self._core, samples, probes)

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        match request.get("command"):
            case "reload":
                return await self._reload("the control socket")
            case "drain":
                return self._drain(request)
            case "plan" if self._source is not None:
                return await plan(self._core, self._source, request, self._options.run_dir, time.monotonic())
            case "events":
                return views.events(self._core, self._journal, request)
        found = await views.answer(self._core, self._kernel.route_get, request, time.monotonic())
        if request.get("command") == "status" and "config" in found:
            found["config"] |= views.last_reading(self._journal)
            began = {"pid": os.getpid(), "started": rfc3339(self._journal.began)}
            found["daemon"] = {"version": __version__, **began, "network_namespace": own_namespace()}
            found["daemon"]["state_directory"] = str(self._options.state_dir.absolute())
        return found

    def _drain(self, request: dict[str, Any]) -> dict[str, Any]:
        """Take the word; how far it is carried out is asked by `drain-state`."""
        if request.get("undo"):
            kept = self._drain_mark.clear()
            self._inbox.put(DrainUndone())
            return {"kept": kept, "wait": 0.0}
        wait = request.get("wait", WAIT)
        if not isinstance(wait, int | float) or not 0 <= wait <= LONGEST_WAIT:
            return {"error": f"{wait!r} is no time to wait: 0 to {LONGEST_WAIT:g} seconds"}
        kept = self._drain_mark.set()
        self._inbox.put(DrainAsked(wait))
        return {"kept": kept, "wait": wait}

    async def _reload_on_signal(self) -> None:
        while True:
            await self._hung_up.wait()
            self._hung_up.clear()
            await self._reload("SIGHUP")

    async def _reload(self, asked_by: str) -> dict[str, Any]:
        """Read the config now, and log what came of it."""
        assert self._source is not None
        with self._notify.reloading():
            event: Event | None = await self._source.again()
        if event is not None:
            self._inbox.put(event)
        refused = [str(problem) for problem in self._source.refused]
        applied = isinstance(event, ConfigLoaded)
        code, outcome = Code.RELOAD_IDLE, "the config has not changed"
        if applied:
            code, outcome = Code.RELOADED, "the new config is taken"
        if refused:
            code = Code.RELOAD_REFUSED
            outcome = "the config is refused, the one before still runs: " + "; ".join(refused)
        logs.tell(Note(code, "", f"asked by {asked_by}: {outcome}", warning=bool(refused)))
        return {"changed": applied, "refused": refused}


if __name__ == "__main__":
    sys.exit(run(DaemonOptions.from_text(sys.argv[1])))
