"""The process that writes to the kernel: `python scribe.py CHANNEL NETLINK [CHANNEL NETLINK ...]`.

It is a program of its own so that the kernel, which works inside `write`, never waits for the lock of the
daemon's interpreter, and so that the daemon, which takes in what peers say, needs no privilege to write. It
knows no route, and imports little, as it is in memory beside the daemon. On each channel come frames of
messages, which are sent as they are, and the kernel's answers go back. Channels and netlink sockets are
inherited, by their numbers; each pair has a thread, as what is urgent waits for no one.

The end of the daemon is the end of its channels, and of this: of what then is under way one chunk is sent to
its end, and no other.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from _thread import start_new_thread

FRAME = struct.Struct("=II")
"""Before each chunk: its octets, and the sequence number of its last message, which asks for an answer."""
REPLY = struct.Struct("=III")
"""Before the answers to a chunk: their octets; the errno of its `write`; that of the `read` after them."""
ANSWER_OCTETS = 1 << 15
"""More than an answer can have."""
_HEADER = struct.Struct("=IHHII")
_ERROR, _DONE = 2, 3
"""struct nlmsghdr, NLMSG_ERROR and NLMSG_DONE, the end of a dump, of linux/netlink.h."""


def serve(channel: int, netlink: int) -> None:
    """Send what comes, answer each frame in turn, until the channel ends. OSError if it breaks."""
    frame = bytearray()
    while header := _exactly(channel, memoryview(bytearray(FRAME.size))):
        size, last = FRAME.unpack(header)
        if size > len(frame):
            frame = bytearray(size)
        octets = _exactly(channel, memoryview(frame)[:size])
        if not octets:
            return
        answers, unsent, lost = b"", 0, 0
        try:
            os.write(netlink, octets)
        except OSError as error:
            unsent = error.errno or errno.EIO
        else:
            answers, lost = answered(netlink, last)
        reply = REPLY.pack(len(answers), unsent, lost) + answers
        while reply:
            reply = reply[os.write(channel, reply) :]


def answered(netlink: int, last: int) -> tuple[bytes, int]:
    """The kernel's answers up to that to the message `last`, and 0; or the errno that ended them before."""
    found = bytearray()
    while True:
        try:
            octets = os.read(netlink, ANSWER_OCTETS)
        except OSError as error:
            return bytes(found), error.errno or errno.EIO
        found += octets
        at = 0
        while at + _HEADER.size <= len(octets):
            length, kind, _, sequence, _ = _HEADER.unpack_from(octets, at)
            if kind in (_ERROR, _DONE) and sequence == last:
                return bytes(found), 0
            at += max((length + 3) & ~3, _HEADER.size)


def _exactly(channel: int, place: memoryview) -> memoryview | None:
    """Fill a place with what comes; None if the channel ended before."""
    done = 0
    while done < len(place):
        count = os.readv(channel, [place[done:]])
        if not count:
            return None
        done += count
    return place


def _until_it_ends(channel: int, netlink: int) -> None:
    try:
        serve(channel, netlink)
    except ConnectionError:
        os._exit(0)
    except BaseException as error:
        os.write(2, f"the process that writes to the kernel: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def main(numbers: list[int]) -> None:
    """Serve all pairs; the first of them that ends, ends the process."""
    pairs = list(zip(numbers[::2], numbers[1::2], strict=True))
    for pair in pairs[1:]:
        start_new_thread(_until_it_ends, pair)
    _until_it_ends(*pairs[0])


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
