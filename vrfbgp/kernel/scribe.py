"""The process that writes to the kernel: `python scribe.py CHANNEL NETLINK [CHANNEL NETLINK ...] [CHANNEL]`.

It is a program of its own so that the kernel, which works inside `write`, never waits for the lock of the
daemon's interpreter, and so that the daemon, which takes in what peers say, needs no privilege to write. It
knows no route, and imports little, as it is in memory beside the daemon. On each channel come frames of
messages, which are sent as they are, and the kernel's answers go back. Channels and netlink sockets are
inherited, by their numbers; each pair has a thread, as what is urgent waits for no one. By a channel without
a netlink socket come sockets that are to be bound where the daemon may not, to ports below 1024.

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
BIND = struct.Struct("=IHI46p")
"""With a socket that is to be bound: a number, the port, the scope of the address, and that."""
BOUND = struct.Struct("=II")
"""The number, and the errno, 0 if it is bound."""
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


def bind(channel: int) -> None:
    """Bind each socket that comes, and answer, until the channel ends. OSError if it breaks."""
    from _socket import AF_INET6, CMSG_SPACE, socket

    with_daemon = socket(fileno=channel)
    try:
        while True:
            octets, passed, _, _ = with_daemon.recvmsg(BIND.size, CMSG_SPACE(4))
            if not octets:
                return
            number, port, scope, host = BIND.unpack(octets)
            failed = errno.EBADF
            for _, _, descriptor in passed:
                one = socket(fileno=int.from_bytes(descriptor, sys.byteorder))
                place = (host.decode(), port)
                try:
                    one.bind((*place, 0, scope) if one.family == AF_INET6 else place)
                    failed = 0
                except OSError as error:
                    failed = error.errno or errno.EIO
                finally:
                    one.close()
            with_daemon.send(BOUND.pack(number, failed))
    finally:
        with_daemon.close()


def _exactly(channel: int, place: memoryview) -> memoryview | None:
    """Fill a place with what comes; None if the channel ended before."""
    done = 0
    while done < len(place):
        count = os.readv(channel, [place[done:]])
        if not count:
            return None
        done += count
    return place


def _until_it_ends(*of_one: int) -> None:
    try:
        if len(of_one) == 1:
            bind(*of_one)
        else:
            serve(*of_one)
    except ConnectionError:
        os._exit(0)
    except BaseException as error:
        os.write(2, f"the process that writes to the kernel: {error!r}\n".encode())
        os._exit(1)
    os._exit(0)


def _take_up_privileges() -> None:
    """Put into effect what is permitted, if it is not: of a file's capabilities, for one (capabilities(7)).

    What that takes is in memory only where it is needed.
    """
    with open("/proc/self/status") as status:
        found = dict(line.split(":", 1) for line in status)
    if found["CapEff"] != found["CapPrm"]:
        sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
        from vrfbgp.privileges import take_up

        take_up()


def main(numbers: list[int]) -> None:
    """Serve all channels; the first of them that ends, ends the process."""
    _take_up_privileges()
    for at in range(2, len(numbers), 2):
        start_new_thread(_until_it_ends, tuple(numbers[at : at + 2]))
    _until_it_ends(*numbers[:2])


if __name__ == "__main__":
    main([int(argument) for argument in sys.argv[1:]])
