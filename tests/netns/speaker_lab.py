"""A node and a router, each a network namespace, with our speaker in the node's.

In the router's there is FRR's bgpd, or a `RawPeer`: a BGP speaker that says just what the test wants.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import itertools
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any, TypeVar

from vrfbgp.events import SessionUp, SpeakerEvent, SpeakerStarted, Updates
from vrfbgp.model import Family, PeerId
from vrfbgp.requests import SessionConfig
from vrfbgp.speaker.listen import Listeners
from vrfbgp.speaker.nursery import Nursery
from vrfbgp.speaker.process import Speaker

BGPD = Path("/usr/lib/frr/bgpd")
NODE, ROUTER, SECOND = "10.99.0.1", "10.99.0.2", "10.99.0.3"
NODE6, ROUTER6 = "2001:db8:99::1", "2001:db8:99::2"
CLONE_NEWNET = 0x40000000
MARKER = b"\xff" * 16
T = TypeVar("T", bound=SpeakerEvent)
_numbers = itertools.count()


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise LabError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    return done.stdout


class LabError(Exception):
    """A command of the lab failed."""


class Lab:
    """Two namespaces with one wire; the router's end has several addresses."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        prefix = f"spk{os.getpid()}x{next(_numbers)}"
        self.node, self.router = f"{prefix}n", f"{prefix}r"
        self.processes: list[subprocess.Popen[bytes]] = []

    def build(self) -> None:
        for name in (self.node, self.router):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        wire = ["type", "veth", "peer", "name", "r0", "netns", self.router]
        run("ip", "-n", self.node, "link", "add", "up0", *wire)
        for namespace, device, addresses in (
            (self.node, "up0", (f"{NODE}/24", f"{NODE6}/64")),
            (self.router, "r0", (f"{ROUTER}/24", f"{SECOND}/24", f"{ROUTER6}/64")),
        ):
            for address in addresses:
                nodad = ["nodad"] if ":" in address else []
                run("ip", "-n", namespace, "addr", "add", address, "dev", device, *nodad)
            run("ip", "-n", namespace, "link", "set", device, "up")

    def destroy(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for name in (self.node, self.router):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def frr(self, config: str, address: str = ROUTER) -> Frr:
        daemon = Frr(self, config, address)
        daemon.start()
        return daemon

    def listen(self, address: str = ROUTER, port: int = 179) -> socket.socket:
        """A listening socket in the router's namespace; the caller stays where it is."""
        made: list[socket.socket] = []

        def there() -> None:
            # A thread has a network namespace of its own.
            with open(f"/run/netns/{self.router}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    return
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            made.append(socket.create_server((address, port), family=kind))

        thread = threading.Thread(target=there)
        thread.start()
        thread.join()
        made[0].setblocking(False)
        return made[0]

    def program(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.node, sys.executable, "-P", "-m", "vrfbgp.speaker.entry")


class Frr:
    """One bgpd without zebra; it accepts and sends everything."""

    def __init__(self, lab: Lab, config: str, address: str) -> None:
        self.lab = lab
        self.address = address
        self.directory = lab.directory / f"frr-{address}"
        self.directory.mkdir()
        shutil.chown(self.directory, "frr", "frr")
        self.config = self.directory / "bgpd.conf"
        self.config.write_text(config)

    def start(self) -> None:
        directory = str(self.directory)
        command = ["ip", "netns", "exec", self.lab.router, str(BGPD), "-Z", "-f", str(self.config)]
        command += ["--vty_socket", directory, "-i", f"{directory}/bgpd.pid", "-u", "frr", "-g", "frr"]
        command += ["-P", "0", "-l", self.address, "--log", "stdout"]
        with (self.directory / "log").open("a") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        self.lab.processes.append(self.process)
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(LabError):
                self.vty("show version")
                return
            time.sleep(0.02)
        raise LabError(f"bgpd does not answer: {(self.directory / 'log').read_text()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        (self.directory / "bgpd.vty").unlink()

    def vty(self, *commands: str) -> str:
        arguments = [argument for command in commands for argument in ("-c", command)]
        return run("vtysh", "--vty_socket", str(self.directory), "-d", "bgpd", *arguments)

    def neighbor(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.vty(f"show bgp neighbors {NODE} json"))[NODE]
        return found

    def routes(self, family: str = "ipv4") -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.vty(f"show bgp {family} unicast json"))["routes"]
        return found


def bgpd(
    *lines: str, asn: int = 65001, neighbor_as: int = 65000, networks: Sequence[str] = ("192.0.2.0/24",)
) -> str:
    """A configuration of bgpd with one neighbor, the node."""
    text = [
        f"router bgp {asn}",
        " bgp router-id 10.99.0.2",
        " no bgp ebgp-requires-policy",
        " no bgp default ipv4-unicast",
        " no bgp network import-check",
        " bgp graceful-restart",
        f" neighbor {NODE} remote-as {neighbor_as}",
        f" neighbor {NODE} passive",
        f" neighbor {NODE} timers 3 9",
        *(f" {line}" for line in lines),
    ]
    for family, mark in (("ipv4", "."), ("ipv6", ":")):
        text += [
            f" address-family {family} unicast",
            f"  neighbor {NODE} activate",
            *(f"  network {network}" for network in networks if mark in network),
            " exit-address-family",
        ]
    return "\n".join(text) + "\n"


def session(address: str = ROUTER, **changes: Any) -> SessionConfig:
    """A session as the core would ask for it."""
    values: dict[str, Any] = {
        "peer": PeerId("red", ip_address(address), changes.pop("port", 179)),
        "description": 'the "router"; {of} red\\',
        "peer_as": 65001,
        "local_as": 65000,
        "router_id": "10.99.0.1",
        "local_address": ip_address(NODE6 if ":" in address else NODE),
        "source_interface": "up0",
        "families": frozenset(Family),
    }
    return SessionConfig(**{**values, **changes})


async def until(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """Wait until a condition holds; what it gives."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while loop.time() < end:
        with contextlib.suppress(LabError, KeyError, json.JSONDecodeError):
            if found := condition():
                return found
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


class Witness:
    """A speaker and all the events it gave."""

    def __init__(self, lab: Lab, listeners: Listeners | None = None) -> None:
        self.lab = lab
        self.events: list[SpeakerEvent] = []
        self.gate = asyncio.Event()
        """While it is not set, the consumer is behind."""
        self.gate.set()
        self.nursery = Nursery(lab.program())
        self.speaker = Speaker("red", lab.directory / "run", self._take, self.nursery, listeners)

    def _take(self, event: SpeakerEvent) -> Awaitable[Any] | None:
        self.events.append(event)
        return None if self.gate.is_set() else self.gate.wait()

    async def expect(self, kind: type[T], since: int = 0, seconds: float = 20.0, **fields: Any) -> T:
        """The first event of that kind, after the first `since`, whose fields have these values."""

        def look() -> T | None:
            for event in self.events[since:]:
                if isinstance(event, kind) and all(getattr(event, name) == fields[name] for name in fields):
                    return event
            return None

        try:
            found: T = await until(look, f"{kind.__name__} {fields}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; events: {self.events[-20:]}") from None
        return found

    async def up(self, *sessions: SessionConfig) -> list[SessionUp]:
        """Configure these sessions and wait for all of them."""
        self.speaker.configure(sessions)
        await self.expect(SpeakerStarted)
        return [await self.expect(SessionUp, peer=one.peer) for one in sessions]

    def octets(self) -> bytes:
        """All UPDATEs so far."""
        return b"".join(event.block for event in self.events if isinstance(event, Updates))


@contextlib.asynccontextmanager
async def witness(lab: Lab, listeners: Listeners | None = None) -> AsyncIterator[Witness]:
    """A speaker for a test, which ends with it."""
    one = Witness(lab, listeners)
    try:
        yield one
    finally:
        one.gate.set()
        await one.speaker.stop()
        await one.nursery.close()


def message(kind: int, body: bytes = b"") -> bytes:
    """A BGP message (RFC 4271 4.1)."""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


KEEPALIVE = message(4)


def update(number: int) -> bytes:
    """An UPDATE with one prefix, different for each number."""
    attributes = bytes.fromhex("40010100 50020006 0201 0000fde9 400304") + IPv4Address(ROUTER).packed
    nlri = bytes((24,)) + struct.pack("!I", number << 8)[:3]
    return message(2, b"\0\0" + struct.pack("!H", len(attributes)) + attributes + nlri)


def capability(code: int, value: bytes = b"") -> bytes:
    """RFC 5492 4."""
    return bytes((code, len(value))) + value


FAMILIES = capability(1, b"\0\1\0\1") + capability(1, b"\0\2\0\1")
ASN4 = capability(65, struct.pack("!I", 65001))
ENHANCED_REFRESH = capability(2) + capability(70)
GRACEFUL = capability(64, struct.pack("!H", 120) + b"\0\1\1\x80")
EXTENDED = capability(6)


class RawPeer:
    """The other end of a session, octet by octet."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.accepted = 0

    async def accept(self) -> None:
        """Take the next connection, dropping the one before."""
        connection, _ = await asyncio.get_running_loop().sock_accept(self._listener)
        self.close()
        self.reader, self.writer = await asyncio.open_connection(sock=connection)
        self.accepted += 1

    async def open(self, capabilities: bytes, hold_time: int = 90, more: bytes = b"") -> bytes:
        """The handshake; `more` goes out in the same segment as our last part of it. Their OPEN."""
        await self.accept()
        kind, theirs = await self.read()
        assert kind == 1
        parameters = bytes((2, len(capabilities))) + capabilities if capabilities else b""
        fixed = struct.pack("!BHH4sB", 4, 65001, hold_time, IPv4Address(ROUTER).packed, len(parameters))
        self.writer.write(message(1, fixed + parameters) + KEEPALIVE + more)
        await self.writer.drain()
        assert (await self.read())[0] == 4
        return theirs

    async def read(self) -> tuple[int, bytes]:
        """The next message: type, body."""
        header = await asyncio.wait_for(self.reader.readexactly(19), 20)
        length, kind = struct.unpack("!HB", header[16:])
        return kind, await self.reader.readexactly(length - 19)

    async def notification(self) -> bytes:
        """Code, subcode and data of the next NOTIFICATION, whatever comes before it."""
        while True:
            kind, body = await self.read()
            if kind == 3:
                return body

    async def last_messages(self) -> list[int]:
        """The types of all messages until the connection is closed."""
        kinds = []
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kinds.append((await self.read())[0])
        return kinds

    def close(self) -> None:
        if self.accepted:
            self.writer.transport.abort()


@contextlib.contextmanager
def raw_peer(
    lab: Lab, address: str = ROUTER, port: int = 179, options: Sequence[tuple[int, int, int]] = ()
) -> Iterator[RawPeer]:
    """A raw peer that listens, on a socket with these options."""
    with lab.listen(address, port) as listener:
        for option in options:
            listener.setsockopt(*option)
        peer = RawPeer(listener)
        try:
            yield peer
        finally:
            peer.close()


@contextlib.asynccontextmanager
async def acquainted(
    lab: Lab, capabilities: bytes, hold_time: int = 90, more: bytes = b""
) -> AsyncIterator[tuple[RawPeer, Witness]]:
    """A raw peer and a speaker that have opened their session; see `RawPeer.open`."""
    with raw_peer(lab) as peer:
        async with witness(lab) as speaker:
            speaker.speaker.configure((session(),))
            await peer.open(capabilities, hold_time, more)
            yield peer, speaker


def gone(pid: int) -> bool:
    """The process is no more, or only waits to be reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@contextlib.contextmanager
def built_lab() -> Iterator[Lab]:
    """A lab that is taken down also when the test is ended by a signal."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="speaker") as directory:
        # FRR gives up root before it looks for its files; pytest's own directories are root's.
        Path(directory).chmod(0o711)
        lab = Lab(Path(directory))
        try:
            lab.build()
            yield lab
        finally:
            lab.destroy()
            signal.signal(signal.SIGTERM, previous)
