"""A rehearsal is a whole session, of which nothing remains."""

from __future__ import annotations

import json
import subprocess
import sys

from vrfbgp.speaker.wire import Kind

SCRIPT = """
import json, os, signal
from vrfbgp.speaker.entry import load
load()
from exabgp.reactor import protocol
from exabgp.rib import RIB
from vrfbgp.speaker.rehearsal import rehearse
from vrfbgp.speaker.wire import HEADER
files = sorted(os.listdir("/proc/self/fd"))
caught = [signal.getsignal(number) for number in range(1, 20)]
for _ in range(3):
    told, frames = rehearse("5"), []
    while told:
        kind, peer, number, length = HEADER.unpack(told[: HEADER.size])
        payload, told = told[HEADER.size : HEADER.size + length], told[HEADER.size + length :]
        frames.append((kind, peer, number, payload.decode("latin-1")))
print(json.dumps({
    "frames": frames,
    "files": sorted(os.listdir("/proc/self/fd")) == files,
    "signals": [signal.getsignal(number) for number in range(1, 20)] == caught,
    "ribs": len(RIB._cache),
    "connection": protocol.Outgoing.__module__,
}))
"""


def test_it_is_a_whole_session_of_which_nothing_remains() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    found = json.loads(done.stdout)
    frames = found.pop("frames")
    kinds = [Kind(kind) for kind, *_ in frames]
    assert kinds.count(Kind.UP) == 1
    assert Kind.DOWN not in kinds
    assert kinds.count(Kind.UPDATES) > 1
    assert [payload for kind, _, _, payload in frames if kind == Kind.ANSWER] == ["", "", ""]
    assert found == {"files": True, "signals": True, "ribs": 0, "connection": "vrfbgp.speaker.connection"}


RELOAD_AT_ONCE = """
from vrfbgp.speaker.entry import load
load()
from vrfbgp.speaker.channel import Channel
from vrfbgp.speaker.session import Session
begin, received, due = Session.begin, Channel.received, []

def begin_and_reload(self):
    begin(self)
    due.append(("9", "reload"))

def received_and_due(self):
    yield from received(self)
    while due:
        yield due.pop()

Session.begin, Channel.received = begin_and_reload, received_and_due
"""


def test_x22_a_reload_in_the_moment_of_its_begin_ends_no_session() -> None:
    script = RELOAD_AT_ONCE + SCRIPT[SCRIPT.index("from exabgp.reactor") :]
    done = subprocess.run(
        [sys.executable, "-c", "import json, os, signal\n" + script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    kinds = [Kind(kind) for kind, *_ in json.loads(done.stdout)["frames"]]
    assert Kind.UP in kinds
    assert Kind.DOWN not in kinds, done.stderr
