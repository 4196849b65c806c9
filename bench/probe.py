"""Datagrams at a steady rate through the tables, as a script: what was lost, and from when to when.

    probe.py '{"source": "10.50.0.1", "rate": 1000, "destinations": ["8.8.8.5", …]}'

The destinations take turns. It prints {"event": "answered"} after the first hundred answers. When stdin
ends, it waits a second for late ones and prints {"event": "tally", "sent": …, "lost": …, "first_lost": …,
"last_lost": …, "sent_meanwhile": …, "lost_by": {TAG: count}}. Times are seconds of CLOCK_MONOTONIC at which
those packets were sent; `sent_meanwhile` counts all packets from the first lost to the last. `lost_by` tells
by the tag of the router which carried the flow of what was lost: the one that answered its destination last.
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


def blame(lost: list[int], tags: dict[int, int], targets: int) -> dict[int, int]:
    """The lost packets by the tag of the router that answered their destination last; -1 if none had."""
    found: dict[int, int] = {}
    for index in lost:
        before = (tags[at] for at in range(index - targets, -1, -targets) if at in tags)
        tag = next(before, -1)
        found[tag] = found.get(tag, 0) + 1
    return found


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
    tags: dict[int, int] = {}
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
                index = struct.unpack("!Q", octets[:8])[0]
                missing.discard(index)
                tags[index] = octets[8]
                if len(tags) == ENOUGH:
                    print(json.dumps({"event": "answered"}), flush=True)
    lost = sorted(missing)
    tally: dict[str, object] = {"sent": len(sent), "lost": len(lost)}
    tally["first_lost"] = sent[lost[0]] if lost else None
    tally["last_lost"] = sent[lost[-1]] if lost else None
    tally["sent_meanwhile"] = lost[-1] - lost[0] + 1 if lost else 0
    tally["lost_by"] = blame(lost, tags, len(targets))
    print(json.dumps({"event": "tally", **tally}), flush=True)


if __name__ == "__main__":
    main()
