"""A bare BGP speaker, as a script: it accepts sessions and sends each a feed as fast as TCP takes it.

    router.py '{"go": true, "graceful": true,
                "sites": [{"tag": 0, "address": …, "device": …, "asn": …, "feed": PATH}, …]}'

It tells on stdout, a JSON object a line, with seconds of CLOCK_MONOTONIC: {"event": "established", "site":
0, "at": …}, "sent" (all of it is in the socket), "closed". On stdin it takes `go` (where "go" was false,
feeds wait for it), `feed SITE PATH` (what the next session will be sent), and for a session whose feed is
sent, `more SITE PATH` (send this file of messages too: "more" before, "sent" after it) and `pace SITE RATE
PATH` (one message of the file at a time, so many a second: "pacing" with `begin`, when the first is due, and
"paced" with `times`, when each was sent). It also echoes datagrams that come by a site's device, to whatever
address, as long as it lives, with the site's tag: for a probe, it *is* the router.
"""

from __future__ import annotations

import json
import mmap
import select
import socket
import struct
import sys
import threading
import time

PORT = 179
ECHO_PORT = 7007
HOLD_TIME = 90
KEEPALIVE_SECONDS = 20.0
OPEN, UPDATE, NOTIFICATION, KEEPALIVE = 1, 2, 3, 4
IP_PKTINFO = 8
"""linux/in.h"""
RESTART_SECONDS = 120
LEAD_SECONDS = 0.3
"""From "pacing" until the first message: whoever watches needs to get ready."""

telling = threading.Lock()


def tell(event: str, site: int, **more: object) -> None:
    """Print an event, with the time at which this was called."""
    at = time.monotonic()
    with telling:
        print(json.dumps({"event": event, "site": site, "at": at, **more}), flush=True)


def message(kind: int, body: bytes = b"") -> bytes:
    """A message with its header (RFC 4271, 4.1)."""
    return b"\xff" * 16 + struct.pack("!HB", 19 + len(body), kind) + body


def open_message(asn: int, address: str, graceful: bool) -> bytes:
    """OPEN with IPv4 unicast, route refresh, 4-octet AS numbers and, if `graceful`, graceful restart."""
    capabilities = b"\x01\x04\0\1\0\1" + b"\x02\0"
    if graceful:
        restart = struct.pack("!HHBB", RESTART_SECONDS, 1, 1, 0x80)
        capabilities += b"\x40" + bytes([len(restart)]) + restart
    capabilities += b"\x41\x04" + struct.pack("!I", asn)
    parameters = b"\x02" + bytes([len(capabilities)]) + capabilities
    short = asn if asn < 65536 else 23456
    body = b"\x04" + struct.pack("!HH", short, HOLD_TIME) + socket.inet_aton(address)
    return message(OPEN, body + bytes([len(parameters)]) + parameters)


def receive(connection: socket.socket) -> tuple[int, bytes]:
    """Type and body of the next message. Raises EOFError, OSError."""
    header = exactly(connection, 19)
    length, kind = struct.unpack("!HB", header[16:])
    return kind, exactly(connection, length - 19)


def exactly(connection: socket.socket, count: int) -> bytes:
    """So many octets. Raises EOFError."""
    found = b""
    while len(found) < count:
        piece = connection.recv(count - len(found))
        if not piece:
            raise EOFError("closed by the peer")
        found += piece
    return found


def messages(octets: bytes) -> list[bytes]:
    """The single messages of a file of them."""
    found = []
    at = 0
    while at < len(octets):
        end = at + int.from_bytes(octets[at + 16 : at + 18], "big")
        found.append(octets[at:end])
        at = end
    return found


class Site:
    """One address with sessions, one after the other."""

    def __init__(
        self,
        number: int,
        tag: int,
        address: str,
        device: str,
        asn: int,
        feed: str,
        graceful: bool,
        go: threading.Event,
    ) -> None:
        self.number = number
        self.tag = tag
        self.address = address
        self.asn = asn
        self.feed = feed
        self.graceful = graceful
        self.go = go
        self.orders, self.desk = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        """Where the session takes words that concern it, and where they are put."""
        self.listener = socket.create_server((address, PORT), backlog=8)
        self.echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.echo.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        self.echo.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.echo.bind(("", ECHO_PORT))

    def serve(self) -> None:
        """Accept for ever."""
        while True:
            connection, _ = self.listener.accept()
            try:
                self.session(connection)
            except (OSError, EOFError) as error:
                tell("closed", self.number, reason=repr(error))
            connection.close()

    def session(self, connection: socket.socket) -> None:
        """Open, send the feed, keep alive until the end."""
        connection.settimeout(HOLD_TIME)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(open_message(self.asn, self.address, self.graceful))
        with open(self.feed, "rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as feed:
            kind, _ = receive(connection)
            if kind != OPEN:
                raise EOFError(f"message {kind} instead of an OPEN")
            connection.sendall(message(KEEPALIVE))
            while True:
                kind, body = receive(connection)
                if kind == KEEPALIVE:
                    break
                raise EOFError(f"message {kind} {body.hex()} instead of a KEEPALIVE")
            tell("established", self.number)
            while not self.go.wait(KEEPALIVE_SECONDS):
                connection.sendall(message(KEEPALIVE))
            connection.settimeout(None)
            connection.sendall(feed)
            tell("sent", self.number)
        while True:
            ready, _, _ = select.select([connection, self.orders], [], [], KEEPALIVE_SECONDS)
            if self.orders in ready:
                self.obey(connection, self.orders.recv(8192).decode())
            elif ready:
                kind, body = receive(connection)
                if kind == NOTIFICATION:
                    raise EOFError(f"NOTIFICATION {body.hex()}")
            else:
                connection.sendall(message(KEEPALIVE))

    def obey(self, connection: socket.socket, order: str) -> None:
        """Send what is ordered: `more PATH` or `pace RATE PATH`."""
        word, _, rest = order.partition(" ")
        rate, path = ("", rest) if word == "more" else rest.split(maxsplit=1)
        with open(path, "rb") as file:
            octets = file.read()
        if rate:
            self.pace(connection, messages(octets), float(rate))
            return
        tell("more", self.number)
        connection.sendall(octets)
        tell("sent", self.number)

    def pace(self, connection: socket.socket, feed: list[bytes], rate: float) -> None:
        """Send messages at a steady rate, each when it is due; those that are late, at once."""
        begin = time.monotonic() + LEAD_SECONDS
        tell("pacing", self.number, begin=begin)
        times = []
        for index, octets in enumerate(feed):
            wait = begin + index / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            times.append(time.monotonic())
            connection.sendall(octets)
        tell("paced", self.number, times=times)

    def answer(self) -> None:
        """Echo for ever, from the address that was asked, with this site's tag behind."""
        tag = bytes([self.tag])
        while True:
            octets, control, _, sender = self.echo.recvmsg(2048, 64)
            asked = control[0][2][8:12]
            source = struct.pack("=I4s4s", 0, asked, bytes(4))
            try:
                self.echo.sendmsg([octets + tag], [(socket.IPPROTO_IP, IP_PKTINFO, source)], 0, sender)
            except OSError as error:
                tell("echo failed", self.number, reason=repr(error))


def main() -> None:
    """Serve all sites until stdin ends."""
    setting = json.loads(sys.argv[1])
    go = threading.Event()
    if setting["go"]:
        go.set()
    sites = [
        Site(number, graceful=setting["graceful"], go=go, **site)
        for number, site in enumerate(setting["sites"])
    ]
    for site in sites:
        threading.Thread(target=site.serve, daemon=True).start()
        threading.Thread(target=site.answer, daemon=True).start()
    tell("listening", 0)
    for line in sys.stdin:
        word, *rest = line.split(maxsplit=2)
        if word == "go":
            tell("go", 0)
            go.set()
        elif word == "feed":
            sites[int(rest[0])].feed = rest[1].strip()
            tell("changed", int(rest[0]))
        elif word in ("more", "pace"):
            sites[int(rest[0])].desk.send(f"{word} {rest[1].strip()}".encode())


if __name__ == "__main__":
    main()
