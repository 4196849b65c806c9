"""ExaBGP's loop, made to sleep: it wakes when something happens, not a hundred times a second.

Also the speaker's own commands. A reload comes as a command and not as SIGUSR1, which ExaBGP forgets when
announcements are pending (as they are for as long as a peer is away).
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import Notify
from exabgp.bgp.message.refresh import RouteRefresh
from exabgp.logger import log
from exabgp.protocol.family import AFI, SAFI
from exabgp.reactor.api import API
from exabgp.reactor.asynchronous import ASYNC
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.loop import Reactor
from exabgp.reactor.network.error import NotConnected

from vrfbgp.speaker.connection import Accepted
from vrfbgp.speaker.wire import OWN

TICK = 1.0
"""Seconds that it sleeps at most: ExaBGP's timers count in whole seconds."""
SOON = 0.01
FAMILIES = {"ipv4": (AFI.ipv4, SAFI.unicast), "ipv6": (AFI.ipv6, SAFI.unicast)}


class Quiet(Signal):  # type: ignore[misc]
    """SIGTERM ends the process at once and silently: the peers' graceful restart covers the gap.

    Nothing is caught before `mark_ready`: it is made in the process that speakers are forked from.
    """

    def rearm(self) -> None:
        if self._ready:
            super().rearm()

    def mark_ready(self) -> None:
        super().mark_ready()
        self.rearm()

    def sigterm(self, signum: int, frame: Any) -> None:
        os._exit(0)


class Commands(API):  # type: ignore[misc]
    """ExaBGP's commands and ours; what failed is told to who asked."""

    def log_failure(self, message: str, level: str = "ERR") -> None:
        reason = str(self.configuration.tokeniser.error)
        self.reactor.processes.failure = f"{message}: {reason}" if reason else message

    def process(self, reactor: Any, service: str, command: str) -> Any:
        """Carry out one command; ExaBGP's may be answered later in the same turn."""
        words = command.split(" ")
        if words[0] != OWN:
            return super().process(reactor, service, command)
        reactor.asynchronous.run()
        if words[1:] == ["reload"]:
            failure = reactor.renew()
        elif words[1:] == ["close"]:
            reactor.processes.answer_done(service)
            reactor.leave()
            return True
        elif len(words) == 5 and words[1] == "refresh":
            failure = reactor.refresh(words[2], int(words[3]), words[4])
        elif len(words) == 6 and words[1] == "reset":
            failure = reactor.reset(words[2], *map(int, words[3:]))
        elif len(words) == 4 and words[1] == "accept":
            failure = reactor.accept(words[2], int(words[3]))
        else:
            failure = f"no such command: {command}"
        if failure:
            reactor.processes.failure = failure
            reactor.processes.answer_error(service)
        else:
            reactor.processes.answer_done(service)
        return not failure


class Queue(ASYNC):  # type: ignore[misc]
    """The commands under way, carried out at once and in order, without an event loop for each turn."""

    def run(self) -> bool:
        while self._async:
            uid, steps = self._async.popleft()
            try:
                for _ in steps:
                    pass
            except Exception as error:
                log.error(lambda error=error: f"command failed: {error!r}", "api")
                self._notify_error(uid)
        return False


class SpeakerReactor(Reactor):  # type: ignore[misc]
    """The loop of one speaker."""

    def __init__(self, configuration: Any) -> None:
        super().__init__(configuration)
        self.asynchronous = Queue()
        # Who may do what is the daemon's decision, made before this process began.
        self.daemon.drop_privileges = lambda: True

    def renew(self) -> str:
        """Load the configuration again; a failure leaves all as it is and is returned."""
        before = self.configuration.neighbors
        pending = {name: (list(n.eor), list(n.refresh)) for name, n in before.items()}
        if not self.reload():
            self.configuration.neighbors = before
            return f"configuration refused: {str(self.configuration.error).strip()}"
        for name, neighbor in self.configuration.neighbors.items():
            ends, refreshes = pending.get(name, ((), ()))
            neighbor.eor.extend(ends)
            neighbor.refresh.extend(refreshes)
        return ""

    def refresh(self, address: str, port: int, family: str) -> str:
        """Ask a peer to send all it has again; returns why not. Without a session there is nobody to ask."""
        peer = self._peer(address, port)
        if peer is None:
            return f"no peer {address} port {port}"
        if peer.fsm == FSM.ESTABLISHED:
            peer.neighbor.refresh.append(RouteRefresh(*FAMILIES[family]))
        return ""

    def reset(self, address: str, port: int, code: int, subcode: int) -> str:
        """End a session with a NOTIFICATION; returns why not."""
        peer = self._peer(address, port)
        if peer is None:
            return f"no peer {address} port {port}"
        if peer.fsm != FSM.ESTABLISHED:
            return f"{address} port {port} has no session"
        peer.proto.reset = Notify(code, subcode, b"")
        return ""

    def accept(self, address: str, port: int) -> str:
        """Begin a passive session by the connection that its peer made; returns why not."""
        io = self.processes.call()
        if io is None:
            return f"the connection of {address} port {port} got lost"
        peer = self._peer(address, port)
        if peer is None:
            io.close()
            return f"no peer {address} port {port}"
        try:
            return str(peer.accept(Accepted(peer.neighbor, io)))
        except NotConnected as error:
            return str(error)

    def _peer(self, address: str, port: int) -> Any:
        for peer in self._peers.values():
            neighbor = peer.neighbor
            is_it = neighbor["peer-address"].top() == address and neighbor["connect"] == port
            # One whose addresses or AS numbers changed is on its way out for a turn, beside its successor.
            if is_it and not peer.stopping():
                return peer
        return None

    def leave(self) -> None:
        """Say farewell to all peers, and end."""
        for peer in self._peers.values():
            peer.remove()
        self.processes.io.setblocking(True)
        self.processes.flush()
        os._exit(0)

    def _wait_for_io(self, sleeptime: int) -> Iterator[int]:
        if sleeptime and self.asynchronous.ready():
            self._sleep()
        return iter(())

    def _sleep(self) -> None:
        channel = self.processes
        poller = select.poll()
        poller.register(channel.io, select.POLLIN | (select.POLLOUT if channel.waiting else 0))
        now = time.time()
        limit = TICK
        resting: dict[int, Any] = {}
        for peer in self._peers.values():
            if peer.proto is None and peer.waits:
                # It is the peer who begins.
                continue
            if peer.proto is None and not peer.generator:
                # Between two tries, or about to be dropped.
                limit = min(limit, SOON if peer.stopping() else max(peer._delay._time - now, SOON))
                continue
            lane = peer.proto or peer.attempt
            io = lane.connection.io if lane is not None and lane.connection is not None else None
            if io is None:
                limit = SOON
                continue
            if peer.proto is None or peer.stuck:
                events = select.POLLOUT | (0 if peer.proto is None else select.POLLIN)
            else:
                events = select.POLLIN
            if peer.generator is None:
                # It was called a moment ago.
                limit = 0.0
            if channel.full and peer.fsm == FSM.ESTABLISHED:
                events &= ~select.POLLIN
            elif pause := lane.rest.left(time.monotonic()):
                events = events & ~select.POLLIN | select.POLLRDHUP
                resting[io.fileno()] = lane
                limit = min(limit, pause)
            if events:
                poller.register(io, events)
        for descriptor, _ in poller.poll(limit * 1000):
            if descriptor in resting:
                # The peer hung up, or there is room to write.
                resting[descriptor].rest.end()
