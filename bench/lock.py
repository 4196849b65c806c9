"""How long the kernel's one lock for links and routes (RTNL) had to be waited for: who disturbs whom.

All namespaces of a machine share it. A daemon that waits for it behind somebody else's work looks slow, and
is not; so latencies of milliseconds are told together with this.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import time

from bench.aside import Aside
from labs.netns.namespace import Namespace

SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
"""linux/sockios.h"""
PAUSE = 0.02


class LockWait(Aside):
    """Takes the lock now and then, as a `with` block: it sets the flags of `lo` to what they are."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__(namespace.socket(socket.AF_INET, socket.SOCK_DGRAM, 0), PAUSE)
        self.longest = 0.0
        """Seconds."""
        asked = struct.pack("16sH14x", b"lo", 0)
        self._request = fcntl.ioctl(self._socket, SIOCGIFFLAGS, asked)

    def _step(self) -> None:
        begin = time.monotonic()
        fcntl.ioctl(self._socket, SIOCSIFFLAGS, self._request)
        self.longest = max(self.longest, time.monotonic() - begin)
