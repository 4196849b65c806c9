"""Binds sockets to ports below 1024: the daemon, which sees what peers say, may not, and has it done.

The process that writes may, if CAP_NET_BIND_SERVICE was granted. A socket that the daemon has made and set up
goes there as a descriptor, with the address (unix(7), SCM_RIGHTS).
"""

from __future__ import annotations

import errno
import os
import socket

from vrfbgp.kernel.scribe import BIND, BOUND

PATIENCE = 1.0
"""Seconds in which an answer must come; it takes a fraction of a millisecond, and the event loop waits."""

Address = tuple[str, int] | tuple[str, int, int, int]
"""As socket.bind takes it, of IPv4 or IPv6."""


class Ports:
    """The daemon's end of the channel; the other is `theirs`, until it was inherited."""

    def __init__(self) -> None:
        self._channel, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.settimeout(PATIENCE)
        self._serial = 0

    def bind(self, one: socket.socket, address: Address) -> None:
        """Bind a socket, by ourselves if we may; OSError."""
        try:
            one.bind(address)
        except PermissionError as error:
            if error.errno != errno.EACCES:
                raise
            self._ask(one, address)

    def close(self) -> None:
        self._channel.close()
        self.theirs.close()

    def _ask(self, one: socket.socket, address: Address) -> None:
        self._serial += 1
        host, port, *more = address
        asked = BIND.pack(self._serial, port, more[1] if more else 0, host.encode())
        try:
            socket.send_fds(self._channel, [asked], [one.fileno()])
            while octets := self._channel.recv(BOUND.size):
                serial, failed = BOUND.unpack(octets)
                if serial == self._serial:  # What came too late answers an earlier one.
                    if failed:
                        raise OSError(failed, os.strerror(failed))
                    return
        except TimeoutError as error:
            raise OSError(errno.ETIMEDOUT, "the process that binds does not answer") from error
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
