"""ExaBGP's loop, made to sleep: it wakes when something happens, not a hundred times a second.

Also the commands of the daemon, in the place of ExaBGP's API. A reload comes as a command and not as SIGUSR1,
which ExaBGP forgets when announcements are pending (as they are for as long as a peer is away).
"""

from __future__ import annotations

import json
import os
import select
import time
from collections.abc import Iterator
from typing import Any

from exabgp.bgp.fsm import FSM
from exabgp.bgp.message import Notify
from exabgp.bgp.message.refresh import RouteRefresh
from exabgp.protocol.family import Family
from exabgp.reactor.interrupt import Signal
from exabgp.reactor.loop import Reactor
from exabgp.reactor.network.error import NotConnected

from vrfbgp.speaker.connection import Accepted
from vrfbgp.speaker.neighbors import FAMILIES
from vrfbgp.speaker.routes import announced, queue, withdrawn
from vrfbgp.speaker.wire import CLOSE, RELOAD

TICK = 1.0
"""Seconds that it sleeps at most: ExaBGP's timers count in whole seconds."""
SOON = 0.01


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


class Commands:
    """Carries out what the daemon asks for (`command`), and answers at once."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def process(self, reactor: Any, service: str, command: str) -> bool:
        """Carry out one command; what failed is told to who asked."""
        channel = reactor.processes
        if command == CLOSE:
            channel.answer_done(service)
            reactor.leave()
        try:
            channel.failure = self._failure(command)
        except Exception as error:
            channel.failure = f"{type(error).__name__}: {error}"
        if channel.failure:
            channel.answer_error(service)
            return False
        channel.answer_done(service)
        return True

    def _failure(self, command: str) -> str:
        reactor = self._reactor
        if command == RELOAD:
            return str(reactor.renew())
        match command.split(" ", 4):
            case ["announce", address, port, prefix, words]:
                return str(reactor.announce(address, int(port), prefix, json.loads(words)))
            case ["withdraw", address, port, prefix]:
                return str(reactor.withdraw(address, int(port), prefix))
            case ["end-of-rib", address, port, family]:
                return str(reactor.end_of_rib(address, int(port), family))
            case ["refresh", address, port, family]:
                return str(reactor.refresh(address, int(port), family))
            case ["reset", address, port, code, subcode]:
                return str(reactor.reset(address, int(port), int(code), int(subcode)))
            case ["accept", address, port]:
                return str(reactor.accept(address, int(port)))
        return f"no such command: {command}"


class Nothing:
    """In the place of ExaBGP's queue of commands under way: here each is carried out at once."""

    def set_error_handler(self, handler: Any) -> None:
        """No one fails later."""

    def run(self) -> bool:
        """Whether something is left."""
        return False

    def clear(self) -> None:
        """Forget all of it."""


class SpeakerReactor(Reactor):  # type: ignore[misc]
    """The loop of one speaker."""

    def __init__(self, configuration: Any) -> None:
        super().__init__(configuration)
        # Who may do what is the daemon's decision, made before this process began.
        self.daemon.drop_privileges = lambda: True

    def renew(self) -> str:
        """Load the configuration again; a failure leaves all as it is and is returned."""
        before = self.configuration.neighbors
        pending = {name: (list(n.eor), list(n.refresh)) for name, n in before.items()}
        if not self.reload():
            return f"configuration refused: {self.configuration.error}"
        for name, neighbor in self.configuration.neighbors.items():
            ends, refreshes = pending.get(name, ((), ()))
            neighbor.eor.extend(ends)
            neighbor.refresh.extend(refreshes)
        return ""

    def announce(self, address: str, port: int, prefix: str, words: dict[str, Any]) -> str:
        """Send a route to a peer, now or when its session begins; returns why not."""
        neighbor = self._neighbor(address, port)
        if neighbor is None:
            return f"no peer {address} port {port}"
        return self._send(neighbor, announced(neighbor, prefix, words))

    def withdraw(self, address: str, port: int, prefix: str) -> str:
        """Take a route back from a peer; returns why not."""
        neighbor = self._neighbor(address, port)
        if neighbor is None:
            return f"no peer {address} port {port}"
        return self._send(neighbor, withdrawn(prefix))

    def _send(self, neighbor: Any, route: Any) -> str:
        if route.nlri.family().afi_safi() not in neighbor.families():
            return f"the session with {neighbor['peer-address']} does not carry {route.nlri}"
        queue(neighbor, route)
        return ""

    def end_of_rib(self, address: str, port: int, family: str) -> str:
        """Send an End-of-RIB (RFC 4724 2); returns why not. That of a session that is over is nobody's."""
        peer = self._peer(address, port)
        if peer is None:
            return f"no peer {address} port {port}"
        if peer.fsm == FSM.ESTABLISHED:
            peer.neighbor.eor.append(Family(*FAMILIES[family]))
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

    def _neighbor(self, address: str, port: int) -> Any:
        """As it is configured now; the session may still be that of the configuration before."""
        peer = self._peer(address, port)
        return None if peer is None else (peer._neighbor or peer.neighbor)

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
        if sleeptime:
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
