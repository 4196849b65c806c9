"""Starts the process that writes (`scribe`), and keeps the daemon's ends of its channels.

One carries the batches, one what is urgent, and one questions to netfilter, if the kernel has that, each by a
netlink socket of its own; by one more go sockets that are to be bound to privileged ports. Netlink sockets
are made here and inherited: so their port ids, by which our own notifications are known, are known as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from vrfbgp import privileges
from vrfbgp.events import Applied
from vrfbgp.kernel.netlink import NetlinkSocket
from vrfbgp.kernel.nft_uapi import NETLINK_NETFILTER
from vrfbgp.kernel.ports import Ports
from vrfbgp.kernel.questions import Questions
from vrfbgp.kernel.uapi import SO_SNDBUFFORCE
from vrfbgp.kernel.writer import AHEAD, Writer

PROGRAM = (sys.executable, "-I", "-S", str(Path(__file__).with_name("scribe.py")))
"""Without site and packages: it needs none, and starts in 10 ms."""
PATIENCE = 5.0
"""Seconds that the process has to end when its channels have."""
CHANNEL_OCTETS = 2 * AHEAD
"""Send buffer of a channel: the kernel counts more than what is in it."""
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class WriterEnded(Exception):
    """The process that writes has ended, and not because we wanted it to."""


class WriterProcess:
    """One process, two writers, and who asks netfilter. All methods are to be called in one event loop.

    OSError if there are no sockets to be had.
    """

    def __init__(
        self, on_applied: Callable[[Applied], None], on_urgent_applied: Callable[[Applied], None]
    ) -> None:
        self._sockets = (NetlinkSocket(), NetlinkSocket())
        self._ended = asyncio.Event()
        self.batches = Writer(self._sockets[0], on_applied, self._ended.set)
        self.urgent = Writer(self._sockets[1], on_urgent_applied, self._ended.set)
        self.netfilter: Questions | None = None
        """None: the kernel has no netfilter that could be asked."""
        self._netfilter_socket = _netfilter_socket()
        if self._netfilter_socket is not None:
            self.netfilter = Questions(self._ended.set)
        self.ports = Ports()
        self._transports: list[asyncio.BaseTransport] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def port_ids(self) -> tuple[int, ...]:
        """By which the kernel marks what the process causes in routes, rules and next hops."""
        return tuple(made.port_id for made in self._sockets)

    @property
    def pid(self) -> int | None:
        """The process, once it was started."""
        return None if self._process is None else self._process.pid

    @property
    def silence(self) -> float:
        """For how many seconds it has not answered what it was given; 0: all is answered."""
        return max(self.batches.silence, self.urgent.silence)

    async def start(self) -> None:
        """Start it; OSError."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as until_inherited:
            numbers: list[int] = []
            pairs: list[tuple[Writer | Questions, NetlinkSocket]]
            pairs = [(self.batches, self._sockets[0]), (self.urgent, self._sockets[1])]
            if self.netfilter is not None and self._netfilter_socket is not None:
                pairs.append((self.netfilter, self._netfilter_socket))
            for end, netlink in pairs:
                ours, theirs = socket.socketpair()
                until_inherited.enter_context(theirs)
                _enlarge(ours)
                netlink.hand_over()
                numbers += (theirs.fileno(), netlink.fileno())
                transport, _ = await loop.create_unix_connection(end.itself, sock=ours)
                self._transports.append(transport)
            numbers.append(until_inherited.enter_context(self.ports.theirs).fileno())
            # What is blocked is inherited. A signal to all of a group or cgroup is the daemon's to obey.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, _DEAF_TO)
            try:
                self._process = subprocess.Popen(
                    [*PROGRAM, *map(str, numbers)],
                    stdin=subprocess.DEVNULL,
                    pass_fds=numbers,
                    preexec_fn=privileges.keep_to_write,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    async def ended(self) -> None:
        """Wait for its end; raises `WriterEnded`, with its exit status."""
        await self._ended.wait()
        status = await self._status()
        raise WriterEnded(f"the process that writes to the kernel ended with status {status}")

    async def until_ended(self, awaited: Awaitable[object]) -> None:
        """Wait for something, but no longer than the process lives."""
        waiting = [asyncio.ensure_future(awaited), asyncio.ensure_future(self._ended.wait())]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def stop(self) -> None:
        """End it behind all that was asked for, and see that it is gone."""
        for writer in (self.batches, self.urgent):
            await self.until_ended(writer.idle())
        for transport in self._transports:
            transport.close()
        self.ports.close()
        await self._status()
        for made in (*self._sockets, self._netfilter_socket):
            if made is not None:
                made.close()

    async def _status(self) -> int:
        """Its exit status (negative: the signal), once its channels have ended."""
        assert self._process is not None
        if self._process.poll() is None:
            loop = asyncio.get_running_loop()
            # By a descriptor, as a thread that waited would keep the privileges that are given up later.
            ended, pidfd = asyncio.Event(), os.pidfd_open(self._process.pid)
            loop.add_reader(pidfd, ended.set)
            try:
                async with asyncio.timeout(PATIENCE):
                    await ended.wait()
            except TimeoutError:
                self._process.kill()
            finally:
                loop.remove_reader(pidfd)
                os.close(pidfd)
        return self._process.wait()


def _netfilter_socket() -> NetlinkSocket | None:
    """A socket to netfilter if that is there already: to ask for it would load it (af_netlink.c).

    Of each protocol that is, the kernel itself has a socket in each network namespace, with port id 0.
    """
    try:
        rows = [row.split() for row in Path("/proc/self/net/netlink").read_text().splitlines()]
        if any(row[1:3] == [str(NETLINK_NETFILTER), "0"] for row in rows):
            return NetlinkSocket(protocol=NETLINK_NETFILTER)
    except OSError:
        pass
    return None


def _enlarge(channel: socket.socket) -> None:
    try:
        channel.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, CHANNEL_OCTETS)
    except PermissionError:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHANNEL_OCTETS)
