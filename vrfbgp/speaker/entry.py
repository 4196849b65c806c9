"""Starts ExaBGP as a speaker: `python -m vrfbgp.speaker.entry CHANNEL PARENT EPOCH CONFIG`.

CHANNEL is the number of an inherited socket, PARENT the process id of the daemon, EPOCH the highest that
was used, CONFIG the path of ExaBGP's configuration. Only the ExaBGP that the tests ran with is started: the
parts replaced here know its insides, and another version could differ without a word.

The environment variable `SPOOL_VARIABLE` sets how far the speaker reads ahead of the daemon: for tests and
tuning, no part of the configuration.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from typing import Any

EXABGP_VERSION = "5.0.15"
SPOOL_VARIABLE = "VRFBGP_SPOOL_OCTETS"

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
"""linux/prctl.h, linux/capability.h"""


def refuse_other_version(found: str) -> None:
    """Exit, naming both versions, unless the ExaBGP installed is the one tested."""
    if found != EXABGP_VERSION:
        sys.exit(
            f"exabgp {found} is installed, but the speaker was tested with exabgp {EXABGP_VERSION} only: "
            f"pip install exabgp=={EXABGP_VERSION}"
        )


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the daemon ends, however it ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the daemon ended before its speaker began")


def give_up_privileges() -> None:
    """Drop all capabilities: a session needs none, and a peer's octets are read here."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    if libc.capset(header, (ctypes.c_uint32 * 6)()):
        sys.exit(f"capset: {os.strerror(ctypes.get_errno())}")


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


def main(arguments: list[str]) -> int:
    """Run the speaker until its channel ends; the exit status is ExaBGP's."""
    channel_fd, parent, epoch, path = int(arguments[0]), int(arguments[1]), int(arguments[2]), arguments[3]
    die_with(parent)
    from exabgp.version import release

    refuse_other_version(release)
    env = settings()

    from exabgp.configuration.configuration import Configuration
    from exabgp.logger import log
    from exabgp.reactor import loop, peer, protocol

    from vrfbgp.speaker.channel import SPOOL_LIMIT, Channel
    from vrfbgp.speaker.connection import Wire
    from vrfbgp.speaker.lane import Lane
    from vrfbgp.speaker.reactor import SpeakerReactor
    from vrfbgp.speaker.session import Session

    give_up_privileges()
    log.init(env)
    channel = Channel(socket.socket(fileno=channel_fd), epoch, release, spool_limit(SPOOL_LIMIT))
    loop.Processes = lambda: channel
    loop.Peer = Session
    peer.Protocol = Lane
    protocol.Outgoing = Wire
    return int(SpeakerReactor(Configuration([path])).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
