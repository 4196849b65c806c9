"""Traffic to judge by: a probe that counts what is lost on the way, and a capture that counts what took it.

Both use sockets that live in a namespace, from threads of this process: no start-up time, exact counts.
"""

from __future__ import annotations

import errno
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType

from labs.netns.namespace import Namespace
from labs.netns.server import ECHO_PORT, HTTP_PORT, TAG, family_of
from labs.netns.waiting import wait_for

ETH_P_ALL = 0x0003
ETH_P_IP = 0x0800
ETH_P_IPV6 = 0x86DD
SOL_PACKET = 263
PACKET_STATISTICS = 6
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
"""asm-generic/socket.h, and linux/if_packet.h"""
RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR (linux/in.h), IPV6_RECVERR (linux/in6.h): each ICMP error is told, not only the first."""
UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED, errno.EACCES}


@dataclass(frozen=True)
class Page:
    """What a server answered."""

    banner: str
    client: str
    """The client's address as the server saw it."""


def fetch(namespace: Namespace, address: str, source: str | None = None, timeout: float = 3.0) -> Page:
    """Ask for the page at an address by a new TCP connection from a namespace. Raises OSError."""
    with namespace.socket(family_of(address), socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        if source is not None:
            connection.bind((source, 0))
        connection.connect((address, HTTP_PORT))
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    banner, client = answer.partition(b"\r\n\r\n")[2].decode().split()
    return Page(banner, client)


def outcome(namespace: Namespace, address: str, source: str | None = None, timeout: float = 3.0) -> str:
    """The banner at an address, or `unreachable`, `timeout`, or the name of another error.

    The kernel limits its ICMP errors to about one a second for each host that they go to: a refused
    connection that follows another at once may look like `timeout`.
    """
    try:
        return fetch(namespace, address, source, timeout).banner
    except TimeoutError:
        return "timeout"
    except OSError as error:
        if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
            return "unreachable"
        return errno.errorcode.get(error.errno or 0, str(error))


@dataclass
class Tally:
    """What became of a probe's packets."""

    sent: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    """Answers by banner."""
    clients: Counter[str] = field(default_factory=Counter)
    """Answers by the client's address, as the server saw it."""
    unreachable: int = 0
    """Sends and ICMP errors that said unreachable."""
    lost: int = 0
    """Packets that brought back no answer and were not refused at once by the own kernel."""
    last_lost: float = 0.0
    """When the last of them was sent, in seconds since the epoch; 0 if none was lost."""


class Probe:
    """Datagrams at a steady rate from a namespace to the echo at an address, as a `with` block.

    `rate` is in packets a second. In the block, `tally` grows; behind it, it is complete.
    """

    def __init__(
        self, namespace: Namespace, address: str, *, rate: int = 250, source: str | None = None
    ) -> None:
        self.tally = Tally()
        self._interval = 1 / rate
        self._waiting: dict[int, float] = {}
        self._stop = threading.Event()
        family = family_of(address)
        self._socket = namespace.socket(family, socket.SOCK_DGRAM)
        self._socket.setsockopt(*RECVERR[family], 1)
        self._socket.setblocking(False)
        self._address = (address, ECHO_PORT)
        if source is not None:
            self._socket.bind((source, 0))
        self._thread = threading.Thread(target=self._run, name=f"probe from {namespace.role}")

    def __enter__(self) -> Probe:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()
        self.tally.lost = len(self._waiting)
        if self._waiting:
            self.tally.last_lost = max(self._waiting.values())

    def _run(self) -> None:
        following = time.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while not self._stop.is_set():
                now = time.monotonic()
                if now >= following:
                    self._send(time.time())
                    following = max(following + self._interval, now - 0.1)
                if selector.select(max(0.0, following - time.monotonic())):
                    self._receive()
            deadline = time.monotonic() + 1.0
            while self._waiting and time.monotonic() < deadline:
                if selector.select(0.1):
                    self._receive()

    def _send(self, at: float) -> None:
        number = self.tally.sent
        self.tally.sent += 1
        try:
            self._socket.sendto(struct.pack("!Q", number), self._address)
            self._waiting[number] = at
        except OSError as error:
            if error.errno not in UNREACHABLE:
                raise
            self.tally.unreachable += 1

    def _receive(self) -> None:
        while True:
            try:
                answer = self._socket.recv(2048)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno not in UNREACHABLE:
                    raise
                self.tally.unreachable += 1
                self._socket.recvmsg(0, 512, socket.MSG_ERRQUEUE)
                continue
            if self._waiting.pop(struct.unpack("!Q", answer[:TAG])[0], None) is not None:
                banner, client = answer[TAG:].decode().split()
                self.tally.answered[banner] += 1
                self.tally.clients[client] += 1

    def cease(self) -> None:
        """Send no more; the end of the block waits for late answers."""
        self._stop.set()

    def wait_answers(self, banner: str, more: int = 20) -> None:
        """Wait until `more` further answers with this banner have come. Raises NeverTrue."""
        wanted = self.tally.answered[banner] + more
        wait_for(
            lambda: self.tally.answered[banner] >= wanted,
            describe=lambda: f"answers of {banner}: {self.tally}",
        )

    def wait_sent(self, more: int) -> None:
        """Wait until `more` further packets have been sent, whatever becomes of them."""
        wanted = self.tally.sent + more
        wait_for(lambda: self.tally.sent >= wanted, describe=lambda: f"sent {more} more: {self.tally}")


@dataclass(frozen=True)
class Packet:
    """A packet that was seen on a device. Ports are 0 where the protocol has none."""

    time: float
    """Seconds since the epoch."""
    outgoing: bool
    src: str
    dst: str
    protocol: int
    sport: int
    dport: int


class Capture:
    """All packets of one family on one device, from now on, as a `with` block."""

    def __init__(self, namespace: Namespace, device: str, *, family: int = 4) -> None:
        self.device = device
        self._kind, self._parse = (ETH_P_IP, parse) if family == 4 else (ETH_P_IPV6, parse6)
        self._packets: list[Packet] = []
        self._socket = namespace.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setblocking(False)

        def bind() -> None:
            self._socket.bind((device, ETH_P_ALL))

        namespace.inside(bind)

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._read()
        self._socket.close()

    def _read(self) -> None:
        if self._socket.fileno() < 0:
            return
        while True:
            try:
                frame, control, _flags, sender = self._socket.recvmsg(128, 64)
            except BlockingIOError:
                break
            if sender[1] == self._kind:
                at = next(struct.unpack("qq", value) for _level, _kind, value in control)
                outgoing = sender[2] == socket.PACKET_OUTGOING
                self._packets.append(self._parse(frame, at[0] + at[1] / 1e9, outgoing))
        statistics = self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
        assert struct.unpack("II", statistics)[1] == 0, f"the capture on {self.device} dropped packets"

    def packets(
        self,
        *,
        src: str | Iterable[str] | None = None,
        dst: str | Iterable[str] | None = None,
        port: int | None = None,
        outgoing: bool | None = None,
        since: float = 0.0,
    ) -> list[Packet]:
        """What was seen until now; `src` and `dst` are addresses, `port` is that of either end."""
        self._read()
        return [
            packet
            for packet in self._packets
            if (src is None or packet.src in among(src))
            and (dst is None or packet.dst in among(dst))
            and (port is None or port in (packet.sport, packet.dport))
            and (outgoing is None or packet.outgoing is outgoing)
            and packet.time >= since
        ]


def among(addresses: str | Iterable[str]) -> tuple[str, ...]:
    """One address or several, as several."""
    return (addresses,) if isinstance(addresses, str) else tuple(addresses)


def parse(frame: bytes, at: float, outgoing: bool) -> Packet:
    """The header of an IPv4 packet (RFC 791), and the ports if it is TCP or UDP."""
    protocol = frame[9]
    ports = (0, 0)
    start = (frame[0] & 15) * 4
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        ports = struct.unpack("!HH", frame[start : start + 4])
    return Packet(
        at, outgoing, str(IPv4Address(frame[12:16])), str(IPv4Address(frame[16:20])), protocol, *ports
    )


def parse6(frame: bytes, at: float, outgoing: bool) -> Packet:
    """The header of an IPv6 packet (RFC 8200), and the ports if TCP or UDP follows it at once."""
    protocol = frame[6]
    ports = (0, 0)
    if protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
        ports = struct.unpack("!HH", frame[40:44])
    return Packet(
        at, outgoing, str(IPv6Address(frame[8:24])), str(IPv6Address(frame[24:40])), protocol, *ports
    )
