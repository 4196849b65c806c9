"""Datagrams at a steady rate through the tables, as a script: what was lost, and from when to when.

    probe.py '{"source": "10.50.0.1", "rate": 1000, "destinations": ["8.8.8.5", …]}'

The destinations take turns. It prints {"event": "answered"} after the first hundred answers. When stdin
ends, it waits a second for late ones and prints {"event": "tally", "sent": …, "lost": …, "first_lost": …,
"last_lost": …, "answered": {SITE: count}}, the times in seconds of CLOCK_MONOTONIC at which those packets
were sent.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import time

ECHO_PORT = 7007
ENOUGH = 100
LATE_SECONDS = 1.0


def main() -> None:
    """Send until stdin ends, and tell."""
    setting = json.loads(sys.argv[1])
    prober = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    prober.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    prober.bind((setting["source"], 0))
    prober.setblocking(False)
    interval = 1 / setting["rate"]
    targets = [(address, ECHO_PORT) for address in setting["destinations"]]
    sent: list[float] = []
    missing: set[int] = set()
    answered: dict[int, int] = {}
    count = 0
    following = time.monotonic()
    deadline = None
    while deadline is None or (missing and time.monotonic() < deadline):
        now = time.monotonic()
        while deadline is None and now >= following:
            following += interval
            missing.add(len(sent))
            with contextlib.suppress(OSError):  # Unreachable counts as lost.
                prober.sendto(struct.pack("!Q", len(sent)), targets[len(sent) % len(targets)])
            sent.append(now)
        limit = 0.1 if deadline is not None else max(0.0, following - time.monotonic())
        ready, _, _ = select.select([prober, *([sys.stdin] if deadline is None else [])], [], [], limit)
        if sys.stdin in ready:
            deadline = time.monotonic() + LATE_SECONDS
        if prober in ready:
            for _ in range(64):
                try:
                    octets = prober.recv(64)
                except BlockingIOError:
                    break
                except OSError:
                    continue
                missing.discard(struct.unpack("!Q", octets[:8])[0])
                answered[octets[8]] = answered.get(octets[8], 0) + 1
                count += 1
                if count == ENOUGH:
                    print(json.dumps({"event": "answered"}), flush=True)
    lost = [sent[index] for index in missing]
    tally = {"sent": len(sent), "lost": len(lost), "answered": answered}
    tally |= {"first_lost": min(lost, default=None), "last_lost": max(lost, default=None)}
    print(json.dumps({"event": "tally", **tally}), flush=True)


if __name__ == "__main__":
    main()
