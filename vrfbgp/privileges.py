"""Gives up what a process needs no more, before it sees anything that a peer says.

| process | keeps |
|---|---|
| the daemon, once its sockets are open | of what it had, those over files |
| what writes to the kernel (`kernel/scribe.py`) | CAP_NET_ADMIN; CAP_NET_BIND_SERVICE, if that was granted |
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
    """Keep of all capabilities but those over files, and get none by executing anything; OSError.

    It is so for this thread and those that it starts (capabilities(7)): to be called before there are others.
    """
    _keep(CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)


def give_up_all() -> None:
    """Keep no capability, and get none by executing anything; OSError. As above, before there are threads."""
    _keep()


def keep_to_write() -> None:
    """Keep what it takes to write and to bind, as far as it is there, also over the next execve(2); OSError.

    For any user: it is made ambient, since neither root's rules nor a file's capabilities count then.
    """
    kept = (CAP_NET_ADMIN, CAP_NET_BIND_SERVICE)
    libc, permitted = _keep(*kept, inherit=True)
    for number in kept:
        if permitted >> number & 1:
            _checked("prctl", libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0))


def take_up() -> None:
    """Put all that is permitted into effect; OSError. As above, before there are threads.

    A program whose file has capabilities without the effective bit, as in our image, can be executed where
    not all of them are to be had (capabilities(7)); it is then for the program to take up what it got.
    """
    libc, header, sets = _capabilities()
    sets[0], sets[3] = sets[1], sets[4]
    _checked("capset", libc.capset(header, sets))


def _keep(*kept: int, inherit: bool = False) -> tuple[ctypes.CDLL, int]:
    """Reduce all sets to these, of what is permitted; the library, and what is left."""
    libc, header, sets = _capabilities()
    left = sets[1] & sum(1 << number for number in kept)
    sets[:] = [left, left, left if inherit else 0, 0, 0, 0]
    _checked("prctl", libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked("prctl", libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    _checked("capset", libc.capset(header, sets))
    return libc, left


def _capabilities() -> tuple[ctypes.CDLL, ctypes.Array[ctypes.c_uint32], ctypes.Array[ctypes.c_uint32]]:
    """The library, the header for capget(2) and capset(2), and what the calling thread has.

    Effective, permitted and inheritable, capabilities 0 to 31; then those from 32.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(_VERSION_3, 0), (ctypes.c_uint32 * 6)()
    _checked("capget", libc.capget(header, sets))
    return libc, header, sets


def _checked(call: str, result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
