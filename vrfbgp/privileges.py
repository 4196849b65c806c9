"""Gives up what the daemon, which takes in what peers say, needs no more once its sockets are open.

What writes to the kernel is a process of its own (`kernel/scribe.py`); it was started before, and keeps
CAP_NET_ADMIN.
"""

from __future__ import annotations

import ctypes
import os

CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
"""linux/capability.h: files are read and written whoever owns them, as by root before."""
CAP_NET_BIND_SERVICE = 10
"""Passive sessions are waited for on port 179, wherever and whenever the config says so."""

_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_VERSION_3 = 0x20080522
"""linux/prctl.h, linux/capability.h"""


def give_up() -> None:
    """Keep of all capabilities but those over files and ports, and get none by executing anything; OSError.

    It is so for this thread and those that it starts (capabilities(7)): to be called before there are others.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()
    """Effective, permitted and inheritable, capabilities 0 to 31; then those from 32."""
    _checked("capget", libc.capget(header, sets))
    needed = 1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH | 1 << CAP_NET_BIND_SERVICE
    kept = (ctypes.c_uint32 * 6)(sets[0] & needed, sets[1] & needed, 0, 0, 0, 0)
    _checked("prctl", libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    _checked("prctl", libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    _checked("capset", libc.capset(header, kept))


def _checked(call: str, result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
