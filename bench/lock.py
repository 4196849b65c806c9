"""How long the kernel's one lock for links and routes (RTNL) had to be waited for: who disturbs whom.

All namespaces of a machine share it. A daemon that waits for it behind somebody else's work looks slow, and
is not; so latencies of milliseconds are told together with this.
"""

from __future__ import annotations

import fcntl
import socket
import struct
import threading
import time

from labs.netns.namespace import Namespace

SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
"""linux/sockios.h"""
PAUSE = 0.02


class LockWait:
    """Takes the lock now and then, as a `with` block: it sets the flags of `lo` to what they are."""

    def __init__(self, namespace: Namespace) -> None:
        self.longest = 0.0
        """Seconds."""
        self._socket = namespace.socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
        asked = struct.pack("16sH14x", b"lo", 0)
        self._request = fcntl.ioctl(self._socket, SIOCGIFFLAGS, asked)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> LockWait:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE):
            begin = time.monotonic()
            fcntl.ioctl(self._socket, SIOCSIFFLAGS, self._request)
            self.longest = max(self.longest, time.monotonic() - begin)
