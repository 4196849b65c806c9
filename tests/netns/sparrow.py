"""Small BGP peers in plain Python, passive: a `Flock` of many, for what would take 18 routers, and a
`Soloist` that a test plays note by note.

It knows OPEN, KEEPALIVE, UPDATE and the End-of-RIB marker (RFC 4271, RFC 4724), no more. It encodes what it
sends by itself, so that it judges ours.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from types import TracebackType

from labs.netns.namespace import join
from labs.netns.topology import Site, Topology
from labs.netns.waiting import PATIENCE, wait_for

MARKER = b"\xff" * 16
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
HOLD_TIME = 90


def message(kind: int, body: bytes = b"") -> bytes:
    """RFC 4271 4.1"""
    return MARKER + struct.pack("!HB", 19 + len(body), kind) + body


EOR_ONLY = b"\x40\x02\x00\x78"
"""Graceful restart (RFC 4724 3) of no family: an End-of-RIB is sent, no path outlives its session."""
RETAINED = b"\x40\x06\x80\x78\x00\x01\x01\x80"
"""Graceful restart of IPv4: restarted, 120 s, forwarding state preserved."""


def opening(asn: int, router_id: str, graceful_restart: bytes = EOR_ONLY) -> bytes:
    """RFC 4271 4.2, with IPv4 unicast (RFC 4760), AS4 (RFC 6793) and, for its EoR, RFC 4724."""
    capabilities = b"\x01\x04\x00\x01\x00\x01" + b"\x41\x04" + struct.pack("!I", asn) + graceful_restart
    options = bytes((2, len(capabilities))) + capabilities
    identifier = IPv4Address(router_id).packed
    return message(
        OPEN, struct.pack("!BHH", 4, asn, HOLD_TIME) + identifier + bytes((len(options),)) + options
    )


def update(prefixes: Iterable[str], next_hop: str, asn: int, more: bytes = b"") -> bytes:
    """RFC 4271 4.3: ORIGIN, AS_PATH of one AS, NEXT_HOP, and more attributes as they are."""
    return announcing(encoded(prefixes), next_hop, asn, more)


def announcing(nlri: bytes, next_hop: str, asn: int, more: bytes = b"") -> bytes:
    """The same, of prefixes that are encoded already."""
    attributes = b"\x40\x01\x01\x00" + b"\x40\x02\x06\x02\x01" + struct.pack("!I", asn)
    attributes += b"\x40\x03\x04" + IPv4Address(next_hop).packed + more
    return message(UPDATE, b"\x00\x00" + struct.pack("!H", len(attributes)) + attributes + nlri)


def withdrawing(nlri: bytes) -> bytes:
    """RFC 4271 4.3: withdrawn routes alone."""
    return message(UPDATE, struct.pack("!H", len(nlri)) + nlri + b"\x00\x00")


def encoded(prefixes: Iterable[str]) -> bytes:
    """Prefixes as NLRI."""
    nlri = b""
    for prefix in map(IPv4Network, prefixes):
        nlri += bytes((prefix.prefixlen,)) + prefix.network_address.packed[: (prefix.prefixlen + 7) // 8]
    return nlri


END_OF_RIB = message(UPDATE, b"\x00\x00\x00\x00")


class Flock:
    """Peers at hosts of a network's subnet, all in one AS, that announce the same; a `with` block."""

    def __init__(
        self, topology: Topology, site: Site, hosts: Iterable[int], *, asn: int, prefixes: list[str]
    ) -> None:
        self.addresses = [site.address(host) for host in hosts]
        self.established = 0
        self.accepted = 0
        self._asn = asn
        self._prefixes = prefixes
        self._lock = threading.Lock()
        self._closing = False
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        namespace = topology.lab.namespace(f"{site.name}-flock")
        join(namespace, "eth0", site.switch, "flock")
        site.switch.ip("link set flock master br0")
        namespace.ip(*(f"addr add {address}/24 dev eth0" for address in self.addresses))
        self._listeners = [
            namespace.inside(partial(socket.create_server, (address, 179))) for address in self.addresses
        ]

    def __enter__(self) -> Flock:
        for address, listener in zip(self.addresses, self._listeners, strict=True):
            self._spawn(self._accept, listener, address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing = True
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue
        for thread in self._threads:
            thread.join()

    def _spawn(self, body: object, *arguments: object) -> None:
        thread = threading.Thread(target=body, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, address: str) -> None:
        while not self._closing:
            try:
                connection, _peer = listener.accept()
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                self._connections.append(connection)
            self._spawn(self._speak, connection, address)

    def _speak(self, connection: socket.socket, address: str) -> None:
        counted = False
        try:
            with connection, connection.makefile("rb") as stream:
                connection.sendall(opening(self._asn, address))
                while len(header := stream.read(19)) == 19:
                    length, kind = struct.unpack("!HB", header[16:])
                    stream.read(length - 19)
                    if kind == NOTIFICATION:
                        break
                    if kind in (OPEN, KEEPALIVE):
                        connection.sendall(message(KEEPALIVE))
                    if kind == KEEPALIVE and not counted:
                        counted = True
                        with self._lock:
                            self.established += 1
                        connection.sendall(update(self._prefixes, address, self._asn) + END_OF_RIB)
        except OSError:
            pass
        finally:
            if counted:
                with self._lock:
                    self.established -= 1


class Soloist:
    """One peer at a host of a network's subnet; it says what the test says, when the test does."""

    def __init__(self, topology: Topology, site: Site, host: int, *, asn: int) -> None:
        self.address = site.address(host)
        self._asn = asn
        self._connection: socket.socket | None = None
        namespace = self._namespace = topology.lab.namespace(f"{site.name}-soloist")
        join(namespace, "eth0", site.switch, "soloist")
        site.switch.ip("link set soloist master br0")
        namespace.ip(f"addr add {self.address}/24 dev eth0")
        self._listener = namespace.inside(partial(socket.create_server, (self.address, 179)))
        self._listener.settimeout(PATIENCE)

    def __enter__(self) -> Soloist:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.hang_up()
        self._listener.close()

    def begin(self, graceful_restart: bytes = EOR_ONLY) -> None:
        """Take the next connection, and make it a session. Raises TimeoutError."""
        connection, _peer = self._listener.accept()
        self._agree(connection, graceful_restart)

    def call(self, address: str) -> None:
        """Begin the session from here, again and again until it is one. Raises NeverTrue."""

        def agreed() -> bool:
            connection = self._namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                connection.settimeout(PATIENCE)
                connection.bind((self.address, 0))
                connection.connect((address, 179))
                self._agree(connection)
            except (OSError, struct.error):
                connection.close()
                return False
            return True

        wait_for(agreed, 90, f"a session with {address}", interval=0.02)  # Who erred rests for 30 s.

    def _agree(self, connection: socket.socket, graceful_restart: bytes = EOR_ONLY) -> None:
        connection.settimeout(PATIENCE)
        with connection.makefile("rb") as stream:
            connection.sendall(opening(self._asn, self.address, graceful_restart))
            kind = 0
            while kind != KEEPALIVE:
                length, kind = struct.unpack("!16xHB", stream.read(19))
                stream.read(length - 19)
        connection.sendall(message(KEEPALIVE))
        self._connection = connection

    def send(self, octets: bytes) -> None:
        """Say this. Raises TimeoutError when the other side does not read."""
        assert self._connection is not None
        self._connection.sendall(octets)

    def hang_up(self) -> None:
        """End the session by the end of the connection (FIN): all that was said still arrives before it."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_WR)
            self._connection.close()
            self._connection = None
