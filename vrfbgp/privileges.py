"""Gives up what a process needs no more, before it sees anything that a peer says.

| process | keeps |
|---|---|
| the daemon, once its sockets are open | of what it had, CAP_NET_BIND_SERVICE and those over files |
| what writes to the kernel (`kernel/scribe.py`) | CAP_NET_ADMIN |
| the speakers, and what they are forked from | nothing |

None gets anything back by executing a program (no_new_privs).
"""

from __future__ import annotations

import ctypes
import os

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
"""linux/capability.h: files are read and written whoever owns them, as by root before."""
CAP_NET_BIND_SERVICE = 10
"""Passive sessions are waited for on port 179, wherever and whenever the config says so."""
CAP_NET_ADMIN = 12
"""Routes, rules and next hops are written."""

_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_VERSION_3 = 0x20080522
"""linux/prctl.h, linux/capability.h"""


def give_up() -> None:
    """Keep of all capabilities but those over files and ports, and get none by executing anything; OSError.

    It is so for this thread and those that it starts (capabilities(7)): to be called before there are others.
    """
    _keep(CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_NET_BIND_SERVICE)


def give_up_all() -> None:
    """Keep no capability, and get none by executing anything; OSError. As above, before there are threads."""
    _keep()


def keep_to_write() -> None:
    """Keep CAP_NET_ADMIN alone, if it is there, also over the execve(2) that follows; OSError.

    For any user: it is made ambient, since neither root's rules nor a file's capabilities count then.
    """
    libc, permitted = _keep(CAP_NET_ADMIN, inherit=True)
    if permitted:
        _checked("prctl", libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN, 0, 0))


def _keep(*kept: int, inherit: bool = False) -> tuple[ctypes.CDLL, int]:
    """Reduce all sets to these, of what is permitted; the library, and what is left."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    """Effective, permitted and inheritable, capabilities 0 to 31; then those from 32."""
    _checked("capget", libc.capget(header, sets))
    left = sets[1] & sum(1 << number for number in kept)
    sets = (ctypes.c_uint32 * 6)(left, left, left if inherit else 0, 0, 0, 0)
    _checked("prctl", libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked("prctl", libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    _checked("capset", libc.capset(header, sets))
    return libc, left


def _checked(call: str, result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
