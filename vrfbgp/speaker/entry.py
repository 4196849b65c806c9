"""The process that speakers are forked from: `python -m vrfbgp.speaker.entry CONTROL`.

CONTROL is the number of an inherited socket, on which the orders come (`brood`). ExaBGP is loaded once, and
its memory is every speaker's; so are the privileges given up once, before there is a speaker. Only the
ExaBGP that the tests ran with is started: the parts replaced here know its insides, and another version could
differ without a word.

The environment variable `SPOOL_VARIABLE` sets how far a speaker reads ahead of the daemon: for tests and
tuning, no part of the configuration.
"""

from __future__ import annotations

import gc
import os
import socket
import sys
from collections.abc import Callable
from typing import Any

from vrfbgp.privileges import give_up_all
from vrfbgp.speaker.brood import Brood, Order
from vrfbgp.speaker.compact import fill_gaps, gather
from vrfbgp.speaker.spared import spare

Speak = Callable[[Order], int]
EXABGP_VERSION = "5.0.15"
SPOOL_VARIABLE = "VRFBGP_SPOOL_OCTETS"

CACHES_FILLED = 10
"""Rehearsals until the interpreter has specialised the code (PEP 659; CPython 3.11 does after 8 runs)."""


def refuse_other_version(found: str) -> None:
    """Exit, naming both versions, unless the ExaBGP installed is the one tested."""
    if found != EXABGP_VERSION:
        sys.exit(
            f"exabgp {found} is installed, but the speaker was tested with exabgp {EXABGP_VERSION} only: "
            f"pip install exabgp=={EXABGP_VERSION}"
        )


def settings() -> Any:
    """ExaBGP's settings, whatever files or variables of the host say."""
    from exabgp.environment import base, getenv

    base.ENVFILE = ""
    for name in [name for name in os.environ if name.startswith("exabgp")]:
        del os.environ[name]
    env = getenv()
    env.api.cli = False
    env.tcp.bind = []
    env.daemon.daemonize = False
    env.daemon.umask = 0o077
    env.log.destination = "stderr"
    env.log.level = "ERROR"
    return env


def spool_limit(default: int) -> int:
    """Octets of the spool: what the environment says, else the default. Exits if that is no such number."""
    told = os.environ.get(SPOOL_VARIABLE, "")
    if told and (not told.isdecimal() or not int(told)):
        sys.exit(f"{SPOOL_VARIABLE}={told}: give a number of octets, at least 1, or unset it")
    return int(told or default)


def load() -> Speak:
    """Import all that a speaker runs; what runs one."""
    from exabgp.version import release

    refuse_other_version(release)
    spare()
    env = settings()

    from exabgp.logger import log
    from exabgp.reactor import loop, peer, protocol

    from vrfbgp.speaker.channel import SPOOL_LIMIT, Channel
    from vrfbgp.speaker.connection import Wire
    from vrfbgp.speaker.identity import tell_ports_apart
    from vrfbgp.speaker.lane import Lane
    from vrfbgp.speaker.neighbors import Neighbors
    from vrfbgp.speaker.reactor import Commands, Nothing, Quiet, SpeakerReactor
    from vrfbgp.speaker.session import Session

    tell_ports_apart()
    loop.Peer = Session
    loop.Signal = Quiet
    loop.API = Commands
    loop.ASYNC = Nothing
    peer.Protocol = Lane
    protocol.Outgoing = Wire

    # Made here, as what is made once is shared; it reads its file when it is run.
    log.init(env)
    log.init = lambda _: None
    limit = spool_limit(SPOOL_LIMIT)
    neighbors = Neighbors()
    reactor = SpeakerReactor(neighbors)

    def speak(order: Order) -> int:
        neighbors.path = order.config
        channel = Channel(socket.socket(fileno=order.channel), order.epoch, release, limit)
        channel.calls = socket.socket(fileno=order.calls)
        loop.Processes = lambda: channel
        return int(reactor.run())

    return speak


def lay_out() -> list[bytes]:
    """Make what speakers share such that they write to little of it; keep what this returns."""
    from exabgp.version import release

    from vrfbgp.speaker.rehearsal import rehearse

    try:
        gather(lambda: rehearse(release))
        for _ in range(CACHES_FILLED):
            rehearse(release)
    except Exception as error:
        print(f"the rehearsal failed, each speaker takes some more memory: {error!r}", file=sys.stderr)
    # Collected garbage would be written to in each speaker; what is frozen is not.
    gc.collect()
    fillings = fill_gaps()
    gc.freeze()
    return fillings


def main(arguments: list[str]) -> int:
    """Fork speakers until the daemon ends. In a speaker: run until its channel ends; the exit status is
    ExaBGP's."""
    control = socket.socket(fileno=int(arguments[0]))
    speak = load()
    give_up_all()
    _fillings = lay_out()
    order = Brood(control).serve()
    return 0 if order is None else speak(order)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
