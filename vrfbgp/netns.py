"""Which network namespace this thread is in: what a command reads from the kernel is that of its own.

A namespace is known by the inode of its file in nsfs (namespaces(7)), one number on a whole machine.
"""

from __future__ import annotations

import os


def own_namespace() -> int | None:
    """The inode of this thread's network namespace; None where /proc does not tell."""
    try:
        return os.stat("/proc/thread-self/ns/net").st_ino
    except OSError:
        return None


def elsewhere(other: object, pid: int | None) -> str | None:
    """How to get into the daemon's namespace, if that is `other` and this thread is in another; else None.

    `pid` is the daemon's as it is seen here; None or 0 if it is not seen.
    """
    here = own_namespace()
    if not isinstance(other, int) or here is None or other == here:
        return None
    if not pid:
        return (
            "the daemon is in another network namespace than this command: run it in the daemon's container"
        )
    enter = f"nsenter --net=/proc/{pid}/ns/net"
    return (
        f"the daemon, pid {pid}, is in another network namespace than this command: put `{enter}` before it"
    )
