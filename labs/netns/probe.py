"""Traffic to judge by, as a process of its own: datagrams at a steady rate, until a SIGTERM.

Runs as a script: `probe.py ADDRESS [RATE]`, RATE in packets a second. It prints `so far N` on its way, and at
the end its tally, a line each: `sent N`, `lost N` (neither answered nor refused), `refused N` (ICMP errors,
and sends that failed), `BANNER CLIENT N` for each server that answered and each address that it saw, and
`lost of BANNER N` for what was lost in flows that this server had answered until then.
"""

from __future__ import annotations

import select
import signal
import socket
import struct
import sys
import time
from collections import Counter

ECHO_PORT = 7
TAG = 8
"""Bytes of a datagram that come back as they were (`server.py`)."""
FLOWS = 16
"""Sockets, hence source ports: where there are several ways, some take each."""
RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
"""IP_RECVERR (linux/in.h), IPV6_RECVERR (linux/in6.h): also told is that a network is unreachable."""
LAST = 1.0
"""Seconds that an answer may take."""


def main(address: str, rate: float = 200.0) -> None:
    """Send and count until a SIGTERM, and tell."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: ended.append(number))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    flows = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(FLOWS)]
    for flow in flows:
        flow.connect((address, ECHO_PORT))
        flow.setsockopt(*RECVERR[family], 1)
        flow.setblocking(False)
    waiting: dict[int, str] = {}
    """Numbers of what is not answered yet, and who answered that flow last."""
    answered_by = [""] * FLOWS
    answers: Counter[str] = Counter()
    sent = refused = 0

    def receive(patience: float) -> None:
        """Count what comes within so many seconds."""
        nonlocal refused
        for flow in select.select(flows, [], [], patience)[0]:
            try:
                answer = flow.recv(2048)
            except OSError:
                refused += 1
                continue
            number = struct.unpack("!Q", answer[:TAG])[0]
            if waiting.pop(number, None) is not None:
                who = answer[TAG:].decode().split()
                answered_by[number % FLOWS] = who[0]
                answers[" ".join(who)] += 1

    following = time.monotonic()
    print("so far 0", flush=True)
    while not ended:
        receive(max(0.0, following - time.monotonic()))
        if time.monotonic() < following:
            continue
        following = max(following + 1 / rate, time.monotonic() - 0.1)
        try:
            flows[sent % FLOWS].send(struct.pack("!Q", sent))
            waiting[sent] = answered_by[sent % FLOWS]
        except OSError:
            refused += 1
        sent += 1
        if sent % 10 == 0:
            print("so far", sent, flush=True)
    deadline = time.monotonic() + LAST
    while waiting and time.monotonic() < deadline:
        receive(0.05)
    print("sent", sent)
    print("lost", max(0, sent - answers.total() - refused))
    print("refused", refused)
    for who, number in sorted(answers.items()):
        print(who, number)
    for banner, number in sorted(Counter(waiting.values()).items()):
        print("lost of", banner or "nobody", number)


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
