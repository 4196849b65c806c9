"""Real packets from every gateway, all the time, and who saw them: a capture at the far end of every wire.

Each datagram carries a number: in the steady stream that of its era, that of its volley otherwise. What is
counted is what came out of the node, by wire, source and destination; not what was sent in an era before: a
packet may have been routed then, and have waited for a neighbour until now.
"""

from __future__ import annotations

import contextlib
import itertools
import selectors
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from labs.netns.namespace import Namespace
from tests.isolation.truth import Host

PORT = 9
"""discard (RFC 863)."""
RATE = 200
"""Datagrams a second from each source."""
TURN = 0.01
"""Seconds between two looks."""
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
STREAM = 1 << 31
"""Marks the numbers of the steady stream."""
SO_RCVBUFFORCE = 33
SOL_PACKET, PACKET_STATISTICS = 263, 6
Seen = tuple[str, Host, Host]
"""A wire, and the source and destination of a packet on it."""
Pair = tuple[Host, Host]


class Wires:
    """The traffic and the captures, as a `with` block. What is asked may be asked by any thread."""

    def __init__(self, sources: dict[str, Namespace], ends: dict[str, tuple[Namespace, str]]) -> None:
        """`sources`: where each address is; `ends`: the device at the far end of each wire."""
        self.sent = 0
        self.captured = 0
        self._lock = threading.Lock()
        self._counts: Counter[Seen] = Counter()
        self._sent: Counter[Pair] = Counter()
        self._came: Counter[Pair] = Counter()
        """Of the steady stream, since it was last resumed."""
        self._held = False
        self._volley: set[Seen] = set()
        self._number = self._era = 0
        self._destinations: tuple[Host, ...] = ()
        self._quiet = threading.Event()
        self._end = threading.Event()
        self._failure: BaseException | None = None
        self._sockets = {ip_address(address): _sender(where, address) for address, where in sources.items()}
        self._captures = {name: _capture(where, device) for name, (where, device) in ends.items()}
        self._thread = threading.Thread(target=self._run, name="wires")

    def __enter__(self) -> Wires:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for one in (*self._sockets.values(), *self._captures.values()):
            one.close()

    @property
    def sources(self) -> list[Host]:
        return list(self._sockets)

    def aim(self, destinations: Sequence[Host]) -> None:
        """Where the steady stream goes to."""
        self._destinations = tuple(destinations)

    def taken(self) -> Counter[Seen]:
        """What was captured since this was last asked for."""
        with self._lock:
            self._read()
            found, self._counts = self._counts, Counter()
        if self._failure is not None:
            raise self._failure
        return found

    def hold(self) -> None:
        """Let the steady stream rest."""
        with self._lock:
            self._held = True

    def lost(self) -> Counter[Pair]:
        """What was sent since the stream was last resumed, and has not come out of the node."""
        with self._lock:
            self._read()
            return self._sent - self._came

    def resume(self) -> None:
        """Go on with the steady stream, and count anew."""
        with self._lock:
            self._sent, self._came, self._held = Counter(), Counter(), False

    def begin(self) -> None:
        """A new era: what was sent before is not counted any more when it comes out."""
        with self._lock:
            self._era += 1

    def fire(self, pairs: Sequence[Pair]) -> None:
        """A volley: one packet for each pair; those of the one before count no more."""
        with self._lock:
            self._number += 1
            self._volley = set()
        for src, dst in pairs:
            self._send(src, dst, self._number)

    def arrived(self) -> set[Seen]:
        """What was captured of the last volley."""
        with self._lock:
            self._read()
            return set(self._volley)

    # -- the thread --------------------------------------------------------------------------------

    def _run(self) -> None:
        turns = dict.fromkeys(self._sockets, 0)
        try:
            with selectors.DefaultSelector() as selector:
                for capture in self._captures.values():
                    selector.register(capture, selectors.EVENT_READ)
                last = time.monotonic()
                while not self._end.is_set():
                    now = time.monotonic()
                    count = min(int((now - last) * RATE), RATE // 4)
                    with self._lock:
                        if count and not self._held:
                            self._stream(turns, count)
                    last = now if count else last
                    with self._lock:
                        self._read()
                    time.sleep(TURN)
        except BaseException as error:
            self._failure = error

    def _stream(self, turns: dict[Host, int], count: int) -> None:
        for src in self._sockets:
            fitting = [dst for dst in self._destinations if dst.version == src.version]
            for _, place in zip(range(count), itertools.count(turns[src]), strict=False):
                if fitting and self._send(src, dst := fitting[place % len(fitting)], STREAM | self._era):
                    self._sent[src, dst] += 1
            turns[src] += count

    def _send(self, src: Host, dst: Host, number: int) -> bool:
        with contextlib.suppress(OSError):  # an ICMP error of an earlier packet, or no neighbour yet
            self._sockets[src].sendto(struct.pack("!I", number), (str(dst), PORT))
            self.sent += 1
            return True
        return False

    def _read(self) -> None:
        for name, capture in self._captures.items():
            while True:
                try:
                    frame, sender = capture.recvfrom(128)
                except BlockingIOError:
                    break
                except OSError:
                    if self._end.is_set():
                        return
                    continue  # the device went down
                if sender[2] == socket.PACKET_OUTGOING:
                    continue
                if (found := _parse(sender[1], frame)) is not None:
                    src, dst, number = found
                    self.captured += 1
                    if number in (self._number, STREAM | self._era):
                        self._counts[name, src, dst] += 1
                    self._came[src, dst] += bool(number & STREAM)
                    if number == self._number:
                        self._volley.add((name, src, dst))
            statistics = capture.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8)
            assert struct.unpack("II", statistics)[1] == 0, f"the capture on {name} lost packets"


def _sender(where: Namespace, address: str) -> socket.socket:
    one = where.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    one.setblocking(False)
    one.bind((address, 0))
    return one


def _capture(where: Namespace, device: str) -> socket.socket:
    one = where.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    one.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    one.setblocking(False)
    where.inside(lambda: one.bind((device, ETH_P_ALL)))
    return one


def _parse(kind: int, frame: bytes) -> tuple[Host, Host, int] | None:
    """Source, destination and number of a datagram of ours; None of anything else."""
    if kind == ETH_P_IP and frame[9] == socket.IPPROTO_UDP:
        start = (frame[0] & 15) * 4
        src: Host = IPv4Address(frame[12:16])
        dst: Host = IPv4Address(frame[16:20])
    elif kind == ETH_P_IPV6 and frame[6] == socket.IPPROTO_UDP:
        start, src, dst = 40, IPv6Address(frame[8:24]), IPv6Address(frame[24:40])
    else:
        return None
    if struct.unpack_from("!H", frame, start + 2)[0] != PORT or len(frame) < start + 12:
        return None
    return src, dst, struct.unpack_from("!I", frame, start + 8)[0]
